//! Which shards are there, which follow which, and which may be read.
//!
//! A shard is read only when nothing is left of the shards it was made from, so that the rows of a
//! partition key stay in order over reshards. A parent that is not known any more is no hindrance.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::{Shard, ShardId};

/// What has become of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its parents are not read to their end.
    Waiting,
    /// It is being read.
    Reading,
    /// The service says that it does not exist: the next listing decides.
    Missing,
    /// Its end is read and all its rows are in batches.
    Consumed,
    /// Its end is in the ranges of a batch, too; nothing is left but to remember that.
    Finished,
    /// It is not listed any more, and what it held after its position is gone.
    Lost,
    /// It is for another run: a frozen tip lies before it.
    Left,
}

impl Stage {
    /// Whether children may be read.
    fn is_past(self) -> bool {
        matches!(self, Self::Consumed | Self::Finished | Self::Lost)
    }
}

/// Those of `listed`, which are ordered by id, that came into being since the known ones: neither known
/// nor ancestors of one, which were read before and are listed once more.
pub(super) fn new_shards(listed: &[Shard], is_known: impl Fn(&ShardId) -> bool) -> Vec<&Shard> {
    let mut ancestors: HashSet<&ShardId> = HashSet::new();
    let mut new = Vec::new();
    // Children come after their parents in the order of ids.
    for shard in listed.iter().rev() {
        if is_known(&shard.id) || ancestors.contains(&shard.id) {
            ancestors.extend(shard.parent.iter().chain(&shard.adjacent_parent));
        } else {
            new.push(shard);
        }
    }
    new
}

/// The tracked shards of a stream as a graph.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    nodes: BTreeMap<ShardId, Node>,
    children: HashMap<ShardId, Vec<ShardId>>,
}

#[derive(Debug)]
struct Node {
    parents: Vec<ShardId>,
    stage: Stage,
    /// Whether it is certain to have been listed: one that its parent named may not be yet.
    seen: bool,
}

/// What a listing says of shards that it does not have.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Unlisted {
    /// Finished shards, not tracked any more.
    pub(super) dropped: Vec<ShardId>,
    /// Shards that were still to be read.
    pub(super) lost: Vec<ShardId>,
}

impl Lineage {
    /// Tracks a shard that was listed, or that is known from before.
    pub(super) fn track(&mut self, shard: ShardId, parents: Vec<ShardId>, stage: Stage) {
        self.insert(shard, parents, stage, true);
    }

    /// Tracks a shard that its parent has named.
    pub(super) fn track_child(&mut self, shard: ShardId, parents: Vec<ShardId>) {
        self.insert(shard, parents, Stage::Waiting, false);
    }

    fn insert(&mut self, shard: ShardId, parents: Vec<ShardId>, stage: Stage, seen: bool) {
        for parent in &parents {
            let siblings = self.children.entry(parent.clone()).or_default();
            siblings.push(shard.clone());
        }
        let node = Node {
            parents,
            stage,
            seen,
        };
        self.nodes.insert(shard, node);
    }

    pub(super) fn is_tracked(&self, shard: &ShardId) -> bool {
        self.nodes.contains_key(shard)
    }

    /// What has become of `shard`; `None` where it is not tracked.
    pub(super) fn stage(&self, shard: &ShardId) -> Option<Stage> {
        self.nodes.get(shard).map(|node| node.stage)
    }

    /// Puts a tracked shard into another stage.
    pub(super) fn set_stage(&mut self, shard: &ShardId, stage: Stage) {
        if let Some(node) = self.nodes.get_mut(shard) {
            node.stage = stage;
        }
    }

    /// The shards that may be read from now on, of all: parents before children.
    pub(super) fn start_all(&mut self) -> Vec<ShardId> {
        let waiting: Vec<ShardId> = (self.nodes.iter())
            .filter(|(_, node)| node.stage == Stage::Waiting)
            .map(|(shard, _)| shard.clone())
            .collect();
        self.start(waiting)
    }

    /// The children of `shard` that may be read from now on.
    pub(super) fn start_children(&mut self, shard: &ShardId) -> Vec<ShardId> {
        let children = self.children.get(shard).cloned().unwrap_or_default();
        self.start(children)
    }

