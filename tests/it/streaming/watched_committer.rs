//! A committer that counts its calls, fails some of them, and freezes within one.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use datafusion_kinesis::checkpoint::{Log, OffsetCommitter, Put, StoreError, StoreResult};
use datafusion_kinesis::model::Epoch;
use datafusion_kinesis::{Error, ErrorKind};

use super::*;

/// A call of a committer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Metadata,
    CreateMetadata,
    TakeEpoch,
    Batches(Log),
    Get(Log),
    Put(Log),
    Remove(Log),
}

/// Before or after a call takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// A wrapper of the log at a location.
#[derive(Debug)]
pub(super) struct WatchedCommitter {
    inner: Arc<dyn OffsetCommitter>,
    freeze: Mutex<Option<(Call, Side)>>,
    /// The call to freeze once the first call has completed.
    freeze_after: Mutex<Option<(Call, (Call, Side))>>,
    frozen: Notify,
    thaw: Notify,
    calls: AtomicU64,
    /// Share of failing calls, half of which take effect.
    faults: Mutex<(f64, fastrand::Rng)>,
    /// An entry to write as another run, just before the next put of its kind.
    overtaking: Mutex<Option<(Call, Bytes)>>,
    /// The entry of the last put.
    pub(super) last_put: Mutex<Option<Bytes>>,
}

impl WatchedCommitter {
    pub(super) fn at(place: &str) -> Arc<Self> {
        Arc::new(Self {
            inner: log_locations::open(place),
            freeze: Mutex::default(),
            freeze_after: Mutex::default(),
            frozen: Notify::new(),
            thaw: Notify::new(),
            calls: AtomicU64::new(0),
            faults: Mutex::new((0.0, fastrand::Rng::with_seed(0))),
            overtaking: Mutex::default(),
            last_put: Mutex::default(),
        })
    }

    /// Freezes the next such call.
    pub(super) fn freeze(&self, call: Call, side: Side) {
        *self.freeze.lock().unwrap() = Some((call, side));
    }

    /// Freezes the next such call after a call like `first`.
    pub(super) fn freeze_after(&self, first: Call, call: Call, side: Side) {
        *self.freeze_after.lock().unwrap() = Some((first, (call, side)));
    }

    /// Lets this share of the calls fail.
    pub(super) fn fail(&self, share: f64, seed: u64) {
        *self.faults.lock().unwrap() = (share, fastrand::Rng::with_seed(seed));
    }

    /// Writes `entry` as another run, just before the next call like `call`.
    pub(super) fn overtake(&self, call: Call, entry: Bytes) {
        *self.overtaking.lock().unwrap() = Some((call, entry));
    }

    pub(super) async fn frozen(&self) {
        self.frozen.notified().await;
    }

    pub(super) fn thaw(&self) {
        self.thaw.notify_one();
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    async fn pass(&self, call: Call, side: Side) {
        let hit = {
            let mut freeze = self.freeze.lock().unwrap();
            freeze.take_if(|freeze| *freeze == (call, side)).is_some()
        };
        if hit {
            self.frozen.notify_one();
            self.thaw.notified().await;
        }
    }

    /// Whether the next call fails before, or after, it takes effect.
    fn draw(&self) -> (bool, bool) {
        let mut faults = self.faults.lock().unwrap();
        let (share, random) = &mut *faults;
        let point = random.f64();
        (
            point < *share / 2.0,
            (*share / 2.0..*share).contains(&point),
        )
    }

    async fn call<T>(
        &self,
        call: Call,
        inner: impl Future<Output = StoreResult<T>> + Send,
    ) -> StoreResult<T> {
        let away = || {
            let error = Error::new(ErrorKind::Unavailable, "the store is unavailable");
            Err(StoreError::transient(error))
        };
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.pass(call, Side::Before).await;
        let (before, after) = self.draw();
        if before {
            return away();
        }
        let result = inner.await;
        let next = self
            .freeze_after
            .lock()
            .unwrap()
            .take_if(|(first, _)| *first == call);
        if let Some((_, next)) = next {
            *self.freeze.lock().unwrap() = Some(next);
        }
        self.pass(call, Side::After).await;
        if after { away() } else { result }
    }
}

#[async_trait]
impl OffsetCommitter for WatchedCommitter {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn object(&self, log: Log, batch: BatchId) -> String {
        self.inner.object(log, batch)
    }

    async fn metadata(&self) -> StoreResult<Option<Bytes>> {
        self.call(Call::Metadata, self.inner.metadata()).await
    }

    async fn create_metadata(&self, entry: Bytes) -> StoreResult<Put> {
        let create = self.inner.create_metadata(entry);
        self.call(Call::CreateMetadata, create).await
    }

    async fn take_epoch(&self, above: Epoch) -> StoreResult<Epoch> {
        self.call(Call::TakeEpoch, self.inner.take_epoch(above))
            .await
    }

    async fn put(&self, epoch: Epoch, log: Log, batch: BatchId, entry: Bytes) -> StoreResult<Put> {
        *self.last_put.lock().unwrap() = Some(entry.clone());
        let overtaking = {
            let mut overtaking = self.overtaking.lock().unwrap();
            overtaking.take_if(|(call, _)| *call == Call::Put(log))
        };
        if let Some((_, entry)) = overtaking {
            // A put of another run that passed the epoch check before this run took its epoch.
            self.inner.put(epoch, log, batch, entry).await?;
        }
        let put = self.inner.put(epoch, log, batch, entry);
        self.call(Call::Put(log), put).await
    }

    async fn get(&self, log: Log, batch: BatchId) -> StoreResult<Option<Bytes>> {
        self.call(Call::Get(log), self.inner.get(log, batch)).await
    }

    async fn batches(&self, log: Log) -> StoreResult<Vec<BatchId>> {
        self.call(Call::Batches(log), self.inner.batches(log)).await
    }

    async fn remove(&self, log: Log, batch: BatchId) -> StoreResult<()> {
        let remove = self.inner.remove(log, batch);
        self.call(Call::Remove(log), remove).await
    }
}
