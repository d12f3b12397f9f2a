//! Starts a query: checks the statement, the settings and the checkpoint before anything runs.

use std::sync::Arc;

use datafusion::execution::SessionState;
use tokio::task::AbortHandle;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::batch::{AggregationState, BatchExecutor, History};
use super::builder::StreamingQueryBuilder;
use super::events::{EventBus, QueryRun, RunStatus};
use super::handle::{Control, Inner, StreamingQuery};
use super::identity::{
    ChangedQuery, CheckpointStorage, Registration, SessionQueries, StorageSettings,
    check_statement, identify, log_options, new_uuid, refuse_stop_lock,
};
use super::output::Output;
use super::plan::StreamingPlan;
use super::schedule::LogCoverage;
use super::sources::{Sources, describe_streams};
use super::task::{QueryTask, StopLockWatch};
use crate::checkpoint::{Checkpoint, QueryText, StateObjects};
use crate::error::{Error, Result};
use crate::model::RetryPolicy;
use crate::sql::StreamingSettings;
use crate::state::StateDirectory;

impl StreamingQueryBuilder {
    /// Checks the statement, the settings and the checkpoint, and starts the query in the background. A
    /// trigger that ends by itself reads everything that is in the streams now.
    ///
    /// # Errors
    /// Errors of the statement; [`InvalidOption`](crate::ErrorKind::InvalidOption) if settings are missing
    /// or contradict each other, or if another query of this process uses the checkpoint or the name;
    /// [`Checkpoint`](crate::ErrorKind::Checkpoint) if the checkpoint belongs to another query or cannot be
    /// read.
    pub async fn start(self) -> Result<StreamingQuery> {
        // Names the query in everything it logs, from whichever task. The fields are filled in as they become
        // known. At error level, so that no log filter removes it.
        let span = tracing::error_span!("query", name = Empty, id = Empty, reads = Empty);
        // Boxed to keep the future of the caller small.
        Box::pin(self.check_and_launch()).instrument(span).await
    }

    async fn check_and_launch(mut self) -> Result<StreamingQuery> {
        let plan = self.definition.plan(&self.ctx).await?;
        let state = self.ctx.state();
        let settings = self.settings(&state);
        let plan = StreamingPlan::new(&state, plan, &settings)?;
        plan.expect_files().await?;
        let output = self.output(&plan)?;
        let mut random = self
            .seed
            .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let run_id = new_uuid(&mut random);
        let name = settings.query_name;
        describe_span(name.as_deref(), &plan);
        let options = log_options(&plan.sources)?;
        let storage = StorageSettings {
            committer: self.committer.take(),
            checkpoint_location: settings.checkpoint_location.as_deref(),
            query_name: name.as_deref(),
            log: &options,
            sources: &plan.sources,
        };
        let storage = CheckpointStorage::open(storage, plan.inserts()).await?;
        let (retry, retained) = (options.retry, options.min_batches_to_retain);
        let aggregation = aggregation_state(&plan, &storage, retry, &mut random).await?;
        let queries = SessionQueries::of(&self.ctx);
        // A log that does not outlive the query is never used by another one.
        let is_shared_log = self.registered && !storage.exclusive.is_empty();
        let registration = match self.registered {
            true => Registration::take(&queries, &run_id, name.as_deref(), storage.exclusive)?,
            false => Registration::none(),
        };
        if let Some(lock) = &storage.stop_lock {
            refuse_stop_lock(lock).await?;
        }
        let mut checkpoint = Checkpoint::new(storage.committer, retry, retained, random.fork());
        let clock = plan.sources[0].table().clock();
        let streams = describe_streams(&plan, &mut random).await?;
        let now = clock.now();
        let current = QueryText {
            sink: output.sink(&plan),
            statement: Some(self.definition.text()),
        };
        let metadata = identify(&checkpoint, &plan, &streams, &current, now, &mut random).await?;
        let location = checkpoint.location();
        let earlier = queries.started_at(&location).filter(|_| is_shared_log);
        let changed = match (self.accept_changed_query, settings.accept_changed_query) {
            (true, _) => ChangedQuery::Accepted,
            (false, true) => ChangedQuery::AcceptedBySession,
            (false, false) => ChangedQuery::Refused,
        };
        let earlier = earlier.as_ref();
        let has_changed =
            check_statement(&mut checkpoint, &metadata, earlier, &current, changed).await?;
        if is_shared_log {
            queries.record_start(location, current);
        }
        if name.is_none() {
            Span::current().record("id", &metadata.id);
        }
        let run = QueryRun {
            id: metadata.id.clone(),
            run_id,
            name,
        };
        let status = Arc::new(RunStatus::new(run));
        let events = EventBus::new(Arc::clone(&status), self.listeners, Arc::clone(&clock));
        let events = Arc::new(events);
        let plan = Arc::new(plan);
        let schema = plan.schema();
        let trigger = settings.trigger;
        let until = trigger.ends_by_itself().then_some(now);
        let executor = BatchExecutor {
            plan: Arc::clone(&plan),
            output,
            log: LogCoverage::new(&metadata, has_changed),
            checkpoint,
            state: aggregation,
            events: Arc::clone(&events),
            clock: Arc::clone(&clock),
            hook: self.hook,
            history: History::default(),
        };
        let control = Arc::new(Control::new());
        let task = QueryTask {
            metadata,
            trigger,
            executor,
            sources: Sources::new(plan, trigger, until, streams, random),
            stop_lock: StopLockWatch::new(storage.stop_lock),
            control: Arc::clone(&control),
            events,
            clock: Arc::clone(&clock),
        };
        let registration = Arc::new(registration);
        Ok(StreamingQuery::new(Inner {
            status,
            control,
            schema,
            clock,
            task: launch(task, &registration),
            registration,
            stop_timeout: self.stop_timeout,
        }))
    }

