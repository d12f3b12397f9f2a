//! A committer that sends retryable requests again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::Failure;
use crate::checkpoint::committer::{Log, OffsetCommitter, Put, StoreResult};
use crate::model::{BatchId, Epoch};

/// How often a request is sent before the committer counts as broken.
const MAX_TRIES: usize = 1_000;

const BETWEEN_TRIES: Duration = Duration::from_millis(2);

/// Less than any epoch.
pub(super) const NO_EPOCH: Epoch = Epoch(0);

/// A handle to a log.
#[derive(Debug, Clone)]
pub(super) struct Handle(pub(super) Arc<dyn OffsetCommitter>);

async fn retrying<T, Fut>(mut request: impl FnMut() -> Fut) -> Result<T, Failure>
where
    Fut: Future<Output = StoreResult<T>>,
{
    let mut tries = 1;
    loop {
        match request().await {
            Ok(value) => return Ok(value),
            Err(error) if error.is_retryable() && tries < MAX_TRIES => tries += 1,
            Err(error) => return Err(Failure(format!("{error} (after {tries} tries)"))),
        }
        sleep(BETWEEN_TRIES).await;
    }
}

impl Handle {
    pub(super) async fn metadata(&self) -> Result<Option<Bytes>, Failure> {
        retrying(|| self.0.metadata()).await
    }

    pub(super) async fn create_metadata(&self, entry: &Bytes) -> Result<Put, Failure> {
        retrying(|| self.0.create_metadata(entry.clone())).await
    }

    pub(super) async fn take_epoch(&self) -> Result<Epoch, Failure> {
        self.take_epoch_above(NO_EPOCH).await
    }

    pub(super) async fn take_epoch_above(&self, above: Epoch) -> Result<Epoch, Failure> {
        retrying(|| self.0.take_epoch(above)).await
    }

    pub(super) async fn is_newest(&self, epoch: Epoch) -> Result<bool, Failure> {
        retrying(|| self.0.is_newest(epoch)).await
    }

    /// Creates an entry. [`Put::Exists`] with the same bytes may be the effect of an earlier try.
    pub(super) async fn put(
        &self,
        epoch: Epoch,
        log: Log,
        batch: BatchId,
        entry: &Bytes,
    ) -> Result<Put, Failure> {
        retrying(|| self.0.put(epoch, log, batch, entry.clone())).await
    }

    /// Creates an entry that no other writer creates.
    pub(super) async fn create(
        &self,
        epoch: Epoch,
        log: Log,
        batch: BatchId,
        entry: &Bytes,
    ) -> Result<(), Failure> {
        match self.put(epoch, log, batch, entry).await? {
            Put::Done => Ok(()),
            Put::Exists(found) if found == entry => Ok(()),
            other => Err(Failure(format!(
                "creating {}/{batch} under epoch {epoch}: expected Done, found {other:?}",
                log.name()
            ))),
        }
    }

    pub(super) async fn get(&self, log: Log, batch: BatchId) -> Result<Option<Bytes>, Failure> {
        retrying(|| self.0.get(log, batch)).await
    }

    pub(super) async fn batches(&self, log: Log) -> Result<Vec<BatchId>, Failure> {
        retrying(|| self.0.batches(log)).await
    }

    pub(super) async fn remove(&self, log: Log, batch: BatchId) -> Result<(), Failure> {
        retrying(|| self.0.remove(log, batch)).await
    }
}

pub(super) fn entry(text: &str) -> Bytes {
    Bytes::from(text.to_owned())
}
