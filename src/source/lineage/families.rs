//! Families of shards that are connected by splits and merges. All rows of a partition key are in one family.

use std::collections::HashMap;

use crate::model::{Shard, ShardId};

/// The indexes of `shards`, which are ordered by id, grouped by family. Parents precede children, and families
/// are ordered by their first shard.
///
/// Shards that are connected only by one that is no longer listed count as separate families: each partition
/// key was written to one of them.
pub(crate) fn families(shards: &[Shard]) -> Vec<Vec<usize>> {
    let indexes: HashMap<&ShardId, usize> =
        (shards.iter().map(|shard| &shard.id).zip(0..)).collect();
    let mut forest = Forest::of(shards.len());
    for (index, shard) in shards.iter().enumerate() {
        for parent in shard.parent.iter().chain(&shard.adjacent_parent) {
            if let Some(parent) = indexes.get(parent) {
                forest.join(index, *parent);
            }
        }
    }
    let mut families: Vec<Vec<usize>> = Vec::new();
    let mut family_of: HashMap<usize, usize> = HashMap::new();
    // The ids of children are greater than those of their parents.
    for index in 0..shards.len() {
        let family = *family_of.entry(forest.root(index)).or_insert_with(|| {
            families.push(Vec::new());
            families.len() - 1
        });
        families[family].push(index);
    }
    families
}

/// Disjoint sets of numbers: each number points to another one of its set, the root to itself.
struct Forest(Vec<usize>);

impl Forest {
    fn of(numbers: usize) -> Self {
        Self((0..numbers).collect())
    }

    fn root(&mut self, mut number: usize) -> usize {
        while self.0[number] != number {
            // Path halving: later lookups take half the steps.
            self.0[number] = self.0[self.0[number]];
            number = self.0[number];
        }
        number
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other)] = one.min(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_connected_by_splits_and_merges_are_one_family() {
        let shards = [
            Shard::numbered(0, &[]),
            Shard::numbered(1, &[]),
            Shard::numbered(2, &[]),
            Shard::numbered(3, &[1]),
            Shard::numbered(4, &[1]),
            // Merged from two families.
            Shard::numbered(5, &[4, 2]),
            // Siblings whose parent is no longer listed.
            Shard::numbered(8, &[7]),
            Shard::numbered(9, &[7]),
        ];
        assert_eq!(
            families(&shards),
            [vec![0], vec![1, 2, 3, 4, 5], vec![6], vec![7]]
        );
        assert!(families(&[]).is_empty());
    }

    #[test]
    fn ten_thousand_shards_are_grouped_quickly() {
        // A stream that was doubled and halved: each new shard has two parents.
        let merged = |n: u32| Shard::numbered(5_000 + n, &[n, (n + 1) % 5_000]);
        let shards: Vec<Shard> = (0..5_000)
            .map(|n| Shard::numbered(n, &[]))
            .chain((0..5_000).map(merged))
            .collect();
        assert_eq!(families(&shards), [(0..10_000).collect::<Vec<_>>()]);
        let chain: Vec<Shard> = (0..10_000)
            .map(|n| Shard::numbered(n, &[n.wrapping_sub(1)]))
            .collect();
        assert_eq!(families(&chain).len(), 1);
    }
}
