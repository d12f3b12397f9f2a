//! Adds shards to the state, and starts those that may be read.

use super::StreamState;
use super::shard::{ReadProgress, ShardState};
use crate::model::{HashRange, Shard, ShardId, ShardPosition, UnixMillis};
use crate::source::lineage::Stage;
use crate::source::retention::ReadHistory;
use crate::source::rows::hash_filter_range;

impl StreamState {
    /// Tracks a shard from `position` on.
    pub(in crate::source::streaming) fn track(
        &mut self,
        id: ShardId,
        position: ShardPosition,
        mut history: ReadHistory,
        listed: Option<&Shard>,
    ) {
        let parents = listed.map(parents_of).unwrap_or_default();
        // The shard is read later than its parents. By then, its present first record may have expired.
        let is_unread = |parent: &ShardState| !parent.is_done();
        let tracked = parents.iter().filter_map(|parent| self.shards.get(parent));
        history.accepts_any_first &= !tracked.into_iter().any(is_unread);
        let range =
            listed.and_then(|shard| self.hash_filter_range(!parents.is_empty(), shard.hash_range));
        let stage = match position {
            ShardPosition::ShardEnd => Stage::Finished,
            _ => Stage::Waiting,
        };
        let is_closed = listed.is_some_and(Shard::is_closed);
        self.lineage.track(id.clone(), parents, stage);
        let mut shard = ShardState::new(position, history, range, is_closed);
        shard.listed_range = listed.map(|shard| shard.hash_range);
        shard.starts_after = listed.map(|shard| shard.starting_sequence.clone());
        self.insert(id, shard);
    }

    /// The hash range that user records of a shard must be in, if they are filtered.
    pub(super) fn hash_filter_range(
        &self,
        has_parent: bool,
        range: HashRange,
    ) -> Option<HashRange> {
        let config = &self.config;
        hash_filter_range(config.hash_filter, config.distribution, has_parent, range)
    }

    pub(super) fn insert(&mut self, id: ShardId, shard: ShardState) {
        self.totals
            .add(shard.totals(self.config.caps.rows_per_shard));
        self.shards.insert(id, shard);
    }

    /// Marks shards as started; returns those that need a reader.
    pub(super) fn started(&mut self, mut shards: Vec<ShardId>) -> Vec<ShardId> {
        shards.retain(|id| {
            let parents_read_to = self.parents_read_to(id);
            let needs_reader = self.update(id, |shard| {
                shard.progress = ReadProgress::CatchingUp;
                if let Some(time) = parents_read_to {
                    shard.set_no_records_before(time);
                }
                !std::mem::replace(&mut shard.has_reader, true)
            });
            needs_reader == Some(true)
        });
        shards
    }

    /// Up to when the parents of a shard were read: its own records are newer.
    fn parents_read_to(&self, shard: &ShardId) -> Option<UnixMillis> {
        let parents = self.parents(shard);
        parents.filter_map(|parent| parent.history.read_to).max()
    }

    /// The tracked parents of a shard.
    pub(super) fn parents(&self, shard: &ShardId) -> impl Iterator<Item = &ShardState> {
        let parents = self.lineage.parents(shard).iter();
        parents.filter_map(|parent| self.shards.get(parent))
    }
}

pub(super) fn parents_of(shard: &Shard) -> Vec<ShardId> {
    let parents = shard.parent.iter().chain(&shard.adjacent_parent);
    parents.cloned().collect()
}
