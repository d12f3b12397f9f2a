//! What happens to the shards of a stream: pages come, shards end.

use tokio::time::Instant;

use super::State;
use super::shard::{Followed, Progress};
use crate::kinesis::ChildShard;
use crate::model::{ShardId, ShardPosition, UnixMillis};
use crate::source::lineage::Stage;
use crate::source::retention::Past;
use crate::source::rows::CountedPage;

/// What one GetRecords brought.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) page: CountedPage,
    pub(crate) covered: Option<UnixMillis>,
    pub(crate) at_tip: bool,
    /// Whether the service said that there is nothing: no record, and no lag.
    pub(crate) found_nothing: bool,
    pub(crate) end: PageEnd,
}

/// What follows a page.
#[derive(Debug)]
pub(crate) enum PageEnd {
    /// The next page.
    More,
    /// As far as the tip is concerned nothing; a shard that is known to be closed is read to its end.
    AtFrozenTip,
    /// Records that arrived behind the frozen tip.
    BehindFrozenTip,
    /// Nothing but the shards that were made of this one, where the service names them.
    Children(Vec<ChildShard>),
}

impl State {
    /// Takes in a page; gives the shards that may be read from now on, and whether this one goes on.
    pub(crate) fn arrived(&mut self, shard: &ShardId, arrival: Arrival) -> (Vec<ShardId>, bool) {
        if self.lineage.stage(shard) == Some(Stage::Missing) {
            self.lineage.set_stage(shard, Stage::Reading);
        }
        let spills = !self.rules.capped;
        let room = self.rules.budget;
        let held = self.tally.held_bytes;
        let at_tip = arrival.at_tip;
        let newest = arrival.page.last_arrival();
        self.last_arrival = self.last_arrival.max(newest);
        let closed = self.update(shard, |followed| {
            let since = followed.quiet_since.or(arrival.covered);
            followed.quiet_since = newest.or(since);
            followed.failing = false;
            followed.found_nothing = arrival.found_nothing;
            followed.covered = arrival.covered.or(followed.covered);
            followed.taken_to = followed.emptied_to();
            followed.past.read_to = arrival.page.read_to();
            followed.buffer.push(arrival.page);
            if spills && room.is_full(held) {
                followed.buffer.forget();
            }
            followed.progress = if at_tip {
                Progress::AtTip
            } else {
                Progress::CatchingUp
            };
            followed.closed
        });
        match arrival.end {
            PageEnd::More => (Vec::new(), true),
            PageEnd::AtFrozenTip if closed == Some(true) => (Vec::new(), true),
            PageEnd::AtFrozenTip => {
                // No later page can say that the shard is empty, so this one has to: it held all that
                // was there.
                self.update(shard, |followed| followed.found_nothing |= at_tip);
                self.leave(shard);
                (Vec::new(), false)
            }
            PageEnd::BehindFrozenTip => {
                self.leave(shard);
                (Vec::new(), false)
            }
            PageEnd::Children(children) => (self.ended(shard, children), false),
        }
    }

    /// Leaves the rest of a shard, and what descends from it, to another run.
    pub(crate) fn leave(&mut self, shard: &ShardId) {
        let left = self.lineage.leave(shard);
        for shard in left.iter().chain([shard]) {
            self.update(shard, |followed| followed.progress = Progress::Done);
        }
    }

    fn ended(&mut self, shard: &ShardId, children: Vec<ChildShard>) -> Vec<ShardId> {
        if !self.rules.frozen {
            self.listing_due |= children.is_empty();
            for child in children {
                self.add_child(child);
            }
        }
        self.update(shard, |followed| {
            followed.buffer.close();
            followed.closed = true;
            followed.progress = Progress::Done;
        });
        self.consume_if_drained(shard)
    }

    fn add_child(&mut self, child: ChildShard) {
        if self.lineage.is_tracked(&child.id) {
            return;
        }
        let mut parents = child.parents.iter();
        if child.parents.is_empty() || !parents.all(|parent| self.lineage.is_tracked(parent)) {
            // The other parent is so new that nobody has named it, or gone: a listing tells.
            self.listing_due = true;
            return;
        }
        let range = self.filter(true, child.hash_range);
        self.lineage.track_child(child.id.clone(), child.parents);
        let (start, past) = (ShardPosition::TrimHorizon, Past::default());
        self.insert(child.id, Followed::new(start, past, range, false));
    }

    /// Lets the children of a shard go once nothing is left of it.
    pub(crate) fn consume_if_drained(&mut self, shard: &ShardId) -> Vec<ShardId> {
        let Some(followed) = self.shards.get(shard) else {
            return Vec::new();
        };
        let finished = self.lineage.stage(shard) == Some(Stage::Finished);
        if !followed.buffer.is_drained() || finished {
            return Vec::new();
        }
        let stage = match followed.buffer.position() {
            ShardPosition::ShardEnd => Stage::Finished,
            _ => {
                self.end_due.get_or_insert_with(Instant::now);
                Stage::Consumed
            }
        };
        self.lineage.set_stage(shard, stage);
        let children = self.lineage.start_children(shard);
        self.started(children)
    }
}
