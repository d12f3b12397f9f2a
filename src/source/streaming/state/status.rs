//! How far the readers of a stream are.

use std::time::Duration;

use super::State;
use super::shard::{Followed, Progress};
use crate::model::{Offsets, ShardId, UnixMillis};

/// A look at the readers, for progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReaderStatus {
    /// Shards that take records.
    pub(crate) open_shards: usize,
    /// Closed shards that are not read to their end.
    pub(crate) draining_shards: usize,
    /// Memory of the buffers, the rows of a running batch included.
    pub(crate) buffered_bytes: usize,
    /// Rows no batch has taken.
    pub(crate) buffered_rows: u64,
    /// Calls the service throttled, since the start.
    pub(crate) throttled_calls: u64,
    /// Calls that failed otherwise and were sent again, since the start.
    pub(crate) retries: u64,
    /// Iterators that had expired, since the start.
    pub(crate) iterator_renewals: u64,
    /// Losses of data that were found, since the start.
    pub(crate) losses: u64,
    /// The least lag of a shard that is not read to its end, or has rows that no batch has taken; `None`
    /// where there is none or nothing is known. The lag is the time up to which nothing can have
    /// arrived that no batch has taken, seen from now; at the tip, with all rows taken, it is zero.
    pub(crate) min_behind_latest: Option<Duration>,
    /// The mean lag of these shards.
    pub(crate) avg_behind_latest: Option<Duration>,
    /// Their greatest lag.
    pub(crate) max_behind_latest: Option<Duration>,
    /// Behind the last row that was read of each shard.
    pub(crate) latest: Offsets,
}

impl State {
    pub(crate) fn status(&self, now: UnixMillis) -> ReaderStatus {
        let behind = self.shards.iter();
        let behind = behind.filter_map(|(id, shard)| self.behind(id, shard, now));
        let behind: Vec<Duration> = behind.collect();
        let count = u32::try_from(behind.len()).unwrap_or(u32::MAX);
        let total: Duration = behind.iter().sum();
        let mut open_shards = 0;
        let mut draining_shards = 0;
        let mut latest: Vec<(ShardId, _)> = Vec::with_capacity(self.shards.len());
        for (shard, followed) in &self.shards {
            open_shards += usize::from(!followed.closed);
            draining_shards += usize::from(followed.closed && !followed.buffer.is_drained());
            latest.push((shard.clone(), followed.buffer.end().clone()));
        }
        ReaderStatus {
            open_shards,
            draining_shards,
            buffered_bytes: self.tally.held_bytes,
            buffered_rows: self.tally.rows,
            throttled_calls: self.failures.throttled,
            retries: self.failures.retries,
            iterator_renewals: self.failures.renewals,
            losses: self.failures.losses,
            min_behind_latest: behind.iter().min().copied(),
            avg_behind_latest: total.checked_div(count),
            max_behind_latest: behind.iter().max().copied(),
            latest: latest.into_iter().collect(),
        }
    }

    /// How old at most is what no batch has taken of a shard; `None` where nothing is left of it.
    fn behind(&self, id: &ShardId, shard: &Followed, now: UnixMillis) -> Option<Duration> {
        if shard.is_over() {
            return None;
        }
        if shard.is_taken_to_the_tip() {
            return Some(Duration::ZERO);
        }
        let waits = shard.progress == Progress::Waiting;
        let parents = self.parents(id).filter(|_| waits);
        let parents = parents.filter_map(Followed::emptied_to).max();
        let taken_to = shard.emptied_to().max(parents).max(self.taken_to);
        taken_to.map(|time| now.since(time))
    }
}
