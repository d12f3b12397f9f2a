//! How a streaming query reads a stream.

use crate::kinesis::{RecordColumns, RecordDistribution};
use crate::model::UnixMillis;

/// How a query reads a stream.
#[derive(Debug, Clone)]
pub(crate) struct StreamReaderSettings {
    /// What pages hold besides payloads and sequence numbers.
    pub(crate) columns: RecordColumns,
    /// When the stream was made, which the ranges say.
    pub(crate) created_at: UnixMillis,
    /// Who picks the shard of a record: only by key can a record lie in the wrong one.
    pub(crate) distribution: RecordDistribution,
    /// The tip, where it is frozen: shards not listed now are left out, and rows that arrived later are
    /// left for the next run.
    pub(crate) until: Option<UnixMillis>,
    /// Whether batches are capped. Without caps one batch holds all up to `until`, except what lies
    /// behind a reshard; rows that do not fit into memory are read again when the batch runs.
    pub(crate) caps: bool,
    /// Whether batches say how the shards [stand](ShardActivity), and one that turns idle is news.
    pub(crate) track_activity: bool,
}
