//! The observable state of a run: status, data losses and recent progress. Written by the event bus, read
//! by handles.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::physical_plan::ExecutionPlan;

use super::activity::Activity;
use super::plan_tree::{PlanNode, RecentPlans};
use super::progress::{KinesisMetrics, StreamingQueryProgress, data_losses};
use super::run::QueryRun;
use super::run_health::RunHealth;
use crate::error::Error;
use crate::model::{BatchId, StreamName, UnixMillis};
use crate::query::health::{HealthChange, QueryHealth};
use crate::query::status::QueryStatus;
use crate::source::streaming::{ShardObserver, ShardStatus};
use crate::state::{GroupSampler, StateSample};

/// How many progress events are kept.
const MAX_EVENTS: usize = 100;

/// How many shard positions the kept events may hold in total. The newest event is kept regardless.
const MAX_POSITIONS: usize = 300_000;

/// The shards of one source of a running query.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SourceShards {
    /// The stream.
    pub stream: StreamName,
    /// Its shards in the order of their ids; none before the query reads, and after it has ended.
    pub shards: Vec<ShardStatus>,
}

/// The readers of one source of a running query.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SourceReaders {
    /// The stream.
    pub stream: StreamName,
    /// Their state at present. `losses` are those that the readers have found; ranges that a batch could not read
    /// again count in [`ObservedQuery::data_losses`](crate::query::ObservedQuery::data_losses) only.
    pub metrics: KinesisMetrics,
}

/// Shows groups of one statement.
#[derive(Debug)]
pub(in crate::query) struct OutputSampler {
    /// The name of the statement in its set; `None` for a query of one statement.
    pub(in crate::query) output: Option<String>,
    pub(in crate::query) groups: Arc<GroupSampler>,
}

/// What handles can see of a run.
#[derive(Debug)]
pub(in crate::query) struct RunStatus {
    pub(in crate::query) run: QueryRun,
    activity: Mutex<Activity>,
    pub(in crate::query) health: RunHealth,
    losses: AtomicU64,
    recent: Mutex<VecDeque<Arc<StreamingQueryProgress>>>,
    /// The streams that are read, and their readers.
    readers: Mutex<Vec<(StreamName, ShardObserver)>>,
    /// `None` if nobody wants to see plans.
    plans: Mutex<Option<RecentPlans>>,
    /// Those of the statements that have a GROUP BY.
    samplers: Vec<OutputSampler>,
    ended_at: Mutex<Option<UnixMillis>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RunStatus {
    pub(in crate::query) fn new(
        run: QueryRun,
        health: RunHealth,
        samplers: Vec<OutputSampler>,
    ) -> Self {
        Self {
            run,
            activity: Mutex::new(Activity::Starting),
            health,
            losses: AtomicU64::new(0),
            recent: Mutex::default(),
            readers: Mutex::default(),
            plans: Mutex::default(),
            samplers,
            ended_at: Mutex::default(),
        }
    }

    /// The current status. Data losses are appended to the message.
    pub(in crate::query) fn get(&self) -> QueryStatus {
        let mut status = lock(&self.activity).status(self.health.state());
        match self.losses() {
            0 => {}
            losses => status.message = format!("{} ({})", status.message, data_losses(losses)),
        }
        status
    }

    /// Sets what the query is doing.
    pub(super) fn set(&self, activity: Activity) {
        *lock(&self.activity) = activity;
    }

    /// The health at present.
    pub(in crate::query) fn health(&self) -> QueryHealth {
        let (activity, readers) = self.observed();
        self.health.now(&activity, &readers)
    }

    /// Whether the run has committed a batch, or has found everything read.
    pub(in crate::query) fn is_settled(&self) -> bool {
        let (activity, readers) = self.observed();
        self.health.is_settled(&activity, &readers)
    }

    /// Raises and clears alarms. Returns whether any has changed.
    pub(super) fn check_alarms(&self) -> Option<HealthChange> {
        let (activity, readers) = self.observed();
        self.health.check(&activity, &readers)
    }

    /// The query has ended.
    pub(super) fn end_alarms(&self, error: Option<&Arc<Error>>) -> Option<HealthChange> {
        self.health.end(error)
    }

    fn observed(&self) -> (Activity, Vec<(StreamName, ShardObserver)>) {
        (lock(&self.activity).clone(), lock(&self.readers).clone())
    }

    /// Sets the number of data losses since the start, which later statuses mention.
    pub(super) fn set_losses(&self, losses: u64) {
        self.losses.store(losses, Ordering::Relaxed);
    }

    /// The number of data losses since the start.
    pub(in crate::query) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }

