//! The builder of a streaming query: its definition and its options.

mod alarms;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionContext};

use self::alarms::AlarmSettings;
use super::events::{Listeners, StreamingQueryListener};
use super::fail_points::StepHook;
use super::handle::StreamingQuery;
use super::output::{Console, Output};
use super::plan::QueryDefinition;
use crate::checkpoint::OffsetCommitter;
use crate::model::{BatchId, OutputMode, Trigger};

/// How long [`StreamingQuery::stop`] waits for the batch in flight.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Configures and starts a [`StreamingQuery`]. Options that are not set here come from the `streaming.*`
/// settings of the session.
pub struct StreamingQueryBuilder {
    pub(super) ctx: SessionContext,
    pub(super) definition: QueryDefinition,
    /// The statements besides the first one.
    pub(super) outputs: Vec<String>,
    pub(super) name: Option<String>,
    pub(super) trigger: Option<Trigger>,
    pub(super) output_mode: Option<OutputMode>,
    pub(super) watermark: Option<(Duration, Option<String>)>,
    pub(super) watermark_idle_timeout: Option<Duration>,
    pub(super) checkpoint_location: Option<String>,
    pub(super) committer: Option<Arc<dyn OffsetCommitter>>,
    pub(super) listeners: Listeners,
    pub(super) output: Option<Output>,
    pub(super) stop_timeout: Duration,
    pub(super) seed: Option<u64>,
    pub(super) hook: StepHook,
    pub(super) registered: bool,
    pub(super) accept_changed_query: bool,
    pub(super) alarms: AlarmSettings,
    pub(super) restarts: u32,
}

impl StreamingQuery {
    /// Defines a query by SQL: an `INSERT INTO … SELECT` or a `SELECT` that reads an unbounded table, or a statement set
    /// of several INSERTs:
    ///
    /// ```sql
    /// EXECUTE STATEMENT SET BEGIN
    ///   INSERT INTO alarms SELECT data FROM clicks WHERE level = 'error';
    ///   SET streaming.output_mode = 'update';
    ///   INSERT INTO counts SELECT level, count(*) FROM clicks GROUP BY level;
    /// END
    /// ```
    ///
    /// A statement set is one query: it reads each stream once, has one checkpoint, and commits a batch when all its
    /// statements have written their rows of it. `streaming.output_mode` and the settings of the watermark may be set
    /// inside of it for the statements that follow. The state of a GROUP BY belongs to the name of its target table, so
    /// statements may be added and removed later, with
    /// [`accept_changed_query`](StreamingQueryBuilder::accept_changed_query).
    ///
    /// Every start compares the SQL with that of the checkpoint. Comments, white space and the case of
    /// unquoted words may change.
    pub fn builder(ctx: &SessionContext, sql: impl Into<String>) -> StreamingQueryBuilder {
        StreamingQueryBuilder::new(ctx, QueryDefinition::Sql(sql.into()))
    }

    /// Defines a query by a [`DataFrame`] over an unbounded table. The frame may come from
    /// [`sql`](fn@crate::sql), [`SessionContext::sql`] or the methods of `DataFrame`. The query runs in the
    /// session `ctx`, with its settings at the start.
    ///
    /// Every start compares the text of the plan with that of the checkpoint: the logical plan before
    /// optimization, as `EXPLAIN` shows it. Build the frame by the same calls every time: the names of
    /// tables, columns and aliases, the order of operators, and literals must stay the same. An update of
    /// DataFusion may change the text of a plan. In that case, and when a query changes from SQL to a plan or
    /// back, start it once with [`accept_changed_query`](StreamingQueryBuilder::accept_changed_query).
    pub fn builder_from_dataframe(
        ctx: &SessionContext,
        dataframe: DataFrame,
    ) -> StreamingQueryBuilder {
        Self::builder_from_plan(ctx, dataframe.into_unoptimized_plan())
    }

    /// Defines a query by a [`LogicalPlan`] over an unbounded table, such as an INSERT built with
    /// [`LogicalPlanBuilder::insert_into`](datafusion::logical_expr::LogicalPlanBuilder::insert_into).
    /// Restarts work as described for [`builder_from_dataframe`](Self::builder_from_dataframe).
    pub fn builder_from_plan(ctx: &SessionContext, plan: LogicalPlan) -> StreamingQueryBuilder {
        StreamingQueryBuilder::new(ctx, QueryDefinition::Plan(Box::new(plan)))
    }
}

impl StreamingQueryBuilder {
    fn new(ctx: &SessionContext, definition: QueryDefinition) -> Self {
        Self {
            ctx: ctx.clone(),
            definition,
            outputs: Vec::new(),
            name: None,
            trigger: None,
            output_mode: None,
            watermark: None,
            watermark_idle_timeout: None,
            checkpoint_location: None,
            committer: None,
            listeners: Listeners::default(),
            output: None,
            stop_timeout: STOP_TIMEOUT,
            seed: None,
            hook: StepHook::default(),
            registered: true,
            accept_changed_query: false,
            alarms: AlarmSettings::default(),
            restarts: 0,
        }
    }

    /// Adds another output: an INSERT that reads the same streams. The query is then a statement set of its first
    /// statement and these, as described for [`builder`](StreamingQuery::builder).
    #[must_use]
    pub fn output(mut self, sql: impl Into<String>) -> Self {
        self.outputs.push(sql.into());
        self
    }

