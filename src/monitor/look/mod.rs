//! What the pages and the API show, taken from the queries of a session when somebody asks.

mod health;
mod history;
mod hot;
mod mask;
mod plan;
mod quartiles;
mod query;
mod settings;
mod shards;
mod state;

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use datafusion::prelude::SessionContext;

pub(super) use self::health::HealthView;
pub(super) use self::history::{Histories, Hour, PHASES, Point};
pub(super) use self::mask::Mask;
pub(super) use self::plan::PlanView;
pub(super) use self::quartiles::{Quartiles, Spread};
pub(super) use self::query::{QueryState, QueryView};
pub(super) use self::settings::{OptionView, Origin, SettingsView, TableView};
pub(super) use self::shards::{ShardView, SourceView};
pub(super) use self::state::{OperatorView, SampleView, StateView};
use crate::model::{BatchId, UnixMillis};
use crate::monitor::metrics::Metrics;
use crate::query::{ObservedQuery, ProbeReport, StreamingQueries, StreamingQueryProgress};

/// Looks at the queries of a session.
#[derive(Clone)]
pub(super) struct Look {
    ctx: SessionContext,
    queries: StreamingQueries,
    histories: Arc<Histories>,
    metrics: Metrics,
}

impl Look {
    pub(super) fn new(ctx: &SessionContext) -> Self {
        Self {
            ctx: ctx.clone(),
            queries: StreamingQueries::of(ctx),
            histories: Arc::default(),
            metrics: Metrics::of(ctx),
        }
    }

    /// Somebody looks: from now on the queries keep their plans, and the charts reach back to now.
    pub(super) fn sample(&self) {
        self.queries.keep_plans();
        self.histories.sample(&self.queries.observed());
    }

    /// What must not be shown.
    pub(super) fn mask(&self) -> Mask {
        Mask::of(&self.ctx, &self.queries.observed())
    }

    /// All runs, those that run first, the newest first.
    pub(super) fn queries(&self, mask: &Mask) -> Vec<QueryView> {
        let mut runs = self.queries.observed();
        runs.reverse();
        runs.sort_by_key(|run| !run.is_active());
        runs.iter().map(|run| QueryView::of(run, mask)).collect()
    }

    /// The run with this id, run id or name: one that is running, or else the newest.
    pub(super) fn find(&self, id_or_name: &str) -> Option<ObservedQuery> {
        let runs = self.queries.observed().into_iter();
        let found = runs.filter(|run| {
            [run.run_id(), run.id()].contains(&id_or_name) || run.name() == Some(id_or_name)
        });
        found.max_by_key(ObservedQuery::is_active)
    }

    /// The points of the charts of the last hour, as far as somebody looked.
    pub(super) fn hour(&self, run: &ObservedQuery) -> Hour {
        self.histories.of(run.run_id())
    }

    /// The plan of a batch, if it is kept.
    pub(super) fn plan(run: &ObservedQuery, batch: BatchId, mask: &Mask) -> Option<PlanView> {
        run.plan(batch).map(|plan| PlanView::of(&plan, mask))
    }

    /// The metrics of all queries.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Why the program is not ready, whatever its queries say.
    pub(super) fn not_ready(&self, mask: &Mask) -> Vec<String> {
        let reasons = self.queries.not_ready();
        reasons.iter().map(|reason| mask.text(reason)).collect()
    }

    /// Whether no query is stuck.
    pub(super) fn liveness(&self) -> ProbeReport {
        self.queries.liveness()
    }

    /// Whether all queries do their work.
    pub(super) fn readiness(&self) -> ProbeReport {
        self.queries.readiness()
    }

    /// The settings of the session and the options of its tables.
    pub(super) fn settings(&self) -> SettingsView {
        SettingsView::of(&self.ctx, &self.mask())
    }
}

/// The points of the charts of the kept batches, oldest first.
pub(super) fn points(progress: &[Arc<StreamingQueryProgress>]) -> Vec<Point> {
    progress.iter().map(|batch| Point::of(batch)).collect()
}

/// A time with milliseconds, as in progress.
pub(super) fn timestamp(time: UnixMillis) -> String {
    match DateTime::from_timestamp_millis(time.0) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::Millis, true),
        None => time.to_string(),
    }
}

/// A rate with one decimal, as in progress; `None` if it is not finite.
fn rate(rate: f64) -> Option<f64> {
    rate.is_finite().then(|| (rate * 10.0).round() / 10.0)
}

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
