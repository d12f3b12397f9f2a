//! [`FaultyCommitter`]: injects faults into the calls of a committer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;

use super::super::{Log, OffsetCommitter, Put, StoreError, StoreResult};
use crate::error::{Error, ErrorKind};
use crate::model::{BatchId, Epoch};

/// A fault in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call has no effect; a retry may succeed.
    Fails,
    /// The call takes effect, and its response is lost.
    LosesAnswer,
    /// The call has no effect, and neither has a retry.
    Refuses,
    /// A put that passes the check of epochs just before a newer one is taken.
    OvertakesFence,
    /// A get before the entry is written, or after it is deleted.
    FindsNothing,
}

/// Wraps a committer, with faults by the number of the call, counted from 0.
#[derive(Debug)]
pub(crate) struct FaultyCommitter {
    inner: Arc<dyn OffsetCommitter>,
    faults: Mutex<BTreeMap<u64, Fault>>,
    calls: AtomicU64,
}

impl FaultyCommitter {
    pub(crate) fn new(inner: Arc<dyn OffsetCommitter>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            faults: Mutex::default(),
            calls: AtomicU64::new(0),
        })
    }

    /// The number of calls so far.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Injects one fault into each of the next calls.
    pub(crate) fn next(&self, faults: &[Fault]) {
        let calls = (self.calls()..).zip(faults.iter().copied());
        self.faults.lock().unwrap().extend(calls);
    }

    fn fault(&self) -> Option<Fault> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        self.faults.lock().unwrap().remove(&call)
    }

    async fn call<T>(&self, call: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
        let fault = self.fault();
        self.answer(fault, call).await
    }

    async fn answer<T>(
        &self,
        fault: Option<Fault>,
        call: impl Future<Output = StoreResult<T>>,
    ) -> StoreResult<T> {
        let error = |kind, what: &str| Error::new(kind, format!("the store {what}"));
        match fault {
            None | Some(Fault::OvertakesFence | Fault::FindsNothing) => call.await,
            Some(Fault::Fails) => {
                let error = error(ErrorKind::Unavailable, "is away");
                Err(StoreError::transient(error))
            }
            Some(Fault::LosesAnswer) => {
                call.await?;
                let error = error(ErrorKind::Unavailable, "did not answer");
                Err(StoreError::transient(error))
            }
            Some(Fault::Refuses) => {
                let error = error(ErrorKind::AccessDenied, "says no");
                Err(StoreError::permanent(error))
            }
        }
    }
}

#[async_trait]
impl OffsetCommitter for FaultyCommitter {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn object(&self, log: Log, batch: BatchId) -> String {
        self.inner.object(log, batch)
    }

    async fn metadata(&self) -> StoreResult<Option<Bytes>> {
        self.call(self.inner.metadata()).await
    }

    async fn create_metadata(&self, entry: Bytes) -> StoreResult<Put> {
        self.call(self.inner.create_metadata(entry)).await
    }

    async fn take_epoch(&self, above: Epoch) -> StoreResult<Epoch> {
        self.call(self.inner.take_epoch(above)).await
    }

    async fn put(&self, epoch: Epoch, log: Log, batch: BatchId, entry: Bytes) -> StoreResult<Put> {
        let fault = self.fault();
        if fault == Some(Fault::OvertakesFence) {
            let found = self.inner.get(log, batch).await?;
            return Ok(Put::Exists(found.expect("the newer writer was here")));
        }
        self.answer(fault, self.inner.put(epoch, log, batch, entry))
            .await
    }

    async fn get(&self, log: Log, batch: BatchId) -> StoreResult<Option<Bytes>> {
        let fault = self.fault();
        if fault == Some(Fault::FindsNothing) {
            return Ok(None);
        }
        self.answer(fault, self.inner.get(log, batch)).await
    }

    async fn batches(&self, log: Log) -> StoreResult<Vec<BatchId>> {
        self.call(self.inner.batches(log)).await
    }

    async fn remove(&self, log: Log, batch: BatchId) -> StoreResult<()> {
        self.call(self.inner.remove(log, batch)).await
    }
}
