//! A writer: takes rows, runs requests, and applies back-pressure to its caller.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::batcher::{Batcher, Expired, Limits, Request, RerouteError, Settled};
use super::counters::SinkCounters;
use super::rows::{Rows, shortened};
use super::stream::{SinkStream, StreamView};
use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::{ApiErrorKind, ApiResult, Backoff, PutFailure, PutOutcome};
use crate::model::{RetryPolicy, StreamIdentity};

/// Ready requests are sent each time this many rows of a batch have been taken.
const ROWS_BETWEEN_REQUESTS: usize = 512;

/// Writes batches of rows to a stream from one task.
///
/// Requests run in the background between calls; buffered rows wait for the next call. Dropping the
/// writer abandons both.
#[derive(Debug)]
pub(crate) struct SinkWriter {
    stream: Arc<SinkStream>,
    view: Arc<StreamView>,
    batcher: Batcher,
    running: JoinSet<Done>,
    requests: usize,
    reading_view: bool,
    /// Backs off while one reshard after another causes mispredictions.
    mispredicted: Backoff,
    random: fastrand::Rng,
    counters: Arc<SinkCounters>,
    rows: u64,
}

/// The result of a background task.
#[derive(Debug)]
enum Done {
    Put {
        request: Request,
        outcomes: ApiResult<Vec<PutOutcome>>,
    },
    View(Result<Arc<StreamView>>),
}

impl SinkWriter {
    /// Creates a writer. Describes the stream first, unless another writer of `stream` did so
    /// recently.
    pub(crate) async fn new(
        stream: Arc<SinkStream>,
        counters: Arc<SinkCounters>,
        mut random: fastrand::Rng,
    ) -> Result<Self> {
        let view = stream.view(random.fork()).await?;
        let settings = stream.settings();
        let limits = Limits::new(settings, view.max_record_bytes);
        let unlimited = RetryPolicy {
            // The time to live of the records is the limit.
            max_retries: u32::MAX,
            ..settings.retry
        };
        Ok(Self {
            batcher: Batcher::new(limits, view.layout(settings), random.fork()),
            view,
            running: JoinSet::new(),
            requests: 0,
            reading_view: false,
            mispredicted: Backoff::new(unlimited, random.fork()),
            random,
            counters,
            rows: 0,
            stream,
        })
    }

