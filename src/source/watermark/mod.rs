//! The event-time watermark of a query, computed from the watermarks of its shards. Rows older than it
//! are no longer expected.
//!
//! # How it is computed
//!
//! Rows are ordered at best within a shard, so each shard has its own time: the largest event time that was
//! seen in it. The watermark is the minimum of these times over the shards that may still have older rows, less
//! the allowed delay. It never goes back.
//!
//! Which shards count follows from what may still come from them:
//!
//! - A shard with pending or unread rows counts. If no event time of it is known, it stops the watermark from
//!   advancing, because its rows may have any time.
//! - An idle shard does not count: all its rows so far were taken, and those written from now on are assumed
//!   to be newer. If *no* shard counts, the largest time of all shards is used.
//! - A shard that waits for its parents counts with the minimum of their times, since its rows follow theirs.
//!   When it starts, it inherits that time.
//! - A shard that has ended counts with its time until its children are known, because they continue from
//!   there. Then its time is dropped, but the largest time of all shards is kept, for when all shards are
//!   idle.
//!
//! On a quiet stream, event time can be taken to pass with the clock ([`Watermarks::with_idle_timeout`]).
//!
//! A row with an event time far in the future raises the time of its shard permanently, and that of the query
//! once all other shards are idle or have reached that time. Such a row cannot be distinguished from a row of
//! a busy shard, but the statement can filter it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::streaming::{Activity, Coverage, ShardActivity};
use crate::model::{InputProgress, ShardId, UnixMillis};

/// The event times of the shards of a query, and its watermark.
#[derive(Debug, Clone)]
pub(crate) struct Watermarks {
    /// How much older rows may be than the largest event time of their shard.
    delay: Duration,
    watermark: Option<UnixMillis>,
    /// After how long without a record the watermark follows the clock; `None` if it never does.
    idle_timeout: Option<Duration>,
    /// An upper bound of the arrival times of all records read so far.
    last_arrival: Option<UnixMillis>,
    /// The largest event time of each shard that still counts, per source.
    sources: Vec<BTreeMap<ShardId, UnixMillis>>,
}

/// The combined times of shards.
#[derive(Debug, Clone, Copy, Default)]
struct Combined {
    /// The minimum event time of the shards that count.
    minimum: Option<UnixMillis>,
    /// Whether any shard counts.
    any: bool,
    /// Whether the time of one of them is unknown, which stops the watermark.
    has_unknown: bool,
}

impl Watermarks {
    /// Continues from the state of the last batch.
    pub(crate) fn new(delay: Duration, before: &InputProgress, sources: usize) -> Self {
        let mut event_times = before.event_times.clone();
        event_times.resize_with(sources, BTreeMap::new);
        Self {
            delay,
            watermark: before.watermark,
            idle_timeout: None,
            last_arrival: None,
            sources: event_times,
        }
    }

    /// Lets the watermark follow the clock once no record has arrived for `timeout`. All records that were read
    /// so far had arrived by `last_arrival`.
    #[must_use]
    pub(crate) fn with_idle_timeout(
        self,
        timeout: Option<Duration>,
        last_arrival: Option<UnixMillis>,
    ) -> Self {
        Self {
            idle_timeout: timeout,
            last_arrival: last_arrival.filter(|_| timeout.is_some()),
            ..self
        }
    }

    /// Records that a record with the arrival time `time` was read.
    pub(crate) fn arrived(&mut self, time: Option<UnixMillis>) {
        if self.idle_timeout.is_some() {
            self.last_arrival = self.last_arrival.max(time);
        }
    }

    /// No record that was read arrived later; `None` if the watermark does not depend on it.
    pub(crate) fn last_arrival(&self) -> Option<UnixMillis> {
        self.last_arrival
    }

    /// Whether the watermark moves while no record arrives.
    pub(crate) fn follows_clock(&self) -> bool {
        self.idle_timeout.is_some()
    }

