//! Events of a running query: publishes status, progress, idleness and the end to the handle, the
//! listeners and the log.

mod activity;
mod listener;
mod plan_tree;
mod progress;
mod run;
mod run_health;
mod run_status;

use std::fmt;
use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;

pub(super) use self::activity::Activity;
pub(super) use self::listener::Listeners;
pub use self::listener::{
    StreamingQueryIdle, StreamingQueryListener, StreamingQueryStarted, StreamingQueryTerminated,
};
pub use self::plan_tree::PlanNode;
pub(super) use self::progress::{AgeCounter, rate};
pub use self::progress::{
    EventTimeProgress, KinesisMetrics, KinesisSinkMetrics, OutputProgress, PayloadProgress,
    RecordAges, SinkProgress, SourceProgress, StateOperatorProgress, StreamingQueryProgress,
};
pub(super) use self::run::QueryRun;
pub(super) use self::run_health::RunHealth;
pub(super) use self::run_status::{OutputSampler, RunStatus};
pub use self::run_status::{SourceReaders, SourceShards};
use super::health::{HealthChange, QueryHealth, StreamingQueryHealthChange, Webhook};
use super::status::QueryEnd;
use crate::error::Error;
use crate::model::{BatchId, Clock, StreamName};
use crate::source::streaming::ShardObserver;

/// Publishes what happens to one run of a query.
pub(super) struct EventBus {
    status: Arc<RunStatus>,
    listeners: Listeners,
    webhook: Option<Webhook>,
    clock: Arc<dyn Clock>,
}

impl EventBus {
    pub(super) fn new(
        status: Arc<RunStatus>,
        listeners: Listeners,
        webhook: Option<Webhook>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            status,
            listeners,
            webhook,
            clock,
        }
    }

    /// The run whose events these are.
    pub(super) fn run(&self) -> &QueryRun {
        &self.status.run
    }

    /// Sets what the query is doing.
    pub(super) fn status(&self, activity: Activity) {
        self.status.set(activity);
    }

    /// A batch is committed.
    pub(super) fn committed(&self, batch: BatchId) {
        self.status.health.committed(batch);
    }

    /// The run has recovered from an interruption.
    pub(super) fn recovered(&self) {
        self.status.health.recovered();
    }

    /// The health of the query at present.
    pub(super) fn health(&self) -> QueryHealth {
        self.status.health()
    }

    /// Whether alarms are set.
    pub(super) fn has_alarms(&self) -> bool {
        self.status.health.has_alarms()
    }

    /// Raises and clears alarms.
    pub(super) fn check_alarms(&self) {
        if let Some(change) = self.status.check_alarms() {
            let run = self.run();
            match change.health.is_healthy() {
                true => tracing::warn!(query = %run, "the query is healthy again"),
                false => tracing::warn!(query = %run, "the query is {}", change.health),
            }
            self.health_changed(change);
        }
    }

    fn health_changed(&self, change: HealthChange) {
        let run = self.run();
        let event = StreamingQueryHealthChange {
            id: run.id.clone(),
            run_id: run.run_id.clone(),
            name: run.name.clone(),
            timestamp: self.clock.now(),
            previous: change.previous,
            health: change.health,
        };
        if let Some(webhook) = &self.webhook {
            webhook.post(&event);
        }
        self.listeners.health(event);
    }

    /// Sets the number of data losses since the start.
    pub(super) fn data_losses(&self, losses: u64) {
        self.status.set_losses(losses);
    }

    /// The query has started; call it first.
    pub(super) fn started(&mut self) {
        let run = &self.status.run;
        self.listeners.started(&StreamingQueryStarted {
            id: run.id.clone(),
            run_id: run.run_id.clone(),
            name: run.name.clone(),
            timestamp: self.clock.now(),
        });
    }

    /// Waits a moment for listeners and for a webhook that are behind.
    pub(super) async fn flush(&self) {
        self.listeners.flush().await;
        if let Some(webhook) = &self.webhook {
            webhook.flush().await;
        }
    }

    pub(super) fn progress(&self, progress: StreamingQueryProgress) {
        let progress = Arc::new(progress);
        self.status.push(Arc::clone(&progress));
        self.listeners.progress(&progress);
    }

    /// Sets the readers of the streams.
    pub(super) fn reads(&self, readers: Vec<(StreamName, ShardObserver)>) {
        self.status.set_readers(readers);
    }

    /// The plans of the outputs of a batch have run, each with the name of its statement in a set.
    pub(super) fn ran(&self, batch: BatchId, plans: &[(Option<&str>, &dyn ExecutionPlan)]) {
        self.status.ran(batch, plans);
    }

    pub(super) fn idle(&self) {
        let run = self.run();
        self.listeners.idle(StreamingQueryIdle {
            id: run.id.clone(),
            run_id: run.run_id.clone(),
            name: run.name.clone(),
            timestamp: self.clock.now(),
        });
    }

    pub(super) fn terminated(&self, result: &Result<QueryEnd, Arc<Error>>) {
        let run = self.run();
        if result.is_err() {
            // While it is still known which batch was running, and since when.
            self.status.health();
        }
        self.status.set_ended(self.clock.now());
        self.status(match result {
            Ok(_) => Activity::Stopped,
            Err(error) => Activity::Failed(error.to_string()),
        });
        if let Some(change) = self.status.end_alarms(result.as_ref().err()) {
            self.health_changed(change);
        }
        self.listeners.terminated(StreamingQueryTerminated {
            id: run.id.clone(),
            run_id: run.run_id.clone(),
            name: run.name.clone(),
            timestamp: self.clock.now(),
            end: *result.as_ref().unwrap_or(&QueryEnd::Failed),
            error: result.as_ref().err().map(Arc::clone),
        });
    }
}

impl fmt::Debug for EventBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBus")
            .field("status", &self.status)
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}
