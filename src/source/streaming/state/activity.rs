//! Whether there may be rows of a shard that nobody has seen yet.

use std::time::Duration;

use super::State;
use super::shard::{Followed, Progress};
use crate::model::{ShardId, UnixMillis};

/// How far the batches that were taken have come in a stream, as far as that counts for a watermark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// What may come of each tracked shard besides the rows of these batches, ordered by id.
    pub(crate) shards: Vec<ShardActivity>,
    /// All records that had arrived by then were taken.
    pub(crate) read_to: Option<UnixMillis>,
    /// No record that was read arrived later.
    pub(crate) last_arrival: Option<UnixMillis>,
}

/// A tracked shard, as far as its time counts for a watermark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShardActivity {
    /// The shard.
    pub(crate) shard: ShardId,
    /// The shards it was made from, where they are known; they may not be tracked any more.
    pub(crate) parents: Vec<ShardId>,
    /// What may come of it.
    pub(crate) activity: Activity,
    /// How long no record has arrived in it by the service's clock; zero where a row waits, or nothing is
    /// known.
    pub(crate) quiet: Duration,
}

/// What may come of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    /// Rows that are there already: some wait in memory, or nobody knows better.
    Active,
    /// Only what is written from now on: all rows are taken, and the service has said since the last one
    /// came that nothing follows it.
    Idle,
    /// Nothing: it is read to its end, or lost, and all its rows are taken.
    Ended,
}

impl State {
    /// How far the batches that were taken have come; `until` is the frozen tip.
    ///
    /// Costs a walk over the shards.
    pub(crate) fn coverage(&self, until: Option<UnixMillis>) -> Coverage {
        Coverage {
            shards: self.standings(until),
            read_to: self.read_to(until),
            last_arrival: self.last_arrival,
        }
    }

    /// What may come of each tracked shard, ordered by id; `until` is the frozen tip.
    fn standings(&self, until: Option<UnixMillis>) -> Vec<ShardActivity> {
        let shards = self.shards.iter().map(|(shard, followed)| ShardActivity {
            shard: shard.clone(),
            parents: self.lineage.parents(shard).to_vec(),
            activity: followed.activity(),
            quiet: followed.quiet(until),
        });
        shards.collect()
    }
}

impl Followed {
    fn activity(&self) -> Activity {
        if self.buffer.is_drained() {
            Activity::Ended
        } else if self.is_idle() {
            Activity::Idle
        } else {
            Activity::Active
        }
    }

    /// How long no record has arrived, as far as all that did was read and taken.
    fn quiet(&self, until: Option<UnixMillis>) -> Duration {
        if self.buffer.pending_rows() > 0 {
            return Duration::ZERO;
        }
        let read_to = self.emptied_to();
        let read_to = until.map_or(read_to, |until| read_to.min(Some(until)));
        match (read_to, self.quiet_since) {
            (Some(read_to), Some(since)) => read_to.since(since),
            _ => Duration::ZERO,
        }
    }

    /// Whether all its rows are taken, and the last answer of the service was that there are no more.
    pub(crate) fn is_idle(&self) -> bool {
        // No answer follows the one at a frozen tip: it says itself whether it held all there was.
        let asked = matches!(self.progress, Progress::AtTip | Progress::Done);
        let taken = self.buffer.pending_rows() == 0 && !self.buffer.is_drained();
        asked && self.found_nothing && taken
    }
}
