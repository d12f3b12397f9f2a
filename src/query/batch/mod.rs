//! The batch executor: runs one batch after another, and records each in the checkpoint.
//!
//! | step | what happens |
//! |---|---|
//! | plan | exact ranges are cut from the buffers; the time and the watermark are fixed |
//! | log | `offsets/N` is written: from here on every run of the batch has these ranges |
//! | run | the plan reads the ranges and writes the output, which is flushed |
//! | save | changes of the state are written to new files |
//! | commit | `commits/N` is written with the names of these files: the batch is done |
//! | finish | buffered rows are dropped, progress is published, old entries are purged |
//!
//! A start reruns the newest batch that is logged and not committed.

mod costs;
mod member;
mod metrics;
mod planned;
mod purge;
mod read_numbers;
mod state;

use std::sync::Arc;

use futures::future::try_join_all;
use tracing::Instrument;

pub(super) use self::costs::QueryCosts;
pub(super) use self::member::MemberExecutor;
use self::metrics::{BatchMetrics, ProgressTimes};
use self::planned::ranges_text;
pub(super) use self::planned::{BatchTimes, PlannedBatch};
use self::purge::Purge;
pub(super) use self::state::AggregationState;
use self::state::unknown_operator;
use super::events::{Activity, EventBus};
use super::fail_points::{Step, StepHook};
use super::schedule::LogCoverage;
use super::sources::Sources;
use crate::checkpoint::{Checkpoint, Logged, QueryMetadata, Recovered};
use crate::error::{ErrorKind, Result};
use crate::model::{Batch, BatchId, Clock, Committed, UnixMillis};
use crate::state::StateBatch;

/// Runs the batches of a query.
#[derive(Debug)]
pub(super) struct BatchExecutor {
    /// Its statements.
    pub(super) members: Vec<MemberExecutor>,
    pub(super) checkpoint: Checkpoint,
    /// How far the query has read according to the newest log entry.
    pub(super) log: LogCoverage,
    pub(super) events: Arc<EventBus>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hook: StepHook,
    pub(super) costs: QueryCosts,
    pub(super) history: History,
}

/// What an executor remembers from batch to batch.
#[derive(Debug, Default)]
pub(super) struct History {
    /// When the trigger fired for the last batch.
    previous_trigger: Option<UnixMillis>,
    purge: Purge,
}

impl BatchExecutor {
    /// Takes over the checkpoint from earlier starts, and reads its newest batch.
    ///
    /// # Errors
    /// The checkpoint is inconsistent, belongs to another query, or a newer start has taken it over.
    pub(super) async fn take_over(
        &mut self,
        metadata: &QueryMetadata,
    ) -> Result<Option<Recovered>> {
        self.hook.reach(Step::TakingOver, None).await;
        self.history.purge.abort().await;
        let recovered = self.checkpoint.take_over().await?;
        let newest = recovered.as_ref().map(|recovered| &recovered.batch);
        if let Some(batch) = newest {
            self.checkpoint.expect_sources(batch, metadata)?;
        }
        self.log.recovered(newest, metadata);
        self.hook.reach(Step::TakenOver, None).await;
        Ok(recovered)
    }

