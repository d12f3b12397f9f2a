//! [`Checkpoint`]: the typed log of one query. Writes `offsets/N` and `commits/N`, recovers after a restart,
//! and fences older runs.

mod errors;
mod identity;
mod inspect;
mod purge;
mod request_counts;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::billed::BilledRequests;
use super::committer::{Log, OffsetCommitter, Put};
use super::entry::{self, Unreadable, Writer};
use super::query_metadata::QueryText;
use crate::error::{Error, Result};
use crate::model::{Batch, BatchId, Committed, Epoch, RetryPolicy, UnixMillis};

pub(super) use self::errors::retrying;
pub(crate) use self::request_counts::RequestCounts;

/// Entries with more shards are written, and larger entries are read, on a blocking thread: either takes
/// about a millisecond at these limits.
const MANY_SHARDS: usize = 1_000;
const LARGE_ENTRY_BYTES: usize = 256 << 10;

/// The log of one query, kept by a committer.
pub(crate) struct Checkpoint {
    committer: Arc<dyn OffsetCommitter>,
    retry: RetryPolicy,
    /// How many of the newest committed batches a purge keeps; at least 1.
    retained: u64,
    random: Mutex<fastrand::Rng>,
    /// `None` until [`take_over`](Self::take_over).
    epoch: Option<Epoch>,
    run: String,
    /// The statement and sink of this run, if they differ from those the query was created with.
    runs: Option<QueryText>,
    /// The oldest batch that no purge has deleted.
    oldest: Arc<AtomicU64>,
    requests: Arc<RequestCounts>,
}

/// The state of a query after its earlier runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// The newest batch that was planned.
    pub(crate) batch: Batch,
    /// Whether it is committed; if not, it runs again as planned.
    pub(crate) committed: bool,
    /// What the newest commit records: that of this batch, or of the one before it.
    pub(crate) before: Committed,
}

/// The outcome of writing an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logged {
    /// The entry is written and durable.
    Done,
    /// An older run that was still writing, or this one, wrote another entry for the batch: the caller takes over
    /// again and resumes from that entry.
    Taken,
}

impl Checkpoint {
    /// Retains the `min_batches_to_retain` newest committed batches, and retries failed requests by `retry` with
    /// jitter from `random`.
    pub(crate) fn new(
        committer: Arc<dyn OffsetCommitter>,
        retry: RetryPolicy,
        min_batches_to_retain: u64,
        mut random: fastrand::Rng,
    ) -> Self {
        Self {
            committer,
            retry,
            retained: min_batches_to_retain.max(1),
            run: format!("{:016x}", random.u64(..)),
            random: Mutex::new(random),
            epoch: None,
            runs: None,
            oldest: Arc::default(),
            requests: Arc::default(),
        }
    }

    /// The requests of this run.
    pub(crate) fn request_counts(&self) -> Arc<RequestCounts> {
        Arc::clone(&self.requests)
    }

    /// What AWS bills for the requests of this run.
    pub(crate) fn billed_requests(&self) -> BilledRequests {
        self.committer.billed_requests()
    }

    /// The location, for messages.
    pub(crate) fn location(&self) -> String {
        self.committer.location()
    }

    /// Takes the next epoch, which fences all earlier runs, and reads the state of the query after them;
    /// `None` if no batch was planned yet.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) if the log is inconsistent, with the object;
    /// [`ErrorKind::Fenced`](crate::ErrorKind::Fenced) if another run takes over at the same time.
    pub(crate) async fn take_over(&mut self) -> Result<Option<Recovered>> {
        let above = self.newest_epoch().await?;
        let own = self.retrying(|| self.committer.take_epoch(above)).await?;
        self.epoch = Some(own);
        let planned = self.batches(Log::Offsets).await?;
        let committed = self.batches(Log::Commits).await?;
        let newest = match self.newest(&planned, &committed) {
            Ok(newest) => newest,
            Err(misfit) => {
                // Listings also differ when a newer run writes between them.
                self.refuse_newer_last(Log::Commits, &committed).await?;
                self.refuse_newer_last(Log::Offsets, &planned).await?;
                return Err(misfit);
            }
        };
        let Some(newest) = newest else {
            self.oldest.store(0, Ordering::Relaxed);
            return Ok(None);
        };
        self.oldest.store(planned[0].0, Ordering::Relaxed);
        let (batch, writer) = self.read(Log::Offsets, newest, entry::read_offsets).await?;
        self.expect_batch(Log::Offsets, newest, batch.id)?;
        self.refuse_newer(Log::Offsets, newest, &writer)?;
        let done = committed.last() == Some(&newest);
        let before = match committed.last() {
            Some(committed) => self.left_by(*committed).await?,
            None => Committed::default(),
        };
        Ok(Some(Recovered {
            batch,
            committed: done,
            before,
        }))
    }

