//! How far the event times of a query are: up to which no row is to be expected any more.
//!
//! A watermark is kept per shard, because rows come in order within a shard at best: it is the largest
//! event time that was seen there, less the delay that rows are allowed. The watermark of the query is
//! the least of these over the shards that may have rows already, and never goes back. A shard that is
//! read to its end hands its time on to the shards that were made of it.
//!
//! A row whose event time lies far in the future lifts the watermark of its shard for good, and that
//! of the query once all other shards are as far or idle. Nobody can tell it from a row of a busy shard;
//! the statement can leave such rows out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::streaming::{Activity, Coverage, ShardActivity};
use crate::model::{InputProgress, ShardId, UnixMillis};

/// The event times of a query, shard by shard, and what follows for its watermark.
#[derive(Debug, Clone)]
pub(crate) struct Watermarks {
    /// How far rows may be behind the largest event time of their shard.
    delay: Duration,
    watermark: Option<UnixMillis>,
    /// After how long without a record the watermark follows the clock; none where it never does.
    idle_timeout: Option<Duration>,
    /// No record that was read arrived later.
    last_arrival: Option<UnixMillis>,
    /// The largest event time of each shard that still counts, source by source.
    sources: Vec<BTreeMap<ShardId, UnixMillis>>,
}

/// What the shards of one source come to.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// The least event time of the shards that count.
    least: Option<UnixMillis>,
    /// Whether there are shards that count.
    counts: bool,
    /// Whether there is one among them of which nothing is known.
    holds: bool,
}

impl Watermarks {
    /// Goes on behind what the last batch has left.
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

    /// Has the watermark follow the clock once no record has arrived for `timeout`; all that were read so
    /// far had arrived by `last_arrival`.
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

    /// A record was read that had arrived at `time`.
    pub(crate) fn arrived(&mut self, time: Option<UnixMillis>) {
        if self.idle_timeout.is_some() {
            self.last_arrival = self.last_arrival.max(time);
        }
    }

    /// No record that was read arrived later; `None` where nobody needs to know.
    pub(crate) fn last_arrival(&self) -> Option<UnixMillis> {
        self.last_arrival
    }

    /// Whether the watermark moves while no record comes.
    pub(crate) fn follows_clock(&self) -> bool {
        self.idle_timeout.is_some()
    }

    /// A batch has seen event times up to `time` in `shard`. Times without a date of four digits are
    /// taken for the next one that has it.
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

    /// A batch runs that was planned with this watermark by an earlier start.
    pub(crate) fn replayed(&mut self, watermark: Option<UnixMillis>) {
        self.watermark = self.watermark.max(watermark);
    }

    /// The watermark for a batch that is planned now, where earlier batches have come this far in each
    /// source; never less than the one before.
    ///
    /// All that earlier batches have [seen](Self::seen) must have been told.
    pub(crate) fn advance(&mut self, before: &[Coverage]) -> Option<UnixMillis> {
        for coverage in before {
            self.arrived(coverage.last_arrival);
        }
        let by_clock = self.by_clock(read_to(before));
        let mut all = Count::default();
        for (times, coverage) in self.sources.iter_mut().zip(before) {
            inherit(times, &coverage.shards);
            all.add(look(times, &coverage.shards, self.idle_timeout));
        }
        // Where nothing is left to be read, rows that were seen are as far as it goes.
        let time = if all.counts { all.least } else { self.latest() };
        self.forget(before);
        let next = time.filter(|_| !all.holds).map(|time| {
            let time = time.minus(self.delay);
            time.max(UnixMillis::FIRST)
        });
        self.watermark = self.watermark.max(next).max(by_clock);
        self.watermark
    }

    /// No watermark is beyond this before another row is seen, where all records that had arrived by
    /// `read_to` were; `None` where no row was seen yet.
    pub(crate) fn farthest(&self, read_to: Option<UnixMillis>) -> Option<UnixMillis> {
        let seen = self.latest()?.minus(self.delay);
        self.by_clock(read_to).max(Some(seen))
    }

    /// Where the watermark is on a quiet stream.
    ///
    /// Between the last arrival L and `read_to` R no record arrived in any shard, so event time is taken
    /// to have gone on with the clock: rows that arrive after R are expected to be R − L newer than the
    /// newest row. The timeout is taken off, so that the watermark does not jump when it is over, and so
    /// that a timeout larger than what the clocks of this machine and of the service differ by keeps rows
    /// on time: R is by the one, L by the other.
    fn by_clock(&self, read_to: Option<UnixMillis>) -> Option<UnixMillis> {
        let quiet = read_to?.since(self.last_arrival?);
        let beyond = quiet.checked_sub(self.idle_timeout?)?;
        Some(self.latest()?.plus(beyond).minus(self.delay))
    }

