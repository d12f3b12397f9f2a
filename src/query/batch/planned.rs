//! A batch that is planned but has not run: the range of each shard, and the reads that return its rows.

use std::fmt::Write;
use std::sync::Arc;

use tokio::time::Instant;

use super::read_numbers::number_reads;
use crate::model::{Batch, BatchId, OperatorWatermarks, StreamRanges, UnixMillis};
use crate::query::sources::Sources;
use crate::source::BatchReads;
use crate::source::streaming::Coverage;

/// How many shards of each source a message names.
const NAMED_SHARDS: usize = 4;

/// A batch that is ready to run.
#[derive(Debug)]
pub(in crate::query) struct PlannedBatch {
    pub(in crate::query) batch: Batch,
    /// Its reads of each source.
    pub(super) reads: Vec<Arc<BatchReads>>,
    /// Whether `offsets/N` is already written.
    pub(super) is_logged: bool,
    /// When the trigger should have fired.
    pub(super) due: UnixMillis,
    /// When the trigger fired and planning began.
    pub(super) fired: UnixMillis,
    /// The same time on the monotonic clock.
    pub(super) fired_at: Instant,
}

impl PlannedBatch {
    /// Cuts a batch from the buffers at `now`. `watermarks` computes the watermarks of the batch from how far
    /// the earlier batches have read each source.
    pub(in crate::query) fn cut(
        sources: &Sources,
        id: BatchId,
        times: BatchTimes,
        watermarks: impl FnOnce(&[Coverage]) -> OperatorWatermarks,
    ) -> Self {
        let fired_at = Instant::now();
        let (mut ranges, mut reads, mut coverage) = (Vec::new(), Vec::new(), Vec::new());
        for planned in sources.take() {
            ranges.push(planned.ranges);
            coverage.push(planned.before);
            reads.push(planned.reads);
        }
        Self {
            batch: Batch {
                id,
                // The time of a batch is never before that of the previous one, even if the machine's clock
                // goes back.
                time: times.now.max(times.not_before),
                watermarks: watermarks(&coverage),
                sources: ranges,
            },
            reads: number_reads(reads),
            is_logged: false,
            due: times.due,
            fired: times.now,
            fired_at,
        }
    }

    /// The rerun of a batch from the log, with its logged ranges, time and watermarks.
    pub(in crate::query) fn rerun(sources: &Sources, batch: Batch, now: UnixMillis) -> Self {
        Self {
            reads: number_reads(sources.replay(&batch)),
            batch,
            is_logged: true,
            due: now,
            fired: now,
            fired_at: Instant::now(),
        }
    }

    /// Whether it advances the position of any shard. Records without rows do so, too.
    pub(in crate::query) fn advances(&self) -> bool {
        let sources = self.batch.sources.iter();
        let mut ranges = sources.flat_map(|source| source.shards.values());
        ranges.any(|range| !range.is_empty())
    }
}

/// The times of a new batch.
#[derive(Debug, Clone, Copy)]
pub(in crate::query) struct BatchTimes {
    pub(in crate::query) now: UnixMillis,
    /// When the trigger should have fired.
    pub(in crate::query) due: UnixMillis,
    /// The time of the previous batch.
    pub(in crate::query) not_before: UnixMillis,
}

/// The non-empty ranges of a batch, as text for messages: those of the first few shards of each source.
pub(super) fn ranges_text(sources: &[StreamRanges]) -> String {
    let mut text = String::new();
    for source in sources {
        let moved = source.shards.iter().filter(|(_, range)| !range.is_empty());
        let separator = if text.is_empty() { "" } else { "; " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{separator}stream '{}'", source.stream);
        for (index, (shard, range)) in moved.clone().take(NAMED_SHARDS).enumerate() {
            let separator = if index == 0 { ':' } else { ',' };
            let _ = write!(
                text,
                "{separator} {shard} {} to {}",
                range.after, range.upto
            );
        }
        let others = moved.count().saturating_sub(NAMED_SHARDS);
        if others > 0 {
            let _ = write!(text, " and {others} more shards");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ShardId, ShardPosition, ShardRange, StreamName};

    #[test]
    fn a_message_names_the_first_shards_that_moved_and_counts_the_rest() {
        let range = |number: u32| {
            let moved = ShardRange {
                after: ShardPosition::TrimHorizon,
                upto: ShardPosition::ShardEnd,
                rows: None,
            };
            let unmoved = ShardRange::empty(ShardPosition::ShardEnd);
            let range = if number == 0 { unmoved } else { moved };
            (ShardId::new(format!("shardId-{number:012}")), range)
        };
        let source = |shards: u32| StreamRanges {
            stream: StreamName::new("words").unwrap(),
            created_at: None,
            read_to: None,
            retention: None,
            shards: (0..shards).map(range).collect(),
        };
        assert_eq!(
            ranges_text(&[source(2), source(1)]),
            "stream 'words': shardId-000000000001 TRIM_HORIZON to SHARD_END; stream 'words'"
        );
        let many = ranges_text(&[source(10_000)]);
        assert!(
            many.ends_with("shardId-000000000004 TRIM_HORIZON to SHARD_END and 9995 more shards"),
            "{many}"
        );
    }
}
