//! Which shards are there, which follow which, and which may be read.
//!
//! A shard is read only when nothing is left of the shards it was made from, so that the rows of a
//! partition key stay in order over reshards. A parent that is not known any more is no hindrance.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::{Shard, ShardId};

/// What has become of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
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
    /// It is for another run: a frozen tip lies before it.
    Left,
}

impl Stage {
    /// Whether children may be read.
    fn is_past(self) -> bool {
        matches!(self, Self::Consumed | Self::Finished)
    }
}

/// Those of `listed`, which are ordered by id, that came into being since the known ones: neither known
/// nor ancestors of one, which were read before and are listed once more.
pub(crate) fn new_shards(listed: &[Shard], is_known: impl Fn(&ShardId) -> bool) -> Vec<&Shard> {
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
pub(crate) struct Lineage {
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
pub(crate) struct Unlisted {
    /// Finished shards, not tracked any more.
    pub(crate) dropped: Vec<ShardId>,
    /// Shards that were not read to their end.
    pub(crate) lost: Vec<ShardId>,
}

impl Lineage {
    /// Tracks a shard that was listed, or that is known from before.
    pub(crate) fn track(&mut self, shard: ShardId, parents: Vec<ShardId>, stage: Stage) {
        self.insert(shard, parents, stage, true);
    }

    /// Tracks a shard that its parent has named.
    pub(crate) fn track_child(&mut self, shard: ShardId, parents: Vec<ShardId>) {
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

    /// The parents of a tracked shard.
    pub(crate) fn parents(&self, shard: &ShardId) -> &[ShardId] {
        self.nodes.get(shard).map_or(&[], |node| &node.parents)
    }

    /// Takes the parents of a tracked shard from a listing that has it at last. Where `waits`, it is
    /// read only after them.
    pub(crate) fn adopt(&mut self, shard: &ShardId, parents: Vec<ShardId>, waits: bool) {
        for parent in &parents {
            let siblings = self.children.entry(parent.clone()).or_default();
            siblings.push(shard.clone());
        }
        if let Some(node) = self.nodes.get_mut(shard) {
            node.parents = parents;
            if waits {
                node.stage = Stage::Waiting;
            }
        }
    }

    pub(crate) fn is_tracked(&self, shard: &ShardId) -> bool {
        self.nodes.contains_key(shard)
    }

    /// What has become of `shard`; `None` where it is not tracked.
    pub(crate) fn stage(&self, shard: &ShardId) -> Option<Stage> {
        self.nodes.get(shard).map(|node| node.stage)
    }

    /// Puts a tracked shard into another stage.
    pub(crate) fn set_stage(&mut self, shard: &ShardId, stage: Stage) {
        if let Some(node) = self.nodes.get_mut(shard) {
            node.stage = stage;
        }
    }

    /// The shards that may be read from now on, of all: parents before children.
    pub(crate) fn start_all(&mut self) -> Vec<ShardId> {
        let waiting: Vec<ShardId> = (self.nodes.iter())
            .filter(|(_, node)| node.stage == Stage::Waiting)
            .map(|(shard, _)| shard.clone())
            .collect();
        self.start(waiting)
    }

    /// The children of `shard` that may be read from now on.
    pub(crate) fn start_children(&mut self, shard: &ShardId) -> Vec<ShardId> {
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
    pub(crate) fn leave(&mut self, shard: &ShardId) -> Vec<ShardId> {
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

    /// Takes note of a listing: drops finished shards that it does not have, and gives those up that
    /// the service did not know when they were read: they are read as far as they ever will be. A
    /// listing alone proves nothing: it may be older than the shard.
    pub(crate) fn observe(&mut self, listed: &HashSet<&ShardId>) -> Unlisted {
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
                Stage::Finished if node.seen => unlisted.dropped.push(shard.clone()),
                Stage::Missing if node.seen => {
                    node.stage = Stage::Reading;
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
mod tests;