    /// Restores the state that the newest committed batch left, for a query of `sources` sources.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) async fn restore(
        &mut self,
        recovered: Option<&Recovered>,
        sources: usize,
    ) -> Result<()> {
        let before = recovered.map(|recovered| &recovered.before);
        let before = before.cloned().unwrap_or_default();
        let last_arrival = recovered.map(last_arrival);
        self.expect_known_operators(&before)?;
        for state in self.states_mut() {
            state.restore(&before, sources, last_arrival).await?;
        }
        Ok(())
    }

    /// Refuses state that would be lost. That of a statement that is no longer in its set is no longer wanted.
    fn expect_known_operators(&self, before: &Committed) -> Result<()> {
        let is_set = self
            .members
            .iter()
            .all(|member| member.member.name.is_some());
        for operator in &before.operators {
            if self.states().any(|state| state.id() == operator.id) {
                continue;
            }
            if !is_set {
                return Err(unknown_operator(operator));
            }
            tracing::warn!(
                query = %self.events.run(), operator = operator.id,
                "the state of a statement that is no longer in the statement set is dropped"
            );
        }
        Ok(())
    }

    /// The states of its aggregations.
    pub(super) fn states(&self) -> impl Iterator<Item = &AggregationState> {
        let members = self.members.iter();
        members.filter_map(|member| member.state.as_ref())
    }

    fn states_mut(&mut self) -> impl Iterator<Item = &mut AggregationState> {
        let members = self.members.iter_mut();
        members.filter_map(|member| member.state.as_mut())
    }

    /// Plans the next batch from the buffered rows.
    pub(super) fn plan(
        &mut self,
        sources: &Sources,
        id: BatchId,
        times: BatchTimes,
    ) -> PlannedBatch {
        PlannedBatch::cut(sources, id, times, |coverage| {
            let states = self.states_mut();
            let watermarks = states.flat_map(|state| state.advance_watermark(coverage));
            watermarks.collect()
        })
    }

    /// Runs a batch and commits it.
    ///
    /// # Errors
    /// The error of the step that failed, with the batch and its ranges.
    pub(super) async fn run(
        &mut self,
        sources: &mut Sources,
        planned: &PlannedBatch,
    ) -> Result<Logged> {
        let id = planned.batch.id;
        self.events.status(Activity::Processing(id));
        // The level is error, so that no log filter removes the span.
        let span = tracing::error_span!("batch", %id);
        // Boxed to keep the future of the query small.
        let result = Box::pin(self.run_steps(sources, planned));
        let result = result.instrument(span).await;
        result.map_err(|error| {
            let at = format!("batch {id} ({})", ranges_text(&planned.batch.sources));
            let run = self.events.run();
            match error.kind() {
                // The batch is not the cause.
                ErrorKind::Fenced => error
                    .followed_by(format!("This start was at {at}"))
                    .in_context(run),
                _ => error.in_context(format!("{run}: {at}")),
            }
        })
    }

    async fn run_steps(&mut self, sources: &mut Sources, planned: &PlannedBatch) -> Result<Logged> {
        let mut metrics = BatchMetrics::new(planned);
        let batch = &planned.batch;
        self.reach(Step::Planned, batch.id).await;
        if !planned.is_logged
            && self.log_offsets(sources, batch, &mut metrics).await? == Logged::Taken
        {
            return Ok(Logged::Taken);
        }
        let changes = self.run_plans(sources, planned, &mut metrics).await?;
        let committed = self.save_states(planned, changes, &mut metrics).await?;
        if self
            .commit(sources, batch, &committed, &mut metrics)
            .await?
            == Logged::Taken
        {
            return Ok(Logged::Taken);
        }
        self.finish_batch(sources, planned, committed, metrics)
            .await;
        Ok(Logged::Done)
    }

    /// Writes `offsets/N`.
    async fn log_offsets(
        &mut self,
        sources: &Sources,
        batch: &Batch,
        metrics: &mut BatchMetrics,
    ) -> Result<Logged> {
        self.reach(Step::OffsetsLogging, batch.id).await;
        metrics.lap("latestOffset");
        sources.expect_not_recreated()?;
        let logged = self.checkpoint.log_offsets(batch).await?;
        if logged == Logged::Done {
            self.log.logged(batch);
            metrics.lap("walCommit");
            self.reach(Step::OffsetsLogged, batch.id).await;
        }
        Ok(logged)
    }

    /// Reads the ranges and writes the outputs of all statements. Returns the changes that each made to its state.
    async fn run_plans(
        &self,
        sources: &mut Sources,
        planned: &PlannedBatch,
        metrics: &mut BatchMetrics,
    ) -> Result<Vec<Option<Arc<StateBatch>>>> {
        let id = planned.batch.id;
        let prepared = self.members.iter().map(|member| member.prepare(planned));
        let batches = prepared.collect::<Result<Vec<_>>>()?;
        let changes = batches.iter().map(|batch| batch.changes.clone()).collect();
        metrics.lap("getBatch");
        self.reach(Step::PlanMade, id).await;
        self.reach(Step::Running, id).await;
        let running = self.members.iter().zip(batches);
        let running = running.map(|(member, batch)| member.run(planned, batch));
        let results = try_join_all(running).await?;
        self.reach(Step::Ran, id).await;
        let plans = self.members.iter().zip(&results);
        let plans = plans.map(|(member, result)| (member.member.name.as_deref(), &*result.plan));
        self.events.ran(id, &plans.collect::<Vec<_>>());
        metrics.ran(&self.members, results);
        sources.add_losses(metrics.lost_ranges());
        Ok(changes)
    }

    /// Writes the state files. Returns what the commit records for the next batch.
    async fn save_states(
        &mut self,
        planned: &PlannedBatch,
        changes: Vec<Option<Arc<StateBatch>>>,
        metrics: &mut BatchMetrics,
    ) -> Result<Committed> {
        let batch = &planned.batch;
        self.reach(Step::StateSaving, batch.id).await;
        let mut committed = Committed::default();
        for (index, (member, changes)) in self.members.iter_mut().zip(changes).enumerate() {
            if let (Some(changes), Some(state)) = (changes, &mut member.state) {
                let saved = state.save(batch, &planned.reads, &changes).await;
                let saved = saved.map_err(|error| member.in_context(error))?;
                metrics.saved(index, saved.operator, saved.event_time);
                committed.last_arrival = committed.last_arrival.max(saved.last_arrival);
                committed.operators.push(saved.committed);
            }
        }
        self.reach(Step::StateSaved, batch.id).await;
        Ok(committed)
    }

    /// Writes `commits/N`.
    async fn commit(
        &self,
        sources: &Sources,
        batch: &Batch,
        committed: &Committed,
        metrics: &mut BatchMetrics,
    ) -> Result<Logged> {
        self.reach(Step::CommitLogging, batch.id).await;
        sources.expect_not_recreated()?;
        let now = self.clock.now();
        let logged = self.checkpoint.log_commit(batch.id, now, committed).await?;
        if logged == Logged::Done {
            metrics.lap("commitOffsets");
            self.reach(Step::CommitLogged, batch.id).await;
        }
        Ok(logged)
    }

    /// Drops the buffered rows of a committed batch, publishes its progress, and starts a purge.
    async fn finish_batch(
        &mut self,
        sources: &Sources,
        planned: &PlannedBatch,
        committed: Committed,
        metrics: BatchMetrics,
    ) {
        let batch = &planned.batch;
        for state in self.states_mut() {
            state.committed(batch, &committed);
        }
        sources.committed(batch);
        self.events.committed(batch.id);
        self.reach(Step::BuffersDropped, batch.id).await;
        self.events.data_losses(sources.data_losses());
        let times = ProgressTimes {
            previous_trigger: self.history.previous_trigger.replace(planned.fired),
            committed: self.clock.now(),
        };
        let run = self.events.run();
        let mut progress = metrics.into_progress(planned, sources, run, times);
        progress.health = self.events.health();
        let requests = (self.costs).requests(&self.checkpoint, self.states());
        progress.estimated_cost = (self.costs).committed(&progress, sources.streams(), requests);
        tracing::info!(query = %run, "{progress}");
        self.events.progress(progress);
        self.reach(Step::ProgressPublished, batch.id).await;
        // The states share a folder, and each purge spares what any of them needs.
        let state = self.members.iter().find_map(|member| member.state.as_ref());
        let purge = &mut self.history.purge;
        purge.start(batch.id, &self.checkpoint, state, &self.hook);
    }

    /// Waits for a running purge before the query ends.
    pub(super) async fn finish(&mut self) {
        self.history.purge.finish().await;
    }

    async fn reach(&self, step: Step, batch: BatchId) {
        self.hook.reach(step, Some(batch)).await;
    }
}

/// A time by which all records in the log had arrived. A batch is planned after its records arrived, so the
/// time of the batch is a bound if no better one is recorded.
fn last_arrival(recovered: &Recovered) -> UnixMillis {
    let known = recovered.before.last_arrival;
    let known = known.filter(|_| recovered.committed);
    known.unwrap_or(recovered.batch.time)
}
