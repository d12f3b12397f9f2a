//! The committer of one start: a real one with planned failures and delays, whose calls are
//! recorded.

mod calls;
mod state;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion_kinesis::checkpoint::{
    Log, ObjectStoreCommitter, OffsetCommitter, Put, StoreError, StoreResult,
};
use datafusion_kinesis::model::{BatchId, Epoch};
use datafusion_kinesis::{Error, ErrorKind};

pub(super) use self::calls::Calls;
pub(super) use self::state::{StateStore, named_by};
use super::ground::Ground;

#[derive(Debug)]
pub(super) struct Store {
    ground: Arc<Ground>,
    life: usize,
    inner: ObjectStoreCommitter,
    calls: Arc<Calls>,
}

impl Store {
    pub(super) fn new(ground: &Arc<Ground>, life: usize, calls: &Arc<Calls>) -> Arc<Self> {
        Arc::new(Self {
            inner: ObjectStoreCommitter::open(&ground.location).unwrap(),
            ground: Arc::clone(ground),
            life,
            calls: Arc::clone(calls),
        })
    }

    /// A call with its planned fate; `note` records its effect.
    async fn call<T>(
        &self,
        name: &str,
        inner: impl Future<Output = StoreResult<T>> + Send,
        note: impl FnOnce(&T) -> Result<(), String> + Send,
    ) -> StoreResult<T> {
        let passing = |why| StoreError::transient(Error::new(ErrorKind::Unavailable, why));
        self.calls.make(name, inner, note, passing).await
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
            if log == Log::Commits && *put == Put::Done {
                self.ground.expect_state(&entry)?;
            }
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
