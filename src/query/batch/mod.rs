//! One batch, step by step.

pub(super) mod metrics;
pub(super) mod purge;
pub(super) mod read_numbers;
pub(super) mod state;

use std::fmt::Write;
use std::sync::Arc;

use tokio::time::Instant;

use crate::checkpoint::Logged;
use crate::error::{ErrorKind, Result};
use crate::model::{Batch, BatchId, Committed, StreamRanges, UnixMillis};
use crate::query::batch::metrics::Report;
use crate::query::fail_points::Step;
use crate::query::plan::state_at;
use crate::query::schedule::log_coverage::Mark;
use crate::query::task::Runner;
use crate::source::BatchReads;
use crate::source::streaming::StreamReader;
use crate::state::in_batch;

/// How many shards a message names.
const NAMED_SHARDS: usize = 4;

/// A batch that is to be run.
#[derive(Debug)]
pub(in crate::query) struct Job {
    pub(in crate::query) batch: Batch,
    /// What it reads, source by source.
    pub(in crate::query) reads: Vec<Arc<BatchReads>>,
    /// Whether `offsets/N` is written.
    pub(in crate::query) logged: bool,
    /// When the trigger wanted it.
    pub(in crate::query) due: UnixMillis,
    /// When its planning began.
    pub(in crate::query) fired: UnixMillis,
    /// The same, to the nanosecond.
    pub(in crate::query) begun: Instant,
}

impl Job {
    /// Whether it reads anything: rows, or records without rows.
    pub(in crate::query) fn moves(&self) -> bool {
        let sources = self.batch.sources.iter();
        let mut ranges = sources.flat_map(|source| source.shards.values());
        ranges.any(|range| !range.is_empty())
    }
}

impl Runner {
    /// Runs a batch and commits it.
    ///
    /// # Errors
    /// What went wrong, with the batch and its ranges.
    pub(in crate::query) async fn batch(
        &mut self,
        readers: &[StreamReader],
        job: Job,
    ) -> Result<Logged> {
        let Job { batch, .. } = &job;
        let id = batch.id;
        self.shared
            .set_status(format!("Processing batch {id}"), true, true);
        let ran = Box::pin(self.steps(readers, &job)).await;
        ran.map_err(|error| {
            let at = format!("batch {id} ({})", describe(&batch.sources));
            match error.kind() {
                // No batch is the reason for that.
                ErrorKind::Fenced => error
                    .followed_by(format!("This start was at {at}"))
                    .in_context(&self.shared),
                _ => error.in_context(format!("{}: {at}", self.shared)),
            }
        })
    }

    async fn steps(&mut self, readers: &[StreamReader], job: &Job) -> Result<Logged> {
        let batch = &job.batch;
        let id = batch.id;
        let mut report = Report::begun(job);
        self.at(Step::Planned, id).await;
        if !job.logged {
            self.at(Step::OffsetsLogging, id).await;
            report.lap("latestOffset");
            self.expect_streams(readers)?;
            if self.checkpoint.log_offsets(batch).await? == Logged::Taken {
                return Ok(Logged::Taken);
            }
            self.mark = Mark::of(batch);
            self.owes_query = false;
            report.lap("walCommit");
            self.at(Step::OffsetsLogged, id).await;
        }
        let stateful = self.stateful.as_ref();
        let stateful = stateful.map(|stateful| stateful.begin(batch, &job.reads));
        let mut state = state_at(&self.state, batch.time);
        if let Some(stateful) = &stateful {
            state = in_batch(&state, stateful);
        }
        let plan = self.plan.for_batch(&job.reads)?;
        report.lap("getBatch");
        self.at(Step::PlanMade, id).await;
        self.at(Step::Running, id).await;
        let ran = self.output.run(&state, plan, id).await?;
        self.at(Step::Ran, id).await;
        for (losses, lost) in self.losses.iter_mut().zip(&ran.lost_ranges) {
            *losses += lost;
        }
        report.ran(ran);
        self.at(Step::StateSaving, id).await;
        let mut left = Committed::default();
        if let (Some(found), Some(stateful)) = (stateful, &mut self.stateful) {
            let saved = stateful.save(batch, &job.reads, &found).await?;
            report.saved(saved.operator, saved.event_time);
            left = saved.left;
        }
        self.at(Step::StateSaved, id).await;
        self.at(Step::CommitLogging, id).await;
        self.expect_streams(readers)?;
        let now = self.clock.now();
        if self.checkpoint.log_commit(id, now, &left).await? == Logged::Taken {
            return Ok(Logged::Taken);
        }
        report.lap("commitOffsets");
        self.at(Step::CommitLogged, id).await;
        if let Some(stateful) = &mut self.stateful {
            stateful.committed(batch, left);
        }
        for (reader, ranges) in readers.iter().zip(&batch.sources) {
            reader.committed(&ranges.ends());
        }
        self.at(Step::BuffersDropped, id).await;
        self.publish(readers, job, report);
        self.at(Step::ProgressPublished, id).await;
        self.keep_house(id);
        Ok(Logged::Done)
    }

    /// Tells handle, log and listeners of a batch that is committed.
    fn publish(&mut self, readers: &[StreamReader], job: &Job, report: Report) {
        self.tell_losses(readers);
        let progress = Arc::new(report.progress(self, readers, job));
        self.fired_before = Some(job.fired);
        tracing::info!(query = %self.shared, "{progress}");
        self.shared.push(Arc::clone(&progress));
        self.listeners.progress(&progress);
    }

    async fn at(&self, step: Step, batch: BatchId) {
        self.reach(step, Some(batch)).await;
    }
}

/// The ranges that hold something, as far as a message has room for them.
fn describe(sources: &[StreamRanges]) -> String {
    let mut text = String::new();
    for source in sources {
        let moved = source.shards.iter().filter(|(_, range)| !range.is_empty());
        let separator = if text.is_empty() { "" } else { "; " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{separator}stream '{}'", source.stream);
        for (place, (shard, range)) in moved.clone().take(NAMED_SHARDS).enumerate() {
            let separator = if place == 0 { ':' } else { ',' };
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
    fn a_message_names_the_first_shards_that_moved_and_counts_the_others() {
        let range = |number: u32| {
            let moved = ShardRange {
                after: ShardPosition::TrimHorizon,
                upto: ShardPosition::ShardEnd,
                rows: None,
            };
            let still = ShardRange::empty(ShardPosition::ShardEnd);
            let range = if number == 0 { still } else { moved };
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
            describe(&[source(2), source(1)]),
            "stream 'words': shardId-000000000001 TRIM_HORIZON to SHARD_END; stream 'words'"
        );
        let many = describe(&[source(10_000)]);
        assert!(
            many.ends_with("shardId-000000000004 TRIM_HORIZON to SHARD_END and 9995 more shards"),
            "{many}"
        );
    }
}
