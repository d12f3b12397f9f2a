//! Retries of a log, and its error messages.

use std::fmt;
use std::sync::PoisonError;

use super::super::committer::{Log, StoreResult};
use super::super::entry::{self, Unreadable};
use super::super::query_metadata::QueryMetadata;
use super::Checkpoint;
use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::Backoff;
use crate::model::{BatchId, Epoch, RetryPolicy};

/// The alternative to restoring a missing or unreadable object.
const NEW_LOCATION: &str = "give the query a new checkpoint location, where it begins at its \
    starting position";

/// What to do about an object that only a newer version can read.
const NEWER_PROGRAM: &str = "run the query with that version";

/// Sends a request until it succeeds, fails permanently, or `retry` is exhausted.
pub(in crate::checkpoint) async fn retrying<T, Fut>(
    retry: RetryPolicy,
    random: fastrand::Rng,
    mut request: impl FnMut() -> Fut,
) -> Result<T>
where
    Fut: Future<Output = StoreResult<T>>,
{
    let mut backoff = Backoff::new(retry, random);
    loop {
        let error = match request().await {
            Ok(value) => return Ok(value),
            Err(error) if error.is_retryable() => error,
            Err(error) => return Err(error.into_error()),
        };
        let Some(wait) = backoff.next_wait() else {
            let tries = backoff.failures() + 1;
            let error = error.into_error();
            let message = format!("{error} (gave up after {tries} tries)");
            return Err(Error::new(error.kind(), message).with_source(error));
        };
        tracing::debug!(%error, ?wait, "checkpoint request failed; retrying");
        tokio::time::sleep(wait).await;
    }
}

impl Checkpoint {
    /// Sends a request until it succeeds, fails permanently, or the policy is exhausted.
    pub(super) async fn retrying<T, Fut>(&self, mut request: impl FnMut() -> Fut) -> Result<T>
    where
        Fut: Future<Output = StoreResult<T>>,
    {
        let counted = || {
            let answer = request();
            async move {
                let answer = answer.await;
                self.requests.count(&answer);
                answer
            }
        };
        retrying(self.retry, self.random(), counted).await
    }

    pub(super) fn random(&self) -> fastrand::Rng {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random.fork()
    }

    pub(super) fn broken(&self, what: impl fmt::Display) -> Error {
        let location = self.location();
        Error::new(
            ErrorKind::Checkpoint,
            format!("checkpoint '{location}': {what}"),
        )
    }

    pub(super) fn read_metadata(&self, text: &[u8]) -> Result<QueryMetadata> {
        entry::read_metadata(text).map_err(|reason| match reason {
            Unreadable::Newer(_) | Unreadable::UnknownOperator { .. } => {
                self.broken(format!("metadata {reason}; {NEWER_PROGRAM}"))
            }
            Unreadable::Foreign(_) => self.broken(format!(
                "metadata {reason}; restore it from a copy, or {NEW_LOCATION}"
            )),
        })
    }

    /// The error if batches exist without metadata.
    pub(super) fn without_metadata(&self, batch: BatchId) -> Error {
        let there = self.committer.object(Log::Offsets, batch);
        self.broken(format!(
            "metadata is missing, but {there} exists; restore metadata from a copy, or {NEW_LOCATION}"
        ))
    }

    /// The error if an entry exists without the one that must precede it.
    pub(super) fn missing(&self, missing: (Log, BatchId), there: (Log, BatchId)) -> Error {
        let object = |(log, batch)| self.committer.object(log, batch);
        let (missing, there) = (object(missing), object(there));
        self.broken(format!(
            "{missing} is missing, but {there} exists; restore {missing} from a copy, or {NEW_LOCATION}"
        ))
    }

    /// Refuses an entry whose batch is not the one in its name.
    pub(super) fn expect_batch(&self, log: Log, batch: BatchId, inside: BatchId) -> Result<()> {
        if batch == inside {
            return Ok(());
        }
        let reason = Unreadable::Foreign(format!("holds the entry of batch {inside}"));
        Err(self.unreadable(log, batch, &reason))
    }

    pub(super) fn unreadable(&self, log: Log, batch: BatchId, reason: &Unreadable) -> Error {
        let object = self.committer.object(log, batch);
        if !matches!(reason, Unreadable::Foreign(_)) {
            return self.broken(format!("{object} {reason}; {NEWER_PROGRAM}"));
        }
        let commit = self.committer.object(Log::Commits, batch);
        let remove = match log {
            Log::Offsets => format!(
                "remove it and {commit}; batch {batch} is then planned again, and its rows may be written \
                 again"
            ),
            Log::Commits => {
                let next = self.committer.object(Log::Offsets, batch.next());
                format!(
                    "remove it, and {next} if it exists; batch {batch} then runs again, and its rows are \
                     written again"
                )
            }
        };
        self.broken(format!(
            "{object} {reason}; restore it from a copy, or {remove}"
        ))
    }

    pub(super) fn fenced(&self, newer: Epoch, entry: Option<(Log, BatchId, &str)>) -> Error {
        let by = entry.map_or_else(String::new, |(log, batch, run)| {
            let object = self.committer.object(log, batch);
            format!(" (run {run} wrote {object})")
        });
        let (location, own) = (self.location(), self.epoch.unwrap_or(Epoch(0)));
        Error::new(
            ErrorKind::Fenced,
            format!(
                "checkpoint '{location}': this run of the query (epoch {own}, run {}) was taken over by epoch \
                 {newer}{by}; let that run continue, or stop it and start this one again; a second query \
                 needs its own checkpoint location",
                self.run
            ),
        )
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint")
            .field("location", &self.location())
            .field("epoch", &self.epoch)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}