    /// The settings of the session, with those of the builder on top.
    fn settings(&mut self, state: &SessionState) -> StreamingSettings {
        let mut settings = StreamingSettings::of(state.config_options());
        if let Some(trigger) = self.trigger {
            settings.trigger = trigger;
        }
        if let Some(mode) = self.output_mode {
            settings.output_mode = mode;
        }
        if let Some(location) = self.checkpoint_location.take() {
            settings.checkpoint_location = Some(location);
        }
        if let Some(name) = self.name.take() {
            settings.query_name = Some(name);
        }
        if let Some((delay, column)) = self.watermark.take() {
            settings.watermark_delay = Some(delay);
            settings.watermark_column = column;
        }
        if let Some(timeout) = self.watermark_idle_timeout {
            settings.watermark_idle_timeout = Some(timeout);
        }
        settings
    }

    fn output(&mut self, plan: &StreamingPlan) -> Result<Output> {
        match (self.output.take(), plan.inserts()) {
            (None, true) => Ok(Output::Insert),
            (Some(output), false) => Ok(output),
            (Some(_), true) => Err(Error::invalid_option(
                "an INSERT writes its rows to a table: expected no foreach_batch and no console",
            )),
            (None, false) => Err(Error::invalid_option(
                "a streaming SELECT has no output: expected foreach_batch or console, or an INSERT INTO a \
                 table",
            )),
        }
    }
}

/// The state of the aggregation of `plan`, if it has one.
async fn aggregation_state(
    plan: &StreamingPlan,
    storage: &CheckpointStorage,
    retry: RetryPolicy,
    random: &mut fastrand::Rng,
) -> Result<Option<AggregationState>> {
    let (Some(aggregation), Some(store)) = (&plan.aggregation, plan.new_state_store().await?)
    else {
        return Ok(None);
    };
    if !aggregation.growing.is_empty() {
        let aggregates = aggregation.growing.join(", ");
        tracing::warn!(
            aggregates,
            "these aggregates keep every value of a group: its state grows with each row"
        );
    }
    let directory = match &storage.state {
        Some(location) => {
            let objects = StateObjects::at(location, retry, random.fork())?;
            Some(StateDirectory::new(objects))
        }
        None if storage.exclusive.is_empty() => None,
        None => {
            return Err(Error::invalid_option(
                "a streaming GROUP BY keeps its state at the checkpoint location, and there is none: \
                 expected SET streaming.checkpoint_location = 'file:///some/directory' (or s3://…), or \
                 with_checkpoint_location(…) in code",
            ));
        }
    };
    Ok(Some(AggregationState::new(
        store,
        directory,
        aggregation.delay,
        aggregation.idle_timeout,
    )))
}

/// Names the query in the span: by its name, or else by what it reads, and later by its id.
fn describe_span(name: Option<&str>, plan: &StreamingPlan) {
    let span = Span::current();
    if let Some(name) = name {
        span.record("name", name);
        return;
    }
    let streams = plan.sources.iter().map(|source| {
        let summary = source.table().stream_summary();
        summary.stream.name().to_string()
    });
    span.record("reads", streams.collect::<Vec<_>>().join(", "));
}

fn launch(task: QueryTask, registration: &Arc<Registration>) -> AbortHandle {
    let run = task.events.run();
    let checkpoint = task.executor.checkpoint.location();
    tracing::info!(
        query = %run, id = run.id, run_id = run.run_id, trigger = %task.trigger, checkpoint,
        "streaming query starts"
    );
    task.events.started();
    task.spawn(Arc::clone(registration))
}
