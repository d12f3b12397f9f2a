//! Where the log of a query is kept: the seam between what is logged and what keeps it.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Error;
use crate::model::{BatchId, Epoch};

/// Which of the two logs of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Log {
    /// What each batch reads, written before it runs.
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

/// What became of an entry that was to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is there and will outlive a crash.
    Done,
    /// There was one already, which stays as it is: this one. It may be the caller's own, written
    /// by a try whose answer was lost.
    Exists(Bytes),
    /// Nothing was written: this newer epoch has been taken.
    Fenced(Epoch),
}

/// The result of a [`OffsetCommitter`].
pub type StoreResult<T> = Result<T, StoreError>;

/// Why a [`OffsetCommitter`] could not do what it was asked to.
#[derive(Debug)]
pub struct StoreError {
    retryable: bool,
    error: Error,
}

impl StoreError {
    /// It may go away by itself: a timeout, throttling, a lost connection.
    pub fn transient(error: Error) -> Self {
        Self {
            retryable: true,
            error,
        }
    }

    /// Another try would end the same.
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

    /// What went wrong: the location, the object and the cause.
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

/// Keeps the log of one query: its metadata, and per batch an entry in each [`Log`].
///
/// It keeps bytes and does not look into them. What it promises:
///
/// - **Create-if-absent.** Of any number of writers of one entry, in this process or elsewhere,
///   exactly one gets [`Put::Done`]; the others get what that one wrote. An entry never changes.
/// - **Whole or not at all.** Nobody sees a part of an entry, and one that was acknowledged outlives
///   a crash of the process and of the machine that keeps it.
/// - **Read your writes.** Whatever was acknowledged is seen by every later call, of every handle.
/// - **Epochs.** [`take_epoch`](Self::take_epoch) gives each caller a greater number than anyone had
///   before, and than the one it is told. An epoch belongs to the handle that took it. From when it returns, [`put`](Self::put)
///   with an older one answers [`Put::Fenced`]; a put that had passed that check just before may
///   still create its entry, which then stands like any other, so that whoever took over reads the
///   log and meets it there, at the latest when it writes the same entry.
/// - **Any call may be sent again** after a failure that [is retryable](StoreError::is_retryable).
///   The failed try may have had its effect: `put` then finds its own bytes, `take_epoch` skips a
///   number.
///
/// A committer does not retry by itself. Dropping a future of it leaves the call done or not done.
#[async_trait]
pub trait OffsetCommitter: fmt::Debug + Send + Sync {
    /// Where it is, for messages; without secrets.
    fn location(&self) -> String;

    /// The name of an entry at the location, for messages.
    fn object(&self, log: Log, batch: BatchId) -> String;

    /// What the query is; `None` before it was created.
    async fn metadata(&self) -> StoreResult<Option<Bytes>>;

    /// Writes what the query is, once; never [`Put::Fenced`].
    async fn create_metadata(&self, entry: Bytes) -> StoreResult<Put>;

    /// Takes the next epoch, one beyond `above` at least, and fences all older writers. The log names
    /// `above` in its entries: they may have outlived what the committer knows of epochs.
    async fn take_epoch(&self, above: Epoch) -> StoreResult<Epoch>;

    /// Creates the entry of `batch`, unless there is one or a newer epoch than `epoch` was taken.
    async fn put(&self, epoch: Epoch, log: Log, batch: BatchId, entry: Bytes) -> StoreResult<Put>;

    /// The entry of `batch`, where there is one.
    async fn get(&self, log: Log, batch: BatchId) -> StoreResult<Option<Bytes>>;

    /// The batches that have an entry, ascending.
    async fn batches(&self, log: Log) -> StoreResult<Vec<BatchId>>;

    /// Deletes the entry of `batch`; it is no error when there is none.
    async fn remove(&self, log: Log, batch: BatchId) -> StoreResult<()>;
}