    fn start(&mut self, mut shards: Vec<ShardId>) -> Vec<ShardId> {
        shards.retain(|shard| self.may_start(shard));
        for shard in &shards {
            self.set_stage(shard, Stage::Reading);
        }
        shards
    }

    fn may_start(&self, shard: &ShardId) -> bool {
        let past = |parent: &ShardId| self.stage(parent).is_none_or(Stage::is_past);
        let node = self.nodes.get(shard);
        node.is_some_and(|node| node.stage == Stage::Waiting && node.parents.iter().all(past))
    }

    /// Leaves `shard` and all that descend from it to another run; gives those that were waiting.
    pub(super) fn leave(&mut self, shard: &ShardId) -> Vec<ShardId> {
        self.set_stage(shard, Stage::Left);
        let mut left = Vec::new();
        let mut next = vec![shard.clone()];
        while let Some(parent) = next.pop() {
            for child in self.children.get(&parent).into_iter().flatten() {
                if let Some(node) = self.nodes.get_mut(child)
                    && node.stage == Stage::Waiting
                {
                    node.stage = Stage::Left;
                    left.push(child.clone());
                    next.push(child.clone());
                }
            }
        }
        left
    }

    /// Takes note of a listing: drops finished shards that it does not have, and gives up those that
    /// were to be read, unless rows of them are `pending` for a batch. A shard that is being read goes
    /// on until the service says otherwise.
    pub(super) fn observe(
        &mut self,
        listed: &HashSet<&ShardId>,
        pending: impl Fn(&ShardId) -> bool,
    ) -> Unlisted {
        let mut unlisted = Unlisted::default();
        for (shard, node) in &mut self.nodes {
            if listed.contains(shard) {
                node.seen = true;
                if node.stage == Stage::Missing {
                    node.stage = Stage::Reading;
                }
                continue;
            }
            match node.stage {
                Stage::Finished => unlisted.dropped.push(shard.clone()),
                Stage::Waiting | Stage::Missing if node.seen && !pending(shard) => {
                    node.stage = Stage::Lost;
                    unlisted.lost.push(shard.clone());
                }
                _ => {}
            }
        }
        for shard in &unlisted.dropped {
            self.nodes.remove(shard);
            self.children.remove(shard);
        }
        unlisted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HashRange, SequenceNumber};

    fn id(n: u32) -> ShardId {
        ShardId::new(format!("shardId-{n:012}"))
    }

    fn ids(numbers: &[u32]) -> Vec<ShardId> {
        numbers.iter().copied().map(id).collect()
    }

    /// Waiting shards by number, each with its parents.
    fn lineage(shards: &[(u32, &[u32])]) -> Lineage {
        let mut lineage = Lineage::default();
        for (shard, parents) in shards {
            lineage.track(id(*shard), ids(parents), Stage::Waiting);
        }
        lineage
    }

    fn consume(lineage: &mut Lineage, shard: u32) -> Vec<ShardId> {
        lineage.set_stage(&id(shard), Stage::Consumed);
        lineage.start_children(&id(shard))
    }

    fn observe(lineage: &mut Lineage, listed: &[u32]) -> Unlisted {
        let listed = ids(listed);
        lineage.observe(&listed.iter().collect(), |_| false)
    }

    #[test]
    fn a_child_is_read_after_all_its_parents_and_only_once() {
        let mut lineage = lineage(&[(0, &[]), (1, &[]), (2, &[0, 1]), (3, &[2])]);
        assert_eq!(lineage.start_all(), ids(&[0, 1]));
        assert_eq!(consume(&mut lineage, 1), []);
        assert_eq!(lineage.start_all(), []);
        assert_eq!(consume(&mut lineage, 0), ids(&[2]));
        assert_eq!(lineage.start_children(&id(0)), []);
        assert_eq!(consume(&mut lineage, 2), ids(&[3]));
    }

    #[test]
    fn a_parent_that_is_not_known_is_no_hindrance() {
        let mut lineage = lineage(&[(7, &[3, 4])]);
        assert_eq!(lineage.start_all(), ids(&[7]));
    }

