//! Handles the arrival of a page: adds it to the buffer. Records the end of a shard, and starts its children.

use tokio::time::Instant;

use super::StreamState;
use super::shard::{ReadProgress, ShardState};
use crate::kinesis::ChildShard;
use crate::model::{ShardId, ShardPosition, UnixMillis};
use crate::source::lineage::Stage;
use crate::source::retention::ReadHistory;
use crate::source::rows::CountedPage;

/// A page of one shard.
#[derive(Debug)]
pub(in crate::source::streaming) struct PageArrival {
    pub(in crate::source::streaming) page: CountedPage,
    pub(in crate::source::streaming) covered: Option<UnixMillis>,
    pub(in crate::source::streaming) at_tip: bool,
    pub(in crate::source::streaming) found_nothing: bool,
    pub(in crate::source::streaming) after: AfterPage,
}

/// What follows a page.
#[derive(Debug)]
pub(in crate::source::streaming) enum AfterPage {
    /// Another page.
    More,
    /// Nothing before the frozen tip. A shard that is known to be closed is still read to its end.
    AtFrozenTip,
    /// Records that arrived after the frozen tip.
    BehindFrozenTip,
    /// Nothing: the shard has ended. Contains its children, if the service names them.
    Children(Vec<ChildShard>),
}

impl StreamState {
    /// Adds a page to the state; returns the shards that may be read now, and whether this one continues.
    pub(in crate::source::streaming) fn arrived(
        &mut self,
        shard: &ShardId,
        arrival: PageArrival,
    ) -> (Vec<ShardId>, bool) {
        if self.lineage.stage(shard) == Some(Stage::Missing) {
            self.lineage.set_stage(shard, Stage::Reading);
        }
        self.pages += 1;
        let newest = arrival.page.last_arrival();
        self.last_arrival = self.last_arrival.max(newest);
        let spills = !self.config.is_capped && self.config.budget.is_full(self.totals.held_bytes);
        let at_tip = arrival.at_tip;
        let is_closed = self.update(shard, |shard| {
            let since = shard.quiet_since.or(arrival.covered);
            shard.quiet_since = newest.or(since);
            shard.is_failing = false;
            shard.found_nothing = arrival.found_nothing;
            shard.covered = arrival.covered.or(shard.covered);
            shard.taken_to = shard.emptied_to();
            shard.history.read_to = arrival.page.read_to();
            shard.buffer.push(arrival.page);
            if spills {
                shard.buffer.drop_pages();
            }
            shard.progress = if at_tip {
                ReadProgress::AtTip
            } else {
                ReadProgress::CatchingUp
            };
            shard.is_closed
        });
        match arrival.after {
            AfterPage::More => (Vec::new(), true),
            AfterPage::AtFrozenTip if is_closed == Some(true) => (Vec::new(), true),
            AfterPage::AtFrozenTip => {
                // No empty page will follow, so this one shows that nothing is left.
                self.update(shard, |shard| shard.found_nothing |= at_tip);
                self.leave(shard);
                (Vec::new(), false)
            }
            AfterPage::BehindFrozenTip => {
                self.leave(shard);
                (Vec::new(), false)
            }
            AfterPage::Children(children) => (self.ended(shard, children), false),
        }
    }

    /// Leaves the rest of a shard, and its descendants, to a later run.
    pub(in crate::source::streaming) fn leave(&mut self, shard: &ShardId) {
        let left = self.lineage.leave(shard);
        for shard in left.iter().chain([shard]) {
            self.update(shard, |shard| shard.progress = ReadProgress::Done);
        }
    }

    fn ended(&mut self, shard: &ShardId, children: Vec<ChildShard>) -> Vec<ShardId> {
        if !self.config.is_tip_frozen {
            self.is_listing_due |= children.is_empty();
            for child in children {
                self.add_child(child);
            }
        }
        self.update(shard, |shard| {
            shard.buffer.close();
            shard.is_closed = true;
            shard.progress = ReadProgress::Done;
        });
        self.finish_if_drained(shard)
    }

    fn add_child(&mut self, child: ChildShard) {
        if self.lineage.is_tracked(&child.id) {
            return;
        }
        let mut parents = child.parents.iter();
        if child.parents.is_empty() || !parents.all(|parent| self.lineage.is_tracked(parent)) {
            // The other parent is too new to be known, or has expired; a listing shows which.
            self.is_listing_due = true;
            return;
        }
        let range = self.hash_filter_range(true, child.hash_range);
        self.lineage.track_child(child.id.clone(), child.parents);
        let (start, history) = (ShardPosition::TrimHorizon, ReadHistory::default());
        self.insert(child.id, ShardState::new(start, history, range, false));
    }

    /// Starts the children of a shard that has ended and whose rows were all taken.
    pub(super) fn finish_if_drained(&mut self, id: &ShardId) -> Vec<ShardId> {
        let Some(shard) = self.shards.get(id) else {
            return Vec::new();
        };
        let is_finished = self.lineage.stage(id) == Some(Stage::Finished);
        if !shard.buffer.is_drained() || is_finished {
            return Vec::new();
        }
        let stage = match shard.buffer.position() {
            ShardPosition::ShardEnd => Stage::Finished,
            _ => {
                self.unlogged_end_since.get_or_insert_with(Instant::now);
                Stage::Consumed
            }
        };
        self.lineage.set_stage(id, stage);
        let children = self.lineage.start_children(id);
        self.started(children)
    }
}
