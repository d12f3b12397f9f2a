//! The health of a run: what was observed, by whoever looks, and by the alarms.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::activity::Activity;
use crate::checkpoint::RequestCounts;
use crate::error::Error;
use crate::model::{BatchId, StreamName};
use crate::query::health::{
    HealthChange, HealthRules, HealthState, Limits, Observation, QueryHealth, Requests,
};
use crate::query::plan::PlanTarget;
use crate::sink::SinkStatus;
use crate::source::streaming::ShardObserver;
use crate::table::KinesisTable;

/// The readers of the streams.
type Readers = [(StreamName, ShardObserver)];

/// The health of a run.
#[derive(Debug)]
pub(in crate::query) struct RunHealth {
    rules: Mutex<HealthRules>,
    commits: AtomicU64,
    /// The number after that of the last committed batch.
    next_batch: AtomicU64,
    recoveries: AtomicU64,
    has_settled: AtomicBool,
    checkpoint: Arc<RequestCounts>,
    targets: Vec<Target>,
}

/// A table that is written to, and what was written before this run.
#[derive(Debug)]
struct Target {
    table: KinesisTable,
    before: SinkStatus,
}

impl RunHealth {
    /// The health of a run that starts now, after so many restarts, and writes to the Kinesis tables `targets`.
    pub(in crate::query) fn new(
        limits: Limits,
        checkpoint: Arc<RequestCounts>,
        targets: &[PlanTarget],
        restarts: u32,
    ) -> Self {
        let targets = targets.iter().map(|target| Target {
            before: target.table().sink_status(),
            table: target.table().clone(),
        });
        Self {
            rules: Mutex::new(HealthRules::new(limits, Instant::now())),
            commits: AtomicU64::new(0),
            next_batch: AtomicU64::new(0),
            recoveries: AtomicU64::new(u64::from(restarts > 0)),
            has_settled: AtomicBool::new(false),
            checkpoint,
            targets: targets.collect(),
        }
    }

    /// Goes on with what is known from an earlier run of the query, which has failed.
    pub(in crate::query) fn after_failed(self, before: &Self) -> Self {
        let rules = {
            let (before, own) = (before.rules(), self.rules());
            HealthRules::after_failed(&before, own.limits(), Instant::now())
        };
        Self {
            rules: Mutex::new(rules),
            ..self
        }
    }

    pub(super) fn committed(&self, batch: BatchId) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.next_batch.store(batch.0 + 1, Ordering::Relaxed);
        self.has_settled.store(true, Ordering::Relaxed);
    }

    pub(super) fn recovered(&self) {
        self.recoveries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn has_alarms(&self) -> bool {
        self.rules().watches()
    }

    /// The state according to the alarms.
    pub(super) fn state(&self) -> HealthState {
        self.rules().state()
    }

    /// The health at present.
    pub(super) fn now(&self, activity: &Activity, readers: &Readers) -> QueryHealth {
        let mut rules = self.rules();
        if activity.has_ended() {
            return rules.health_of_failed(Instant::now());
        }
        rules.observe(self.observation(activity, readers));
        rules.health()
    }

    /// Raises and clears alarms.
    pub(super) fn check(&self, activity: &Activity, readers: &Readers) -> Option<HealthChange> {
        let mut rules = self.rules();
        let previous = rules.evaluate(self.observation(activity, readers))?;
        Some(HealthChange {
            previous,
            health: rules.health(),
        })
    }

    /// The query has ended, and with it its alarms.
    pub(super) fn end(&self, error: Option<&Arc<Error>>) -> Option<HealthChange> {
        let mut rules = self.rules();
        let previous = match error {
            Some(error) => rules.fail(error.to_string()),
            None => rules.end(),
        };
        Some(HealthChange {
            previous: previous?,
            health: rules.health(),
        })
    }

    /// Whether a batch was committed, or everything that is in the streams was read.
    pub(super) fn is_settled(&self, activity: &Activity, readers: &Readers) -> bool {
        if !self.has_settled.load(Ordering::Relaxed) && activity.is_waiting() {
            let mut readers = readers.iter();
            let is_at_tip = readers.len() > 0
                && readers
                    .all(|(_, reader)| reader.health().is_some_and(|health| health.is_at_tip));
            self.has_settled.fetch_or(is_at_tip, Ordering::Relaxed);
        }
        self.has_settled.load(Ordering::Relaxed)
    }

    /// What is known at present. Walks over the shards.
    fn observation(&self, activity: &Activity, readers: &Readers) -> Observation {
        let committed = self.next_batch.load(Ordering::Relaxed);
        let batch = activity.batch().filter(|batch| batch.0 >= committed);
        let is_done = activity.batch().is_some() && batch.is_none();
        let mut now = Observation {
            rows_wait: activity.is_due() && !is_done,
            batch,
            activity: activity.message(),
            commits: self.commits.load(Ordering::Relaxed),
            recoveries: self.recoveries.load(Ordering::Relaxed),
            is_settled: self.is_settled(activity, readers),
            requests: Requests {
                checkpoint_answered: self.checkpoint.answered(),
                checkpoint_failed: self.checkpoint.failed(),
                ..Requests::default()
            },
            checkpoint_error: self.checkpoint.last_error(),
            ..Observation::at(Instant::now())
        };
        for Target { table, before } in &self.targets {
            let writes = table.sink_status();
            now.requests.written += writes.accepted_calls - before.accepted_calls;
            now.requests.write_throttled += writes.throttled_calls - before.throttled_calls;
            now.requests.write_failed += writes.failed_calls - before.failed_calls;
            now.write_error = now.write_error.or_else(|| table.last_write_error());
        }
        let mut failed_at = None;
        for (stream, reader) in readers {
            let Some(health) = reader.health() else {
                continue;
            };
            now.requests.answered += health.answered;
            now.requests.throttled += health.throttled;
            now.requests.failed += health.failed;
            if health.lag > now.reader_lag {
                now.reader_lag = health.lag;
                now.laggard = health.laggard.map(|shard| (stream.clone(), shard));
            }
            if let Some((shard, error)) = health.last_error
                && failed_at <= Some(error.time)
            {
                failed_at = Some(error.time);
                let text = format!("{shard} of stream '{stream}': {}", error.message);
                now.read_error = Some(text);
            }
        }
        now
    }

    fn rules(&self) -> MutexGuard<'_, HealthRules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
