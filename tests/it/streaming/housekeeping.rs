//! Deletion of old log entries and files in the background.

use super::*;
use async_trait::async_trait;
use bytes::Bytes;
use datafusion_kinesis::checkpoint::{
    Log, ObjectStoreCommitter, OffsetCommitter, Put, StoreError, StoreResult,
};
use datafusion_kinesis::model::{Epoch, OutputMode};
use datafusion_kinesis::{Error, ErrorKind};

/// Behavior of deletions and of reads of commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deletes {
    Work,
    Fail,
    Hang,
}

/// A committer that records its calls.
#[derive(Debug)]
struct RecordingCommitter {
    inner: ObjectStoreCommitter,
    deletes: Mutex<Deletes>,
    calls: Mutex<Vec<String>>,
}

impl RecordingCommitter {
    fn at(location: &str, deletes: Deletes) -> Arc<Self> {
        Arc::new(Self {
            inner: ObjectStoreCommitter::open(location).unwrap(),
            deletes: Mutex::new(deletes),
            calls: Mutex::default(),
        })
    }

    fn note(&self, call: &str, log: Log, batch: BatchId) {
        let call = format!("{call} {}/{batch}", log.name());
        self.calls.lock().unwrap().push(call);
    }

    /// The calls since the last call of this function.
    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    async fn fault(&self) -> StoreResult<()> {
        let deletes = *self.deletes.lock().unwrap();
        match deletes {
            Deletes::Work => Ok(()),
            Deletes::Fail => {
                let error = Error::new(ErrorKind::AccessDenied, "the store says no");
                Err(StoreError::permanent(error))
            }
            Deletes::Hang => std::future::pending().await,
        }
    }
}

#[async_trait]
impl OffsetCommitter for RecordingCommitter {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn object(&self, log: Log, batch: BatchId) -> String {
        self.inner.object(log, batch)
    }

    async fn metadata(&self) -> StoreResult<Option<Bytes>> {
        self.inner.metadata().await
    }

    async fn create_metadata(&self, entry: Bytes) -> StoreResult<Put> {
        self.inner.create_metadata(entry).await
    }

    async fn take_epoch(&self, above: Epoch) -> StoreResult<Epoch> {
        self.inner.take_epoch(above).await
    }

    async fn put(&self, epoch: Epoch, log: Log, batch: BatchId, entry: Bytes) -> StoreResult<Put> {
        self.note("put", log, batch);
        self.inner.put(epoch, log, batch, entry).await
    }

    async fn get(&self, log: Log, batch: BatchId) -> StoreResult<Option<Bytes>> {
        self.note("get", log, batch);
        if log == Log::Commits {
            self.fault().await?;
        }
        self.inner.get(log, batch).await
    }

    async fn batches(&self, log: Log) -> StoreResult<Vec<BatchId>> {
        self.inner.batches(log).await
    }

    async fn remove(&self, log: Log, batch: BatchId) -> StoreResult<()> {
        self.note("remove", log, batch);
        self.fault().await?;
        self.inner.remove(log, batch).await
    }
}

/// A world whose queries retain one batch.
async fn keeping_one() -> World {
    let world = World::new();
    let options = format!("{FROM_THE_START}, 'kinesis.minBatchesToRetain' '1'");
    world.unbounded_table("words", 1, &options).await;
    world
}

async fn batch(world: &World, query: &StreamingQuery, number: u64) {
    world.put("words", "k", number.to_string()).await;
    query.process_all_available().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_for_two_puts_while_deletions_run_in_parallel() {
    let world = keeping_one().await;
    let (sink, log) = (
        Sink::default(),
        RecordingCommitter::at("memory://noted", Deletes::Work),
    );
    let query = sink
        .of(words(&world))
        .with_committer(Arc::<RecordingCommitter>::clone(&log));
    let query = query.start().await.unwrap();
    batch(&world, &query, 0).await;
    log.calls();
    for number in 1..5_u64 {
        batch(&world, &query, number).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = number - 1;
        let expected = [
            format!("put offsets/{number}"),
            format!("put commits/{number}"),
            format!("remove commits/{before}"),
            format!("remove offsets/{before}"),
        ];
        assert_eq!(log.calls(), expected);
    }
    query.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn failing_or_hanging_deletions_do_not_delay_batches_or_end_the_query() {
    for (name, deletes) in [("fail", Deletes::Fail), ("hang", Deletes::Hang)] {
        let world = keeping_one().await;
        let place = format!("memory://deletions-{name}");
        let (sink, log) = (Sink::default(), RecordingCommitter::at(&place, deletes));
        let query = sink
            .of(words(&world))
            .with_committer(Arc::<RecordingCommitter>::clone(&log));
        let query = query.start().await.unwrap();
        for number in 0..20 {
            batch(&world, &query, number).await;
        }
        assert_eq!(sink.numbers(), (0..20).collect::<Vec<_>>(), "{name}");
        query.stop().await.unwrap();
        // The next start deletes the remaining entries.
        let log = RecordingCommitter::at(&place, Deletes::Work);
        let query = sink
            .of(words(&world))
            .with_committer(Arc::<RecordingCommitter>::clone(&log));
        let query = query.start().await.unwrap();
        for number in 20..25 {
            batch(&world, &query, number).await;
        }
        query.stop().await.unwrap();
        let left = log.batches(Log::Offsets).await.unwrap();
        assert_eq!(left, [BatchId(24)], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stateful_query_continues_if_old_files_cannot_be_listed() {
    for (name, deletes) in [("fail", Deletes::Fail), ("hang", Deletes::Hang)] {
        let world = keeping_one().await;
        let place = format!("memory://old-files-{name}");
        let (sink, log) = (
            Sink::default(),
            RecordingCommitter::at(&place, Deletes::Work),
        );
        let sql = "SELECT partitionKey, CAST(count(*) AS VARCHAR) FROM words GROUP BY partitionKey";
        let query = sink.of(StreamingQuery::builder(&world.ctx, sql));
        let query = query
            .with_output_mode(OutputMode::Update)
            .with_checkpoint_location(&place)
            .with_committer(Arc::<RecordingCommitter>::clone(&log));
        let query = query.start().await.unwrap();
        *log.deletes.lock().unwrap() = deletes;
        for number in 0..3 {
            batch(&world, &query, number).await;
        }
        assert_eq!(sink.rows(), ["1", "2", "3"], "{name}");
        query.stop().await.unwrap();
    }
}
