//! A committer of its own, whose puts go as a script says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use datafusion_kinesis::checkpoint::{Log, OffsetCommitter, Put, StoreError, StoreResult};
use datafusion_kinesis::model::{BatchId, Epoch};
use datafusion_kinesis::{Error, ErrorKind};
use tokio::sync::Notify;

/// What becomes of a put.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// It has no effect.
    Fails,
    /// It has its effect, and the answer is lost.
    LosesAnswer,
    /// A newer epoch is taken just before.
    ComesTooLate,
    /// It passes the look at the epochs, says so, and writes when it is let go.
    IsHeld {
        passed: Arc<Notify>,
        go: Arc<Notify>,
    },
    /// It begins when it is let go.
    Waits { begun: Arc<Notify>, go: Arc<Notify> },
}

/// What was kept, by all handles.
#[derive(Debug, Default)]
pub(super) struct Store {
    metadata: Mutex<Option<Bytes>>,
    epoch: Mutex<u64>,
    entries: Mutex<BTreeMap<(&'static str, BatchId), Bytes>>,
    away: AtomicU32,
}

impl Store {
    /// Fails this many of the next calls, whatever they are.
    pub(super) fn go_away_for(&self, calls: u32) {
        self.away.store(calls, Ordering::SeqCst);
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

    fn is_there(&self) -> StoreResult<()> {
        let count = |left: u32| left.checked_sub(1);
        let away = self
            .away
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, count);
        away.map_or(Ok(()), |_| Err(no_answer()))
    }
}

fn no_answer() -> StoreError {
    StoreError::transient(Error::new(ErrorKind::Unavailable, "no answer"))
}

/// A handle of a [`Store`].
#[derive(Debug)]
pub(super) struct Scripted {
    store: Arc<Store>,
    script: Mutex<Vec<(Log, BatchId, Act)>>,
}

impl Scripted {
    /// Each put of a log and a batch that the script names goes as it says, once for each line.
    pub(super) fn new(store: &Arc<Store>, script: &[(Log, u64, Act)]) -> Arc<Self> {
        let lines = script.iter().cloned();
        let script = lines.map(|(log, batch, act)| (log, BatchId(batch), act));
        Arc::new(Self {
            store: Arc::clone(store),
            script: Mutex::new(script.collect()),
        })
    }

    /// Whether all of the script has come to pass.
    pub(super) fn is_played(&self) -> bool {
        self.script.lock().unwrap().is_empty()
    }

    fn act(&self, log: Log, batch: BatchId) -> Option<Act> {
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
        self.store.is_there()?;
        Ok(self.store.metadata.lock().unwrap().clone())
    }

    async fn create_metadata(&self, entry: Bytes) -> StoreResult<Put> {
        self.store.is_there()?;
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
        self.store.is_there()?;
        Ok(self.store.take_epoch(above.0))
    }

    async fn put(&self, epoch: Epoch, log: Log, batch: BatchId, entry: Bytes) -> StoreResult<Put> {
        self.store.is_there()?;
        let act = self.act(log, batch);
        match &act {
            Some(Act::Fails) => return Err(no_answer()),
            Some(Act::ComesTooLate) => drop(self.store.take_epoch(0)),
            Some(Act::Waits { begun, go }) => {
                begun.notify_one();
                go.notified().await;
            }
            _ => {}
        }
        let newest = *self.store.epoch.lock().unwrap();
        if newest > epoch.0 {
            return Ok(Put::Fenced(Epoch(newest)));
        }
        if let Some(Act::IsHeld { passed, go }) = &act {
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
        match act {
            Some(Act::LosesAnswer) => Err(no_answer()),
            _ => Ok(put),
        }
    }

    async fn get(&self, log: Log, batch: BatchId) -> StoreResult<Option<Bytes>> {
        self.store.is_there()?;
        let entries = self.store.entries.lock().unwrap();
        Ok(entries.get(&(log.name(), batch)).cloned())
    }

    async fn batches(&self, log: Log) -> StoreResult<Vec<BatchId>> {
        self.store.is_there()?;
        Ok(self.store.batches(log).into_iter().map(BatchId).collect())
    }

    async fn remove(&self, log: Log, batch: BatchId) -> StoreResult<()> {
        self.store.is_there()?;
        self.store
            .entries
            .lock()
            .unwrap()
            .remove(&(log.name(), batch));
        Ok(())
    }
}
