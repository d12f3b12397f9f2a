//! Where each shard of a stream starts.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::model::{InitialPositions, Offsets, Shard, ShardId, ShardPosition, StartingPosition};

/// The place of each of `shards`, which are ordered by id; `None` for one that starts with what
/// arrives from now on.
///
/// A shard that was made of one with a place starts at its own beginning: what was written to it
/// comes after what was read of its parent.
///
/// # Errors
/// None of the shards with a place exists.
pub(crate) fn starts(
    shards: &[Shard],
    start: &StartingPosition,
) -> Result<Vec<Option<ShardPosition>>> {
    if let StartingPosition::PerShard(positions) = start {
        let listed: HashSet<&ShardId> = shards.iter().map(|shard| &shard.id).collect();
        let mut missing = positions
            .keys()
            .filter(|shard| !listed.contains(shard))
            .peekable();
        if let Some(first) = missing.peek() {
            if positions.keys().all(|shard| !listed.contains(shard)) {
                return Err(Error::invalid_option(format!(
                    "option 'kinesis.startingPosition' has a position of shard '{first}': \
                     expected shards of the stream, and none of those given is listed"
                )));
            }
            let missing: Vec<&str> = missing.map(ShardId::as_str).collect();
            tracing::warn!(
                ?missing,
                "shards with a starting position are not listed any more"
            );
        }
    }
    // Children come after their parents in the order of ids.
    let mut descendants: HashSet<&ShardId> = HashSet::new();
    let mut places = Vec::with_capacity(shards.len());
    for shard in shards {
        let mut parents = shard.parent.iter().chain(&shard.adjacent_parent);
        let descends = parents
            .any(|parent| descendants.contains(parent) || start.position_of(parent).is_some());
        if descends {
            descendants.insert(&shard.id);
        }
        let own = start.position_of(&shard.id);
        places.push(own.or(descends.then_some(ShardPosition::TrimHorizon)));
    }
    Ok(places)
}

/// The place of each of `shards`, which are ordered by id, where a query on them starts.
///
/// # Errors
/// None of the shards with a place exists.
pub(super) fn beginning(shards: &[Shard], start: &InitialPositions) -> Result<Offsets> {
    let named = StartingPosition::PerShard(start.shards.clone());
    let places = starts(shards, &named)?.into_iter();
    let placed = shards.iter().zip(places).map(|(shard, place)| {
        let place = place.unwrap_or_else(|| start.others.clone());
        (shard.id.clone(), place)
    });
    Ok(placed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HashRange, SequenceNumber, UnixMillis};

    fn shard(n: u32, parents: &[u32]) -> Shard {
        let id = |n: &u32| ShardId::new(format!("shardId-{n:012}"));
        Shard {
            id: id(&n),
            parent: parents.first().map(id),
            adjacent_parent: parents.get(1).map(id),
            hash_range: HashRange::ALL,
            starting_sequence: SequenceNumber::zero(),
            ending_sequence: None,
        }
    }

    fn after(digits: &str) -> ShardPosition {
        ShardPosition::After {
            sequence: SequenceNumber::new(digits).unwrap(),
            sub_sequence: None,
        }
    }

    #[test]
    fn descendants_of_a_shard_with_a_place_start_at_their_beginning() {
        let shards = [
            shard(0, &[]),
            shard(1, &[]),
            shard(2, &[0]),
            shard(3, &[1]),
            shard(4, &[2, 3]),
            // Its parent is not listed any more.
            shard(6, &[5]),
        ];
        let named = |n: u32| ShardId::new(format!("shardId-{n:012}"));
        let positions = [(named(0), after("7")), (named(5), ShardPosition::ShardEnd)];
        let start = StartingPosition::PerShard(positions.into());
        let beginning = Some(ShardPosition::TrimHorizon);
        assert_eq!(
            starts(&shards, &start).unwrap(),
            [
                Some(after("7")),
                None,
                beginning.clone(),
                None,
                beginning.clone(),
                beginning
            ]
        );
    }

    #[test]
    fn other_starts_are_the_same_for_all_shards() {
        let shards = [shard(0, &[]), shard(1, &[0])];
        let time = UnixMillis(5);
        let at = Some(ShardPosition::AtTimestamp(time));
        let start = StartingPosition::AtTimestamp(time);
        assert_eq!(starts(&shards, &start).unwrap(), [at.clone(), at]);
        assert_eq!(
            starts(&shards, &StartingPosition::Latest).unwrap(),
            [None, None]
        );
    }
}
