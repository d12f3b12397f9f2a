//! The streaming queries of a session.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::prelude::SessionContext;
use futures::future::select_all;

use super::cost::PublishedMetrics;
use super::events::{Listeners, StreamingQueryListener};
use super::handle::StreamingQuery;
use super::health::ProbeReport;
use super::identity::SessionQueries;
use super::observed::ObservedQuery;
use super::status::QueryEnd;

/// How many runs that have ended are kept.
const KEPT_ENDED: usize = 100;

/// The streaming queries of a session: finds those that run, and remembers those that have ended.
///
/// ```
/// # use datafusion::prelude::SessionContext;
/// # use datafusion_kinesis::query::StreamingQueries;
/// # async fn report(ctx: &SessionContext) {
/// let queries = StreamingQueries::of(ctx);
/// for query in queries.active() {
///     println!("{}: {}", query.id(), query.status().message);
/// }
/// if let Some(ended) = queries.await_any_termination().await {
///     println!("{} ended: {:?}", ended.id(), ended.error());
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct StreamingQueries {
    session: Arc<SessionRuns>,
}

/// The runs of a session, oldest first, and who listens to all of them.
#[derive(Default)]
struct SessionRuns {
    runs: Mutex<VecDeque<ObservedQuery>>,
    keeps_plans: AtomicBool,
    listeners: Mutex<Vec<Arc<dyn StreamingQueryListener>>>,
    published_metrics: Arc<PublishedMetrics>,
    holds: Mutex<Holds>,
}

/// Why the program is not ready, whatever its queries say.
#[derive(Default)]
struct Holds {
    next: u64,
    reasons: BTreeMap<u64, String>,
}

/// Keeps [`readiness`](StreamingQueries::readiness) from succeeding until it is dropped.
#[must_use]
#[derive(Debug)]
pub struct ReadinessHold {
    session: Arc<SessionRuns>,
    number: u64,
}

impl Drop for ReadinessHold {
    fn drop(&mut self) {
        lock(&self.session.holds).reasons.remove(&self.number);
    }
}

impl fmt::Debug for SessionRuns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRuns")
            .field("runs", &self.runs)
            .finish_non_exhaustive()
    }
}

impl StreamingQueries {
    /// The queries of the session of `ctx`, shared by all clones of the context.
    pub fn of(ctx: &SessionContext) -> Self {
        // A session that is made of the state of this one later shares both.
        SessionQueries::of(ctx);
        let state = ctx.state_ref();
        let mut state = state.write();
        if let Some(session) = state.config().get_extension::<SessionRuns>() {
            return Self { session };
        }
        let session = Arc::<SessionRuns>::default();
        state.config_mut().set_extension(Arc::clone(&session));
        Self { session }
    }

    /// The queries that run, in the order of their starts.
    pub fn active(&self) -> Vec<StreamingQuery> {
        let runs = self.runs();
        let active = runs.iter().filter(|run| run.is_active());
        active.filter_map(ObservedQuery::query).collect()
    }

    /// The query with this id, run id or name, if it runs.
    pub fn get(&self, id_or_name: &str) -> Option<StreamingQuery> {
        let mut active = self.active().into_iter();
        active.find(|query| {
            let ids = [query.id(), query.run_id()];
            ids.contains(&id_or_name) || query.name() == Some(id_or_name)
        })
    }

    /// Waits until one of the queries that run now has ended. Returns it, or `None` if none runs.
    pub async fn await_any_termination(&self) -> Option<ObservedQuery> {
        let runs: Vec<ObservedQuery> = self.runs().iter().cloned().collect();
        let active = runs.into_iter().filter(ObservedQuery::is_active);
        let ends = active.map(|run| {
            Box::pin(async move {
                run.ended().await;
                run
            })
        });
        let ends: Vec<_> = ends.collect();
        match ends.is_empty() {
            true => None,
            false => Some(select_all(ends).await.0),
        }
    }

    /// All runs, oldest first: those that run, and the last 100 that have ended.
    pub fn observed(&self) -> Vec<ObservedQuery> {
        self.runs().iter().cloned().collect()
    }

