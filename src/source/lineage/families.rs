//! Shards that splits and merges connect. The rows of a partition key lie in one such family, whatever
//! became of the shards.

use std::collections::HashMap;

use crate::model::{Shard, ShardId};

/// The places of `shards`, which are ordered by id, family by family. Within a family parents come
/// before children; families are ordered by their first shard.
///
/// Shards that only one which is not listed any more would connect are strangers to each other: each
/// partition key was written to one of them.
pub(crate) fn families(shards: &[Shard]) -> Vec<Vec<usize>> {
    let places: HashMap<&ShardId, usize> =
        (shards.iter().map(|shard| &shard.id).zip(0..)).collect();
    let mut forest = Forest::of(shards.len());
    for (place, shard) in shards.iter().enumerate() {
        for parent in shard.parent.iter().chain(&shard.adjacent_parent) {
            if let Some(parent) = places.get(parent) {
                forest.join(place, *parent);
            }
        }
    }
    let mut families: Vec<Vec<usize>> = Vec::new();
    let mut family_of: HashMap<usize, usize> = HashMap::new();
    // Children come after their parents in the order of ids.
    for place in 0..shards.len() {
        let family = *family_of.entry(forest.root(place)).or_insert_with(|| {
            families.push(Vec::new());
            families.len() - 1
        });
        families[family].push(place);
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
            // Halves the way for those who come later.
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
    fn what_splits_and_merges_connect_is_one_family_parents_first() {
        let shards = [
            Shard::numbered(0, &[]),
            Shard::numbered(1, &[]),
            Shard::numbered(2, &[]),
            Shard::numbered(3, &[1]),
            Shard::numbered(4, &[1]),
            // Merged from two families.
            Shard::numbered(5, &[4, 2]),
            // Siblings whose parent is not listed any more.
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
    fn ten_thousand_shards_are_planned_at_once() {
        // A stream that was doubled and halved: each shard of the middle has two parents.
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
