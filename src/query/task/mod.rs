//! The background task of a query: takes over the checkpoint, reruns the uncommitted batch, and then carries
//! out the scheduler's actions until the query ends.

mod alarms;
mod facts;
mod stop_lock;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use self::facts::QueryFacts;
pub(super) use self::stop_lock::StopLockWatch;
use super::batch::{BatchExecutor, BatchTimes, PlannedBatch};
use super::events::{Activity, EventBus, QueryRun};
use super::fail_points::Step;
use super::handle::{Control, StopRequest};
use super::identity::Registration;
use super::schedule::{Action, Now, ReadProgress, Scheduler, Wait, WaitReason};
use super::sources::Sources;
use super::status::QueryEnd;
use crate::checkpoint::{Logged, QueryMetadata, Recovered};
use crate::error::{Error, Result};
use crate::model::{BatchId, Clock, Trigger, UnixMillis};
use crate::source::streaming::StreamStart;

/// A query that is ready to run.
#[derive(Debug)]
pub(super) struct QueryTask {
    pub(super) metadata: QueryMetadata,
    pub(super) trigger: Trigger,
    pub(super) executor: BatchExecutor,
    pub(super) sources: Sources,
    pub(super) stop_lock: StopLockWatch,
    pub(super) control: Arc<Control>,
    pub(super) events: Arc<EventBus>,
    pub(super) clock: Arc<dyn Clock>,
}

/// Why batches stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interruption {
    /// The query is done, or a stop was requested.
    End(QueryEnd),
    /// An older start has written an entry: take the checkpoint over again and continue from there.
    Taken,
    /// A stream was recreated, and the query continues with the new one.
    Recreated,
}

/// The next batch.
#[derive(Debug, Clone, Copy)]
struct Next {
    id: BatchId,
    /// The time of the previous batch.
    not_before: UnixMillis,
}

impl QueryTask {
    /// Runs the query in the background. The result is published to listeners and handles.
    pub(super) fn spawn(self, registration: Arc<Registration>) -> AbortHandle {
        let (events, control) = (Arc::clone(&self.events), Arc::clone(&self.control));
        let task = async move {
            let alarms = alarms::watch(&events);
            let result = AssertUnwindSafe(Box::pin(self.run_unless_abandoned()));
            let result = result.catch_unwind().await;
            let run = events.run();
            let result = result.unwrap_or_else(|panic| Err(panicked(run, &*panic)));
            match &result {
                Ok(_) => tracing::info!(query = %run, "streaming query ended"),
                Err(error) => tracing::error!(query = %run, "streaming query failed: {error}"),
            }
            drop(alarms);
            // First, because a listener may start the query again.
            registration.release();
            let result = result.map_err(Arc::new);
            events.terminated(&result);
            events.flush().await;
            control.finish(result);
        };
        tokio::spawn(task.in_current_span()).abort_handle()
    }

    async fn run_unless_abandoned(self) -> Result<QueryEnd> {
        let control = Arc::clone(&self.control);
        tokio::select! {
            biased;
            () = control.stop_requested(StopRequest::Now) => Ok(QueryEnd::Stopped),
            result = self.run() => result,
        }
    }

    async fn run(mut self) -> Result<QueryEnd> {
        loop {
            self.events.status(Activity::Recovering);
            let mut recovered = self.executor.take_over(&self.metadata).await?;
            let starts = self.start_positions(&mut recovered)?;
            let sources = self.sources.count();
            self.executor.restore(recovered.as_ref(), sources).await?;
            match self.read_from(starts, recovered).await? {
                Interruption::End(end) => {
                    self.executor.finish().await;
                    self.end_consumers().await;
                    return Ok(end);
                }
                Interruption::Taken => tracing::info!(
                    query = %self.events.run(),
                    "an older start has written a batch: taking the checkpoint over again"
                ),
                Interruption::Recreated => self.sources.describe().await?,
            }
            self.events.recovered();
        }
    }

    /// Deregisters the consumers of the query, unless a newer start uses them: an older one may end gracefully before it
    /// notices that it was taken over.
    async fn end_consumers(&mut self) {
        if !self.sources.have_managed_consumers() {
            return;
        }
        match self.executor.checkpoint.is_newest().await {
            Ok(true) => self.sources.end().await,
            Ok(false) => tracing::info!(
                query = %self.events.run(),
                "a newer start has taken the query over: leaving its consumers to it"
            ),
            Err(error) => tracing::warn!(
                query = %self.events.run(), %error,
                "cannot find out whether a newer start has taken the query over: its consumers stay registered, and \
                 cost money until the next start deregisters them"
            ),
        }
    }

    fn start_positions(&mut self, recovered: &mut Option<Recovered>) -> Result<Vec<StreamStart>> {
        let (now, run) = (self.clock.now(), self.events.run());
        let starts = self
            .sources
            .start_positions(&self.metadata, recovered, now, run);
        self.events.data_losses(self.sources.data_losses());
        starts
    }

