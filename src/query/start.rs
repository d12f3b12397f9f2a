//! Starts a query: checks the statement, the settings and the checkpoint before anything runs.

mod members;

use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::SessionState;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use self::members::members;
use super::batch::{BatchExecutor, History, MemberExecutor, QueryCosts};
use super::builder::StreamingQueryBuilder;
use super::cost::CostMeter;
use super::events::{EventBus, Listeners, QueryRun, RunHealth, RunStatus};
use super::fail_points::StepHook;
use super::handle::{Control, Inner, StreamingQuery};
use super::health::{Limits, Webhook};
use super::identity::{
    ChangedQuery, CheckpointStorage, Identity, IdentityCheck, Registration, RootedQuery,
    SessionQueries, StartedQuery, StorageSettings, log_options, new_uuid, refuse_stop_lock,
};
use super::manager::StreamingQueries;
use super::observed::{ObservedQuery, QueryDescription, SourceDescription};
use super::output::Output;
use super::plan::{DefinedPlan, QueryPlan};
#[cfg(feature = "ui")]
use super::plan::{PlanTarget, QuerySource};
use super::schedule::LogCoverage;
use super::sources::{Sources, describe_streams, refuse_shared_consumers};
use super::task::{QueryTask, StopLockWatch};
use crate::checkpoint::{Checkpoint, QueryText};
use crate::error::{Error, Result};
use crate::kinesis::StreamSummary;
use crate::model::{Clock, OutputMode, Secret, Trigger, UnixMillis};
use crate::options::{CommitterKind, MetadataOptions};
use crate::sql::StreamingSettings;

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
        // Names the query in everything that it logs from any task. The fields are filled in as they become
        // known. The level is error, so that no log filter removes the span.
        let span = tracing::error_span!("query", name = Empty, id = Empty, reads = Empty);
        // Boxed to keep the future of the caller small.
        Box::pin(self.check_and_launch()).instrument(span).await
    }

    async fn check_and_launch(mut self) -> Result<StreamingQuery> {
        let mut settings = self.settings(&self.ctx.state())?;
        self.definition.add_statements(&self.outputs)?;
        let DefinedPlan { plan, written } = self.definition.plan(&self.ctx, &settings).await?;
        plan.expect_files().await?;
        let output = self.output_of(&plan)?;
        let mut random = self
            .seed
            .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let run_id = new_uuid(&mut random);
        let name = settings.query_name.clone();
        describe_span(name.as_deref(), &plan);
        let options = log_options(&plan.sources)?;
        let started = StartedQuery {
            name: name.clone().or_else(|| plan.target_name()),
            text: QueryText {
                sink: sink(&plan, &output),
                statement: Some(self.definition.identity(&self.ctx)),
            },
        };
        let queries = SessionQueries::of(&self.ctx);
        if let Some(location) = self.root(&settings, &options) {
            let query = RootedQuery {
                location,
                query: &started,
                session: self.registered.then_some(&*queries),
            };
            let own = query.checkpoint_location(options.retry, random.fork());
            settings.checkpoint_location = Some(own.await?);
        }
        let storage = StorageSettings {
            committer: self.committer.take(),
            checkpoint_location: settings.checkpoint_location.as_deref(),
            query_name: name.as_deref(),
            log: &options,
            sources: &plan.sources,
        };
        let storage = CheckpointStorage::open(storage, plan.inserts()).await?;
        let (retry, retained) = (options.retry, options.min_batches_to_retain);
        let members = members(&plan, output, &storage, retry, &mut random).await?;
        // A log that does not outlive the query is never used by another one.
        let is_kept = !storage.exclusive.is_empty();
        let is_shared_log = self.registered && is_kept;
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
        if !settings.trigger.ends_by_itself() {
            refuse_shared_consumers(&plan, &streams)?;
        }
        let now = clock.now();
        let location = checkpoint.location();
        let check = IdentityCheck {
            ctx: &self.ctx,
            plan: &plan,
            written: written.as_ref(),
            streams: &streams,
            current: &started.text,
            earlier: queries
                .started_at(&location)
                .filter(|_| is_shared_log)
                .map(|earlier| earlier.text),
            changed: self.changed_query(&settings),
            now,
        };
        let identity = check.run(&mut checkpoint, &mut random).await?;
        if is_shared_log {
            queries.record_start(location, started.clone());
        }
        let published = StreamingQueries::of(&self.ctx).published_metrics();
        let targets = plan.members.iter().map(|member| member.plan.target());
        let targets = targets.collect();
        let meter = CostMeter::new(settings.prices(), published, Instant::now());
        let trigger = settings.trigger;
        let query = CheckedQuery {
            run: QueryRun {
                id: identity.metadata.id.clone(),
                run_id,
                name,
            },
            identity,
            is_kept,
            sink: started.text.sink,
            until: trigger.ends_by_itself().then_some(now),
            trigger,
            plan: Arc::new(plan),
            members,
            checkpoint,
            costs: QueryCosts::new(meter, targets, storage.stop_lock.clone()),
            stop_lock: StopLockWatch::new(storage.stop_lock),
            streams,
            clock,
            random,
            limits: Limits {
                lag: settings.alarm_lag,
                stuck: settings.alarm_stuck,
                error_rate: settings.alarm_error_rate,
            },
            webhook: settings.alarm_webhook,
            restarts: self.restarts,
        };
        let statement = self.definition.text();
        let description = query.description(statement, settings.output_mode);
        let targets = query.plan.targets();
        #[cfg(feature = "ui")]
        let secrets = query.secrets();
        let session = self.registered.then(|| StreamingQueries::of(&self.ctx));
        if let Some(session) = &session {
            session.add_listeners_to(&mut self.listeners);
        }
        let before = session
            .as_ref()
            .and_then(|session| session.newest_failed(&query.run.id));
        let query = query.launch(
            self.listeners,
            self.hook,
            registration,
            self.stop_timeout,
            before.as_ref(),
        );
        if let Some(session) = session {
            let observed = ObservedQuery::new(&query, description, targets);
            #[cfg(feature = "ui")]
            let observed = observed.with_secrets(secrets);
            session.add(observed);
        }
        Ok(query)
    }

    /// The location at which several queries may have their checkpoints; `None` if this one is stored elsewhere.
    fn root<'a>(&self, settings: &'a StreamingSettings, log: &MetadataOptions) -> Option<&'a str> {
        let is_elsewhere = self.committer.is_some() || log.path.is_some();
        settings
            .checkpoint_location
            .as_deref()
            .filter(|_| !is_elsewhere && matches!(log.committer, CommitterKind::ObjectStore))
    }

    fn changed_query(&self, settings: &StreamingSettings) -> ChangedQuery {
        match (self.accept_changed_query, settings.accept_changed_query) {
            (true, _) => ChangedQuery::Accepted,
            (false, true) => ChangedQuery::AcceptedBySession,
            (false, false) => ChangedQuery::Refused,
        }
    }

    /// The settings of the session, overridden by those of the builder.
    fn settings(&mut self, state: &SessionState) -> Result<StreamingSettings> {
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
        self.alarms.apply_to(&mut settings)?;
        Ok(settings)
    }

    fn output_of(&mut self, plan: &QueryPlan) -> Result<Output> {
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

/// A description of what a query writes to.
fn sink(plan: &QueryPlan, output: &Output) -> String {
    match plan.inserts() {
        true => plan.sink(),
        false => output.sink(&plan.members[0].plan),
    }
}

/// Names the query in the span: by its name, or else by what it reads, and later by its id.
fn describe_span(name: Option<&str>, plan: &QueryPlan) {
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

/// A query that has passed all checks.
struct CheckedQuery {
    run: QueryRun,
    identity: Identity,
    /// Whether the next run continues from the checkpoint of this one.
    is_kept: bool,
    /// A description of what it writes to.
    sink: String,
    trigger: Trigger,
    /// The frozen tip of a query that ends by itself.
    until: Option<UnixMillis>,
    plan: Arc<QueryPlan>,
    members: Vec<MemberExecutor>,
    checkpoint: Checkpoint,
    costs: QueryCosts,
    stop_lock: StopLockWatch,
    streams: Vec<StreamSummary>,
    clock: Arc<dyn Clock>,
    random: fastrand::Rng,
    limits: Limits,
    webhook: Option<Secret>,
    /// How often the query was restarted before.
    restarts: u32,
}

impl CheckedQuery {
    /// The secrets in the options of its tables and in its settings.
    #[cfg(feature = "ui")]
    fn secrets(&self) -> Vec<String> {
        let targets = self.plan.targets();
        let read = self.plan.sources.iter().map(QuerySource::table);
        let tables = read.chain(targets.iter().map(PlanTarget::table));
        let of_tables = tables.flat_map(|table| table.given_options().secrets());
        let of_settings = self.webhook.iter().map(|url| url.reveal().to_owned());
        of_tables.chain(of_settings).collect()
    }

    fn description(&self, statement: String, output_mode: OutputMode) -> QueryDescription {
        let sources = self.plan.sources.iter().map(|source| SourceDescription {
            table: source.name.clone(),
            stream: source.table().options().stream.name().clone(),
        });
        QueryDescription {
            statement,
            trigger: self.trigger,
            output_mode,
            checkpoint_location: self.checkpoint.location(),
            sink: self.sink.clone(),
            sources: sources.collect(),
            started_at: self.clock.now(),
            restarts: self.restarts,
            is_resumable: self.is_kept,
        }
    }

    /// Starts the background task, and returns the handle.
    fn launch(
        self,
        listeners: Listeners,
        hook: StepHook,
        registration: Registration,
        stop_timeout: Duration,
        before: Option<&ObservedQuery>,
    ) -> StreamingQuery {
        if self.run.name.is_none() {
            Span::current().record("id", &self.run.id);
        }
        let (plan, clock, trigger) = (self.plan, self.clock, self.trigger);
        tracing::info!(
            query = %self.run, id = self.run.id, run_id = self.run.run_id, %trigger,
            checkpoint = self.checkpoint.location(),
            "streaming query starts"
        );
        let requests = self.checkpoint.request_counts();
        let health = RunHealth::new(self.limits, requests, &plan.targets(), self.restarts);
        let health = match before {
            Some(before) => health.after_failed(before.run_health()),
            None => health,
        };
        let samplers = self.members.iter().filter_map(MemberExecutor::sampler);
        let status = Arc::new(RunStatus::new(self.run, health, samplers.collect()));
        let table = plan.sources[0].table();
        let connection = &table.options().connection;
        let webhook = self.webhook;
        let webhook = webhook.map(|url| Webhook::start(url, table.access(), connection));
        let (status_of_events, clock_of_events) = (Arc::clone(&status), Arc::clone(&clock));
        let mut events = EventBus::new(status_of_events, listeners, webhook, clock_of_events);
        events.started();
        let events = Arc::new(events);
        let Identity {
            metadata,
            has_changed,
        } = self.identity;
        let executor = BatchExecutor {
            members: self.members,
            log: LogCoverage::new(&metadata, has_changed),
            checkpoint: self.checkpoint,
            events: Arc::clone(&events),
            clock: Arc::clone(&clock),
            hook,
            costs: self.costs,
            history: History::default(),
        };
        let schema = plan.schema();
        let tables = plan.sources.iter().map(|source| source.table());
        let registries = tables.filter_map(|table| table.registered_schemas().cloned());
        let registries = registries.collect();
        let control = Arc::new(Control::new());
        let (streams, until) = (self.streams, self.until);
        let query = self.is_kept.then(|| Arc::from(metadata.id.as_str()));
        let task = QueryTask {
            metadata,
            trigger,
            executor,
            sources: Sources::new(plan, trigger, until, streams, query, self.random),
            stop_lock: self.stop_lock,
            control: Arc::clone(&control),
            events: Arc::clone(&events),
            clock: Arc::clone(&clock),
        };
        let registration = Arc::new(registration);
        StreamingQuery::new(Inner {
            status,
            control,
            schema,
            clock,
            task: task.spawn(Arc::clone(&registration)),
            registration,
            stop_timeout,
            registries,
        })
    }
}
