//! The life of a query: takes its checkpoint over, finishes what was begun, then batch after batch.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use datafusion::execution::SessionState;
use futures::FutureExt;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::Instrument;

use crate::checkpoint::{Checkpoint, Logged, QueryMetadata, Recovered, StopLock};
use crate::error::{Error, Result};
use crate::kinesis::StreamSummary;
use crate::model::{Batch, BatchId, Clock, Trigger, UnixMillis};
use crate::query::batch::Job;
use crate::query::batch::purge::Housekeeping;
use crate::query::batch::read_numbers::numbered;
use crate::query::batch::state::Stateful;
use crate::query::events::listener::{Listeners, StreamingQueryTerminated};
use crate::query::fail_points::{Step, StepHook};
use crate::query::handle::control::{Shared, Wish};
use crate::query::identity::registry::Registration;
use crate::query::output::Output;
use crate::query::plan::StreamingPlan;
use crate::query::schedule::Wake;
use crate::query::schedule::log_coverage::Mark;
use crate::query::schedule::timers::Timer;
use crate::query::sources::describe;
use crate::query::status::QueryEnd;
use crate::source::streaming::{StreamReader, StreamStart};

/// A query with all it is made of.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) shared: Arc<Shared>,
    pub(super) plan: StreamingPlan,
    pub(super) state: SessionState,
    pub(super) output: Output,
    pub(super) checkpoint: Checkpoint,
    pub(super) stop_lock: Option<StopLock>,
    pub(super) metadata: QueryMetadata,
    pub(super) trigger: Trigger,
    /// Where a query that ends by itself ends: with what was there at this time.
    pub(super) until: Option<UnixMillis>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: fastrand::Rng,
    pub(super) hook: StepHook,
    pub(super) listeners: Listeners,
    /// When the trigger fired for the batch before.
    pub(super) fired_before: Option<UnixMillis>,
    /// The sources as they were when they were looked at last.
    pub(super) streams: Vec<StreamSummary>,
    /// Losses of data, source by source, that the readers of now do not know of.
    pub(super) losses: Vec<u64>,
    /// What the newest entry of the log says.
    pub(super) mark: Mark,
    /// Whether the log is to say that the query goes on for another one.
    pub(super) owes_query: bool,
    /// What the aggregation of the query keeps, where it has one.
    pub(super) stateful: Option<Stateful>,
    /// What is deleted beside the batches.
    pub(super) housekeeping: Housekeeping,
}

/// Why batches stopped coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// There are no more, or the query was asked to stop.
    Done(QueryEnd),
    /// An older start has written to the log: what it wrote counts.
    Taken,
    /// A stream was made anew, and the query goes on with that one.
    Remade,
}

impl Runner {
    /// Runs the query in the background; its end is made known through what it shares.
    pub(super) fn spawn(self, registration: Arc<Registration>) -> AbortHandle {
        let shared = Arc::clone(&self.shared);
        let listeners = self.listeners.clone();
        let clock = Arc::clone(&self.clock);
        let task = async move {
            let ran = AssertUnwindSafe(Box::pin(self.live())).catch_unwind().await;
            let result = ran.unwrap_or_else(|panic| Err(panicked(&shared, &*panic)));
            match &result {
                Ok(_) => tracing::info!(query = %shared, "streaming query ended"),
                Err(error) => tracing::error!(query = %shared, "streaming query failed: {error}"),
            }
            // Whoever hears of the end can start the query again.
            registration.release();
            let result = result.map_err(Arc::new);
            listeners.terminated(&StreamingQueryTerminated {
                id: shared.id.clone(),
                run_id: shared.run_id.clone(),
                name: shared.name.clone(),
                timestamp: clock.now(),
                end: *result.as_ref().unwrap_or(&QueryEnd::Failed),
                error: result.as_ref().err().map(Arc::clone),
            });
            shared.end(result);
        };
        tokio::spawn(task.in_current_span()).abort_handle()
    }

    async fn live(self) -> Result<QueryEnd> {
        let shared = Arc::clone(&self.shared);
        tokio::select! {
            biased;
            () = shared.wished(Wish::Abandon) => Ok(QueryEnd::Stopped),
            result = self.run() => result,
        }
    }

    async fn run(mut self) -> Result<QueryEnd> {
        loop {
            self.shared.set_status("Recovering", false, false);
            self.reach(Step::TakingOver, None).await;
            self.housekeeping.stop().await;
            let mut recovered = self.checkpoint.take_over().await?;
            if let Some(Recovered { batch, .. }) = &recovered {
                self.checkpoint.expect_sources(batch, &self.metadata)?;
            }
            self.reach(Step::TakenOver, None).await;
            let starts = self.starts(&mut recovered)?;
            if let Some(stateful) = &mut self.stateful {
                let before = recovered.as_ref().map(|recovered| &recovered.before);
                let before = before.cloned().unwrap_or_default();
                let last_arrival = recovered.as_ref().map(last_arrival);
                stateful
                    .restore(&before, self.streams.len(), last_arrival)
                    .await?;
            }
            match self.follow(starts, recovered).await? {
                Ended::Done(end) => {
                    self.housekeeping.finish().await;
                    return Ok(end);
                }
                Ended::Taken => tracing::info!(
                    query = %self.shared,
                    "an older start has written a batch: taking it over"
                ),
                Ended::Remade => self.streams = describe(&self.plan, &mut self.random).await?,
            }
        }
    }