    /// Records that a batch has seen event times up to `time` in `shard`. Times outside of four-digit years are
    /// clamped.
    pub(crate) fn seen(&mut self, source: usize, shard: &ShardId, time: UnixMillis) {
        let Some(shards) = self.sources.get_mut(source) else {
            return;
        };
        let time = time.clamp(UnixMillis::FIRST, UnixMillis::LAST);
        match shards.get_mut(shard) {
            Some(known) => *known = time.max(*known),
            None => {
                shards.insert(shard.clone(), time);
            }
        }
    }

    /// Sets the watermark of a batch that an earlier run planned.
    pub(crate) fn replayed(&mut self, watermark: Option<UnixMillis>) {
        self.watermark = self.watermark.max(watermark);
    }

    /// The watermark for a batch that is planned now, given how far earlier batches have read each source;
    /// never less than the last one.
    ///
    /// Everything that earlier batches have [seen](Self::seen) must have been recorded before.
    pub(crate) fn advance(&mut self, before: &[Coverage]) -> Option<UnixMillis> {
        for coverage in before {
            self.arrived(coverage.last_arrival);
        }
        let by_clock = self.by_clock(read_to(before));
        let mut all = Combined::default();
        for (times, coverage) in self.sources.iter_mut().zip(before) {
            inherit(times, &coverage.shards);
            all.add(combine(times, &coverage.shards, self.idle_timeout));
        }
        // If no unread rows are left, the largest time seen is the limit.
        let time = if all.any { all.minimum } else { self.latest() };
        self.forget(before);
        let next = time.filter(|_| !all.has_unknown).map(|time| {
            let time = time.minus(self.delay);
            time.max(UnixMillis::FIRST)
        });
        self.watermark = self.watermark.max(next).max(by_clock);
        self.watermark
    }

    /// An upper bound of the watermark until another row is seen, if all records that had arrived by `read_to`
    /// were read; `None` if no row was seen yet.
    pub(crate) fn farthest(&self, read_to: Option<UnixMillis>) -> Option<UnixMillis> {
        let seen = self.latest()?.minus(self.delay);
        self.by_clock(read_to).max(Some(seen))
    }

    /// The watermark of a quiet stream.
    ///
    /// Between the last arrival L and `read_to` R, no record arrived in any shard. Event time is assumed to have
    /// passed with the clock: rows that arrive after R are expected to be R − L newer than the newest row. The
    /// timeout is subtracted for two reasons. The watermark does not jump when the timeout is over. And as R is by
    /// this machine's clock and L by the service's, a timeout that is larger than the difference of the clocks
    /// keeps rows from being late.
    fn by_clock(&self, read_to: Option<UnixMillis>) -> Option<UnixMillis> {
        let quiet = read_to?.since(self.last_arrival?);
        let beyond = quiet.checked_sub(self.idle_timeout?)?;
        Some(self.latest()?.plus(beyond).minus(self.delay))
    }

    /// The event times that the next batch continues from, without those of ended shards whose children have
    /// inherited them.
    pub(crate) fn event_times(&self) -> Vec<BTreeMap<ShardId, UnixMillis>> {
        self.sources.clone()
    }

    fn latest(&self) -> Option<UnixMillis> {
        let times = self.sources.iter().flat_map(BTreeMap::values);
        times.max().copied()
    }

    /// Drops the times of ended shards. The largest time of all is kept while its shard is tracked, because the
    /// watermark reaches it when all shards are idle.
    fn forget(&mut self, before: &[Coverage]) {
        let mut dropped = Vec::new();
        for (source, (times, coverage)) in self.sources.iter_mut().zip(before).enumerate() {
            let shards = &coverage.shards;
            let tracked = by_id(shards);
            let has_no_time = |entry: &&ShardActivity| !times.contains_key(&entry.shard);
            let awaiting = shards.iter().filter(has_no_time);
            let awaited: HashSet<&ShardId> = awaiting.flat_map(|child| &child.parents).collect();
            times.retain(|shard, _| tracked.contains_key(shard) || awaited.contains(shard));
            let named = parents_of_any(shards);
            let ended = shards.iter().filter(|entry| is_ended(entry));
            let done = ended.map(|entry| &entry.shard);
            let done = done.filter(|shard| named.contains(shard) && !awaited.contains(shard));
            for shard in done {
                if let Some(time) = times.remove(shard) {
                    dropped.push((time, source, shard));
                }
            }
        }
        let latest = self.latest();
        let largest = dropped.into_iter().max();
        if let Some((time, source, shard)) = largest.filter(|(time, ..)| Some(*time) > latest) {
            self.sources[source].insert(shard.clone(), time);
        }
    }
}

