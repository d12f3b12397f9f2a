//! The handle of a running query.

mod control;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::datatypes::SchemaRef;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::task::AbortHandle;
use tokio::time::sleep;

pub(super) use self::control::{Control, StopRequest};
use super::events::{RunStatus, StreamingQueryProgress};
use super::health::QueryHealth;
use super::identity::Registration;
use super::status::{QueryEnd, QueryStatus};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Clock;
use crate::table::RegisteredSchemas;

/// A streaming query that runs in the background, in micro-batches.
///
/// Clones are handles to the same query. Dropping the last handle ends the query immediately, as a crash
/// would: nothing is lost, and the next start with the same checkpoint reruns the batch in flight.
/// [`stop`](Self::stop) ends the query gracefully.
///
/// ```
/// use std::sync::Arc;
///
/// use datafusion::prelude::SessionContext;
/// use datafusion_kinesis::kinesis::{InMemoryKinesis, InMemoryOptions};
/// use datafusion_kinesis::model::SystemClock;
/// use datafusion_kinesis::query::{QueryEnd, StreamingQuery};
/// use datafusion_kinesis::{Services, register_with, sql};
/// use futures::TryStreamExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // A simulator in memory. `register(&ctx)` connects to AWS instead.
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
///     .with_checkpoint_location("memory://upper") // in production: file:///… or s3://…
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

/// Everything a handle needs to observe and stop a query.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) status: Arc<RunStatus>,
    pub(super) control: Arc<Control>,
    /// The columns of the result.
    pub(super) schema: SchemaRef,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) registration: Arc<Registration>,
    pub(super) stop_timeout: Duration,
    /// The registries that a batch may wait for.
    pub(super) registries: Vec<Arc<RegisteredSchemas>>,
    pub(super) task: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
        self.registration.release();
        if self.control.result().is_none() {
            self.status.set_ended(self.clock.now());
            self.control.finish(Ok(QueryEnd::Stopped));
        }
    }
}

impl Inner {
    /// Returns once a batch has waited for a schema registry for longer than one takes that works.
    async fn waits_for_registry(&self) {
        let stuck = self.registries.iter().map(|registry| registry.is_stuck());
        let mut stuck: FuturesUnordered<_> = stuck.collect();
        if stuck.next().await.is_none() {
            pending::<()>().await;
        }
    }
}

impl StreamingQuery {
    pub(super) fn new(inner: Inner) -> Self {
        Self::from_inner(Arc::new(inner))
    }

    pub(super) fn from_inner(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// The id of the query, a UUID. It is created with the checkpoint and stays the same after every
    /// restart.
    pub fn id(&self) -> &str {
        &self.inner.status.run.id
    }

    /// The id of this run, a UUID.
    pub fn run_id(&self) -> &str {
        &self.inner.status.run.run_id
    }

    /// The name of the query, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.inner.status.run.name.as_deref()
    }

    /// The columns of the result.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.inner.schema)
    }

    /// What the query is doing.
    pub fn status(&self) -> QueryStatus {
        self.inner.status.get()
    }

    /// Whether the query is healthy, why not, and the rates that tell. With alarms
    /// ([`StreamingSettings`](crate::StreamingSettings)), the state is that of the last second.
    pub fn health(&self) -> QueryHealth {
        self.inner.status.health()
    }

    /// The number of data losses found since the start of this run. Each is a shard, a range or a stream
    /// whose records no longer existed when they were to be read. The number is final once the query has
    /// ended.
    pub fn data_losses(&self) -> u64 {
        self.inner.status.losses()
    }

    /// The progress of the newest batch of this run.
    pub fn last_progress(&self) -> Option<Arc<StreamingQueryProgress>> {
        self.inner.status.last()
    }

    /// The progress of the newest batches of this run, oldest first: up to 100, and fewer for a query that
    /// reads thousands of shards.
    pub fn recent_progress(&self) -> Vec<Arc<StreamingQueryProgress>> {
        self.inner.status.recent()
    }

    /// Whether the query is still running.
    pub fn is_active(&self) -> bool {
        self.inner.control.result().is_none()
    }

    /// The error that ended the query.
    pub fn error(&self) -> Option<Arc<Error>> {
        self.inner.control.result()?.err()
    }

    /// Why the query ended; `None` while it runs.
    pub fn end(&self) -> Option<QueryEnd> {
        let result = self.inner.control.result()?;
        Some(result.unwrap_or(QueryEnd::Failed))
    }

    /// Waits until everything that was in the streams at the time of the call is processed and committed.
    /// With an interval trigger this takes until after the next tick.
    ///
    /// # Errors
    /// The error that ended the query; [`Unavailable`](crate::ErrorKind::Unavailable) if the query was
    /// stopped before it caught up.
    pub async fn process_all_available(&self) -> Result<()> {
        let Inner {
            status,
            control,
            clock,
            ..
        } = &*self.inner;
        // A record that arrived in the same millisecond may have arrived before the call.
        let time = clock.now().plus(Duration::from_millis(1));
        if control.wait_for_catch_up(time).await? {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            format!(
                "{} ended before it had processed everything available: start it again",
                status.run
            ),
        ))
    }

    /// Ends the query after the batch in flight. A batch that takes longer than the builder's stop timeout, or
    /// that waits for a schema registry which does not answer, is abandoned without a commit and rerun at the
    /// next start. Returns once the query has ended; it may
    /// be called any number of times, from any task.
    ///
    /// # Errors
    /// The error that ended the query, even if that was before the call.
    pub async fn stop(&self) -> Result<()> {
        let control = &self.inner.control;
        control.request_stop(StopRequest::AfterBatch);
        let (limit, query) = (self.inner.stop_timeout, &self.inner.status.run);
        tokio::select! {
            biased;
            result = control.wait_for_end() => return result,
            () = sleep(limit) => tracing::warn!(
                %query, ?limit,
                "the batch in flight did not end in time and is abandoned; the next start reruns it"
            ),
            () = self.inner.waits_for_registry() => tracing::warn!(
                %query,
                "the batch in flight waits for a schema registry and is abandoned; the next start reruns it"
            ),
        }
        control.request_stop(StopRequest::Now);
        control.wait_for_end().await
    }

    /// Waits for the query to end.
    ///
    /// # Errors
    /// The error that ended the query.
    pub async fn await_termination(&self) -> Result<()> {
        self.inner.control.wait_for_end().await
    }
}
