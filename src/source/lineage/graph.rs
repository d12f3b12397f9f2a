//! The graph of tracked shards, and which of them may be read.
//!
//! # Why children wait
//!
//! The records of a partition key are ordered within a shard. A split or a merge closes the parents and moves
//! their keys to the children, so all records of a key in a parent are older than those in a child. Rows of a
//! key therefore stay in order over reshards if a child is read only after each of its parents has been read
//! to its end *and* all rows of the parents are in batches.
//!
//! A parent that is not tracked does not delay its children: it has expired, or was finished earlier.
//! Therefore a shard must stay tracked until it can no longer be listed. A finished shard is remembered while
//! listings contain it, because otherwise it would look like a new one and be read again.
//!
//! # When a shard is lost
//!
//! A listing may be older than a shard that its parent has named, so a shard that is not listed is not lost.
//! It is lost if the service rejects it as unknown ([`Stage::Missing`]), it has been listed before, and the
//! next listing does not contain it.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::{Shard, ShardId};

/// How far a shard has been processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its parents have not been read to their end.
    Waiting,
    /// It is being read.
    Reading,
    /// The service rejects it as unknown; the next listing decides whether it is lost.
    Missing,
    /// Its end has been read, and all its rows are in batches.
    Consumed,
    /// Its end is also in the ranges of a batch, so the log records it.
    Finished,
    /// Left to a later run, because it continues after the frozen tip.
    Left,
}

impl Stage {
    /// Whether its children may be read.
    fn allows_children(self) -> bool {
        matches!(self, Self::Consumed | Self::Finished)
    }
}

/// The shards among `listed`, which are ordered by id, that were created after the known ones: those that are
/// neither known nor ancestors of a known one. Ancestors were read before, and are still listed.
pub(crate) fn new_shards(listed: &[Shard], is_known: impl Fn(&ShardId) -> bool) -> Vec<&Shard> {
    let mut ancestors: HashSet<&ShardId> = HashSet::new();
    let mut new = Vec::new();
    // The ids of children are greater than those of their parents.
    for shard in listed.iter().rev() {
        if is_known(&shard.id) || ancestors.contains(&shard.id) {
            ancestors.extend(shard.parent.iter().chain(&shard.adjacent_parent));
        } else {
            new.push(shard);
        }
    }
    new
}

/// The tracked shards of a stream.
#[derive(Debug, Default)]
pub(crate) struct Lineage {
    nodes: BTreeMap<ShardId, Node>,
    children: HashMap<ShardId, Vec<ShardId>>,
}

#[derive(Debug)]
struct Node {
    parents: Vec<ShardId>,
    stage: Stage,
    /// Whether it has been listed; a shard that its parent has named may not be listed yet.
    was_listed: bool,
}

/// Shards that a listing does not contain.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Unlisted {
    /// Finished shards, which are no longer tracked.
    pub(crate) dropped: Vec<ShardId>,
    /// Shards that were not read to their end and never can be.
    pub(crate) lost: Vec<ShardId>,
}

impl Lineage {
    /// Tracks a shard that was listed, or is known from an earlier run.
    pub(crate) fn track(&mut self, shard: ShardId, parents: Vec<ShardId>, stage: Stage) {
        self.insert(shard, parents, stage, true);
    }

    /// Tracks a shard that its parent named.
    pub(crate) fn track_child(&mut self, shard: ShardId, parents: Vec<ShardId>) {
        self.insert(shard, parents, Stage::Waiting, false);
    }

    fn insert(&mut self, shard: ShardId, parents: Vec<ShardId>, stage: Stage, was_listed: bool) {
        for parent in &parents {
            let siblings = self.children.entry(parent.clone()).or_default();
            siblings.push(shard.clone());
        }
        let node = Node {
            parents,
            stage,
            was_listed,
        };
        self.nodes.insert(shard, node);
    }

    /// The parents of a tracked shard.
    pub(crate) fn parents(&self, shard: &ShardId) -> &[ShardId] {
        self.nodes.get(shard).map_or(&[], |node| &node.parents)
    }

    /// Sets the parents of a tracked shard that is listed for the first time. If `waits`, it is read only after
    /// them.
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

    /// The stage of `shard`; `None` if it is not tracked.
    pub(crate) fn stage(&self, shard: &ShardId) -> Option<Stage> {
        self.nodes.get(shard).map(|node| node.stage)
    }

    /// Changes the stage of a tracked shard.
    pub(crate) fn set_stage(&mut self, shard: &ShardId, stage: Stage) {
        if let Some(node) = self.nodes.get_mut(shard) {
            node.stage = stage;
        }
    }

    /// Marks all shards that may be read as started; returns them, parents before children.
    pub(crate) fn start_all(&mut self) -> Vec<ShardId> {
        let waiting: Vec<ShardId> = (self.nodes.iter())
            .filter(|(_, node)| node.stage == Stage::Waiting)
            .map(|(shard, _)| shard.clone())
            .collect();
        self.start(waiting)
    }

    /// Marks the children of `shard` that may be read as started, and returns them.
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
        let is_free = |parent: &ShardId| self.stage(parent).is_none_or(Stage::allows_children);
        let node = self.nodes.get(shard);
        node.is_some_and(|node| node.stage == Stage::Waiting && node.parents.iter().all(is_free))
    }

    /// Leaves `shard` and its descendants to a later run; returns the descendants.
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

    /// Updates the graph from a listing: drops finished shards that it does not contain, and returns missing
    /// ones as lost.
    pub(crate) fn observe(&mut self, listed: &HashSet<&ShardId>) -> Unlisted {
        let mut unlisted = Unlisted::default();
        for (shard, node) in &mut self.nodes {
            if listed.contains(shard) {
                node.was_listed = true;
                if node.stage == Stage::Missing {
                    node.stage = Stage::Reading;
                }
                continue;
            }
            match node.stage {
                Stage::Finished if node.was_listed => unlisted.dropped.push(shard.clone()),
                Stage::Missing if node.was_listed => {
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
