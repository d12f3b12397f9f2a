//! What a streaming query is to be.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;

use crate::checkpoint::OffsetCommitter;
use crate::model::{BatchId, OutputMode, Trigger};
use crate::query::events::listener::{Listeners, StreamingQueryListener};
use crate::query::fail_points::StepHook;
#[cfg(doc)]
use crate::query::handle::StreamingQuery;
use crate::query::output::{Console, Output};

/// How long [`StreamingQuery::stop`] waits for the batch in flight.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Makes a [`StreamingQuery`]. What is not said here comes from the `streaming.*` settings of the
/// session.
pub struct StreamingQueryBuilder {
    pub(super) ctx: SessionContext,
    pub(super) sql: String,
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
}

impl StreamingQueryBuilder {
    pub(super) fn new(ctx: &SessionContext, sql: String) -> Self {
        Self {
            ctx: ctx.clone(),
            sql,
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
        }
    }

    /// Names the query, in messages and for whoever lists queries. Only one that runs in this
    /// session may have the name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// When a batch runs.
    #[must_use]
    pub fn with_trigger(mut self, trigger: Trigger) -> Self {
        self.trigger = Some(trigger);
        self
    }

    /// Which rows of the result a batch gives.
    #[must_use]
    pub fn with_output_mode(mut self, mode: OutputMode) -> Self {
        self.output_mode = Some(mode);
        self
    }

    /// Closes the groups of a GROUP BY by time: a row may come `delay` later than others of its shard.
    /// When a row happened says `column`, a timestamp that the GROUP BY can see, or the time of its window
    /// where that is `None`.
    #[must_use]
    pub fn with_watermark(mut self, delay: Duration, column: Option<&str>) -> Self {
        self.watermark = Some((delay, column.map(str::to_owned)));
        self
    }

    /// Lets the watermark follow the clock on a quiet stream: once no record has arrived for `timeout`, it
    /// moves on as the clock does, `timeout` behind it. Without it, 30 seconds where the event time is
    /// `approximateArrivalTimestamp`, and never for other event times.
    #[must_use]
    pub fn with_watermark_idle_timeout(mut self, timeout: Duration) -> Self {
        self.watermark_idle_timeout = Some(timeout);
        self
    }

    /// Where the progress of the query is kept: an object store URL (`file:///…`, `s3://…`,
    /// `memory://…`) or an absolute path. A start with the location of an earlier run goes on where
    /// that one ended. An INSERT needs one, or a [committer](Self::with_committer); a SELECT without
    /// either begins anew at each start.
    #[must_use]
    pub fn with_checkpoint_location(mut self, location: impl Into<String>) -> Self {
        self.checkpoint_location = Some(location.into());
        self
    }

    /// Keeps the progress of the query with `committer`, instead of in objects at the checkpoint
    /// location or in `kinesis.metadataPath`. A query that has a checkpoint location all the same looks
    /// for its `STOP_LOCK` there.
    ///
    /// Give each start a handle of its own: an epoch belongs to the handle that took it. Only one
    /// query in this process may have a committer of the same
    /// [location](OffsetCommitter::location).
    #[must_use]
    pub fn with_committer(mut self, committer: Arc<dyn OffsetCommitter>) -> Self {
        self.committer = Some(committer);
        self
    }

    /// Starts the query at the checkpoint of another statement, or of one that writes to another target:
    /// it goes on where that one stopped, and its statement is the one of the checkpoint from then on.
    /// Without this such a start is refused.
    ///
    /// Filters, expressions, joins with tables, HAVING and the target may change. Other streams, other
    /// groups and other aggregates are refused all the same.
    #[must_use]
    pub fn accept_changed_query(mut self) -> Self {
        self.accept_changed_query = true;
        self
    }

    /// Adds one who is told what the query does.
    #[must_use]
    pub fn with_listener(mut self, listener: Arc<dyn StreamingQueryListener>) -> Self {
        self.listeners.add(listener);
        self
    }

    /// How long [`StreamingQuery::stop`] waits for the batch in flight before it abandons it;
    /// 20 seconds where nothing is said.
    #[must_use]
    pub fn with_stop_timeout(mut self, limit: Duration) -> Self {
        self.stop_timeout = limit;
        self
    }

    /// Draws ids and spreads waits by this seed instead of one drawn at random.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Gives the rows of each batch of a SELECT to `function`. A batch that was interrupted runs
    /// again with the same number and the same rows, as far as the statement has no function such as
    /// `random()`: a function that remembers the number of the batch it has finished last can tell.
    ///
    /// An error of it ends the query: with [`UserFunction`](crate::ErrorKind::UserFunction), unless it is
    /// an [`Error`](crate::Error) of this crate or one that the rows have given. A batch whose rows have
    /// failed is not done, whatever the function says.
    #[must_use]
    pub fn foreach_batch<F, Fut>(mut self, function: F) -> Self
    where
        F: Fn(BatchId, SendableRecordBatchStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = datafusion::error::Result<()>> + Send + 'static,
    {
        self.output = Some(Output::foreach_batch(function));
        self
    }

    /// Prints the rows of each batch of a SELECT to the standard output.
    #[must_use]
    pub fn console(mut self) -> Self {
        self.output = Some(Output::Console(Console::stdout()));
        self
    }

    /// For tests: awaits the hook at every step.
    #[doc(hidden)]
    #[must_use]
    pub fn with_step_hook(mut self, hook: StepHook) -> Self {
        self.hook = hook;
        self
    }

    /// For tests: starts as if in a process of its own, which knows of no other query.
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
            .field("sql", &self.sql)
            .field("name", &self.name)
            .field("trigger", &self.trigger)
            .field("output_mode", &self.output_mode)
            .field("checkpoint_location", &self.checkpoint_location)
            .field("committer", &self.committer)
            .finish_non_exhaustive()
    }
}