    /// Whether the program works, for a probe that restarts it if not: it does unless a query is stuck, so only if
    /// `streaming.alarm_stuck` is set.
    pub fn liveness(&self) -> ProbeReport {
        let queries = self.probed().into_iter();
        let queries = queries.map(|run| run.probe().of_liveness()).collect();
        ProbeReport::new(queries, Vec::new())
    }

    /// Whether all queries do their work: each is healthy, and has committed a batch or read everything that was
    /// there since its start. A query that has failed counts until a later run of it has done so; one that was
    /// stopped or has finished does not. Without a query, it is ready, unless
    /// [`hold_readiness`](Self::hold_readiness) says otherwise.
    pub fn readiness(&self) -> ProbeReport {
        let queries = self.probed().into_iter();
        let queries = queries.map(|run| run.probe().of_readiness(run.is_settled()));
        ProbeReport::new(queries.collect(), self.not_ready())
    }

    /// Makes readiness fail with `reason` until the result is dropped: for the time before a program has started its
    /// queries, or while it waits to start one again.
    pub fn hold_readiness(&self, reason: impl Into<String>) -> ReadinessHold {
        let mut holds = lock(&self.session.holds);
        let number = holds.next;
        holds.next += 1;
        holds.reasons.insert(number, reason.into());
        ReadinessHold {
            session: Arc::clone(&self.session),
            number,
        }
    }

    /// The reasons of all [`hold_readiness`](Self::hold_readiness), oldest first.
    pub fn not_ready(&self) -> Vec<String> {
        lock(&self.session.holds)
            .reasons
            .values()
            .cloned()
            .collect()
    }

    /// The newest run of each query that runs or has failed.
    fn probed(&self) -> Vec<ObservedQuery> {
        let runs = self.observed();
        let is_newest = |index: usize, run: &ObservedQuery| {
            !runs[index + 1..].iter().any(|later| later.id() == run.id())
        };
        let newest = runs.iter().enumerate();
        let newest = newest.filter(|(index, run)| is_newest(*index, run));
        let newest = newest.map(|(_, run)| run.clone());
        newest
            .filter(|run| run.is_active() || run.end() == Some(QueryEnd::Failed))
            .collect()
    }

    /// The newest run of the query with this id, if it has failed.
    pub(super) fn newest_failed(&self, id: &str) -> Option<ObservedQuery> {
        let runs = self.runs();
        let newest = runs.iter().rev().find(|run| run.id() == id)?;
        (newest.end() == Some(QueryEnd::Failed)).then(|| newest.clone())
    }

    /// From now on keeps the plans of the newest 100 batches of each query.
    pub fn keep_plans(&self) {
        self.session.keeps_plans.store(true, Ordering::Relaxed);
        for run in &*self.runs() {
            run.keep_plans();
        }
    }

    /// Adds a listener for the events of all queries that start from now on. It is called on one thread per query,
    /// so it gets the events of each query one after another, but those of several queries at once.
    pub fn add_listener(&self, listener: Arc<dyn StreamingQueryListener>) {
        lock(&self.session.listeners).push(listener);
    }

    /// From now on every query pays for so many metrics in CloudWatch, and for so many of each stream that it reads.
    #[cfg(feature = "cloudwatch")]
    pub(crate) fn set_published_metrics(&self, per_query: u32, per_stream: u32) {
        (self.session.published_metrics).set(per_query, per_stream);
    }

    /// The metrics that queries pay for.
    pub(super) fn published_metrics(&self) -> Arc<PublishedMetrics> {
        Arc::clone(&self.session.published_metrics)
    }

    /// Adds the listeners of the session to those of a query that starts.
    pub(super) fn add_listeners_to(&self, listeners: &mut Listeners) {
        for listener in &*lock(&self.session.listeners) {
            listeners.add(Arc::clone(listener));
        }
    }

    /// Adds a run that has just started.
    pub(super) fn add(&self, run: ObservedQuery) {
        if self.session.keeps_plans.load(Ordering::Relaxed) {
            run.keep_plans();
        }
        let mut runs = self.runs();
        runs.push_back(run);
        let ended = runs.iter().filter(|run| !run.is_active()).count();
        if ended > KEPT_ENDED
            && let Some(oldest) = runs.iter().position(|run| !run.is_active())
        {
            runs.remove(oldest);
        }
    }

    fn runs(&self) -> MutexGuard<'_, VecDeque<ObservedQuery>> {
        lock(&self.session.runs)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
