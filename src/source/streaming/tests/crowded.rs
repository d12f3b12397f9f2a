//! Many shards at once: none waits for an answer to another one.

use std::collections::HashSet;
use std::future::pending;

use async_trait::async_trait;

use super::*;
use crate::kinesis::{
    ApiResult, IteratorPosition, ListShardsFrom, PutOutcome, RecordsPage, ShardIterator,
    ShardsPage, StreamSummary,
};

/// A service that never answers for some shards, and takes its time for the others.
#[derive(Debug)]
struct Slow {
    kinesis: Arc<InMemoryKinesis>,
    hung: HashSet<ShardId>,
    latency: Duration,
}

#[async_trait]
impl Kinesis for Slow {
    async fn describe_stream(&self, stream: &StreamIdentity) -> ApiResult<StreamSummary> {
        self.kinesis.describe_stream(stream).await
    }

    async fn list_shards(&self, from: ListShardsFrom<'_>) -> ApiResult<ShardsPage> {
        self.kinesis.list_shards(from).await
    }

    async fn get_shard_iterator(
        &self,
        stream: &StreamIdentity,
        shard: &ShardId,
        position: &IteratorPosition,
    ) -> ApiResult<ShardIterator> {
        if self.hung.contains(shard) {
            return pending().await;
        }
        sleep(self.latency).await;
        self.kinesis
            .get_shard_iterator(stream, shard, position)
            .await
    }

    async fn get_records(
        &self,
        stream: &StreamIdentity,
        iterator: &ShardIterator,
        limit: usize,
        columns: RecordColumns,
    ) -> ApiResult<RecordsPage> {
        sleep(self.latency).await;
        self.kinesis
            .get_records(stream, iterator, limit, columns)
            .await
    }

    async fn put_records(
        &self,
        stream: &StreamIdentity,
        entries: &[PutEntry],
    ) -> ApiResult<Vec<PutOutcome>> {
        self.kinesis.put_records(stream, entries).await
    }

    async fn create_stream(&self, name: &StreamName, shard_count: u32) -> ApiResult<()> {
        self.kinesis.create_stream(name, shard_count).await
    }
}

async fn stream_of(shards: u32) -> Fixture {
    let mut fixture = Fixture::with_shards(shards).await;
    fixture.shards = shards as usize;
    fixture
}

impl Fixture {
    /// Reads through a service that answers after `latency`, and for the first `hung` shards never.
    async fn read_slowly(&self, hung: u32, latency: Duration) -> StreamReader {
        let service = Arc::new(Slow {
            kinesis: Arc::clone(&self.kinesis),
            hung: (0..hung).map(shard).collect(),
            latency,
        });
        self.read_through(service, horizon()).await
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_never_answered_hold_up_no_other_shard() {
    for (shards, hung) in [(72, 64), (600, 500)] {
        let fixture = stream_of(shards).await;
        let mut expected = Vec::new();
        for number in 0..1_000 {
            let text = format!("{number} x");
            let entry = PutEntry {
                data: Bytes::from(text.clone()),
                partition_key: number.to_string().into(),
                explicit_hash_key: None,
            };
            let put = fixture.kinesis.put_record(&fixture.stream, &entry).await;
            if put.unwrap().shard >= shard(hung) {
                expected.push(text);
            }
        }
        let reader = fixture.read_slowly(hung, Duration::from_millis(15)).await;
        let wait = Duration::from_secs(3);
        let rows = tokio::time::timeout(wait, reader.rows(expected.len())).await;
        let mut rows = rows.unwrap_or_else(|_| panic!("{hung} of {shards} shards stop the others"));
        rows.sort();
        expected.sort();
        assert_eq!(rows, expected);
        // What comes later comes at the pace of any shard.
        sleep(Duration::from_secs(10)).await;
        let asked = fixture.kinesis.calls(Operation::GetRecords);
        sleep(Duration::from_secs(10)).await;
        let asked = fixture.kinesis.calls(Operation::GetRecords) - asked;
        let due = u64::from(shards - hung) * 10 * 5;
        assert!(asked >= due * 9 / 10, "{asked} of {due}");
    }
}

#[tokio::test(start_paused = true)]
async fn twelve_hundred_idle_shards_are_asked_five_times_a_second() {
    const SHARDS: u32 = 1_200;
    let fixture = stream_of(SHARDS).await;
    let reader = fixture.read_slowly(0, Duration::from_millis(15)).await;
    sleep(Duration::from_secs(2)).await;
    let asked = || fixture.kinesis.calls(Operation::GetRecords);
    let before = asked();
    sleep(Duration::from_secs(5)).await;
    let due = u64::from(SHARDS) * 5 * 5;
    let asked = asked() - before;
    assert!(asked >= due * 95 / 100, "{asked} of {due}");
    drop(reader);
}
