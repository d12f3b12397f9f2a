//! Whether the readers of a stream work, for those who watch a running query.

use std::time::Duration;

use super::StreamState;
use super::shard_counters::ShardError;
use crate::model::{ShardId, UnixMillis};

/// Whether the readers of a stream work. Counts are since their start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReaderHealth {
    /// The largest lag of a shard; zero if all shards have ended, and `None` if nothing is known.
    pub(crate) lag: Option<Duration>,
    /// The shard with this lag, if it lags.
    pub(crate) laggard: Option<ShardId>,
    /// Whether everything that is in the stream was taken.
    pub(crate) is_at_tip: bool,
    /// Pages that arrived.
    pub(crate) answered: u64,
    /// Requests that were throttled.
    pub(crate) throttled: u64,
    /// Requests that failed otherwise and were retried.
    pub(crate) failed: u64,
    /// The last failure of a request.
    pub(crate) last_error: Option<(ShardId, ShardError)>,
}

impl StreamState {
    /// Whether the readers work. Walks over all shards, and copies none.
    pub(in crate::source::streaming) fn health(&self, now: UnixMillis) -> ReaderHealth {
        let (mut lag, mut laggard) = (None, None);
        let mut last_error: Option<(&ShardId, &ShardError)> = None;
        let (mut is_at_tip, mut has_unfinished) = (true, false);
        for (id, shard) in &self.shards {
            if let Some(error) = &shard.counters.last_error
                && last_error.is_none_or(|(_, last)| last.time <= error.time)
            {
                last_error = Some((id, error));
            }
            if shard.is_finished() {
                continue;
            }
            has_unfinished = true;
            is_at_tip &= shard.is_taken_to_the_tip();
            let of_shard = self.lag(id, shard, now);
            if of_shard > lag {
                lag = of_shard;
                laggard = of_shard.filter(|lag| !lag.is_zero()).map(|_| id);
            }
        }
        if !has_unfinished && !self.shards.is_empty() {
            lag = Some(Duration::ZERO);
        }
        ReaderHealth {
            lag,
            laggard: laggard.cloned(),
            is_at_tip: is_at_tip && !self.shards.is_empty() && !self.is_listing_due,
            answered: self.pages,
            throttled: self.failures.throttled,
            failed: self.failures.retries,
            last_error: last_error.map(|(id, error)| (id.clone(), error.clone())),
        }
    }
}
