//! Gathers the input of the scheduler's decisions from a running query.

use tokio::time::Instant;

use super::QueryTask;
use crate::error::Result;
use crate::model::UnixMillis;
use crate::query::batch::{AggregationState, BatchExecutor};
use crate::query::handle::Control;
use crate::query::schedule::{Facts, SourceReadiness};
use crate::query::sources::Sources;

pub(super) struct QueryFacts<'a> {
    control: &'a Control,
    sources: &'a Sources,
    executor: &'a BatchExecutor,
}

impl<'a> QueryFacts<'a> {
    pub(super) fn of(task: &'a QueryTask) -> Self {
        Self {
            control: &task.control,
            sources: &task.sources,
            executor: &task.executor,
        }
    }
}

impl Facts for QueryFacts<'_> {
    fn is_stop_requested(&self) -> bool {
        self.control.is_stop_requested()
    }

    fn has_catch_up_waiters(&self) -> bool {
        self.control.has_catch_up_waiters()
    }

    fn readiness(&self, fired_at: Instant) -> Result<Vec<SourceReadiness>> {
        self.sources.readiness(fired_at)
    }

    fn is_exhausted(&self) -> bool {
        self.sources.is_exhausted()
    }

    fn has_taken_all_before(&self, time: UnixMillis) -> bool {
        self.sources.has_taken_all_before(time)
    }

    fn needs_empty_batch(&self, now: UnixMillis) -> bool {
        let mut states = self.executor.states();
        let coverage = || self.sources.coverage();
        self.executor.log.needs_entry(now, self.sources)
            || states.any(|state| state.needs_empty_batch(coverage))
    }

    fn closes_groups_by_clock(&self) -> bool {
        let mut states = self.executor.states();
        states.any(AggregationState::closes_by_clock)
    }
}
