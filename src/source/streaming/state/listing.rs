//! Handles a listing: tracks new shards, drops expired ones or reports them as lost, and detects a recreated
//! stream.

use std::collections::HashSet;

use super::StreamState;
use super::shard::{ReadProgress, ShardState};
use super::tracking::parents_of;
use crate::model::{SequenceNumber, Shard, ShardId, ShardPosition};
use crate::source::lineage::{Stage, new_shards};
use crate::source::retention::ReadHistory;

/// The consequences of a listing.
#[derive(Debug, Default)]
pub(in crate::source::streaming) struct ListingOutcome {
    /// Shards that may be read now.
    pub(in crate::source::streaming) started: Vec<ShardId>,
    /// Shards that can no longer be read to their end, and how far they were read.
    pub(in crate::source::streaming) lost: Vec<(ShardId, ShardPosition)>,
    /// Set if the stream was recreated.
    pub(in crate::source::streaming) recreated: Option<RecreatedShard>,
}

/// A shard of a recreated stream.
#[derive(Debug)]
pub(in crate::source::streaming) struct RecreatedShard {
    pub(in crate::source::streaming) shard: ShardId,
    /// How far the former shard was read.
    pub(in crate::source::streaming) position: ShardPosition,
    /// The sequence number before the first record of the former shard.
    pub(in crate::source::streaming) former_start: SequenceNumber,
    /// The sequence number before the first record of the present shard.
    pub(in crate::source::streaming) present_start: SequenceNumber,
}

impl StreamState {
    /// Updates the state from a listing.
    pub(in crate::source::streaming) fn listed(&mut self, listed: &[Shard]) -> ListingOutcome {
        self.listings += 1;
        self.last_listing = self.listings_requested;
        if let Some(recreated) = self.find_recreated(listed) {
            return ListingOutcome {
                recreated: Some(recreated),
                ..ListingOutcome::default()
            };
        }
        for shard in listed {
            self.learn_from_listing(shard);
        }
        if !self.config.is_tip_frozen {
            for shard in new_shards(listed, |shard| self.shards.contains_key(shard)) {
                let (id, start) = (shard.id.clone(), ShardPosition::TrimHorizon);
                self.track(id, start, ReadHistory::default(), Some(shard));
            }
            self.version += u64::from(self.is_listing_due);
            self.is_listing_due = false;
        }
        let ids: HashSet<&ShardId> = listed.iter().map(|shard| &shard.id).collect();
        self.record_listed_parents(listed, &ids);
        let unlisted = self.lineage.observe(&ids);
        for id in &unlisted.dropped {
            if let Some(shard) = self.shards.remove(id) {
                let row_cap = self.config.caps.rows_per_shard;
                self.totals.remove(shard.totals(row_cap));
            }
        }
        let lost = unlisted.lost.into_iter();
        let lost: Vec<_> = lost.filter_map(|shard| self.lost(shard)).collect();
        let mut started = Vec::new();
        for (shard, _) in &lost {
            started.extend(self.finish_if_drained(shard));
        }
        let waiting = self.lineage.start_all();
        started.extend(self.started(waiting));
        ListingOutcome {
            started,
            lost,
            recreated: None,
        }
    }

    /// A tracked shard that has another starting sequence number in the listing.
    fn find_recreated(&self, listed: &[Shard]) -> Option<RecreatedShard> {
        listed.iter().find_map(|shard| {
            let tracked = self.shards.get(&shard.id)?;
            let former_start = tracked.starts_after.clone()?;
            (former_start != shard.starting_sequence).then(|| RecreatedShard {
                shard: shard.id.clone(),
                position: tracked.buffer.end().clone(),
                former_start,
                present_start: shard.starting_sequence.clone(),
            })
        })
    }

    /// Updates a tracked shard with the facts that only a listing shows.
    fn learn_from_listing(&mut self, listed: &Shard) {
        let Some(shard) = self.shards.get_mut(&listed.id) else {
            return;
        };
        shard.is_closed |= listed.is_closed() && !self.config.is_tip_frozen;
        if shard.starts_after.is_some() {
            return;
        }
        shard.listed_range = Some(listed.hash_range);
        shard.starts_after = Some(listed.starting_sequence.clone());
        if !self.lineage.parents(&listed.id).is_empty() {
            return;
        }
        // The shard was tracked before it was listed.
        let parents = parents_of(listed);
        let range = self.hash_filter_range(!parents.is_empty(), listed.hash_range);
        let is_unread = self.lineage.stage(&listed.id) == Some(Stage::Missing);
        self.lineage.adopt(&listed.id, parents, is_unread);
        self.update(&listed.id, |shard| {
            shard.hash_range = range;
            if is_unread {
                shard.progress = ReadProgress::Waiting;
            }
        });
    }

    /// Records which shards have a parent in the listing. A closed shard is listed for as long as its last
    /// record would be kept. The first records of its children are newer, so they are kept at least as long.
    fn record_listed_parents(&mut self, listed: &[Shard], ids: &HashSet<&ShardId>) {
        for shard in listed {
            let mut parents = shard.parent.iter().chain(&shard.adjacent_parent);
            if parents.any(|parent| ids.contains(parent))
                && let Some(shard) = self.shards.get_mut(&shard.id)
            {
                shard.parents_listed = self.last_listing;
            }
        }
    }

    /// Whether a listing that was requested after that of number `listing` contained a parent of the shard;
    /// `None` before there is such a listing.
    pub(in crate::source::streaming) fn has_parents_after_listing(
        &self,
        shard: &ShardId,
        listing: u64,
    ) -> Option<bool> {
        let had_parents = |shard: &ShardState| shard.parents_listed > listing;
        (self.last_listing > listing).then(|| self.shards.get(shard).is_some_and(had_parents))
    }

    /// Stops reading a shard that is lost; returns how far it was read. The next batch contains its end, as if
    /// it had been read to it, unless the loss fails the query.
    fn lost(&mut self, shard: ShardId) -> Option<(ShardId, ShardPosition)> {
        let fails = self.config.fail_on_data_loss;
        let position = self.update(&shard, |shard| {
            let position = shard.buffer.end().clone();
            shard.progress = ReadProgress::Done;
            if !fails {
                shard.is_closed = true;
                shard.buffer.close();
            }
            position
        });
        position.map(|position| (shard, position))
    }
}
