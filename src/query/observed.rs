//! A query as those see it who look at it from outside.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::events::{
    PlanNode, RunHealth, RunStatus, SourceReaders, SourceShards, StreamingQueryProgress,
};
use super::handle::{Control, Inner, StreamingQuery};
use super::health::{ProbeReason, QueryHealth, QueryProbe};
use super::plan::PlanTarget;
use super::status::{QueryEnd, QueryStatus};
use crate::error::Error;
use crate::model::{BatchId, Clock, OutputMode, StreamName, Trigger, UnixMillis};
use crate::sink::SinkStatus;
use crate::state::StateSample;

/// What a query was started with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct QueryDescription {
    /// The SQL, or the logical plan.
    pub statement: String,
    /// When batches run.
    pub trigger: Trigger,
    /// Which rows of the result a batch outputs.
    pub output_mode: OutputMode,
    /// Where the offsets are stored.
    pub checkpoint_location: String,
    /// A description of the sink, such as `KinesisSink[word_counts]`.
    pub sink: String,
    /// The unbounded tables, in the order of the statement.
    pub sources: Vec<SourceDescription>,
    /// When the run started.
    pub started_at: UnixMillis,
    /// How often the query was restarted after failures before this run: what
    /// [`with_restart_count`](super::StreamingQueryBuilder::with_restart_count) says.
    pub restarts: u32,
    /// Whether the next run continues where this one ends.
    pub is_resumable: bool,
}

/// An unbounded table that a query reads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceDescription {
    /// The name of the table in the statement.
    pub table: String,
    /// The stream.
    pub stream: StreamName,
}

/// One run of a streaming query, running or ended. Does not keep the query alive, and costs the query nothing.
///
/// [`StreamingQueries::observed`](super::StreamingQueries::observed) lists them.
#[derive(Clone)]
pub struct ObservedQuery {
    status: Arc<RunStatus>,
    control: Arc<Control>,
    description: Arc<QueryDescription>,
    clock: Arc<dyn Clock>,
    handle: Weak<Inner>,
    targets: Vec<PlanTarget>,
    #[cfg(feature = "ui")]
    secrets: Arc<[String]>,
}

impl ObservedQuery {
    pub(super) fn new(
        query: &StreamingQuery,
        description: QueryDescription,
        targets: Vec<PlanTarget>,
    ) -> Self {
        let inner = query.inner();
        Self {
            status: Arc::clone(&inner.status),
            control: Arc::clone(&inner.control),
            description: Arc::new(description),
            clock: Arc::clone(&inner.clock),
            handle: Arc::downgrade(inner),
            targets,
            #[cfg(feature = "ui")]
            secrets: Arc::default(),
        }
    }

    /// Sets the secrets in the options of its tables and in its settings.
    #[cfg(feature = "ui")]
    pub(super) fn with_secrets(mut self, secrets: Vec<String>) -> Self {
        self.secrets = secrets.into();
        self
    }

    /// What must not be shown of it, even if its tables are dropped.
    #[cfg(feature = "ui")]
    pub(crate) fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// The id of the query, the same after every restart.
    pub fn id(&self) -> &str {
        &self.status.run.id
    }

    /// The id of this run.
    pub fn run_id(&self) -> &str {
        &self.status.run.run_id
    }

