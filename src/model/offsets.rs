//! Micro-batches and the ranges they read: the contents of the offset log.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::{ShardId, ShardPosition, StartingPosition, StreamName, UnixMillis};

/// The number of a micro-batch, counted from 0 over the life of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

impl BatchId {
    /// The next batch.
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

/// The start of a query that writes to its checkpoint. Each start takes the next epoch, and only
/// the newest may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The positions of all tracked shards of a stream.
pub type Offsets = BTreeMap<ShardId, ShardPosition>;

/// Where a query starts reading a stream. Decided once when the query is created, and stored with
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InitialPositions {
    /// Shards with individual positions; their descendants start at `TRIM_HORIZON`.
    pub(crate) shards: Offsets,
    /// The position of all other shards.
    pub(crate) others: ShardPosition,
}

impl InitialPositions {
    /// Resolves `start` for a query created when the service's clock shows `present` or later:
    /// `LATEST` becomes that time.
    pub(crate) fn resolve(start: &StartingPosition, present: UnixMillis) -> Self {
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

/// What a batch reads from one shard: records after `after`, up to and including `upto`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShardRange {
    /// Where the previous batch ended.
    pub(crate) after: ShardPosition,
    /// The last row; [`ShardEnd`](ShardPosition::ShardEnd) if the batch reads the shard to its end.
    pub(crate) upto: ShardPosition,
    /// The number of rows in the range when the batch was planned, including those that a hash
    /// filter removes; `None` if not counted.
    pub(crate) rows: Option<u64>,
}

impl ShardRange {
    /// An empty range.
    pub(crate) fn empty(position: ShardPosition) -> Self {
        Self {
            after: position.clone(),
            upto: position,
            rows: Some(0),
        }
    }

    /// Whether the range is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.after == self.upto
    }

    /// Whether the range ends before it starts, which no planned batch does.
    pub(crate) fn is_backwards(&self) -> bool {
        use ShardPosition::{After, At, ShardEnd};
        // A position after a whole record is after all user records in it.
        let row = |sub: &Option<u64>| sub.unwrap_or(u64::MAX);
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
            ) => (a, row(sub_a)) > (b, row(sub_b)),
            (At(a), After { sequence: b, .. }) => a > b,
            _ => false,
        }
    }
}

/// What a batch reads from one stream. It has a range for every tracked shard, including empty
/// ones, so the ends of the ranges are the offsets after the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamRanges {
    /// The stream.
    pub(crate) stream: StreamName,
    /// The creation time of the stream that the positions belong to; `None` in entries that do not record
    /// it.
    pub(crate) created_at: Option<UnixMillis>,
    /// All records that had arrived in the tracked shards by this time are before the ends of the
    /// ranges; `None` if unknown.
    pub(crate) read_to: Option<UnixMillis>,
    /// The last known retention period of the stream when the batch was planned; `None` in entries that
    /// do not record it.
    pub(crate) retention: Option<Duration>,
    /// The ranges.
    pub(crate) shards: BTreeMap<ShardId, ShardRange>,
}

impl StreamRanges {
    /// The offsets after the batch.
    pub(crate) fn ends(&self) -> Offsets {
        let end = |(shard, range): (&ShardId, &ShardRange)| (shard.clone(), range.upto.clone());
        self.shards.iter().map(end).collect()
    }
}

/// The watermarks of each operator's inputs, by operator id; the inputs are in the order of the plan.
pub(crate) type OperatorWatermarks = BTreeMap<String, Vec<Option<UnixMillis>>>;

/// A planned micro-batch: everything that determines its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Its number.
    pub(crate) id: BatchId,
    /// When it was planned; the value of `now()` in the query.
    pub(crate) time: UnixMillis,
    /// The watermarks it was planned with, by operator id and input: event times up to and including them
    /// are closed. Operators without a watermark, or without one yet, are left out.
    pub(crate) watermarks: OperatorWatermarks,
    /// What it reads, in the order of the query's sources.
    pub(crate) sources: Vec<StreamRanges>,
}

impl Batch {
    /// The watermark of one input of an operator.
    pub(crate) fn watermark(&self, operator: &str, input: usize) -> Option<UnixMillis> {
        *self.watermarks.get(operator)?.get(input)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backwards_ranges_are_detected() {
        let order = ["AT 8", "AFTER 8.0", "AFTER 8.1", "AFTER 8", "AFTER 10.3"];
        let order = order.into_iter().chain(["SHARD_END"]);
        let order: Vec<ShardPosition> = order.map(|text| text.parse().unwrap()).collect();
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
    fn latest_resolves_to_the_creation_time() {
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
