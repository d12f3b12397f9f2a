//! [`OffsetCommitter`], the trait of the stores that keep the logs of a query, and its contract.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use super::billed::BilledRequests;
use crate::error::Error;
use crate::model::{BatchId, Epoch};

/// One of the two logs of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Log {
    /// What each batch reads; written before the batch runs.
    Offsets,
    /// Which batches are done.
    Commits,
}

impl Log {
    /// `offsets` or `commits`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Offsets => "offsets",
            Self::Commits => "commits",
        }
    }
}

/// The outcome of creating an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// The entry was created and is durable.
    Done,
    /// The entry existed already, with these bytes, and is unchanged. They may be the caller's own, written
    /// by an earlier try whose response was lost.
    Exists(Bytes),
    /// Nothing was written: another writer has taken this newer epoch.
    Fenced(Epoch),
}

/// The result of a call of an [`OffsetCommitter`].
pub type StoreResult<T> = Result<T, StoreError>;

/// Why a call of an [`OffsetCommitter`] failed.
#[derive(Debug)]
pub struct StoreError {
    retryable: bool,
    error: Error,
}

impl StoreError {
    /// An error that a retry may avoid: a timeout, throttling, a lost connection.
    pub fn transient(error: Error) -> Self {
        Self {
            retryable: true,
            error,
        }
    }

    /// An error that every retry would return, too.
    pub fn permanent(error: Error) -> Self {
        Self {
            retryable: false,
            error,
        }
    }

    /// Whether another try may succeed.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// The error, which names the location, the object and the cause.
    pub fn into_error(self) -> Error {
        self.error
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}

/// Keeps the log of one query: its metadata, and for each batch an entry in each [`Log`].
///
/// It stores bytes and does not interpret them. Its contract:
///
/// - **Create if absent.** Of any number of writers of one entry, in this process or elsewhere, exactly one
///   gets [`Put::Done`]; the others get the bytes that it wrote. An entry never changes.
/// - **All or nothing.** Readers never see a part of an entry, and an acknowledged entry survives a crash of the
///   process and of the machine that stores it.
/// - **Read your writes.** Every later call on any handle sees what was acknowledged.
/// - **Epochs.** [`take_epoch`](Self::take_epoch) returns a greater number than any it returned before, and than
///   the one it is given. An epoch belongs to the handle that took it. As soon as it has returned,
///   [`put`](Self::put) with an older epoch returns [`Put::Fenced`]. A put that passed this check just before
///   may still create its entry, which is then as valid as any other: the newer writer finds it when it
///   reads the log, or at the latest when it writes the same entry.
/// - **Retries.** Any call may be repeated after a failure that [is retryable](StoreError::is_retryable). The
///   failed try may have taken effect: `put` then finds its own bytes, and `take_epoch` skips a number.
///
/// A committer does not retry. A call whose future is dropped has taken effect completely or not at all. With
/// the feature `conformance`, `checkpoint::conformance` checks this contract on any committer.
#[async_trait]
pub trait OffsetCommitter: fmt::Debug + Send + Sync {
    /// The location, for messages; without secrets.
    fn location(&self) -> String;

    /// The name of an entry, for messages.
    fn object(&self, log: Log, batch: BatchId) -> String;

    /// The metadata of the query; `None` before it was created.
    async fn metadata(&self) -> StoreResult<Option<Bytes>>;

    /// Creates the metadata; never returns [`Put::Fenced`].
    async fn create_metadata(&self, entry: Bytes) -> StoreResult<Put>;

    /// Takes the next epoch, greater than `above`, and fences all older writers. `above` is the newest epoch
    /// named by the entries of the log, which may outlive the committer's own record of epochs.
    async fn take_epoch(&self, above: Epoch) -> StoreResult<Epoch>;

    /// Creates the entry of `batch`, unless it exists or a newer epoch than `epoch` was taken.
    async fn put(&self, epoch: Epoch, log: Log, batch: BatchId, entry: Bytes) -> StoreResult<Put>;

    /// Whether no newer epoch than `epoch` was taken. Writes nothing.
    ///
    /// The provided implementation finds out by a [`put`](Self::put) of the newest entry, which exists. It returns `true`
    /// for a log without entries, so implement it if you can.
    async fn is_newest(&self, epoch: Epoch) -> StoreResult<bool> {
        let Some(newest) = self.batches(Log::Offsets).await?.pop() else {
            return Ok(true);
        };
        match self.get(Log::Offsets, newest).await? {
            Some(entry) => {
                let put = self.put(epoch, Log::Offsets, newest, entry).await?;
                Ok(!matches!(put, Put::Fenced(_)))
            }
            // Only a newer writer deletes it.
            None => Ok(false),
        }
    }

    /// The entry of `batch`; `None` if there is none.
    async fn get(&self, log: Log, batch: BatchId) -> StoreResult<Option<Bytes>>;

    /// The batches that have an entry, in ascending order.
    async fn batches(&self, log: Log) -> StoreResult<Vec<BatchId>>;

    /// Deletes the entry of `batch`; succeeds if there is none.
    async fn remove(&self, log: Log, batch: BatchId) -> StoreResult<()>;

    /// What AWS bills for the requests of this handle so far, for estimates of what a query costs. The provided
    /// implementation returns none.
    fn billed_requests(&self) -> BilledRequests {
        BilledRequests::default()
    }
}
