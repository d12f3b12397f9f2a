//! Where each shard of a stream starts.

mod latest;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

pub(crate) use self::latest::resolve_latest;
use crate::error::{Error, Result};
use crate::model::{
    InitialPositions, Offsets, Shard, ShardId, ShardPosition, StartingPosition, UnixMillis,
};
use crate::source::lineage::new_shards;

/// How far beyond our clock a start may lie: clocks of machines that are kept right differ by less.
const CLOCKS_DIFFER: Duration = Duration::from_secs(5);

/// Refuses a start in the future: there is nothing to read, and the service takes it for an error.
///
/// # Errors
/// It lies more than five seconds beyond `now`.
pub(crate) fn reject_future_start(start: &StartingPosition, now: UnixMillis) -> Result<()> {
    let is_future = |time: UnixMillis| time > now.plus(CLOCKS_DIFFER);
    let refused = |place: &str, time: UnixMillis| {
        Err(Error::invalid_option(format!(
            "option 'kinesis.startingPosition' {place}= 'AT_TIMESTAMP {time}' lies in the future, the \
             clock shows {now}: expected a time that has passed, or 'LATEST' for what arrives from now \
             on"
        )))
    };
    match start {
        StartingPosition::AtTimestamp(time) if is_future(*time) => refused("", *time),
        StartingPosition::PerShard(positions) => {
            for (shard, position) in positions {
                if let ShardPosition::AtTimestamp(time) = position
                    && is_future(*time)
                {
                    return refused(&format!("of shard '{shard}' "), *time);
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The place of each of `shards`, which are ordered by id; `None` for one that starts with what
/// arrives from now on.
///
/// A shard that was made of one with a place starts at its own beginning: what was written to it
/// comes after what was read of its parent. That holds too where the shards between them, or the one
/// with a place, are not listed any more. One that a shard with a place was made of was read before.
///
/// # Errors
/// None of the shards with a place exists.
pub(crate) fn resolve_starts(
    shards: &[Shard],
    start: &StartingPosition,
) -> Result<Vec<Option<ShardPosition>>> {
    let kin = match start {
        StartingPosition::PerShard(positions) => Kin::of(shards, positions)?,
        _ => Kin::default(),
    };
    // Children come after their parents in the order of ids.
    let mut descendants: HashSet<&ShardId> = HashSet::new();
    let mut places = Vec::with_capacity(shards.len());
    for shard in shards {
        let id = &shard.id;
        let mut parents = shard.parent.iter().chain(&shard.adjacent_parent);
        let after = |parent| descendants.contains(parent) || start.position_of(parent).is_some();
        let place = start.position_of(id);
        if kin.orphans.contains(id) || parents.any(after) {
            descendants.insert(id);
            places.push(place.or(Some(ShardPosition::TrimHorizon)));
        } else {
            let read = kin.ancestors.contains(id);
            places.push(place.or(read.then_some(ShardPosition::ShardEnd)));
        }
    }
    Ok(places)
}

/// How shards without a place are related to those that have one.
#[derive(Debug, Default)]
struct Kin<'a> {
    /// What shards with a place were made of: nothing arrives there any more.
    ancestors: HashSet<&'a ShardId>,
    /// What may descend from a shard with a place that is not listed any more: its parents are not
    /// listed either, and may have been that shard or made of it.
    orphans: HashSet<&'a ShardId>,
}

impl<'a> Kin<'a> {
    /// # Errors
    /// None of the shards with a place is listed.
    fn of(shards: &'a [Shard], positions: &BTreeMap<ShardId, ShardPosition>) -> Result<Self> {
        let listed: HashSet<&ShardId> = shards.iter().map(|shard| &shard.id).collect();
        let missing = positions.keys().filter(|shard| !listed.contains(shard));
        let missing: Vec<&str> = missing.map(ShardId::as_str).collect();
        if !missing.is_empty() {
            if missing.len() == positions.len() {
                return Err(Error::invalid_option(format!(
                    "option 'kinesis.startingPosition' has a position of shard '{}': expected shards \
                     of the stream, and none of those given is listed",
                    missing[0]
                )));
            }
            tracing::warn!(
                ?missing,
                "shards with a starting position are not listed any more"
            );
        }
        let new = new_shards(shards, |shard| positions.contains_key(shard));
        let unlisted = |parent: &ShardId| {
            let later = missing
                .first()
                .is_some_and(|first| parent.as_str() > *first);
            later && !listed.contains(parent)
        };
        let orphan = |shard: &&&Shard| {
            let mut parents = shard.parent.iter().chain(&shard.adjacent_parent);
            parents.any(unlisted)
        };
        let orphans = new.iter().filter(orphan).map(|shard| &shard.id).collect();
        let mut ancestors = listed;
        for shard in new {
            ancestors.remove(&shard.id);
        }
        ancestors.retain(|shard| !positions.contains_key(shard));
        Ok(Self { ancestors, orphans })
    }
}

/// The place of each of `shards`, which are ordered by id, where a query on them starts.
///
/// # Errors
/// None of the shards with a place exists.
pub(crate) fn beginning(shards: &[Shard], start: &InitialPositions) -> Result<Offsets> {
    let named = StartingPosition::PerShard(start.shards.clone());
    let places = resolve_starts(shards, &named)?.into_iter();
    let placed = shards.iter().zip(places).map(|(shard, place)| {
        let place = place.unwrap_or_else(|| start.others.clone());
        (shard.id.clone(), place)
    });
    Ok(placed.collect())
}

#[cfg(test)]
mod tests;
