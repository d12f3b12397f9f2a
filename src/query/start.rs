//! The start of a query: everything that can be wrong is found before anything runs.

use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::SessionState;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::checkpoint::{Checkpoint, QueryText, StateObjects};
use crate::error::failure;
use crate::error::{Error, Result};
use crate::model::RetryPolicy;
use crate::query::batch::purge::Housekeeping;
use crate::query::batch::state::Stateful;
use crate::query::builder::StreamingQueryBuilder;
use crate::query::events::listener::StreamingQueryStarted;
use crate::query::handle::StreamingQuery;
use crate::query::handle::control::Shared;
use crate::query::identity::metadata::{
    ChangedQuery, expect_query, identify, metadata_options, uuid,
};
use crate::query::identity::registry::{Registration, SessionQueries};
use crate::query::identity::storage::{Place, Told, refuse_stop_lock};
use crate::query::output::Output;
use crate::query::plan::StreamingPlan;
use crate::query::schedule::log_coverage::Mark;
use crate::query::sources::describe;
use crate::query::task::Runner;
use crate::sql::{StreamingSettings, logical_plan};
use crate::state::StateDirectory;

impl StreamingQueryBuilder {
    /// Checks the statement, the settings and the checkpoint, and starts the query in the
    /// background. A trigger that ends by itself takes all that is in the streams now.
    ///
    /// # Errors
    /// What is wrong with the statement; [`InvalidOption`](crate::ErrorKind::InvalidOption) where
    /// settings are missing or contradict each other, or another query in this process has the
    /// checkpoint or the name; [`Checkpoint`](crate::ErrorKind::Checkpoint) where the checkpoint is
    /// that of another query or cannot be read.
    pub async fn start(self) -> Result<StreamingQuery> {
        // All that the query says in the log from here on names it, whichever task says it; its fields are filled in
        // as they become known. Of the level of an error, so that it is there for whatever is logged.
        let span = tracing::error_span!("query", name = Empty, id = Empty, reads = Empty);
        // Who starts a query is not to carry all it takes.
        Box::pin(self.begin()).instrument(span).await
    }

    async fn begin(mut self) -> Result<StreamingQuery> {
        let plan = logical_plan(&self.ctx, &self.sql).await.map_err(failure)?;
        let state = self.ctx.state();
        let settings = self.settings(&state);
        let plan = StreamingPlan::new(&state, plan, &settings)?;
        plan.expect_files().await?;
        let output = self.output(&plan)?;
        let mut random = self
            .seed
            .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let run_id = uuid(&mut random);
        let name = settings.query_name;
        describe_span(name.as_deref(), &plan);
        let options = metadata_options(&plan.sources)?;
        let told = Told {
            committer: self.committer.take(),
            checkpoint_location: settings.checkpoint_location.as_deref(),
            query_name: name.as_deref(),
            metadata: &options,
            sources: &plan.sources,
        };
        let place = Place::new(told, plan.inserts()).await?;
        let (retry, retained) = (options.retry, options.min_batches_to_retain);
        let stateful = self.stateful(&plan, &place, retry, &mut random).await?;
        let queries = SessionQueries::of(&self.ctx);
        // A log that is gone with its query is met by no other.
        let shared_log = self.registered && !place.held.is_empty();
        let registration = match self.registered {
            true => Registration::take(&queries, &run_id, name.as_deref(), place.held)?,
            false => Registration::none(),
        };
        if let Some(lock) = &place.stop_lock {
            refuse_stop_lock(lock).await?;
        }
        let mut checkpoint = Checkpoint::new(place.committer, retry, retained, random.fork());
        let clock = plan.sources[0].table().clock();
        let streams = describe(&plan, &mut random).await?;
        let now = clock.now();
        let runs = QueryText {
            sink: output.sink(&plan),
            statement: Some(self.sql.trim().to_owned()),
        };
        let metadata = identify(&checkpoint, &plan, &streams, &runs, now, &mut random).await?;
        let location = checkpoint.location();
        let earlier = queries.started_at(&location).filter(|_| shared_log);
        let changed = match (self.accept_changed_query, settings.accept_changed_query) {
            (true, _) => ChangedQuery::Accepted,
            (false, true) => ChangedQuery::AcceptedBySession,
            (false, false) => ChangedQuery::Refused,
        };
        let earlier = earlier.as_ref();
        let changes = expect_query(&mut checkpoint, &metadata, earlier, &runs, changed).await?;
        if shared_log {
            queries.note(location, runs);
        }
        if name.is_none() {
            Span::current().record("id", &metadata.id);
        }
        let shared = Shared::new(metadata.id.clone(), run_id, name, plan.schema());
        let runner = Runner {
            shared: Arc::new(shared),
            state: plan.session.clone(),
            stateful,
            output,
            checkpoint,
            stop_lock: place.stop_lock,
            trigger: settings.trigger,
            until: settings.trigger.ends_by_itself().then_some(now),
            plan,
            clock,
            random,
            hook: self.hook,
            listeners: self.listeners,
            fired_before: None,
            mark: Mark::beginning(&metadata),
            owes_query: changes,
            housekeeping: Housekeeping::default(),
            metadata,
            losses: vec![0; streams.len()],
            streams,
        };
        Ok(launch(runner, registration, self.stop_timeout))
    }

    /// What the aggregation of `plan` keeps, where it has one.
    async fn stateful(
        &self,
        plan: &StreamingPlan,
        place: &Place,
        retry: RetryPolicy,
        random: &mut fastrand::Rng,
    ) -> Result<Option<Stateful>> {
        let (Some(stateful), Some(store)) = (&plan.stateful, plan.new_state().await?) else {
            return Ok(None);
        };
        if !stateful.growing.is_empty() {
            let aggregates = stateful.growing.join(", ");
            tracing::warn!(
                aggregates,
                "these aggregates keep every value of a group: its state grows with each row"
            );
        }
        let directory = match &place.state {
            Some(location) => {
                let objects = StateObjects::at(location, retry, random.fork())?;
                Some(StateDirectory::new(objects))
            }
            None if place.held.is_empty() => None,
            None => {
                return Err(Error::invalid_option(
                    "a streaming GROUP BY keeps its state at the checkpoint location, and there is none: \
                     expected SET streaming.checkpoint_location = 'file:///some/directory' (or s3://…), or \
                     with_checkpoint_location(…) in code",
                ));
            }
        };
        Ok(Some(Stateful::new(
            store,
            directory,
            stateful.delay,
            stateful.idle_timeout,
        )))
    }

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
                "the rows of a streaming SELECT have nowhere to go: expected foreach_batch or \
                 console, or an INSERT INTO a table",
            )),
        }
    }
}

/// Says in the log which query this is; one without a name is known by what it reads, and later by its id.
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

fn launch(runner: Runner, registration: Registration, stop_timeout: Duration) -> StreamingQuery {
    let registration = Arc::new(registration);
    let (shared, clock) = (Arc::clone(&runner.shared), Arc::clone(&runner.clock));
    let checkpoint = runner.checkpoint.location();
    let (id, trigger) = (&shared.id, runner.trigger);
    tracing::info!(query = %shared, id, run_id = shared.run_id, %trigger, checkpoint, "streaming query starts");
    runner.listeners.started(&StreamingQueryStarted {
        id: shared.id.clone(),
        run_id: shared.run_id.clone(),
        name: shared.name.clone(),
        timestamp: clock.now(),
    });
    let task = runner.spawn(Arc::clone(&registration));
    StreamingQuery::new(shared, clock, registration, stop_timeout, task)
}
