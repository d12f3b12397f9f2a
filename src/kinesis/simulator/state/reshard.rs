//! Splits, merges, and uniform scaling of a stream's shards.

use std::sync::Arc;

use super::sequence_number::CreationSeconds;
use super::shard::{Closure, ShardState, index_of};
use super::stream::{StreamState, uniform_ranges};
use crate::model::{HashKey, HashRange, ShardId, UnixMillis};

/// The time of a reshard, and the source of creation seconds for the new shards.
pub(in crate::kinesis) struct ReshardTime<'a> {
    pub(in crate::kinesis) now: UnixMillis,
    pub(in crate::kinesis) seconds: &'a CreationSeconds,
}

impl StreamState {
    /// The position of `id` among the open shards; `None` if it is closed.
    pub(in crate::kinesis) fn open_position_of(&self, id: &ShardId) -> Option<usize> {
        let range = self.shards.get(index_of(id)? as usize)?.hash_range;
        let position = self.open_position(range.start);
        (self.open_shard(position).id == *id).then_some(position)
    }

    /// The open shard at `position`.
    pub(in crate::kinesis) fn open_shard(&self, position: usize) -> &Arc<ShardState> {
        &self.shards[self.open[position] as usize]
    }

    /// Closes the open shard at `position` and opens two children. The second child starts at `at`,
    /// which must lie inside the shard's range.
    pub(in crate::kinesis) fn split(
        &mut self,
        position: usize,
        at: HashKey,
        time: &ReshardTime<'_>,
    ) {
        let HashRange { start, end } = self.open_shard(position).hash_range;
        let low = HashRange {
            start,
            end: HashKey(at.0 - 1),
        };
        let parent = self.open_shard(position).id.clone();
        let high = HashRange { start: at, end };
        self.replace(position, &[parent], &[low, high], time);
    }

    /// Closes the open shard at `position` and the one after it, and opens one child. `parents` are
    /// these two, in the order in which the child names them.
    pub(in crate::kinesis) fn merge(
        &mut self,
        position: usize,
        parents: &[ShardId; 2],
        time: &ReshardTime<'_>,
    ) {
        let whole = HashRange {
            start: self.open_shard(position).hash_range.start,
            end: self.open_shard(position + 1).hash_range.end,
        };
        self.replace(position, parents, &[whole], time);
    }

    /// Splits and merges until there are `target` shards with equal ranges. Shards whose range
    /// already fits are kept; intermediate shards are closed at once and stay empty.
    pub(in crate::kinesis) fn scale_uniformly(&mut self, target: u32, time: &ReshardTime<'_>) {
        let ranges = uniform_ranges(target);
        for range in &ranges {
            let position = self.open_position(range.start);
            if self.open_shard(position).hash_range.start < range.start {
                self.split(position, range.start, time);
            }
        }
        for range in &ranges {
            let position = self.open_position(range.start);
            while self.open_shard(position).hash_range.end < range.end {
                let [left, right] = [position, position + 1].map(|at| self.open_shard(at));
                let parents = [left.id.clone(), right.id.clone()];
                self.merge(position, &parents, time);
            }
        }
    }

    fn replace(
        &mut self,
        position: usize,
        parents: &[ShardId],
        ranges: &[HashRange],
        time: &ReshardTime<'_>,
    ) {
        let second = time.seconds.next(time.now);
        let first_index = u32::try_from(self.shards.len()).unwrap_or(u32::MAX);
        let children: Vec<_> = (first_index..)
            .zip(ranges)
            .map(|(index, range)| {
                let parents = parents.to_vec();
                Arc::new(ShardState::new(index, parents, *range, second, time.now))
            })
            .collect();
        let named: Vec<_> = children.iter().map(|child| child.as_child()).collect();
        let closing = position..position + parents.len();
        for position in closing.clone() {
            let parent = self.open_shard(position);
            parent.write().closure = Some(Closure {
                at: time.now,
                children: named.clone(),
            });
            parent.wake_subscriptions();
        }
        let opened = children.iter().map(|child| child.index);
        self.open.splice(closing, opened);
        self.shards.extend(children);
    }
}
