//! The checkpoint of a streaming query: its metadata, its offset log and its commit log.
//!
//! A log is a set of entries that are created once and never change ([`OffsetCommitter`]). `offsets/N`
//! records what batch N reads, and is written before the batch runs; `commits/N` records that batch N is
//! done. After a crash the newest entry of `offsets` without one in `commits` runs again with the same
//! ranges; nothing else decides what to read. An entry is JSON:
//!
//! ```json
//! {
//!   "version": 4,
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
//! The checksum is the MD5 of the text without the checksum; an edited entry is refused. Entries of versions
//! 1 and 2 have none.
//!
//! A query with state has operators. `offsets/N` has their watermarks, by operator and input, as
//! `"watermarks": { "aggregation": ["2026-11-20T09:50:00.000Z"] }`, and `commits/N` has the state of each after the
//! batch:
//!
//! ```json
//! {
//!   "version": 4,
//!   "batch": 12,
//!   "epoch": 3,
//!   "run": "9f86d081884c7d65",
//!   "time": "2026-11-20T10:00:00.400Z",
//!   "operators": [
//!     {
//!       "id": "aggregation",
//!       "kind": "aggregation",
//!       "schema_version": 1,
//!       "inputs": [
//!         {
//!           "watermark": "2026-11-20T09:50:00.000Z",
//!           "event_times": [{ "shardId-000000000000": "2026-11-20T10:00:00.000Z" }]
//!         }
//!       ],
//!       "files": { "snapshot": { "batch": 10, "parts": ["…"] }, "deltas": ["…", "…"] }
//!     }
//!   ],
//!   "checksum": "…"
//! }
//! ```
//!
//! An id names an operator for the life of the query, and is derived from the plan: `aggregation` is the
//! first aggregation. Entries before version 4 have one `watermark`, `event_times` and `state` instead, which
//! are read as those of that operator. An operator of an unknown kind, or with a newer schema version, is
//! refused.
//!
//! `metadata` has the statement that the checkpoint was created for, and what each operator computes. When a restart
//! accepts a changed statement, every later entry of `offsets` has it as
//! `"query": { "sink": "…", "statement": "…" }`.

mod billed;
mod committer;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
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

pub(crate) use log::{Checkpoint, Logged, Recovered, RequestCounts};
#[cfg(feature = "cli")]
pub(crate) use probe::try_location;
pub(crate) use query_metadata::{
    AggregationMetadata, OperatorDescription, OperatorMetadata, QueryMetadata, QueryText,
    SourceMetadata,
};
pub(crate) use state_objects::StateObjects;
pub(crate) use stop_lock::StopLock;

#[cfg(feature = "dynamodb")]
pub(crate) use dynamodb::open as open_table;
#[cfg(all(feature = "cli", feature = "dynamodb"))]
pub(crate) use dynamodb::try_table;

#[doc(hidden)]
pub use crate::stores::set_memory;
pub use billed::BilledRequests;
pub use committer::{Log, OffsetCommitter, Put, StoreError, StoreResult};
#[cfg(feature = "dynamodb")]
pub use dynamodb::DynamoDbCommitter;
pub use object_committer::ObjectStoreCommitter;

/// Opens the log at `location`, in one of the forms of [`ObjectStoreCommitter::open`].
pub(crate) fn open(location: &str) -> Result<Arc<dyn OffsetCommitter>> {
    Ok(Arc::new(ObjectStoreCommitter::open(location)?))
}

/// Refuses a log in a DynamoDB table, because this build does not support DynamoDB.
///
/// # Errors
/// Always; names the missing feature.
#[cfg(not(feature = "dynamodb"))]
pub(crate) async fn open_table(
    _access: &AwsAccess,
    _settings: &ConnectionSettings,
    _dynamodb: &DynamoDbSettings,
    _stream: &StreamName,
    _query: &str,
) -> Result<Arc<dyn OffsetCommitter>> {
    Err(crate::error::Error::unsupported(
        "option 'kinesis.metadataCommitterType' = 'DYNAMODB': this build has no DynamoDB: build with \
         the cargo feature 'dynamodb'",
    ))
}

/// A log in memory that only this handle can open; it is lost when the handle is dropped.
pub(crate) fn private() -> Arc<dyn OffsetCommitter> {
    Arc::new(ObjectStoreCommitter::over(objects::location::private()))
}