    /// Sets the name of the query for messages and events. No two running queries of a session may have the
    /// same name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets when batches run.
    #[must_use]
    pub fn with_trigger(mut self, trigger: Trigger) -> Self {
        self.trigger = Some(trigger);
        self
    }

    /// Sets which rows of the result a batch outputs.
    #[must_use]
    pub fn with_output_mode(mut self, mode: OutputMode) -> Self {
        self.output_mode = Some(mode);
        self
    }

    /// Sets the watermark, which closes the groups of a GROUP BY by event time: a row may arrive `delay` later
    /// than other rows of its shard. The event time is `column`, a timestamp that is visible to the GROUP BY,
    /// or with `None` the argument of its window function.
    #[must_use]
    pub fn with_watermark(mut self, delay: Duration, column: Option<&str>) -> Self {
        self.watermark = Some((delay, column.map(str::to_owned)));
        self
    }

    /// Lets the watermark follow the clock on an idle stream: once no record has arrived for `timeout`, the
    /// watermark advances with the clock, `timeout` behind it. The default is 30 seconds if the event time is
    /// `approximateArrivalTimestamp`, and never for other event times.
    #[must_use]
    pub fn with_watermark_idle_timeout(mut self, timeout: Duration) -> Self {
        self.watermark_idle_timeout = Some(timeout);
        self
    }

    /// Sets where the progress of the query is stored: an object store URL (`file:///…`, `s3://…`,
    /// `memory://…`) or an absolute path. A start with the location of an earlier run resumes where that run
    /// ended. An INSERT needs a location or a [committer](Self::with_committer); a SELECT with neither starts
    /// from scratch every time.
    #[must_use]
    pub fn with_checkpoint_location(mut self, location: impl Into<String>) -> Self {
        self.checkpoint_location = Some(location.into());
        self
    }

    /// Stores the progress of the query with `committer`, instead of as objects at the checkpoint location or
    /// at `kinesis.metadataPath`. If the query also has a checkpoint location, it looks for its `STOP_LOCK`
    /// there.
    ///
    /// Create a new committer for each start: an epoch belongs to the committer that took it. Only one query
    /// of this process may use a committer of the same [location](OffsetCommitter::location).
    #[must_use]
    pub fn with_committer(mut self, committer: Arc<dyn OffsetCommitter>) -> Self {
        self.committer = Some(committer);
        self
    }

    /// Lets the query resume from the checkpoint of another statement, or of one with another target. From
    /// then on the checkpoint belongs to this query. Without this option such a start is refused.
    ///
    /// Filters, expressions, joins with static tables, HAVING and the target may change. Other streams,
    /// groups or aggregates are still refused.
    #[must_use]
    pub fn accept_changed_query(mut self) -> Self {
        self.accept_changed_query = true;
        self
    }

    /// Adds a listener for the events of the query.
    #[must_use]
    pub fn with_listener(mut self, listener: Arc<dyn StreamingQueryListener>) -> Self {
        self.listeners.add(listener);
        self
    }

    /// Sets how long [`StreamingQuery::stop`] waits for the batch in flight before it abandons the batch. The
    /// default is 20 seconds.
    #[must_use]
    pub fn with_stop_timeout(mut self, limit: Duration) -> Self {
        self.stop_timeout = limit;
        self
    }

    /// Sets the seed of random ids and of the jitter of waits, instead of a random one.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Calls `function` with the rows of each batch of a SELECT. An interrupted batch is rerun with the same
    /// number and the same rows, unless the statement uses a function such as `random()`. A function that
    /// stores the number of the last batch it finished can therefore skip a rerun.
    ///
    /// An error of the function ends the query: with [`UserFunction`](crate::ErrorKind::UserFunction), unless
    /// it is an [`Error`](crate::Error) of this crate or an error of the rows. A batch whose rows failed is
    /// never committed, even if the function returns `Ok`.
    #[must_use]
    pub fn foreach_batch<F, Fut>(mut self, function: F) -> Self
    where
        F: Fn(BatchId, SendableRecordBatchStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = datafusion::error::Result<()>> + Send + 'static,
    {
        self.output = Some(Output::foreach_batch(function));
        self
    }

    /// Prints the rows of each batch of a SELECT to standard output.
    #[must_use]
    pub fn console(mut self) -> Self {
        self.output = Some(Output::Console(Console::stdout()));
        self
    }

    /// For tests: awaits `hook` at every step.
    #[doc(hidden)]
    #[must_use]
    pub fn with_step_hook(mut self, hook: StepHook) -> Self {
        self.hook = hook;
        self
    }

    /// For tests: starts the query as if in another process, unaware of other queries.
    #[doc(hidden)]
    #[must_use]
    pub fn as_in_another_process(mut self) -> Self {
        self.registered = false;
        self
    }
}

impl fmt::Debug for StreamingQueryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamingQueryBuilder")
            .field("definition", &self.definition)
            .field("name", &self.name)
            .field("trigger", &self.trigger)
            .field("output_mode", &self.output_mode)
            .field("checkpoint_location", &self.checkpoint_location)
            .field("committer", &self.committer)
            .finish_non_exhaustive()
    }
}
