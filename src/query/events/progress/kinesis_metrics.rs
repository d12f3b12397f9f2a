//! How far the readers of a stream are, and what has happened to them.

use std::time::Duration;

use crate::model::LatencyHistogram;
use crate::options::ConsumerType;
use crate::source::streaming::ReaderStatus;

/// The state of the readers of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KinesisMetrics {
    /// The maximum lag of a shard: an upper bound of the age of records that no batch has taken yet. Zero if
    /// every shard was at its tip at its last request and no row is buffered. A shard that waits for its
    /// parents, or that cannot be read, lags as far as the records taken before it. `None` if there is nothing
    /// left to read, or if nothing is known about a shard that was not read yet.
    pub max_behind_latest: Option<Duration>,
    /// The mean lag of the shards that are not read to their end.
    pub avg_behind_latest: Option<Duration>,
    /// The minimum lag of these shards.
    pub min_behind_latest: Option<Duration>,
    /// Open shards.
    pub open_shards: usize,
    /// Closed shards that are not read to their end.
    pub draining_shards: usize,
    /// How the shards are read at present; never [`Auto`](ConsumerType::Auto).
    pub consumer_type: ConsumerType,
    /// How long GetRecords calls took, since the readers started.
    pub get_records_latency: LatencyHistogram,
    /// Bytes buffered in memory for later batches.
    pub prefetched_bytes: usize,
    /// Calls that the service throttled since the query started.
    pub throttled_calls: u64,
    /// Expired shard iterators that were renewed since the query started.
    pub iterator_renewals: u64,
    /// Failed calls that were retried since the query started.
    pub retries: u64,
    /// Data losses found since the query started. Each is a shard, a range or a stream whose records no
    /// longer existed when they were to be read, and is logged as a warning with details.
    pub losses: u64,
}

impl KinesisMetrics {
    pub(in crate::query) fn of(status: &ReaderStatus) -> Self {
        Self {
            max_behind_latest: status.max_behind_latest,
            avg_behind_latest: status.avg_behind_latest,
            min_behind_latest: status.min_behind_latest,
            open_shards: status.open_shards,
            draining_shards: status.draining_shards,
            consumer_type: status.consumer_type,
            get_records_latency: status.get_records_latency,
            prefetched_bytes: status.buffered_bytes,
            throttled_calls: status.throttled_calls,
            iterator_renewals: status.iterator_renewals,
            retries: status.retries,
            losses: status.losses,
        }
    }
}
