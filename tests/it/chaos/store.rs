//! The committer of one start: a real one that fails and dawdles by plan, with the book kept of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion_kinesis::checkpoint::{
    Log, ObjectStoreCommitter, OffsetCommitter, Put, StoreError, StoreResult,
};
use datafusion_kinesis::model::{BatchId, Epoch};
use datafusion_kinesis::{Error, ErrorKind};

use super::ground::Ground;
use super::killer::Killer;
use super::schedule::{Side, StorePlan};
use super::tally::Met;

#[derive(Debug)]
pub(super) struct Store {
    ground: Arc<Ground>,
    life: usize,
    inner: ObjectStoreCommitter,
    plan: StorePlan,
    killer: Arc<Killer>,
    calls: AtomicU64,
    random: Mutex<fastrand::Rng>,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Works,
    Fails,
    Throttled,
    LosesAnswer,
}

impl Store {
    pub(super) fn new(
        ground: &Arc<Ground>,
        life: usize,
        plan: StorePlan,
        killer: &Arc<Killer>,
        seed: u64,
    ) -> Arc<Self> {
        Arc::new(Self {
            inner: ObjectStoreCommitter::open(&ground.location).unwrap(),
            ground: Arc::clone(ground),
            life,
            plan,
            killer: Arc::clone(killer),
            calls: AtomicU64::new(0),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
        })
    }

    fn draw(&self, call: u64) -> (Fate, Duration) {
        let mut random = self.random.lock().unwrap();
        let latency = self.plan.latency.mul_f64(random.f64());
        let mut point = random.f64();
        let mut strikes = |share: f64| {
            point -= share;
            point < 0.0
        };
        let away = self.plan.outage;
        let away = away.is_some_and(|(first, count)| (first..first + count).contains(&call));
        let fate = if away || strikes(self.plan.fails) {
            Fate::Fails
        } else if strikes(self.plan.throttles) {
            Fate::Throttled
        } else if strikes(self.plan.loses) {
            Fate::LosesAnswer
        } else {
            Fate::Works
        };
        (fate, latency)
    }

    /// A call that goes by plan; `note` keeps the book when it has its effect.
    async fn call<T>(
        &self,
        name: &str,
        inner: impl Future<Output = StoreResult<T>> + Send,
        note: impl FnOnce(&T) -> Result<(), String> + Send,
    ) -> StoreResult<T> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let (fate, latency) = self.draw(number);
        self.killer.reached_call(number, Side::Before).await;
        tokio::time::sleep(latency / 2).await;
        let life = self.life;
        self.ground
            .tell(format_args!("life {life}: {name} {fate:?}"));
        let passing = |why| StoreError::passing(Error::new(ErrorKind::Unavailable, why));
        match fate {
            Fate::Fails => return Err(passing("the store is away")),
            Fate::Throttled => {
                let mut tally = self.ground.tally.lock().unwrap();
                tally.add(Met::StoreThrottles, 1);
                return Err(passing("the store is throttled"));
            }
            Fate::Works | Fate::LosesAnswer => {}
        }
        let answer = inner.await;
        if let Ok(answer) = &answer
            && let Err(wrong) = note(answer)
        {
            self.ground.fault(wrong);
        }
        self.killer.reached_call(number, Side::Behind).await;
        tokio::time::sleep(latency / 2).await;
        match fate {
            Fate::LosesAnswer => Err(passing("the answer of the store is lost")),
            _ => answer,
        }
    }
}

#[async_trait]
impl OffsetCommitter for Store {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn object(&self, log: Log, batch: BatchId) -> String {
        self.inner.object(log, batch)
    }

    async fn metadata(&self) -> StoreResult<Option<Bytes>> {
        let metadata = self.inner.metadata();
        self.call("metadata", metadata, |_| Ok(())).await
    }

    async fn create_metadata(&self, entry: Bytes) -> StoreResult<Put> {
        let create = self.inner.create_metadata(entry);
        let note = |put: &Put| {
            if *put == Put::Done {
                let now = self.ground.clock.now();
                self.ground.book.lock().unwrap().created = Some(now);
            }
            Ok(())
        };
        self.call("create metadata", create, note).await
    }

    async fn take_epoch(&self, above: Epoch) -> StoreResult<Epoch> {
        let take = self.inner.take_epoch(above);
        let note = |epoch: &Epoch| {
            let mut book = self.ground.book.lock().unwrap();
            book.took_epoch(self.life, *epoch)
        };
        self.call("take epoch", take, note).await
    }

    async fn put(&self, epoch: Epoch, log: Log, batch: BatchId, entry: Bytes) -> StoreResult<Put> {
        let put = self.inner.put(epoch, log, batch, entry.clone());
        let note = |put: &Put| {
            let is_in_sink = self.ground.sink.lock().unwrap().has(batch);
            let mut book = self.ground.book.lock().unwrap();
            book.put(self.life, (log, batch), &entry, put, is_in_sink)
        };
        let name = format!("put {} {batch}", log.name());
        self.call(&name, put, note).await
    }

    async fn get(&self, log: Log, batch: BatchId) -> StoreResult<Option<Bytes>> {
        let name = format!("get {} {batch}", log.name());
        self.call(&name, self.inner.get(log, batch), |_| Ok(()))
            .await
    }

    async fn batches(&self, log: Log) -> StoreResult<Vec<BatchId>> {
        let name = format!("list {}", log.name());
        self.call(&name, self.inner.batches(log), |_| Ok(())).await
    }

    async fn remove(&self, log: Log, batch: BatchId) -> StoreResult<()> {
        let name = format!("remove {} {batch}", log.name());
        let remove = self.inner.remove(log, batch);
        let note = |(): &()| self.ground.book.lock().unwrap().removed(log, batch);
        self.call(&name, remove, note).await
    }
}