    /// What the commit of a batch records for the next one.
    async fn left_by(&self, batch: BatchId) -> Result<Committed> {
        let (inside, left, writer) = self.read(Log::Commits, batch, entry::read_commit).await?;
        self.expect_batch(Log::Commits, batch, inside)?;
        self.refuse_newer(Log::Commits, batch, &writer)?;
        Ok(left)
    }

    /// Writes the plan of `batch`; from then on the batch runs with exactly these ranges.
    ///
    /// # Errors
    /// [`ErrorKind::Fenced`](crate::ErrorKind::Fenced) if a newer run of the query has taken over.
    pub(crate) async fn log_offsets(&self, batch: &Batch) -> Result<Logged> {
        let writer = self.writer()?;
        let shards: usize = batch.sources.iter().map(|source| source.shards.len()).sum();
        let entry = match shards > MANY_SHARDS {
            true => {
                let batch = batch.clone();
                off_thread(move || entry::offsets(&batch, &writer)).await??
            }
            false => entry::offsets(batch, &writer)?,
        };
        self.put(Log::Offsets, batch.id, entry).await
    }

    /// Commits `batch` at `time`, with its progress for the next batch.
    ///
    /// # Errors
    /// [`ErrorKind::Fenced`](crate::ErrorKind::Fenced) if a newer run of the query has taken over.
    pub(crate) async fn log_commit(
        &self,
        batch: BatchId,
        time: UnixMillis,
        left: &Committed,
    ) -> Result<Logged> {
        let writer = self.writer()?;
        let shards: usize = left
            .operators
            .iter()
            .flat_map(|operator| &operator.inputs)
            .flat_map(|input| &input.event_times)
            .map(BTreeMap::len)
            .sum();
        let entry = match shards > MANY_SHARDS {
            true => {
                let left = left.clone();
                off_thread(move || entry::commit(batch, time, &left, &writer)).await??
            }
            false => entry::commit(batch, time, left, &writer)?,
        };
        self.put(Log::Commits, batch, entry).await
    }

    /// Whether no newer run of the query has taken over. Writes nothing.
    pub(crate) async fn is_newest(&self) -> Result<bool> {
        let epoch = self.writer()?.epoch;
        self.retrying(|| self.committer.is_newest(epoch)).await
    }

    fn writer(&self) -> Result<Writer> {
        let epoch = self.epoch.ok_or_else(|| {
            Error::internal("a checkpoint entry is written before an epoch is taken")
        })?;
        Ok(Writer {
            epoch,
            run: self.run.clone(),
            runs: self.runs.clone(),
        })
    }

    async fn put(&self, log: Log, batch: BatchId, entry: Bytes) -> Result<Logged> {
        let epoch = self.writer()?.epoch;
        let put = || self.committer.put(epoch, log, batch, entry.clone());
        let found = match self.retrying(put).await? {
            Put::Done => return Ok(Logged::Done),
            Put::Fenced(newer) => return Err(self.fenced(newer, None)),
            // An earlier try of this run, whose response was lost.
            Put::Exists(found) if found == entry => return Ok(Logged::Done),
            Put::Exists(found) => found,
        };
        let (inside, writer) =
            entry::read_heading(&found).map_err(|reason| self.unreadable(log, batch, &reason))?;
        self.expect_batch(log, batch, inside)?;
        self.refuse_newer(log, batch, &writer)?;
        Ok(Logged::Taken)
    }