    /// What the next batch has to know: event times without those of shards that are over and have handed
    /// them on.
    pub(crate) fn event_times(&self) -> Vec<BTreeMap<ShardId, UnixMillis>> {
        self.sources.clone()
    }

    fn latest(&self) -> Option<UnixMillis> {
        let times = self.sources.iter().flat_map(BTreeMap::values);
        times.max().copied()
    }

    /// Lets go of the times of shards that are over. The largest time of all stays while its shard is
    /// tracked: the watermark gets there when all shards are idle.
    fn forget(&mut self, before: &[Coverage]) {
        let mut handed_on = Vec::new();
        for (source, (times, coverage)) in self.sources.iter_mut().zip(before).enumerate() {
            let standings = &coverage.shards;
            let tracked = by_id(standings);
            let unheard = |standing: &&ShardActivity| !times.contains_key(&standing.shard);
            let awaited = standings.iter().filter(unheard);
            let awaited: HashSet<&ShardId> = awaited.flat_map(|child| &child.parents).collect();
            times.retain(|shard, _| tracked.contains_key(shard) || awaited.contains(shard));
            let named = parents_of_any(standings);
            let over = standings.iter().filter(|standing| is_over(standing));
            let done = over.map(|standing| &standing.shard);
            let done = done.filter(|shard| named.contains(shard) && !awaited.contains(shard));
            for shard in done {
                if let Some(time) = times.remove(shard) {
                    handed_on.push((time, source, shard));
                }
            }
        }
        let latest = self.latest();
        let largest = handed_on.into_iter().max();
        if let Some((time, source, shard)) = largest.filter(|(time, ..)| Some(*time) > latest) {
            self.sources[source].insert(shard.clone(), time);
        }
    }
}

impl Count {
    /// Takes a shard in that counts, with its time.
    fn count(&mut self, time: Option<UnixMillis>) {
        self.counts = true;
        self.holds |= time.is_none();
        self.least = least(self.least, time);
    }

    fn add(&mut self, other: Self) {
        self.counts |= other.counts;
        self.holds |= other.holds;
        self.least = least(self.least, other.least);
    }
}

/// Gives shards without an event time the least one of their parents, once all of these are over. One
/// that becomes known later than its siblings may find nothing, and holds the watermark until its first
/// row.
fn inherit(times: &mut BTreeMap<ShardId, UnixMillis>, standings: &[ShardActivity]) {
    let tracked = by_id(standings);
    // Parents come before their children in the order of ids.
    for standing in tracked.values() {
        let over = |parent| tracked.get(parent).is_none_or(|parent| is_over(parent));
        if times.contains_key(&standing.shard) || !standing.parents.iter().all(over) {
            continue;
        }
        let parents = standing.parents.iter();
        let inherited = parents.filter_map(|parent| times.get(parent)).min();
        if let Some(time) = inherited.copied() {
            times.insert(standing.shard.clone(), time);
        }
    }
}

/// What shards with these times come to.
fn look(
    times: &BTreeMap<ShardId, UnixMillis>,
    standings: &[ShardActivity],
    idle_timeout: Option<Duration>,
) -> Count {
    let named = parents_of_any(standings);
    let mut count = Count::default();
    let mut known: HashMap<&ShardId, UnixMillis> = HashMap::new();
    for (shard, standing) in by_id(standings) {
        // A shard that waits for its parents has nothing older than them.
        let parents = standing.parents.iter();
        let inherited = parents.filter_map(|parent| known.get(parent).or(times.get(parent)));
        let time = times.get(shard).or(inherited.min()).copied();
        known.extend(time.map(|time| (shard, time)));
        let is_quiet = idle_timeout.is_some_and(|timeout| standing.quiet >= timeout);
        match standing.activity {
            Activity::Active if !is_quiet => count.count(time),
            // Nobody knows its children yet, and they go on from there.
            Activity::Ended if !named.contains(shard) && time.is_some() => count.count(time),
            Activity::Active | Activity::Idle | Activity::Ended => {}
        }
    }
    count
}

/// All records of all sources that had arrived by then were taken.
pub(crate) fn read_to(before: &[Coverage]) -> Option<UnixMillis> {
    let times = before.iter().map(|coverage| coverage.read_to);
    times.min().flatten()
}

fn by_id(standings: &[ShardActivity]) -> BTreeMap<&ShardId, &ShardActivity> {
    let standings = standings.iter();
    standings
        .map(|standing| (&standing.shard, standing))
        .collect()
}

fn parents_of_any(standings: &[ShardActivity]) -> BTreeSet<&ShardId> {
    let children = standings.iter();
    children.flat_map(|child| &child.parents).collect()
}

fn is_over(standing: &ShardActivity) -> bool {
    standing.activity == Activity::Ended
}

/// The lesser of two times that may not be known.
fn least(one: Option<UnixMillis>, other: Option<UnixMillis>) -> Option<UnixMillis> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests;