    /// Takes all rows of `batch`, waiting while the buffer is full. Not all of them are written
    /// when it returns. The columns are `partitionKey`, `data` and, optionally, `explicitHashKey`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRow`] before any row of this batch is taken; otherwise the error that
    /// made writing this or an earlier batch fail. Drop the writer after an error.
    pub(crate) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows = Rows::new(batch, self.view.max_record_bytes)
            // The stream may accept larger records now.
            .inspect_err(|_| self.stream.forget_view())?;
        let needs_hash_keys = self.batcher.needs_hash_keys();
        let hash_keys = needs_hash_keys.then(|| rows.hash_keys()).flatten();
        let hash_keys = hash_keys.unwrap_or_default();
        let mut now = Instant::now();
        for (index, record) in rows.iter().enumerate() {
            if self.batcher.is_full() {
                self.wait_while(Batcher::is_full).await?;
                now = Instant::now();
            }
            self.batcher
                .push(&record, hash_keys.get(index).copied(), now);
            if (index + 1) % ROWS_BETWEEN_REQUESTS == 0 {
                self.send()?;
            }
        }
        self.send()
    }

    /// The largest record that the stream takes, in bytes of data and partition key.
    pub(crate) fn max_record_bytes(&self) -> usize {
        self.view.max_record_bytes
    }

    /// Waits for the next event and handles it; waits forever if nothing is buffered.
    ///
    /// For callers whose rows arrive slowly: run it concurrently with the wait for the next batch,
    /// so that `max_buffered` is kept and errors surface at once. It is cancel safe.
    pub(crate) async fn progress(&mut self) -> Result<()> {
        self.send()?;
        self.next_event().await?;
        self.send()
    }

    /// Waits while `condition` holds.
    ///
    /// The condition is checked after each call of [`send`](Self::send), which takes the requests that have ended:
    /// the last one may end before the wait for it begins, and then no further event would come.
    async fn wait_while(&mut self, condition: impl Fn(&Batcher) -> bool) -> Result<()> {
        loop {
            self.send()?;
            if !condition(&self.batcher) {
                return Ok(());
            }
            self.next_event().await?;
        }
    }

    /// Waits for a request to end or for a record to be due; waits forever if there is neither.
    async fn next_event(&mut self) -> Result<()> {
        let due = self.batcher.next_due();
        tokio::select! {
            Some(done) = self.running.join_next() => self.take(done),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Ok(()),
            else => std::future::pending().await,
        }
    }

    /// Writes the remaining rows and waits for all acknowledgements.
    ///
    /// Returns the number of rows written since the writer was created.
    pub(crate) async fn finish(mut self) -> Result<u64> {
        self.batcher.seal_all();
        self.wait_while(|batcher| batcher.unsettled_rows() > 0)
            .await?;
        Ok(self.rows)
    }

    /// Sends ready requests while connections are free.
    fn send(&mut self) -> Result<()> {
        while let Some(done) = self.running.try_join_next() {
            self.take(done)?;
        }
        let now = Instant::now();
        self.batcher
            .advance(now)
            .map_err(|expired| self.expired(expired))?;
        if self.batcher.needs_layout() && !self.reading_view {
            self.read_view();
        }
        while self.requests < self.stream.settings().max_connections.max(1) {
            let Some(request) = self.next_request() else {
                break;
            };
            self.requests += 1;
            let stream = Arc::clone(&self.stream);
            self.running.spawn(async move {
                let outcomes = stream.put(&request.puts).await;
                Done::Put { request, outcomes }
            });
        }
        Ok(())
    }

    /// If the buffer is full but no request is ready, seals the open aggregates.
    fn next_request(&mut self) -> Option<Request> {
        self.batcher.next_request().or_else(|| {
            if self.batcher.is_full() {
                self.batcher.seal_all();
            }
            self.batcher.next_request()
        })
    }

    fn read_view(&mut self) {
        self.reading_view = true;
        // The first attempt is immediate: a reshard is complete when it becomes visible.
        let again = self.mispredicted.failures() > 0;
        let wait = self.mispredicted.next_wait().filter(|_| again);
        let (stream, seen) = (Arc::clone(&self.stream), Arc::clone(&self.view));
        let random = self.random.fork();
        self.running.spawn(async move {
            sleep(wait.unwrap_or_default()).await;
            Done::View(stream.newer_view(&seen, random).await)
        });
    }

    fn take(&mut self, done: Result<Done, JoinError>) -> Result<()> {
        let done = done.map_err(|error| {
            Error::internal(format!(
                "stream '{}': a background request panicked",
                self.name()
            ))
            .with_source(error)
        })?;
        let settled = match done {
            Done::Put { request, outcomes } => self.answered(request, outcomes)?,
            Done::View(view) => self.rerouted(view?)?,
        };
        self.rows += settled.rows;
        self.counters.add(&settled);
        Ok(())
    }

    fn answered(
        &mut self,
        request: Request,
        outcomes: ApiResult<Vec<PutOutcome>>,
    ) -> Result<Settled> {
        self.requests -= 1;
        self.counters.call();
        let sent = request.len();
        let outcomes = match outcomes {
            Ok(outcomes) if outcomes.len() == sent => outcomes,
            Ok(outcomes) => {
                return Err(Error::internal(format!(
                    "stream '{}': PutRecords with {sent} records returned {} outcomes",
                    self.name(),
                    outcomes.len()
                )));
            }
            // Some of the records may have been written; they will be written twice.
            Err(error) if error.is_retryable() => {
                tracing::debug!(stream = %self.name(), %error, "request failed, retrying");
                let failure = PutFailure {
                    throttled: error.kind() == ApiErrorKind::Throttled,
                    message: error.to_string(),
                };
                vec![Err(failure); sent]
            }
            Err(error) => return Err(error.into_error(format!("stream '{}'", self.name()))),
        };
        let rejected = outcomes.iter().find_map(|outcome| outcome.as_ref().err());
        let failure = rejected.map(|failure| failure.message.clone());
        let settled = (self.batcher)
            .complete(request, outcomes, Instant::now())
            .map_err(|expired| self.expired(expired))?;
        if settled.rows > 0 && !self.batcher.is_mispredicted() {
            self.mispredicted.reset();
        }
        if let (Some(since), Some(failure)) = (settled.rejected_since, &failure) {
            self.stream.warn_of_rejections(since, failure);
        }
        Ok(settled)
    }

    fn rerouted(&mut self, view: Arc<StreamView>) -> Result<Settled> {
        tracing::debug!(stream = %self.name(), "records went to shards other than predicted; listed the shards again");
        self.reading_view = false;
        self.view = view;
        let layout = self.view.layout(self.stream.settings());
        let rerouted = self.batcher.reroute(layout, Instant::now());
        rerouted.map_err(|error| match error {
            RerouteError::Expired(expired) => self.expired(expired),
            RerouteError::Internal(error) => error,
        })
    }

    fn expired(&self, expired: Expired) -> Error {
        let Expired {
            partition_key,
            hash_key,
            attempts,
            last_failure,
        } = expired;
        let shard = match self.view.shard_of(hash_key) {
            Some(shard) => format!(", shard '{shard}'"),
            None => String::new(),
        };
        let message = format!(
            "stream '{}'{shard}: the record with partition key '{}' was rejected for {:?} \
             (kinesis.sink.recordTtl) in {attempts} attempts; last failure: {last_failure}",
            self.name(),
            shortened(&partition_key),
            self.stream.settings().record_ttl.unwrap_or_default(),
        );
        Error::new(ErrorKind::Unavailable, message)
    }

    fn name(&self) -> &StreamIdentity {
        self.stream.identity()
    }
}