    /// The kept progress events, oldest first.
    pub(in crate::query) fn recent(&self) -> Vec<Arc<StreamingQueryProgress>> {
        lock(&self.recent).iter().map(Arc::clone).collect()
    }

    /// The newest progress event.
    pub(in crate::query) fn last(&self) -> Option<Arc<StreamingQueryProgress>> {
        lock(&self.recent).back().map(Arc::clone)
    }

    /// Sets the readers of the streams.
    pub(super) fn set_readers(&self, readers: Vec<(StreamName, ShardObserver)>) {
        *lock(&self.readers) = readers;
    }

    /// The shards of each source at present.
    pub(in crate::query) fn shards(&self) -> Vec<SourceShards> {
        let readers = lock(&self.readers).clone();
        let shards = readers.into_iter().map(|(stream, reader)| SourceShards {
            stream,
            shards: reader.shards(),
        });
        shards.collect()
    }

    /// The readers of each source at present.
    pub(in crate::query) fn readers(&self) -> Vec<SourceReaders> {
        let readers = lock(&self.readers).clone();
        let readers = readers.into_iter().filter_map(|(stream, reader)| {
            let metrics = KinesisMetrics::of(&reader.status()?);
            Some(SourceReaders { stream, metrics })
        });
        readers.collect()
    }

    /// Keeps the plans of batches from now on.
    pub(in crate::query) fn keep_plans(&self) {
        lock(&self.plans).get_or_insert_default();
    }

    /// Keeps the plans of the outputs of a batch that has run, if somebody wants to see it.
    pub(super) fn ran(&self, batch: BatchId, plans: &[(Option<&str>, &dyn ExecutionPlan)]) {
        if lock(&self.plans).is_none() {
            return;
        }
        // Without the lock, because it takes a while.
        let plan = PlanNode::of_batch(plans);
        if let Some(plans) = &mut *lock(&self.plans) {
            plans.push(batch, plan);
        }
    }

    /// The plan of a batch, if it is kept.
    pub(in crate::query) fn plan(&self, batch: BatchId) -> Option<Arc<PlanNode>> {
        lock(&self.plans).as_ref()?.get(batch)
    }

    /// Some groups of the newest batch.
    pub(in crate::query) fn state_sample(&self, output: Option<&str>) -> Option<Arc<StateSample>> {
        let mut samplers = self.samplers.iter();
        let found = samplers.find(|sampler| sampler.output.as_deref() == output);
        found?.groups.sample()
    }

    /// Asks for groups of all statements, which are taken after the next batch.
    #[cfg(feature = "ui")]
    pub(in crate::query) fn want_state_samples(&self) {
        for sampler in &self.samplers {
            sampler.groups.sample();
        }
    }

    /// Records when the run has ended.
    pub(in crate::query) fn set_ended(&self, time: UnixMillis) {
        lock(&self.ended_at).get_or_insert(time);
    }

    /// When the run has ended.
    pub(in crate::query) fn ended_at(&self) -> Option<UnixMillis> {
        *lock(&self.ended_at)
    }

    /// Adds a progress event and evicts the oldest ones beyond the limits.
    pub(super) fn push(&self, progress: Arc<StreamingQueryProgress>) {
        let mut recent = lock(&self.recent);
        recent.push_back(progress);
        let mut positions: usize = recent.iter().map(|progress| progress.positions()).sum();
        while recent.len() > MAX_EVENTS || (recent.len() > 1 && positions > MAX_POSITIONS) {
            let oldest = recent.pop_front();
            positions -= oldest.map_or(0, |oldest| oldest.positions());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::progress::tests::progress_of_shards;
    use super::*;
    use crate::query::health::Limits;

    #[test]
    fn kept_progress_is_bounded_by_events_and_by_shard_positions() {
        let run = QueryRun {
            id: "id".to_owned(),
            run_id: "run".to_owned(),
            name: None,
        };
        let health = RunHealth::new(Limits::default(), Arc::default(), &[], 0);
        let status = RunStatus::new(run, health, Vec::new());
        let kept = |shards: &[usize]| {
            for shards in shards {
                status.push(Arc::new(progress_of_shards(*shards)));
            }
            status.recent().len()
        };
        assert_eq!(kept(&[1; 99]), 99);
        assert_eq!(kept(&[1; 50]), 100);
        assert_eq!(kept(&[10_000; 40]), 30);
        assert_eq!(kept(&[200_000]), 11);
        assert_eq!(kept(&[400_000]), 1, "the newest event is kept");
        assert_eq!(kept(&[1]), 1);
    }
}
