//! A committer in memory whose puts follow a script.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use datafusion_kinesis::checkpoint::{Log, OffsetCommitter, Put, StoreError, StoreResult};
use datafusion_kinesis::model::{BatchId, Epoch};
use datafusion_kinesis::{Error, ErrorKind};
use tokio::sync::Notify;

/// The outcome of a put.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// Fails without effect.
    Fails,
    /// Takes effect, but the response is lost.
    LosesResponse,
    /// A newer epoch is taken just before.
    FencedBefore,
    /// Passes the epoch check, reports it, and writes when released.
    BlocksBeforeWrite {
        passed: Arc<Notify>,
        go: Arc<Notify>,
    },
    /// Starts when released.
    BlocksAtStart { begun: Arc<Notify>, go: Arc<Notify> },
}

/// The stored entries, shared by all handles.
#[derive(Debug, Default)]
pub(super) struct Store {
    metadata: Mutex<Option<Bytes>>,
    epoch: Mutex<u64>,
    entries: Mutex<BTreeMap<(&'static str, BatchId), Bytes>>,
    failing: AtomicU32,
}

impl Store {
    /// Fails the next `calls` calls.
    pub(super) fn fail_next(&self, calls: u32) {
        self.failing.store(calls, Ordering::SeqCst);
    }

    pub(super) fn batches(&self, log: Log) -> Vec<u64> {
        let entries = self.entries.lock().unwrap();
        let of = entries.keys().filter(|(name, _)| *name == log.name());
        of.map(|(_, batch)| batch.0).collect()
    }

    fn take_epoch(&self, above: u64) -> Epoch {
        let mut epoch = self.epoch.lock().unwrap();
        *epoch = above.max(*epoch) + 1;
        Epoch(*epoch)
    }

    fn available(&self) -> StoreResult<()> {
        let count = |left: u32| left.checked_sub(1);
        let failing = self
            .failing
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, count);
        failing.map_or(Ok(()), |_| Err(no_response()))
    }
}

fn no_response() -> StoreError {
    StoreError::transient(Error::new(ErrorKind::Unavailable, "no answer"))
}

/// A handle of a [`Store`].
#[derive(Debug)]
pub(super) struct Scripted {
    store: Arc<Store>,
    script: Mutex<Vec<(Log, BatchId, Outcome)>>,
}

impl Scripted {
    /// Applies each line of the script once, to the next put of its log and batch.
    pub(super) fn new(store: &Arc<Store>, script: &[(Log, u64, Outcome)]) -> Arc<Self> {
        let lines = script.iter().cloned();
        let script = lines.map(|(log, batch, outcome)| (log, BatchId(batch), outcome));
        Arc::new(Self {
            store: Arc::clone(store),
            script: Mutex::new(script.collect()),
        })
    }

    /// Whether the whole script was applied.
    pub(super) fn is_finished(&self) -> bool {
        self.script.lock().unwrap().is_empty()
    }

    fn outcome(&self, log: Log, batch: BatchId) -> Option<Outcome> {
        let mut script = self.script.lock().unwrap();
        let line = script
            .iter()
            .position(|line| (line.0, line.1) == (log, batch));
        line.map(|line| script.remove(line).2)
    }
}

#[async_trait]
impl OffsetCommitter for Scripted {
    fn location(&self) -> String {
        "scripted".to_owned()
    }

    fn object(&self, log: Log, batch: BatchId) -> String {
        format!("{} of {batch}", log.name())
    }

    async fn metadata(&self) -> StoreResult<Option<Bytes>> {
        self.store.available()?;
        Ok(self.store.metadata.lock().unwrap().clone())
    }

    async fn create_metadata(&self, entry: Bytes) -> StoreResult<Put> {
        self.store.available()?;
        let mut metadata = self.store.metadata.lock().unwrap();
        Ok(match metadata.clone() {
            Some(found) => Put::Exists(found),
            None => {
                *metadata = Some(entry);
                Put::Done
            }
        })
    }

    async fn take_epoch(&self, above: Epoch) -> StoreResult<Epoch> {
        self.store.available()?;
        Ok(self.store.take_epoch(above.0))
    }

    async fn put(&self, epoch: Epoch, log: Log, batch: BatchId, entry: Bytes) -> StoreResult<Put> {
        self.store.available()?;
        let outcome = self.outcome(log, batch);
        match &outcome {
            Some(Outcome::Fails) => return Err(no_response()),
            Some(Outcome::FencedBefore) => drop(self.store.take_epoch(0)),
            Some(Outcome::BlocksAtStart { begun, go }) => {
                begun.notify_one();
                go.notified().await;
            }
            _ => {}
        }
        let newest = *self.store.epoch.lock().unwrap();
        if newest > epoch.0 {
            return Ok(Put::Fenced(Epoch(newest)));
        }
        if let Some(Outcome::BlocksBeforeWrite { passed, go }) = &outcome {
            passed.notify_one();
            go.notified().await;
        }
        let mut entries = self.store.entries.lock().unwrap();
        let put = match entries.get(&(log.name(), batch)) {
            Some(found) => Put::Exists(found.clone()),
            None => {
                entries.insert((log.name(), batch), entry);
                Put::Done
            }
        };
        match outcome {
            Some(Outcome::LosesResponse) => Err(no_response()),
            _ => Ok(put),
        }
    }

    async fn get(&self, log: Log, batch: BatchId) -> StoreResult<Option<Bytes>> {
        self.store.available()?;
        let entries = self.store.entries.lock().unwrap();
        Ok(entries.get(&(log.name(), batch)).cloned())
    }

    async fn batches(&self, log: Log) -> StoreResult<Vec<BatchId>> {
        self.store.available()?;
        Ok(self.store.batches(log).into_iter().map(BatchId).collect())
    }

    async fn remove(&self, log: Log, batch: BatchId) -> StoreResult<()> {
        self.store.available()?;
        self.store
            .entries
            .lock()
            .unwrap()
            .remove(&(log.name(), batch));
        Ok(())
    }
}
