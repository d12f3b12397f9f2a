//! Predicts which shard the service chooses for a hash key.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::model::{HashKey, HashRange, Shard, ShardId};

/// The open shards of a stream when they were listed. After a reshard the prediction may be wrong,
/// which is detected and harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShardMap {
    /// Ordered by the end of the hash range.
    shards: Vec<(HashRange, ShardId)>,
}

impl ShardMap {
    /// Builds the map; closed shards are ignored.
    pub(super) fn new(listed: Vec<Shard>) -> Result<Self> {
        let mut shards: Vec<_> = (listed.into_iter())
            .filter(|shard| !shard.is_closed())
            .map(|shard| (shard.hash_range, shard.id))
            .collect();
        if shards.is_empty() {
            return Err(Error::internal("the stream has no open shards"));
        }
        shards.sort_by_key(|(range, _)| range.end);
        Ok(Self { shards })
    }

    pub(super) fn len(&self) -> usize {
        self.shards.len()
    }

    /// The index of the shard that covers `key`. If the listing has a gap, as it may during a
    /// reshard, the next shard is used.
    pub(super) fn index_of(&self, key: HashKey) -> usize {
        let index = self.shards.partition_point(|(range, _)| range.end < key);
        index.min(self.shards.len() - 1)
    }

    pub(super) fn id(&self, index: usize) -> &ShardId {
        &self.shards[index].1
    }

    pub(super) fn ranges(&self) -> HashMap<&ShardId, HashRange> {
        (self.shards.iter())
            .map(|(range, id)| (id, *range))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SequenceNumber;

    fn shard(id: &str, start: u128, end: u128) -> Shard {
        Shard {
            id: ShardId::new(id),
            parent: None,
            adjacent_parent: None,
            hash_range: HashRange {
                start: HashKey(start),
                end: HashKey(end),
            },
            starting_sequence: SequenceNumber::zero(),
            ending_sequence: None,
        }
    }

    #[test]
    fn a_hash_key_maps_to_the_open_shard_that_covers_it() {
        let mut closed = shard("closed", 0, u128::MAX);
        closed.ending_sequence = Some(SequenceNumber::zero());
        // Shard ids are not in the order of hash ranges.
        let map = ShardMap::new(vec![
            shard("1", 200, u128::MAX),
            closed,
            shard("2", 100, 199),
            shard("3", 0, 99),
        ]);
        let map = map.unwrap();
        assert_eq!(map.len(), 3);
        for (key, id) in [
            (0, "3"),
            (99, "3"),
            (100, "2"),
            (199, "2"),
            (200, "1"),
            (u128::MAX, "1"),
        ] {
            assert_eq!(map.id(map.index_of(HashKey(key))).as_str(), id, "{key}");
        }
    }

    #[test]
    fn a_gap_in_the_listing_is_bridged() {
        let map = ShardMap::new(vec![shard("1", 10, 99), shard("2", 200, 299)]).unwrap();
        for (key, id) in [(0, "1"), (150, "2"), (u128::MAX, "2")] {
            assert_eq!(map.id(map.index_of(HashKey(key))).as_str(), id, "{key}");
        }
    }

    #[test]
    fn a_stream_without_open_shards_is_an_error() {
        assert!(ShardMap::new(Vec::new()).is_err());
    }
}