    #[test]
    fn a_finished_shard_is_remembered_while_it_is_listed() {
        let mut lineage = lineage(&[(0, &[]), (1, &[0])]);
        lineage.start_all();
        consume(&mut lineage, 0);
        assert_eq!(observe(&mut lineage, &[1]), Unlisted::default());
        lineage.set_stage(&id(0), Stage::Finished);
        assert_eq!(observe(&mut lineage, &[0, 1]), Unlisted::default());
        assert!(lineage.is_tracked(&id(0)));
        assert_eq!(observe(&mut lineage, &[1]).dropped, ids(&[0]));
        assert!(!lineage.is_tracked(&id(0)));
    }

    #[test]
    fn a_shard_that_was_to_be_read_and_is_not_listed_is_lost_once_and_sets_its_children_free() {
        let mut lineage = lineage(&[(0, &[]), (1, &[0]), (2, &[1])]);
        assert_eq!(lineage.start_all(), ids(&[0]));
        // Shard 0 is being read: whether it is there the service says to its reader.
        assert_eq!(observe(&mut lineage, &[2]).lost, ids(&[1]));
        assert_eq!(observe(&mut lineage, &[2]), Unlisted::default());
        assert_eq!(lineage.start_children(&id(1)), ids(&[2]));
        lineage.set_stage(&id(0), Stage::Missing);
        assert_eq!(observe(&mut lineage, &[0, 2]), Unlisted::default());
        assert_eq!(lineage.stage(&id(0)), Some(Stage::Reading));
        lineage.set_stage(&id(0), Stage::Missing);
        let pending = lineage.observe(&ids(&[2]).iter().collect(), |_| true);
        assert_eq!(pending, Unlisted::default());
        assert_eq!(observe(&mut lineage, &[2]).lost, ids(&[0]));
    }

    #[test]
    fn a_child_its_parent_named_may_be_listed_later() {
        let mut lineage = lineage(&[(0, &[]), (1, &[])]);
        lineage.start_all();
        lineage.track_child(id(2), ids(&[0, 1]));
        assert_eq!(observe(&mut lineage, &[0, 1]), Unlisted::default());
        assert_eq!(observe(&mut lineage, &[0, 1, 2]), Unlisted::default());
        assert_eq!(observe(&mut lineage, &[0, 1]).lost, ids(&[2]));
    }

    #[test]
    fn what_descends_from_a_shard_that_is_left_is_left_too() {
        let mut lineage = lineage(&[(0, &[]), (1, &[]), (2, &[0, 1]), (3, &[2]), (4, &[1])]);
        lineage.start_all();
        assert_eq!(lineage.leave(&id(0)), ids(&[2, 3]));
        assert_eq!(consume(&mut lineage, 1), ids(&[4]));
    }

    #[test]
    fn what_was_read_before_and_is_listed_once_more_is_not_new() {
        let shard = |n: u32, parents: &[u32]| Shard {
            id: id(n),
            parent: parents.first().copied().map(id),
            adjacent_parent: parents.get(1).copied().map(id),
            hash_range: HashRange::ALL,
            starting_sequence: SequenceNumber::zero(),
            ending_sequence: None,
        };
        let listed = [
            shard(0, &[]),
            shard(1, &[]),
            shard(2, &[0, 1]),
            shard(3, &[2]),
            shard(4, &[3]),
            shard(5, &[]),
        ];
        let new = new_shards(&listed, |shard| *shard == id(3));
        let new: Vec<&ShardId> = new.iter().map(|shard| &shard.id).collect();
        assert_eq!(new, [&id(5), &id(4)]);
    }

    #[test]
    fn ten_thousand_shards_of_one_family_are_read_in_a_moment() {
        let mut lineage = Lineage::default();
        lineage.track(id(0), vec![], Stage::Waiting);
        for shard in 1..10_000 {
            lineage.track(id(shard), ids(&[shard - 1]), Stage::Waiting);
        }
        assert_eq!(lineage.start_all(), ids(&[0]));
        for shard in 0..9_999 {
            assert_eq!(consume(&mut lineage, shard), ids(&[shard + 1]));
        }
    }
}
