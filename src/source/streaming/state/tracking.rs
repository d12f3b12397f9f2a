//! Taking up shards, and starting those whose turn it is.

use super::shard::{Followed, Progress};
use super::{Rules, State};
use crate::model::{HashRange, Shard, ShardId, ShardPosition, UnixMillis};
use crate::source::lineage::Stage;
use crate::source::retention::Past;
use crate::source::rows::hash_filter_range;

impl State {
    /// Tracks a shard from `position` on.
    pub(crate) fn track(
        &mut self,
        id: ShardId,
        position: ShardPosition,
        mut past: Past,
        listed: Option<&Shard>,
    ) {
        let parents = listed.map(parents_of).unwrap_or_default();
        // What comes first once its parents are read is not what came first when it was asked for.
        let parent = |parent| self.shards.get(parent);
        let waits = |parent: &Followed| parent.progress != Progress::Done;
        past.is_chosen &= !parents.iter().filter_map(parent).any(waits);
        let range = listed.and_then(|shard| self.filter(!parents.is_empty(), shard.hash_range));
        let stage = match position {
            ShardPosition::ShardEnd => Stage::Finished,
            _ => Stage::Waiting,
        };
        let closed = listed.is_some_and(Shard::is_closed);
        self.lineage.track(id.clone(), parents, stage);
        let mut followed = Followed::new(position, past, range, closed);
        followed.begins_after = listed.map(|shard| shard.starting_sequence.clone());
        self.insert(id, followed);
    }

    pub(crate) fn filter(&self, has_parent: bool, range: HashRange) -> Option<HashRange> {
        let Rules {
            hash_filter,
            distribution,
            ..
        } = self.rules;
        hash_filter_range(hash_filter, distribution, has_parent, range)
    }

    pub(crate) fn insert(&mut self, id: ShardId, followed: Followed) {
        self.tally
            .add(followed.tally(self.rules.caps.rows_per_shard));
        self.shards.insert(id, followed);
    }

    /// Starts shards that the lineage lets go; gives those that need a reader.
    pub(crate) fn started(&mut self, mut shards: Vec<ShardId>) -> Vec<ShardId> {
        shards.retain(|shard| {
            let inherited = self.read_of_parents(shard);
            let needed = self.update(shard, |followed| {
                followed.progress = Progress::CatchingUp;
                if let Some(time) = inherited {
                    followed.holds_nothing_before(time);
                }
                !std::mem::replace(&mut followed.has_reader, true)
            });
            needed == Some(true)
        });
        shards
    }

    /// All that had arrived by then in the parents of a shard was read: its own records are younger.
    fn read_of_parents(&self, shard: &ShardId) -> Option<UnixMillis> {
        let parents = self.parents(shard);
        parents.filter_map(|parent| parent.past.read_to).max()
    }

    /// The parents of a shard that are tracked.
    pub(crate) fn parents(&self, shard: &ShardId) -> impl Iterator<Item = &Followed> {
        let parents = self.lineage.parents(shard).iter();
        parents.filter_map(|parent| self.shards.get(parent))
    }
}

pub(crate) fn parents_of(shard: &Shard) -> Vec<ShardId> {
    let parents = shard.parent.iter().chain(&shard.adjacent_parent);
    parents.cloned().collect()
}