impl Combined {
    /// Adds a shard that counts, with its time.
    fn count(&mut self, time: Option<UnixMillis>) {
        self.any = true;
        self.has_unknown |= time.is_none();
        self.minimum = minimum(self.minimum, time);
    }

    fn add(&mut self, other: Self) {
        self.any |= other.any;
        self.has_unknown |= other.has_unknown;
        self.minimum = minimum(self.minimum, other.minimum);
    }
}

/// Gives shards without an event time the minimum time of their parents, once all of these have ended. A
/// shard that becomes known later than its siblings may find no time, and then stops the watermark until its
/// first row.
fn inherit(times: &mut BTreeMap<ShardId, UnixMillis>, shards: &[ShardActivity]) {
    let tracked = by_id(shards);
    // The ids of children are greater than those of their parents.
    for entry in tracked.values() {
        let has_ended = |parent| tracked.get(parent).is_none_or(|parent| is_ended(parent));
        if times.contains_key(&entry.shard) || !entry.parents.iter().all(has_ended) {
            continue;
        }
        let parents = entry.parents.iter();
        let inherited = parents.filter_map(|parent| times.get(parent)).min();
        if let Some(time) = inherited.copied() {
            times.insert(entry.shard.clone(), time);
        }
    }
}

/// Combines the times of the shards of one source.
fn combine(
    times: &BTreeMap<ShardId, UnixMillis>,
    shards: &[ShardActivity],
    idle_timeout: Option<Duration>,
) -> Combined {
    let named = parents_of_any(shards);
    let mut combined = Combined::default();
    let mut known: HashMap<&ShardId, UnixMillis> = HashMap::new();
    for (shard, entry) in by_id(shards) {
        // A shard that waits for its parents has no rows older than theirs.
        let parents = entry.parents.iter();
        let inherited = parents.filter_map(|parent| known.get(parent).or(times.get(parent)));
        let time = times.get(shard).or(inherited.min()).copied();
        known.extend(time.map(|time| (shard, time)));
        let is_quiet = idle_timeout.is_some_and(|timeout| entry.quiet >= timeout);
        match entry.activity {
            Activity::Active if !is_quiet => combined.count(time),
            // Its children are not known yet, and will continue from its time.
            Activity::Ended if !named.contains(shard) && time.is_some() => combined.count(time),
            Activity::Active | Activity::Idle | Activity::Ended => {}
        }
    }
    combined
}

/// Every record of all sources that had arrived by then was taken.
pub(crate) fn read_to(before: &[Coverage]) -> Option<UnixMillis> {
    let times = before.iter().map(|coverage| coverage.read_to);
    times.min().flatten()
}

fn by_id(shards: &[ShardActivity]) -> BTreeMap<&ShardId, &ShardActivity> {
    let shards = shards.iter();
    shards.map(|entry| (&entry.shard, entry)).collect()
}

fn parents_of_any(shards: &[ShardActivity]) -> BTreeSet<&ShardId> {
    let children = shards.iter();
    children.flat_map(|child| &child.parents).collect()
}

fn is_ended(entry: &ShardActivity) -> bool {
    entry.activity == Activity::Ended
}

/// The minimum of two times, either of which may be unknown.
fn minimum(one: Option<UnixMillis>, other: Option<UnixMillis>) -> Option<UnixMillis> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests;
