//! How a streaming query reads a stream.

use crate::kinesis::{RecordColumns, RecordDistribution};
use crate::model::UnixMillis;
use crate::source::pages::SubscribedSettings;

/// How a streaming query reads a stream.
#[derive(Debug, Clone)]
pub(crate) struct StreamReaderSettings {
    /// The columns of pages besides payloads and sequence numbers.
    pub(crate) columns: RecordColumns,
    /// When the stream was created; recorded in the ranges of batches.
    pub(crate) created_at: UnixMillis,
    /// How the stream assigns records to shards. Records can be in a wrong shard only if the partition key
    /// determines it.
    pub(crate) distribution: RecordDistribution,
    /// The tip, if it is frozen: shards that are not listed yet, and rows that arrive later, are left to the
    /// next run.
    pub(crate) until: Option<UnixMillis>,
    /// Whether batches are capped. If not, one batch has all rows up to `until`, except those of shards that
    /// were created later; rows that do not fit into memory are read again when the batch runs.
    pub(crate) caps: bool,
    /// How shards are subscribed to; `None` if they are polled. A frozen tip is polled.
    pub(crate) subscribed: Option<SubscribedSettings>,
    /// Whether batches report the [activity](super::ShardActivity) of shards, and wake the query when a shard
    /// becomes idle.
    pub(crate) track_activity: bool,
}