    /// Reads from `starts` until something interrupts the batches.
    async fn read_from(
        &mut self,
        starts: Vec<StreamStart>,
        recovered: Option<Recovered>,
    ) -> Result<Interruption> {
        if self.control.is_stop_requested() {
            return Ok(Interruption::End(QueryEnd::Stopped));
        }
        self.sources.start(starts).await?;
        self.events.reads(self.sources.observers());
        self.executor.hook.reach(Step::ReadersStarted, None).await;
        let result = self.run_batches(recovered).await;
        let is_recreated = result.is_err() && self.sources.continues_with_recreated();
        self.sources.stop();
        self.events.data_losses(self.sources.data_losses());
        match is_recreated {
            true => Ok(Interruption::Recreated),
            false => result,
        }
    }

    /// Reruns the uncommitted batch, then runs batches until something interrupts them.
    async fn run_batches(&mut self, recovered: Option<Recovered>) -> Result<Interruption> {
        let mut next = Next {
            id: BatchId(0),
            not_before: self.metadata.created_at,
        };
        if let Some(Recovered {
            batch, committed, ..
        }) = recovered
        {
            next = Next {
                id: batch.id.next(),
                not_before: batch.time,
            };
            if !committed {
                tracing::info!(
                    query = %self.events.run(), batch = %batch.id,
                    "rerunning the uncommitted batch"
                );
                self.events.recovered();
                let planned = PlannedBatch::rerun(&self.sources, batch, self.clock.now());
                if self.executor.run(&mut self.sources, &planned).await? == Logged::Taken {
                    return Ok(Interruption::Taken);
                }
            }
        }
        let has_stop_lock = self.stop_lock.is_set();
        let mut scheduler = Scheduler::new(self.trigger, has_stop_lock, self.now());
        loop {
            self.answer_catch_ups();
            self.events.data_losses(self.sources.data_losses());
            let action = scheduler.next(self.now(), &QueryFacts::of(self))?;
            match action {
                Action::LogIdle(idle) => self.log_idle(idle),
                Action::NotifyIdle => self.events.idle(),
                Action::CheckStopLock => {
                    if self.stop_lock.take(self.events.run()).await {
                        return Ok(Interruption::End(QueryEnd::StopLock));
                    }
                }
                Action::Wait(wait) => self.wait(wait).await,
                Action::End(end) => return Ok(Interruption::End(end)),
                Action::RunBatch | Action::RunEmptyBatch => {
                    let is_required = action == Action::RunEmptyBatch;
                    let due = scheduler.due();
                    if self.run_batch(&mut next, due, is_required).await? == Logged::Taken {
                        return Ok(Interruption::Taken);
                    }
                    if let Some(took) = scheduler.batch_done(self.now()) {
                        tracing::warn!(
                            query = %self.events.run(), ?took, trigger = %self.trigger,
                            "falling behind: the batch took longer than the trigger's interval"
                        );
                    }
                }
            }
        }
    }

    /// Plans and runs a batch. One that advances no position runs only if it `is_required`.
    async fn run_batch(
        &mut self,
        next: &mut Next,
        due: UnixMillis,
        is_required: bool,
    ) -> Result<Logged> {
        let times = BatchTimes {
            now: self.clock.now(),
            due,
            not_before: next.not_before,
        };
        let planned = self.executor.plan(&self.sources, next.id, times);
        if !is_required && !planned.advances() {
            return Ok(Logged::Done);
        }
        *next = Next {
            id: next.id.next(),
            not_before: planned.batch.time,
        };
        self.executor.run(&mut self.sources, &planned).await
    }

    /// Waits as the scheduler decided, or until a request from a handle.
    async fn wait(&self, wait: Wait) {
        self.events.status(match wait.reason {
            WaitReason::Trigger => Activity::WaitingForTrigger,
            WaitReason::CatchingUp => Activity::WaitingForShards,
            WaitReason::Data => Activity::WaitingForData,
        });
        // The scheduler has already seen all changes of the readers, so those since the last call would not
        // end the wait.
        self.answer_catch_ups();
        tokio::select! {
            biased;
            () = self.control.stop_requested(StopRequest::AfterBatch) => {}
            () = self.control.catch_up_requested() => {}
            () = self.sources.changed(), if wait.reason != WaitReason::Trigger => {}
            () = sleep_until(wait.until) => {}
        }
    }

    /// Wakes the callers that wait for everything available to be committed.
    fn answer_catch_ups(&self) {
        let is_caught_up = |time| self.sources.has_taken_all_before(time);
        self.control.answer_catch_ups(is_caught_up);
    }

    /// Logs that there has been nothing to read for `idle`, and how far the streams are read.
    fn log_idle(&self, idle: Duration) {
        let (shards, behind) = self.sources.lag();
        let read_to = self.sources.read_to().flatten().min();
        let read_to = read_to.map_or_else(|| "unknown".to_owned(), |time| time.to_string());
        tracing::info!(
            query = %self.events.run(), ?idle, shards, ?behind, read_to,
            "waiting: there was nothing to read"
        );
    }

    fn now(&self) -> Now {
        Now {
            instant: Instant::now(),
            clock: self.clock.now(),
        }
    }
}

fn panicked(run: &QueryRun, panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("no message");
    Error::internal(format!("{run} panicked: {text}"))
}
