//! Whether there may be rows of a shard that nobody has seen yet.

use super::followed::{Followed, Progress};
use super::state::State;
use crate::model::ShardId;

/// A tracked shard, as far as its time counts for a watermark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The shard.
    pub(crate) shard: ShardId,
    /// The shards it was made from, where they are known; they may not be tracked any more.
    pub(crate) parents: Vec<ShardId>,
    /// What may come of it.
    pub(crate) state: Activity,
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
    Over,
}

impl State {
    /// What may come of each tracked shard, ordered by id.
    pub(super) fn standings(&self) -> Vec<Standing> {
        let shards = self.shards.iter().map(|(shard, followed)| Standing {
            shard: shard.clone(),
            parents: self.lineage.parents(shard).to_vec(),
            state: followed.activity(),
        });
        shards.collect()
    }
}

impl Followed {
    fn activity(&self) -> Activity {
        if self.buffer.is_drained() {
            Activity::Over
        } else if self.is_idle() {
            Activity::Idle
        } else {
            Activity::Active
        }
    }

    /// Whether all its rows are taken, and the last answer of the service was that there are no more.
    pub(super) fn is_idle(&self) -> bool {
        // No answer follows the one at a frozen tip: it says itself whether it held all there was.
        let asked = matches!(self.progress, Progress::AtTip | Progress::Done);
        let taken = self.buffer.pending_rows() == 0 && !self.buffer.is_drained();
        asked && self.found_nothing && taken
    }
}