    /// Reads from `starts` on, until there is a reason not to.
    async fn follow(
        &mut self,
        starts: Vec<StreamStart>,
        recovered: Option<Recovered>,
    ) -> Result<Ended> {
        if self.shared.is_stopping() {
            return Ok(Ended::Done(QueryEnd::Stopped));
        }
        let readers = self.readers(starts).await?;
        self.reach(Step::ReadersStarted, None).await;
        let ended = self.batches(&readers, recovered).await;
        let anew = ended.is_err() && self.goes_on_anew(&readers);
        self.replace(&readers);
        if anew { Ok(Ended::Remade) } else { ended }
    }

    /// Finishes the batch that was begun, then runs batches until there is a reason not to.
    async fn batches(
        &mut self,
        readers: &[StreamReader],
        recovered: Option<Recovered>,
    ) -> Result<Ended> {
        let mut next = BatchId(0);
        let mut not_before = self.metadata.created_at;
        if let Some(Recovered {
            batch, committed, ..
        }) = recovered
        {
            next = batch.id.next();
            not_before = batch.time;
            if !committed && self.again(readers, batch).await? == Logged::Taken {
                return Ok(Ended::Taken);
            }
        }
        let mut timer = Timer::new(self.trigger, &*self.clock);
        loop {
            let wake = self.next_wake(readers, &mut timer).await?;
            if let Wake::End(end) = wake {
                return Ok(Ended::Done(end));
            }
            let job = self.cut(readers, next, not_before, &timer);
            if wake == Wake::Mark || job.moves() {
                next = next.next();
                not_before = job.batch.time;
                if self.batch(readers, job).await? == Logged::Taken {
                    return Ok(Ended::Taken);
                }
            }
            self.done(&mut timer);
        }
    }

    /// Runs a batch as it stands in the log.
    async fn again(&mut self, readers: &[StreamReader], batch: Batch) -> Result<Logged> {
        tracing::info!(query = %self.shared, batch = %batch.id, "running the uncommitted batch again");
        let ranges = readers.iter().zip(&batch.sources);
        let reads = ranges.map(|(reader, ranges)| reader.replay(ranges));
        let job = Job {
            reads: numbered(reads.collect()),
            batch,
            logged: true,
            due: self.clock.now(),
            fired: self.clock.now(),
            begun: Instant::now(),
        };
        self.batch(readers, job).await
    }

    /// Takes what the readers hold.
    fn cut(
        &mut self,
        readers: &[StreamReader],
        id: BatchId,
        not_before: UnixMillis,
        timer: &Timer,
    ) -> Job {
        let (begun, fired) = (Instant::now(), self.clock.now());
        let (mut sources, mut reads, mut before) = (Vec::new(), Vec::new(), Vec::new());
        for reader in readers {
            let planned = reader.take();
            sources.push(planned.ranges);
            before.push(planned.before);
            reads.push(planned.reads);
        }
        // Time does not go back from batch to batch, whatever the machine's clock does.
        let time = fired.max(not_before);
        let stateful = self.stateful.as_mut();
        let watermark = stateful.and_then(|stateful| stateful.advance(&before));
        Job {
            batch: Batch {
                id,
                time,
                watermark,
                sources,
            },
            reads: numbered(reads),
            logged: false,
            due: timer.due,
            fired,
            begun,
        }
    }

    /// Whether a batch without rows would close groups.
    pub(super) fn owes_closing(&self, readers: &[StreamReader]) -> bool {
        let coverage = || readers.iter().map(StreamReader::coverage).collect();
        let stateful = self.stateful.as_ref();
        stateful.is_some_and(|stateful| stateful.owes_batch(coverage))
    }

    pub(super) async fn reach(&self, step: Step, batch: Option<BatchId>) {
        self.hook.reach(step, batch).await;
    }
}

/// All records that the log speaks of had arrived by then: a batch is planned after its records came.
fn last_arrival(recovered: &Recovered) -> UnixMillis {
    let known = recovered.before.last_arrival;
    let known = known.filter(|_| recovered.committed);
    known.unwrap_or(recovered.batch.time)
}

fn panicked(shared: &Shared, panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("no message");
    Error::internal(format!("{shared} panicked: {text}"))
}