    /// The name of the query, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.status.run.name.as_deref()
    }

    /// What it was started with.
    pub fn description(&self) -> &QueryDescription {
        &self.description
    }

    /// The handle, with which the query can be stopped; `None` once all handles are dropped.
    pub fn query(&self) -> Option<StreamingQuery> {
        self.handle.upgrade().map(StreamingQuery::from_inner)
    }

    /// What the query is doing.
    pub fn status(&self) -> QueryStatus {
        self.status.get()
    }

    /// Whether it is healthy, why not, and the rates that tell.
    pub fn health(&self) -> QueryHealth {
        self.status.health()
    }

    /// Whether it has committed a batch since its start, or has read everything that was there.
    pub fn is_settled(&self) -> bool {
        self.status.is_settled()
    }

    /// Whether it is running.
    pub fn is_active(&self) -> bool {
        self.control.result().is_none()
    }

    /// What is known about its health.
    pub(super) fn run_health(&self) -> &RunHealth {
        &self.status.health
    }

    /// What probes look at.
    pub(super) fn probe(&self) -> QueryProbe {
        let health = self.health();
        QueryProbe {
            id: self.id().to_owned(),
            run_id: self.run_id().to_owned(),
            name: self.name().map(str::to_owned),
            state: health.state,
            is_ok: true,
            reasons: health.reasons.into_iter().map(ProbeReason::Alarm).collect(),
        }
    }

    /// Waits for its end.
    pub(super) async fn ended(&self) {
        // Its error is in `error`.
        let _ = self.control.wait_for_end().await;
    }

    /// Why it ended; `None` while it runs.
    pub fn end(&self) -> Option<QueryEnd> {
        let result = self.control.result()?;
        Some(result.unwrap_or(QueryEnd::Failed))
    }

    /// The error that ended it.
    pub fn error(&self) -> Option<Arc<Error>> {
        self.control.result()?.err()
    }

    /// When it ended; `None` while it runs.
    pub fn ended_at(&self) -> Option<UnixMillis> {
        self.status.ended_at()
    }

    /// How long it has run, or ran.
    pub fn run_time(&self) -> Duration {
        let until = self.ended_at().unwrap_or_else(|| self.clock.now());
        until.since(self.description.started_at)
    }

    /// The number of data losses since the start of this run.
    pub fn data_losses(&self) -> u64 {
        self.status.losses()
    }

    /// The progress of the newest batch.
    pub fn last_progress(&self) -> Option<Arc<StreamingQueryProgress>> {
        self.status.last()
    }

    /// The progress of the newest batches, oldest first: up to 100, and fewer for a query that reads thousands of
    /// shards.
    pub fn recent_progress(&self) -> Vec<Arc<StreamingQueryProgress>> {
        self.status.recent()
    }

    /// The shards of each source at present. Costs a walk over all shards.
    pub fn shards(&self) -> Vec<SourceShards> {
        self.status.shards()
    }

    /// What is being written at present, to all streams together; `None` if the sink is no Kinesis stream.
    pub fn sink(&self) -> Option<SinkStatus> {
        let targets = self.targets.iter();
        let statuses = targets.map(|target| target.table().sink_status());
        statuses.reduce(|one, other| one.plus(&other))
    }

    /// The readers of each source at present: how far they are and what they have buffered, also while a batch runs
    /// or no batch can run. Empty before the query reads, and after it has ended.
    pub fn readers(&self) -> Vec<SourceReaders> {
        self.status.readers()
    }

    /// Some groups of the GROUP BY after the newest committed batch, at most 20. While a batch runs, they may be those of
    /// an earlier one. `None` if the statement has no GROUP BY, no batch was committed in this run, or nobody has asked
    /// since. `output` names the statement of a statement set.
    pub fn state_sample(&self, output: Option<&str>) -> Option<Arc<StateSample>> {
        self.status.state_sample(output)
    }

    /// Asks for groups of all statements, which are taken after the next batch.
    #[cfg(feature = "ui")]
    pub(crate) fn want_state_samples(&self) {
        self.status.want_state_samples();
    }

    /// From now on keeps the plans of the newest 100 batches.
    pub fn keep_plans(&self) {
        self.status.keep_plans();
    }

    /// The plan of a batch with its metrics; `None` if it is not kept.
    pub fn plan(&self, batch: BatchId) -> Option<Arc<PlanNode>> {
        self.status.plan(batch)
    }
}

impl fmt::Debug for ObservedQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedQuery")
            .field("run", &self.status.run)
            .field("description", &self.description)
            .finish_non_exhaustive()
    }
}
