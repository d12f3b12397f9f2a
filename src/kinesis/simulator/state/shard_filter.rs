//! Which shards of a stream a ListShards filter selects.

use std::time::Duration;

use super::shard::ShardState;
use super::stream::{Stream, StreamState};
use crate::kinesis::ShardFilter;
use crate::model::UnixMillis;

/// The filters of ListShards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kinesis) enum Filter {
    /// All shards that have not expired.
    FromTrimHorizon,
    /// Shards that were open at the trim horizon.
    AtTrimHorizon,
    /// Open shards.
    AtLatest,
    /// Shards that were open at this time.
    AtTimestamp(UnixMillis),
    /// Shards that were open at this time or later.
    FromTimestamp(UnixMillis),
    /// Shards after the one with this index.
    AfterShard(u32),
}

impl From<ShardFilter> for Filter {
    fn from(filter: ShardFilter) -> Self {
        match filter {
            ShardFilter::FromTrimHorizon => Self::FromTrimHorizon,
            ShardFilter::AtLatest => Self::AtLatest,
            ShardFilter::FromTimestamp(time) => Self::FromTimestamp(time),
        }
    }
}

/// The time span in which a stream can be read.
pub(in crate::kinesis) struct Horizon {
    oldest: UnixMillis,
    now: UnixMillis,
    retention: Duration,
}

impl Horizon {
    pub(in crate::kinesis) fn of(stream: &Stream, state: &StreamState, now: UnixMillis) -> Self {
        Self {
            oldest: stream.created_at.max(now.minus(state.retention)),
            now,
            retention: state.retention,
        }
    }

    /// Whether `shard` passes `filter`. A time before the trim horizon counts as the trim horizon.
    pub(in crate::kinesis) fn lists(&self, shard: &ShardState, filter: Filter) -> bool {
        let content = shard.read();
        if content.is_expired(self.now, self.retention) {
            return false;
        }
        let closed_at = content.closure.as_ref().map(|closure| closure.at);
        let open_since = |time: UnixMillis| {
            let time = time.max(self.oldest);
            closed_at.is_none_or(|closed_at| closed_at >= time)
        };
        let open_at =
            |time: UnixMillis| open_since(time) && shard.created_at <= time.max(self.oldest);
        match filter {
            Filter::FromTrimHorizon => true,
            Filter::AtTrimHorizon => open_at(self.oldest),
            Filter::AtLatest => closed_at.is_none(),
            Filter::AtTimestamp(time) => open_at(time),
            Filter::FromTimestamp(time) => open_since(time),
            Filter::AfterShard(index) => shard.index > index,
        }
    }
}
