//! The status of each shard, for those who look at a running query.

use std::time::Duration;

use super::StreamState;
use super::shard::{ReadProgress, ShardState};
use super::shard_counters::{RateRange, ShardError};
use crate::model::{HashRange, ShardId, ShardPosition, UnixMillis};

/// How far a shard has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShardStage {
    /// Its parents have to be read first.
    Waiting,
    /// There is more to read, or there may be.
    CatchingUp,
    /// Everything that it has was read.
    AtTip,
    /// It is closed and was read to its end, or was lost.
    Ended,
}

/// A shard as a running query sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ShardStatus {
    /// The id.
    pub shard: ShardId,
    /// The shards that it was split or merged from, as far as the query still tracks them.
    pub parents: Vec<ShardId>,
    /// Its hash keys; `None` if no listing has contained it yet.
    pub hash_range: Option<HashRange>,
    /// How far it has been read.
    pub stage: ShardStage,
    /// Whether it accepts no more records.
    pub is_closed: bool,
    /// Whether its last request failed and will be retried.
    pub is_failing: bool,
    /// After the last row that was read.
    pub read_position: ShardPosition,
    /// After the last row that a batch has taken.
    pub taken_position: ShardPosition,
    /// An upper bound of the age of its records that no batch has taken; `None` if none are left, or nothing is known.
    pub lag: Option<Duration>,
    /// Rows that were read ahead and that no batch has taken.
    pub pending_rows: u64,
    /// The memory of its buffer, including rows of a running batch.
    pub buffered_bytes: usize,
    /// Rows that the last batch has taken, before the hash filter.
    pub last_rows: u64,
    /// Rows per second of the last batches; `None` before the second batch.
    pub rows_per_second: Option<RateRange>,
    /// Requests that were throttled since the start.
    pub throttled_calls: u64,
    /// Requests that failed otherwise and were retried since the start.
    pub retries: u64,
    /// The last failure of a request since the start.
    pub last_error: Option<ShardError>,
}

impl StreamState {
    /// The status of each shard, in the order of their ids.
    pub(in crate::source::streaming) fn shard_statuses(&self, now: UnixMillis) -> Vec<ShardStatus> {
        let statuses = self.shards.iter();
        let statuses = statuses.map(|(id, shard)| {
            let parents = self.lineage.parents(id).to_vec();
            shard.status(id.clone(), parents, self.lag(id, shard, now))
        });
        statuses.collect()
    }
}

impl ShardState {
    fn status(&self, shard: ShardId, parents: Vec<ShardId>, lag: Option<Duration>) -> ShardStatus {
        ShardStatus {
            shard,
            parents,
            hash_range: self.listed_range,
            stage: match self.progress {
                ReadProgress::Waiting => ShardStage::Waiting,
                ReadProgress::CatchingUp => ShardStage::CatchingUp,
                ReadProgress::AtTip => ShardStage::AtTip,
                ReadProgress::Done => ShardStage::Ended,
            },
            is_closed: self.is_closed,
            is_failing: self.is_failing,
            read_position: self.buffer.end().clone(),
            taken_position: self.buffer.position().clone(),
            lag,
            pending_rows: self.buffer.pending_rows(),
            buffered_bytes: self.buffer.held_bytes(),
            last_rows: self.counters.last_rows,
            rows_per_second: self.counters.rates(),
            throttled_calls: self.counters.throttled,
            retries: self.counters.retries,
            last_error: self.counters.last_error.clone(),
        }
    }
}
