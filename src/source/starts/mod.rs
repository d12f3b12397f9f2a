//! Decides where reading each shard of a stream starts.

mod latest;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

pub(crate) use self::latest::resolve_latest;
use super::lineage::new_shards;
use crate::error::{Error, Result};
use crate::model::{
    InitialPositions, Offsets, Shard, ShardId, ShardPosition, StartingPosition, UnixMillis,
};

/// How far a start may be ahead of this machine's clock: synchronized clocks differ by less.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(5);

/// Rejects a start in the future: there is nothing to read, and the service treats it as an error.
///
/// # Errors
/// The start is more than five seconds after `now`.
pub(crate) fn reject_future_start(start: &StartingPosition, now: UnixMillis) -> Result<()> {
    let is_future = |time: UnixMillis| time > now.plus(MAX_CLOCK_DIFFERENCE);
    let rejected = |shard: &str, time: UnixMillis| {
        Err(Error::invalid_option(format!(
            "option 'kinesis.startingPosition' {shard}= 'AT_TIMESTAMP {time}' is in the future (the clock \
             shows {now}): expected a time in the past, or 'LATEST' to read what arrives from now on"
        )))
    };
    match start {
        StartingPosition::AtTimestamp(time) if is_future(*time) => rejected("", *time),
        StartingPosition::PerShard(positions) => {
            for (shard, position) in positions {
                if let ShardPosition::AtTimestamp(time) = position
                    && is_future(*time)
                {
                    return rejected(&format!("of shard '{shard}' "), *time);
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The position of each of `shards`, which are ordered by id; `None` for a shard that starts with the records
/// that arrive from now on.
///
/// If positions are given per shard, the others follow from them:
/// - A descendant of a shard with a position starts at its oldest record: all its records come after those of
///   its ancestor. That also holds if the shards between them, or the ancestor itself, are no longer listed.
/// - An ancestor of a shard with a position was read before.
///
/// # Errors
/// None of the shards with a position is listed.
pub(crate) fn resolve_starts(
    shards: &[Shard],
    start: &StartingPosition,
) -> Result<Vec<Option<ShardPosition>>> {
    let relatives = match start {
        StartingPosition::PerShard(positions) => Relatives::of(shards, positions)?,
        _ => Relatives::default(),
    };
    // The ids of children are greater than those of their parents.
    let mut descendants: HashSet<&ShardId> = HashSet::new();
    let mut starts = Vec::with_capacity(shards.len());
    for shard in shards {
        let id = &shard.id;
        let mut parents = shard.parent.iter().chain(&shard.adjacent_parent);
        let is_start = |parent| descendants.contains(parent) || start.position_of(parent).is_some();
        let position = start.position_of(id);
        if relatives.orphans.contains(id) || parents.any(is_start) {
            descendants.insert(id);
            starts.push(position.or(Some(ShardPosition::TrimHorizon)));
        } else {
            let was_read = relatives.ancestors.contains(id);
            starts.push(position.or(was_read.then_some(ShardPosition::ShardEnd)));
        }
    }
    Ok(starts)
}

/// Shards without a position that are related to shards with one.
#[derive(Debug, Default)]
struct Relatives<'a> {
    /// Ancestors of shards with a position: they are closed.
    ancestors: HashSet<&'a ShardId>,
    /// Possible descendants of a shard with a position that is no longer listed: their parents are not listed
    /// either, and may have been that shard or its descendants.
    orphans: HashSet<&'a ShardId>,
}

impl<'a> Relatives<'a> {
    /// # Errors
    /// None of the shards with a position is listed.
    fn of(shards: &'a [Shard], positions: &BTreeMap<ShardId, ShardPosition>) -> Result<Self> {
        let listed: HashSet<&ShardId> = shards.iter().map(|shard| &shard.id).collect();
        let missing = positions.keys().filter(|shard| !listed.contains(shard));
        let missing: Vec<&str> = missing.map(ShardId::as_str).collect();
        if !missing.is_empty() {
            if missing.len() == positions.len() {
                return Err(Error::invalid_option(format!(
                    "option 'kinesis.startingPosition' has a position for shard '{}': expected shards of the \
                     stream, but none of those given is listed",
                    missing[0]
                )));
            }
            tracing::warn!(
                ?missing,
                "shards with a starting position are no longer listed"
            );
        }
        let new = new_shards(shards, |shard| positions.contains_key(shard));
        let is_unlisted_descendant = |parent: &ShardId| {
            let is_later = missing
                .first()
                .is_some_and(|first| parent.as_str() > *first);
            is_later && !listed.contains(parent)
        };
        let is_orphan = |shard: &&&Shard| {
            let mut parents = shard.parent.iter().chain(&shard.adjacent_parent);
            parents.any(is_unlisted_descendant)
        };
        let orphans = new.iter().filter(is_orphan).map(|shard| &shard.id);
        let orphans = orphans.collect();
        let mut ancestors = listed;
        for shard in new {
            ancestors.remove(&shard.id);
        }
        ancestors.retain(|shard| !positions.contains_key(shard));
        Ok(Self { ancestors, orphans })
    }
}

/// The position of each of `shards`, which are ordered by id, from the initial positions of a query.
///
/// # Errors
/// None of the shards with a position is listed.
pub(crate) fn resolve_initial(shards: &[Shard], start: &InitialPositions) -> Result<Offsets> {
    let named = StartingPosition::PerShard(start.shards.clone());
    let starts = resolve_starts(shards, &named)?.into_iter();
    let positions = shards.iter().zip(starts).map(|(shard, position)| {
        let position = position.unwrap_or_else(|| start.others.clone());
        (shard.id.clone(), position)
    });
    Ok(positions.collect())
}

#[cfg(test)]
mod tests;
