//! Where a streaming query keeps how far it is: what it is, what each batch reads, which are done.
//!
//! A log is a set of entries that are created once and never changed ([`OffsetCommitter`]). The
//! newest entry of `offsets` without one in `commits` is the batch that runs again after a crash;
//! nothing else decides what to read. An entry is JSON:
//!
//! ```json
//! {
//!   "version": 3,
//!   "batch": 12,
//!   "epoch": 3,
//!   "run": "9f86d081884c7d65",
//!   "time": "2026-11-20T10:00:00.000Z",
//!   "sources": [
//!     {
//!       "stream": "clicks",
//!       "created_at": "2026-11-01T09:30:00.000Z",
//!       "read_to": "2026-11-20T09:59:59.800Z",
//!       "shards": {
//!         "shardId-000000000000": { "after": "AFTER 495902", "upto": "AFTER 495917", "rows": 15 },
//!         "shardId-000000000001": "SHARD_END"
//!       }
//!     }
//!   ],
//!   "checksum": "900150983cd24fb0d6963f7d28e17f72"
//! }
//! ```
//!
//! The checksum is the MD5 of the text without it, so that an entry which was edited is not taken for what was
//! written. Entries of versions 1 and 2 have none.
//!
//! A query with GROUP BY has the watermark of a batch in its plan, too, and what the batch leaves for the
//! next one in its commit:
//!
//! ```json
//! {
//!   "version": 3,
//!   "batch": 12,
//!   "epoch": 3,
//!   "run": "9f86d081884c7d65",
//!   "time": "2026-11-20T10:00:00.400Z",
//!   "watermark": "2026-11-20T09:50:00.000Z",
//!   "event_times": [{ "shardId-000000000000": "2026-11-20T10:00:00.000Z" }],
//!   "state": { "snapshot": { "batch": 10, "parts": ["…"] }, "deltas": ["…", "…"] },
//!   "checksum": "…"
//! }
//! ```
//!
//! `metadata` has the statement that the checkpoint was made for. Where a start has accepted another one,
//! each entry of `offsets` since then has it as `"query": { "sink": "…", "statement": "…" }`.

#[cfg(feature = "aws")]
mod amazon;
mod committer;
#[cfg(feature = "dynamodb")]
mod dynamodb;
pub(crate) mod entry;
#[cfg(feature = "hdfs")]
mod hdfs;
mod local;
mod location;
mod log;
mod object_committer;
mod objects;
mod probe;
mod state_objects;
mod stop_lock;
mod stored;
mod temporary;
mod text;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::Duration;

#[cfg(not(feature = "dynamodb"))]
use crate::aws::AwsAccess;
use crate::error::Result;
#[cfg(not(feature = "dynamodb"))]
use crate::model::ConnectionSettings;
use crate::model::{Batch, Committed, InitialPositions, StreamIdentity, StreamName, UnixMillis};
#[cfg(not(feature = "dynamodb"))]
use crate::options::DynamoDbSettings;

pub(crate) use log::Checkpoint;
#[cfg(feature = "cli")]
pub(crate) use probe::try_location;
pub(crate) use state_objects::StateObjects;
pub(crate) use stop_lock::StopLock;

#[cfg(feature = "dynamodb")]
pub(crate) use dynamodb::open as open_table;
#[cfg(all(feature = "cli", feature = "dynamodb"))]
pub(crate) use dynamodb::try_table;

pub use committer::{Log, OffsetCommitter, Put, StoreError, StoreResult};
#[cfg(feature = "dynamodb")]
pub use dynamodb::DynamoDbCommitter;
#[doc(hidden)]
pub use location::set_memory;
pub use object_committer::ObjectStoreCommitter;

/// The log at `location`, in one of the forms of [`ObjectStoreCommitter::open`].
pub(crate) fn open(location: &str) -> Result<Arc<dyn OffsetCommitter>> {
    Ok(Arc::new(ObjectStoreCommitter::open(location)?))
}

/// A log in a DynamoDB table, in a build that knows none.
///
/// # Errors
/// Always, with the feature that is missing.
#[cfg(not(feature = "dynamodb"))]
#[expect(clippy::unused_async, reason = "stands in for a way to the service")]
pub(crate) async fn open_table(
    _access: &AwsAccess,
    _settings: &ConnectionSettings,
    _dynamodb: &DynamoDbSettings,
    _stream: &StreamName,
    _query: &str,
) -> Result<Arc<dyn OffsetCommitter>> {
    Err(crate::error::Error::unsupported(
        "option 'kinesis.metadataCommitterType' = 'DYNAMODB': this build knows no DynamoDB, build with \
         the cargo feature 'dynamodb'",
    ))
}

/// A log in memory that nobody else can open; it is gone with its last handle.
pub(crate) fn private() -> Arc<dyn OffsetCommitter> {
    Arc::new(ObjectStoreCommitter::over(location::private()))
}

/// What a query is, decided when it was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryMetadata {
    /// A UUID that is the same over all starts.
    pub(crate) id: String,
    /// When it was created.
    pub(crate) created_at: UnixMillis,
    /// Its sources, in the order of a [`Batch`].
    pub(crate) sources: Vec<SourceMetadata>,
    /// What it runs, as it was when it was created.
    pub(crate) runs: QueryText,
    /// What it keeps between batches; `None` where it keeps nothing.
    pub(crate) state: Option<StateMetadata>,
}

/// What a query runs: where its rows go, and its statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryText {
    /// What it writes to, in words.
    pub(crate) sink: String,
    /// The SQL; `None` where an older version of this program did not write it down.
    pub(crate) statement: Option<String>,
}

/// What the state of a query is of, in words: it fits no other aggregation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateMetadata {
    /// The expressions of GROUP BY, in their order.
    pub(crate) group_by: Vec<String>,
    /// The aggregates, in their order.
    pub(crate) aggregates: Vec<String>,
    /// What the watermark goes by; `None` where there is none.
    pub(crate) event_time: Option<String>,
    /// A digest of what groups and aggregates are made of, whatever tables and columns are called; `None` in
    /// checkpoints that do not say it.
    pub(crate) origin: Option<String>,
    /// The same of what the watermark goes by.
    pub(crate) event_time_origin: Option<String>,
}

/// One source of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceMetadata {
    /// The stream.
    pub(crate) stream: StreamIdentity,
    /// When the stream was created: another one of the same name has other records.
    pub(crate) created_at: UnixMillis,
    /// How long the stream kept its records when the query was created; `None` where nobody has noted it.
    pub(crate) retention: Option<Duration>,
    /// Where the query starts on it.
    pub(crate) start: InitialPositions,
}

impl SourceMetadata {
    fn stream_name(&self) -> &StreamName {
        self.stream.name()
    }
}

/// Where a query was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// The newest batch that was planned.
    pub(crate) batch: Batch,
    /// Whether it is done; it is to run again otherwise, as it was planned.
    pub(crate) committed: bool,
    /// What the newest committed batch has left: this one, or the one before it.
    pub(crate) before: Committed,
}

/// What became of an entry that was to be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logged {
    /// It is there and will outlive a crash.
    Done,
    /// Another entry stands in its place, of an older start that was still at it, or of this one:
    /// the caller takes over anew and goes on from that.
    Taken,
}