    /// The newest epoch that the newest entries name. Unreadable entries are ignored here; reading them later
    /// reports them.
    async fn newest_epoch(&self) -> Result<Epoch> {
        let mut newest = Epoch(0);
        for log in [Log::Offsets, Log::Commits] {
            let Some(batch) = self.batches(log).await?.pop() else {
                continue;
            };
            let found = self.retrying(|| self.committer.get(log, batch)).await?;
            let heading = found.and_then(|found| entry::read_heading(&found).ok());
            newest = newest.max(heading.map_or(newest, |(_, writer)| writer.epoch));
        }
        Ok(newest)
    }

    async fn batches(&self, log: Log) -> Result<Vec<BatchId>> {
        self.retrying(|| self.committer.batches(log)).await
    }

    async fn read<T: Send + 'static>(
        &self,
        log: Log,
        batch: BatchId,
        read: fn(&[u8]) -> Result<T, Unreadable>,
    ) -> Result<T> {
        let found = self.retrying(|| self.committer.get(log, batch)).await?;
        let Some(found) = found else {
            // A newer run may have purged the entry.
            self.refuse_newer_last(log, &self.batches(log).await?)
                .await?;
            let object = self.committer.object(log, batch);
            return Err(self.broken(format!(
                "{object} was removed while it was being read; start the query again"
            )));
        };
        let entry = match found.len() > LARGE_ENTRY_BYTES {
            true => off_thread(move || read(&found)).await?,
            false => read(&found),
        };
        entry.map_err(|reason| self.unreadable(log, batch, &reason))
    }

    /// The newest planned batch.
    ///
    /// # Errors
    /// The logs are inconsistent: an entry is missing.
    fn newest(&self, planned: &[BatchId], committed: &[BatchId]) -> Result<Option<BatchId>> {
        let unplanned = committed
            .iter()
            .find(|batch| planned.binary_search(batch).is_err());
        if let Some(batch) = unplanned {
            return Err(self.missing((Log::Offsets, *batch), (Log::Commits, *batch)));
        }
        let Some((newest, older)) = planned.split_last() else {
            return Ok(None);
        };
        let done = committed.last() == Some(newest);
        let Some(before) = newest.0.checked_sub(1).map(BatchId) else {
            return Ok(Some(*newest));
        };
        // A batch is planned once the previous one is committed. A committed batch may be the oldest one in
        // the log.
        if older.last() != Some(&before) && !(done && older.is_empty()) {
            return Err(self.missing((Log::Offsets, before), (Log::Offsets, *newest)));
        }
        if !done && committed.last() != Some(&before) {
            return Err(self.missing((Log::Commits, before), (Log::Offsets, *newest)));
        }
        Ok(Some(*newest))
    }

    /// Refuses the last of these entries if a newer run wrote it.
    async fn refuse_newer_last(&self, log: Log, batches: &[BatchId]) -> Result<()> {
        let Some(last) = batches.last() else {
            return Ok(());
        };
        let found = self.retrying(|| self.committer.get(log, *last)).await?;
        match found.map(|found| entry::read_heading(&found)) {
            Some(Ok((_, writer))) => self.refuse_newer(log, *last, &writer),
            _ => Ok(()),
        }
    }

    /// Refuses an entry that a newer run wrote.
    fn refuse_newer(&self, log: Log, batch: BatchId, writer: &Writer) -> Result<()> {
        let own = self.writer()?;
        if writer.epoch > own.epoch {
            return Err(self.fenced(writer.epoch, Some((log, batch, &writer.run))));
        }
        if writer.epoch == own.epoch && writer.run != own.run {
            let (object, epoch) = (self.committer.object(log, batch), own.epoch);
            return Err(self.broken(format!(
                "{object} was written by another run ({}) under the same epoch {epoch}, so epochs \
                 were removed from the checkpoint; start the query again",
                writer.run
            )));
        }
        Ok(())
    }
}

/// Runs `work` on a blocking thread.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| {
        Error::internal(format!(
            "the task that encodes or reads an entry failed: {error}"
        ))
    })
}
