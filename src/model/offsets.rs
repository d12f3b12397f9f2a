//! Batches and what they read: the words the offset log is written in.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::{ShardId, ShardPosition, StartingPosition, StreamName, UnixMillis};

/// The number of a micro-batch, from 0 for the life of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

impl BatchId {
    /// The batch after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which start of a query writes: each takes the next one, and the newest is the one that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The positions of all tracked shards of a stream.
pub type Offsets = BTreeMap<ShardId, ShardPosition>;

/// Where a query starts on a stream: decided once, when the query is created, and kept with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialPositions {
    /// Shards with a place of their own; what descends from them starts at its beginning.
    pub shards: Offsets,
    /// The place of all others.
    pub others: ShardPosition,
}

impl InitialPositions {
    /// What `start` means for a query that is created when the service's clock shows `present` or
    /// later: "from now on" becomes that time.
    pub fn resolve(start: &StartingPosition, present: UnixMillis) -> Self {
        let (shards, others) = match start {
            StartingPosition::Latest => (Offsets::new(), ShardPosition::AtTimestamp(present)),
            StartingPosition::TrimHorizon => (Offsets::new(), ShardPosition::TrimHorizon),
            StartingPosition::AtTimestamp(time) => {
                (Offsets::new(), ShardPosition::AtTimestamp(*time))
            }
            StartingPosition::PerShard(shards) => {
                (shards.clone(), ShardPosition::AtTimestamp(present))
            }
        };
        Self { shards, others }
    }
}

/// What a batch reads of one shard: what comes behind `after`, up to and including `upto`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardRange {
    /// Where the batch before ended.
    pub after: ShardPosition,
    /// The last row's place; [`ShardEnd`](ShardPosition::ShardEnd) for all that is left.
    pub upto: ShardPosition,
    /// The rows in between when the batch was planned, those that a hash filter leaves out counted;
    /// `None` where nobody has counted them.
    pub rows: Option<u64>,
}

impl ShardRange {
    /// A range of no rows.
    pub fn empty(position: ShardPosition) -> Self {
        Self {
            after: position.clone(),
            upto: position,
            rows: Some(0),
        }
    }

    /// Whether there is nothing between its ends.
    pub fn is_empty(&self) -> bool {
        self.after == self.upto
    }

    /// Whether it ends before it begins, as no batch was ever planned.
    pub(crate) fn is_backwards(&self) -> bool {
        use ShardPosition::{After, At, ShardEnd};
        // Behind a whole record is behind all the user records in it.
        let place = |sub: &Option<u64>| sub.unwrap_or(u64::MAX);
        match (&self.after, &self.upto) {
            (ShardEnd, upto) => *upto != ShardEnd,
            (
                After {
                    sequence: a,
                    sub_sequence: sub_a,
                },
                After {
                    sequence: b,
                    sub_sequence: sub_b,
                },
            ) => (a, place(sub_a)) > (b, place(sub_b)),
            (At(a), After { sequence: b, .. }) => a > b,
            _ => false,
        }
    }
}

/// What a batch reads of one stream: a range for every tracked shard, empty ones included, so that
/// the ends of the ranges are the offsets behind the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRanges {
    /// The stream.
    pub stream: StreamName,
    /// When the stream was made that the positions are of; `None` in entries that do not say it.
    pub created_at: Option<UnixMillis>,
    /// All that had arrived in the tracked shards by then lies before the ends of the ranges; `None`
    /// where that is not known.
    pub read_to: Option<UnixMillis>,
    /// How long the stream kept its records when the batch was planned, as far as was known; `None` in
    /// entries that do not say it.
    pub retention: Option<Duration>,
    /// The ranges.
    pub shards: BTreeMap<ShardId, ShardRange>,
}

impl StreamRanges {
    /// The offsets behind the batch.
    pub fn ends(&self) -> Offsets {
        let end = |(shard, range): (&ShardId, &ShardRange)| (shard.clone(), range.upto.clone());
        self.shards.iter().map(end).collect()
    }
}

/// A micro-batch as it was planned: all that decides what it computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its number.
    pub id: BatchId,
    /// When it was planned; `now()` in the query.
    pub time: UnixMillis,
    /// The watermark it was planned with: event times up to it are closed; `None` where the query has
    /// none, or none yet.
    pub watermark: Option<UnixMillis>,
    /// What it reads, in the order of the query's sources.
    pub sources: Vec<StreamRanges>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_ends_before_it_begins_is_told() {
        let order = ["AT 8", "AFTER 8.0", "AFTER 8.1", "AFTER 8", "AFTER 10.3"];
        let order = order.into_iter().chain(["SHARD_END"]);
        let order: Vec<ShardPosition> = order.map(|place| place.parse().unwrap()).collect();
        for (first, after) in order.iter().enumerate() {
            for (last, upto) in order.iter().enumerate().skip(1) {
                let (after, upto) = (after.clone(), upto.clone());
                let range = ShardRange {
                    after,
                    upto,
                    rows: None,
                };
                assert_eq!(range.is_backwards(), first > last, "{range:?}");
            }
        }
        let whole = ShardRange {
            after: ShardPosition::TrimHorizon,
            upto: ShardPosition::ShardEnd,
            rows: None,
        };
        assert!(!whole.is_backwards());
    }

    #[test]
    fn from_now_on_becomes_the_time_of_creation() {
        let now = UnixMillis(5);
        let resolved = InitialPositions::resolve(&StartingPosition::Latest, now);
        assert_eq!(resolved.others, ShardPosition::AtTimestamp(now));
        let named = Offsets::from([(
            ShardId::new("shardId-000000000000"),
            ShardPosition::ShardEnd,
        )]);
        let start = StartingPosition::PerShard(named.clone());
        let resolved = InitialPositions::resolve(&start, now);
        assert_eq!(resolved.shards, named);
        assert_eq!(resolved.others, ShardPosition::AtTimestamp(now));
    }
}
