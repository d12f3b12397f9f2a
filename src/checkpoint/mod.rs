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

mod committer;
#[cfg(feature = "dynamodb")]
mod dynamodb;
pub(crate) mod entry;
mod log;
mod object_committer;
mod objects;
mod probe;
mod query_metadata;
mod state_objects;
mod stop_lock;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

#[cfg(not(feature = "dynamodb"))]
use crate::aws::AwsAccess;
use crate::error::Result;
#[cfg(not(feature = "dynamodb"))]
use crate::model::ConnectionSettings;
#[cfg(not(feature = "dynamodb"))]
use crate::model::StreamName;
#[cfg(not(feature = "dynamodb"))]
use crate::options::DynamoDbSettings;

pub(crate) use log::{Checkpoint, Logged, Recovered};
#[cfg(feature = "cli")]
pub(crate) use probe::try_location;
pub(crate) use query_metadata::{QueryMetadata, QueryText, SourceMetadata, StateMetadata};
pub(crate) use state_objects::StateObjects;
pub(crate) use stop_lock::StopLock;

#[cfg(feature = "dynamodb")]
pub(crate) use dynamodb::open as open_table;
#[cfg(all(feature = "cli", feature = "dynamodb"))]
pub(crate) use dynamodb::try_table;

pub use committer::{Log, OffsetCommitter, Put, StoreError, StoreResult};
#[cfg(feature = "dynamodb")]
pub use dynamodb::DynamoDbCommitter;
pub use object_committer::ObjectStoreCommitter;
#[doc(hidden)]
pub use objects::location::set_memory;

/// The log at `location`, in one of the forms of [`ObjectStoreCommitter::open`].
pub(crate) fn open(location: &str) -> Result<Arc<dyn OffsetCommitter>> {
    Ok(Arc::new(ObjectStoreCommitter::open(location)?))
}

/// A log in a DynamoDB table, in a build that knows none.
///
/// # Errors
/// Always, with the feature that is missing.
#[cfg(not(feature = "dynamodb"))]
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
    Arc::new(ObjectStoreCommitter::over(objects::location::private()))
}
