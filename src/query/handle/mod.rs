//! The handle of a running query.

pub(super) mod control;

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::prelude::SessionContext;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::model::Clock;
use crate::query::builder::StreamingQueryBuilder;
use crate::query::events::progress::StreamingQueryProgress;
use crate::query::handle::control::{Shared, Wish};
use crate::query::identity::registry::Registration;
use crate::query::status::{QueryEnd, QueryStatus};

/// A streaming query that runs in the background, in micro-batches.
///
/// Clones are handles of the same query. When the last one is dropped the query ends at once, as a
/// crash would end it: nothing is lost, and a start with the same checkpoint runs the batch in
/// flight again. [`stop`](Self::stop) ends it in order.
///
/// ```
/// use std::sync::Arc;
///
/// use datafusion::prelude::SessionContext;
/// use datafusion_kinesis::kinesis::{InMemoryKinesis, InMemoryOptions};
/// use datafusion_kinesis::model::SystemClock;
/// use datafusion_kinesis::{QueryEnd, Services, StreamingQuery, register_with, sql};
/// use futures::TryStreamExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // A service in memory; `register(&ctx)` takes the one of the environment.
/// let kinesis = InMemoryKinesis::new(Arc::new(SystemClock), InMemoryOptions::default());
/// let ctx = SessionContext::new();
/// register_with(&ctx, Services::fixed(Arc::new(kinesis)));
/// for statement in [
///     "CREATE UNBOUNDED EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words'
///      OPTIONS ('kinesis.createStream' 'true', 'kinesis.startingPosition' 'TRIM_HORIZON')",
///     "INSERT INTO words (partitionKey, data) VALUES ('a', 'hello'), ('b', 'world')",
/// ] {
///     sql(&ctx, statement).await?.collect().await?;
/// }
///
/// let query = StreamingQuery::builder(&ctx, "SELECT upper(CAST(data AS VARCHAR)) AS word FROM words")
///     .with_checkpoint_location("memory://upper") // in earnest file:///… or s3://…
///     .foreach_batch(|batch, rows| async move {
///         let rows: Vec<_> = rows.try_collect().await?;
///         println!("batch {batch}: {rows:?}");
///         Ok(())
///     })
///     .start()
///     .await?;
/// query.process_all_available().await?;
/// query.stop().await?;
///
/// let read: u64 = query.recent_progress().iter().map(|batch| batch.num_input_rows).sum();
/// assert_eq!(read, 2);
/// assert_eq!(query.end(), Some(QueryEnd::Stopped));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct StreamingQuery {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    registration: Arc<Registration>,
    stop_timeout: Duration,
    task: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
        self.registration.release();
    }
}

impl StreamingQuery {
    /// Begins a query of `sql`: an `INSERT INTO … SELECT` or a `SELECT` that reads an unbounded
    /// table.
    pub fn builder(ctx: &SessionContext, sql: impl Into<String>) -> StreamingQueryBuilder {
        StreamingQueryBuilder::new(ctx, sql.into())
    }

    pub(in crate::query) fn new(
        shared: Arc<Shared>,
        clock: Arc<dyn Clock>,
        registration: Arc<Registration>,
        stop_timeout: Duration,
        task: AbortHandle,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                shared,
                clock,
                registration,
                stop_timeout,
                task,
            }),
        }
    }

    /// The id of the query, a UUID: made when its checkpoint is, and the same after every restart.
    pub fn id(&self) -> &str {
        &self.inner.shared.id
    }

    /// The id of this run, a UUID.
    pub fn run_id(&self) -> &str {
        &self.inner.shared.run_id
    }

    /// The name it was given.
    pub fn name(&self) -> Option<&str> {
        self.inner.shared.name.as_deref()
    }

    /// The columns of its result.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.inner.shared.schema)
    }

    /// What it does at the moment.
    pub fn status(&self) -> QueryStatus {
        self.inner.shared.status()
    }

    /// Losses of data that were found since the start of this run: each is a shard, a range or a stream
    /// of which records that were to be read are gone. After the end of the query the number is final.
    pub fn data_losses(&self) -> u64 {
        self.inner.shared.losses()
    }

    /// The progress of the newest batch of this run.
    pub fn last_progress(&self) -> Option<Arc<StreamingQueryProgress>> {
        self.inner.shared.last()
    }

    /// The progress of the newest batches of this run, the oldest first: up to 100, and fewer of a
    /// query that reads thousands of shards.
    pub fn recent_progress(&self) -> Vec<Arc<StreamingQueryProgress>> {
        self.inner.shared.recent()
    }

    /// Whether it has not ended.
    pub fn is_active(&self) -> bool {
        self.inner.shared.result().is_none()
    }

    /// The error that ended it.
    pub fn error(&self) -> Option<Arc<Error>> {
        self.inner.shared.result()?.err()
    }

    /// Why it has ended; `None` while it runs.
    pub fn end(&self) -> Option<QueryEnd> {
        let result = self.inner.shared.result()?;
        Some(result.unwrap_or(QueryEnd::Failed))
    }

    /// Waits until all that was in the streams at the time of the call is processed and committed.
    /// With a trigger of some interval that is after its next tick.
    ///
    /// # Errors
    /// The error that ended the query; [`Unavailable`](crate::ErrorKind::Unavailable) where it was
    /// stopped before it had caught up.
    pub async fn process_all_available(&self) -> Result<()> {
        // What arrives in the millisecond of the call may have arrived before it.
        let time = self.inner.clock.now().plus(Duration::from_millis(1));
        self.inner.shared.caught_up(time).await
    }

    /// Ends the query behind the batch in flight, which is given the stop timeout of the builder; a
    /// batch that takes longer is abandoned without a commit, and runs again at the next start.
    /// Returns when the query has ended, however often and from wherever it is called.
    ///
    /// # Errors
    /// The error that ended the query, be it before the call.
    pub async fn stop(&self) -> Result<()> {
        let shared = &self.inner.shared;
        shared.wish(Wish::Stop);
        let limit = self.inner.stop_timeout;
        if let Ok(result) = timeout(limit, shared.ended()).await {
            return result;
        }
        tracing::warn!(
            query = %shared, ?limit,
            "the batch in flight did not end in time and is abandoned; the next start runs it again"
        );
        shared.wish(Wish::Abandon);
        shared.ended().await
    }

    /// Waits for the end of the query.
    ///
    /// # Errors
    /// The error that ended it.
    pub async fn await_termination(&self) -> Result<()> {
        self.inner.shared.ended().await
    }
}
