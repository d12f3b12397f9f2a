//! The status of a stream reader, for query progress.

use std::time::Duration;

use super::StreamState;
use super::shard::ShardState;
use crate::model::{LatencyHistogram, Offsets, ShardId, UnixMillis};
use crate::options::ConsumerType;

/// A snapshot of a stream reader. Counts are since its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReaderStatus {
    /// Shards that accept records.
    pub(crate) open_shards: usize,
    /// Closed shards that were not read to their end yet.
    pub(crate) draining_shards: usize,
    /// The memory of the buffers, including the rows of a running batch.
    pub(crate) buffered_bytes: usize,
    /// Rows that no batch has taken.
    pub(crate) buffered_rows: u64,
    /// How the shards are read at present.
    pub(crate) consumer_type: ConsumerType,
    /// How long GetRecords took.
    pub(crate) get_records_latency: LatencyHistogram,
    /// Requests that were throttled.
    pub(crate) throttled_calls: u64,
    /// Requests that failed otherwise and were retried.
    pub(crate) retries: u64,
    /// Iterators that had expired.
    pub(crate) iterator_renewals: u64,
    /// Losses of data.
    pub(crate) losses: u64,
    /// The minimum lag of the shards that were not read to their end, or have pending rows; `None` if there
    /// are none, or nothing is known. The lag is the time since everything that had arrived was taken; it is
    /// zero at the tip, if no row is pending.
    pub(crate) min_behind_latest: Option<Duration>,
    /// The mean lag of these shards.
    pub(crate) avg_behind_latest: Option<Duration>,
    /// Their maximum lag.
    pub(crate) max_behind_latest: Option<Duration>,
    /// The position after the last row that was read, per shard.
    pub(crate) latest: Offsets,
}

impl StreamState {
    pub(in crate::source::streaming) fn status(
        &self,
        now: UnixMillis,
        iterator_renewals: u64,
        consumer_type: ConsumerType,
        get_records_latency: LatencyHistogram,
    ) -> ReaderStatus {
        let lags = self.shards.iter();
        let lags = lags.filter_map(|(id, shard)| self.lag(id, shard, now));
        let lags: Vec<Duration> = lags.collect();
        let count = u32::try_from(lags.len()).unwrap_or(u32::MAX);
        let total: Duration = lags.iter().sum();
        let mut open_shards = 0;
        let mut draining_shards = 0;
        let mut latest: Vec<(ShardId, _)> = Vec::with_capacity(self.shards.len());
        for (id, shard) in &self.shards {
            open_shards += usize::from(!shard.is_closed);
            draining_shards += usize::from(shard.is_closed && !shard.buffer.is_drained());
            latest.push((id.clone(), shard.buffer.end().clone()));
        }
        ReaderStatus {
            open_shards,
            draining_shards,
            buffered_bytes: self.totals.held_bytes,
            buffered_rows: self.totals.rows,
            consumer_type,
            get_records_latency,
            throttled_calls: self.failures.throttled,
            retries: self.failures.retries,
            iterator_renewals,
            losses: self.failures.losses,
            min_behind_latest: lags.iter().min().copied(),
            avg_behind_latest: total.checked_div(count),
            max_behind_latest: lags.iter().max().copied(),
            latest: latest.into_iter().collect(),
        }
    }

    /// An upper bound of the age of those records of a shard that no batch has taken; `None` if none are
    /// left.
    pub(super) fn lag(
        &self,
        id: &ShardId,
        shard: &ShardState,
        now: UnixMillis,
    ) -> Option<Duration> {
        if shard.is_finished() {
            return None;
        }
        if shard.is_taken_to_the_tip() {
            return Some(Duration::ZERO);
        }
        let parents = self.parents(id).filter(|_| shard.is_waiting());
        let parents = parents.filter_map(ShardState::emptied_to).max();
        let taken_to = shard.emptied_to().max(parents).max(self.taken_to);
        taken_to.map(|time| now.since(time))
    }
}
