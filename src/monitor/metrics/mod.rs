//! Metrics of the queries of a session.
//!
//! ```text
//!  events of queries ──▶ totals: counters, histograms ─┐
//!                                                      ├─▶ snapshot ─▶ Prometheus text
//!  queries at present ─▶ gauges ───────────────────────┘
//! ```
//!
//! Counters are kept here, because the progress of a query is kept for its newest batches only. They are updated on
//! the threads of listeners, so they cost the queries nothing. Gauges are read when somebody asks.

mod catalog;
mod gauges;
mod prometheus;
mod series;
mod totals;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::prelude::SessionContext;

#[cfg(any(feature = "cloudwatch", feature = "otlp"))]
pub(super) use self::catalog::Metric;
#[cfg(feature = "otlp")]
pub(super) use self::catalog::{Kind, PREFIX, Unit};
use self::gauges::Gauges;
pub(super) use self::series::{Series, Value};
use self::totals::Totals;
use crate::query::{
    ObservedQuery, StreamingQueries, StreamingQueryListener, StreamingQueryProgress,
    StreamingQueryStarted, StreamingQueryTerminated,
};

/// The streams whose shards have metrics of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ShardMetrics {
    /// Streams with up to 100 shards that are not read to their end.
    #[default]
    UpTo100,
    /// All streams.
    All,
}

/// The metrics of the queries of a session.
///
/// ```
/// # use datafusion::prelude::SessionContext;
/// use datafusion_kinesis::monitor::{Metrics, ShardMetrics};
///
/// # fn serve(ctx: &SessionContext) -> String {
/// // Once, before queries start:
/// let metrics = Metrics::of(ctx);
/// // For each `GET /metrics`, with `Content-Type:` set to `Metrics::CONTENT_TYPE`:
/// metrics.prometheus_text(ShardMetrics::UpTo100)
/// # }
/// ```
#[derive(Clone)]
pub struct Metrics {
    queries: StreamingQueries,
    counter: Arc<Counter>,
}

impl Metrics {
    /// The media type of [`prometheus_text`](Self::prometheus_text).
    pub const CONTENT_TYPE: &str = prometheus::CONTENT_TYPE;

    /// The metrics of the session of `ctx`. The first call starts counting: batches of queries that started before it
    /// are not counted.
    pub fn of(ctx: &SessionContext) -> Self {
        let queries = StreamingQueries::of(ctx);
        let state = ctx.state_ref();
        let mut state = state.write();
        let counter = state.config().get_extension::<Counter>();
        let counter = counter.unwrap_or_else(|| {
            let counter = Arc::<Counter>::default();
            queries.add_listener(Arc::<Counter>::clone(&counter));
            state.config_mut().set_extension(Arc::clone(&counter));
            counter
        });
        Self { queries, counter }
    }

    /// The metrics in the text format of Prometheus, version 0.0.4.
    pub fn prometheus_text(&self, shards: ShardMetrics) -> String {
        prometheus::text(self.values(shards))
    }

    /// The values of all series at present.
    pub(crate) fn values(&self, shards: ShardMetrics) -> BTreeMap<Series, Value> {
        let runs = self.queries.observed();
        let mut gauges = Gauges::default();
        let mut totals = self.counter.totals();
        // Runs are in the order of their starts, so that the newest of a query counts.
        let newest = runs
            .iter()
            .map(|run| (query_label(run.name(), run.id()), run));
        let newest: BTreeMap<Arc<str>, &ObservedQuery> = newest.collect();
        totals.recoveries(runs.iter().map(|run| {
            let query = query_label(run.name(), run.id());
            (query, run.run_id(), run.health().rates.recoveries)
        }));
        for (query, run) in &newest {
            gauges.add(query, run, shards, &mut totals);
        }
        let mut values = gauges.finish();
        values.extend(totals.values());
        values
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("queries", &self.queries)
            .finish_non_exhaustive()
    }
}

/// Counts the events of all queries of a session.
#[derive(Debug, Default)]
struct Counter(Mutex<Totals>);

impl Counter {
    fn totals(&self) -> MutexGuard<'_, Totals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value of the label `query`.
fn query_label(name: Option<&str>, id: &str) -> Arc<str> {
    Arc::from(name.unwrap_or(id))
}

impl StreamingQueryListener for Counter {
    fn on_started(&self, event: &StreamingQueryStarted) {
        let query = query_label(event.name.as_deref(), &event.id);
        self.totals().started(&query, &event.run_id);
    }

    fn on_progress(&self, progress: &StreamingQueryProgress) {
        let query = query_label(progress.name.as_deref(), &progress.id);
        self.totals().batch(&query, progress);
    }

    fn on_terminated(&self, event: &StreamingQueryTerminated) {
        let query = query_label(event.name.as_deref(), &event.id);
        self.totals().ended(&query, &event.run_id, event.end);
    }
}
