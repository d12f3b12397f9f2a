//! Pure: from observations of a query to its rates and alarms.

mod gate;
mod messages;
mod observation;
mod window;

use std::time::Duration;

use tokio::time::Instant;

use self::gate::{Gate, Level};
pub(in crate::query) use self::observation::{Observation, Requests};
use self::window::Window;
use super::report::{Alarm, HealthRates, HealthReason, HealthState, QueryHealth};
use crate::model::BatchId;

/// A few failures are no rate.
const MIN_FAILURES: u64 = 3;

const HOUR: Duration = Duration::from_secs(3_600);

/// The limits whose excess raises an alarm; `None` switches it off.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::query) struct Limits {
    /// How long rows may wait until they are committed.
    pub(in crate::query) lag: Option<Duration>,
    /// How long there may be no commit while rows wait.
    pub(in crate::query) stuck: Option<Duration>,
    /// The share of requests that may fail or be throttled.
    pub(in crate::query) error_rate: Option<f64>,
}

impl Limits {
    /// Whether any alarm is on.
    pub(in crate::query) fn are_set(&self) -> bool {
        *self != Self::default()
    }
}

/// The health of a query, from what was observed.
#[derive(Debug)]
pub(in crate::query) struct HealthRules {
    limits: Limits,
    started: Instant,
    last: Observation,
    window: Window,
    /// Since when rows wait without a commit.
    waiting_since: Option<Instant>,
    /// When the oldest row can have arrived that the running batch has taken, and its number.
    batch: Option<(BatchId, Instant)>,
    lag_gate: Gate,
    stuck_gate: Gate,
    error_gate: Gate,
    /// Why the query has failed.
    failure: Option<String>,
    /// What the run before has left; `None` once this run has done some work, or if there was no other.
    unsettled: Option<Unsettled>,
    /// The reasons at the last evaluation.
    reasons: Vec<HealthReason>,
}

/// What is known from a run that has failed, until its successor has committed a batch or read everything.
#[derive(Debug)]
struct Unsettled {
    failure: String,
    /// The lag of the streams when it was last known.
    reader_lag: Option<(Instant, Duration)>,
}

impl HealthRules {
    /// The rules of a query that starts now.
    pub(in crate::query) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            started: now,
            last: Observation::at(now),
            window: Window::new(now),
            waiting_since: None,
            batch: None,
            lag_gate: Gate::default(),
            stuck_gate: Gate::default(),
            error_gate: Gate::default(),
            failure: None,
            unsettled: None,
            reasons: Vec::new(),
        }
    }

    /// The rules of a run that starts now, after a run of the same query has failed. Its alarms stay raised and its rows
    /// go on waiting until the new run has done some work: otherwise a query that fails again and again would look
    /// healthy in between, and its lag would begin from zero each time.
    pub(in crate::query) fn after_failed(before: &Self, limits: Limits, now: Instant) -> Self {
        let failure = before.failure.as_ref();
        let earlier = before.unsettled.as_ref();
        let failure = failure.or(earlier.map(|earlier| &earlier.failure));
        let known = before.last.reader_lag.map(|lag| (before.last.at, lag));
        let reader_lag = known.or(earlier.and_then(|earlier| earlier.reader_lag));
        let mut rules = Self {
            waiting_since: before.waiting_since,
            batch: before.batch,
            lag_gate: before.lag_gate.clone(),
            stuck_gate: before.stuck_gate.clone(),
            error_gate: before.error_gate.clone(),
            unsettled: failure.map(|failure| Unsettled {
                failure: failure.clone(),
                reader_lag,
            }),
            reasons: before.reasons.clone(),
            ..Self::new(limits, now)
        };
        rules.renew_reasons();
        rules
    }

    /// The limits of its alarms.
    pub(in crate::query) fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether any alarm is on, or is still raised from the run before.
    pub(in crate::query) fn watches(&self) -> bool {
        self.limits.are_set() || self.unsettled.is_some()
    }

    /// Takes in an observation. Alarms stay as they are.
    pub(in crate::query) fn observe(&mut self, now: Observation) {
        let has_commit = now.commits != self.last.commits;
        if now.is_settled {
            self.unsettled = None;
        }
        let is_unsettled = self.unsettled.is_some();
        self.waiting_since = match self.waiting_since {
            Some(since) if is_unsettled => Some(since),
            _ if !now.rows_wait => None,
            Some(since) if !has_commit => Some(since),
            _ => Some(now.at),
        };
        let before = &self.last;
        self.batch = match (self.batch, now.batch) {
            (Some((known, since)), Some(batch)) if known == batch => Some((batch, since)),
            // It took the rows that were waiting before.
            (_, Some(batch)) => {
                let waited = before.reader_lag.unwrap_or_default();
                let since = before.at.checked_sub(waited).unwrap_or(before.at);
                Some((batch, since))
            }
            // The run before has left it, and it will run again.
            (left, None) => left.filter(|_| is_unsettled),
        };
        self.window.push(now.at, now.requests);
        self.last = now;
    }

    /// Takes in an observation, and raises and clears alarms. Returns the state before, if the set of alarms has
    /// changed.
    pub(in crate::query) fn evaluate(&mut self, now: Observation) -> Option<HealthState> {
        self.observe(now);
        let at = self.last.at;
        let lag_level = Level::of_span(self.processing_lag(), self.limits.lag);
        self.lag_gate.update(at, lag_level);
        let stuck_level = Level::of_span(Some(self.waited()), self.limits.stuck);
        self.stuck_gate.update(at, stuck_level);
        self.error_gate.update(at, self.error_level());
        self.renew_reasons()
    }

    /// The query has failed. Returns the state before, unless it had failed already.
    pub(in crate::query) fn fail(&mut self, error: String) -> Option<HealthState> {
        self.failure.get_or_insert(error);
        self.renew_reasons()
    }

    /// The query has ended without an error, and has no more alarms. Returns the state before, if an alarm was raised.
    pub(in crate::query) fn end(&mut self) -> Option<HealthState> {
        let gates = [
            &mut self.lag_gate,
            &mut self.stuck_gate,
            &mut self.error_gate,
        ];
        for gate in gates {
            *gate = Gate::default();
        }
        self.unsettled = None;
        self.renew_reasons()
    }

    /// The health of a query that has failed. Its rows go on waiting.
    pub(in crate::query) fn health_of_failed(&self, now: Instant) -> QueryHealth {
        let mut health = self.health();
        if self.failure.is_some() {
            let since = now - self.last.at;
            let lag = &mut health.rates.processing_lag;
            *lag = lag.map(|lag| lag + since);
        }
        health
    }

    /// The health according to the last observation and the last evaluation.
    pub(in crate::query) fn health(&self) -> QueryHealth {
        let Observation { recoveries, at, .. } = self.last;
        let hours = (at - self.started).max(HOUR).as_secs_f64() / HOUR.as_secs_f64();
        let requests = self.window.requests();
        QueryHealth {
            state: self.state(),
            reasons: self.reasons.clone(),
            rates: HealthRates {
                processing_lag: self.processing_lag(),
                error_rate: requests.error_rate(),
                throttle_rate: requests.throttle_rate(),
                checkpoint_success_rate: self.last.requests.checkpoint_success_rate(),
                recoveries,
                recoveries_per_hour: recoveries as f64 / hours,
            },
        }
    }

    /// The state according to the last evaluation.
    pub(in crate::query) fn state(&self) -> HealthState {
        match self.reasons.is_empty() {
            true => HealthState::Healthy,
            false => HealthState::Unhealthy,
        }
    }

    /// The age of the oldest row that is not committed.
    fn processing_lag(&self) -> Option<Duration> {
        let of_batch = self.batch.map(|(_, since)| self.last.at - since);
        let left = self.unsettled.as_ref().and_then(|left| left.reader_lag);
        let left = left.map(|(at, lag)| lag + (self.last.at - at));
        self.last.reader_lag.or(left).max(of_batch)
    }

    /// How long rows have waited without a commit.
    fn waited(&self) -> Duration {
        let since = self.waiting_since;
        since.map_or(Duration::ZERO, |since| self.last.at - since)
    }

    fn error_level(&self) -> Level {
        let requests = self.window.requests();
        let Some(limit) = self.limits.error_rate else {
            return Level::Calm;
        };
        match requests.error_rate() {
            Some(rate) if rate > limit && requests.failures() >= MIN_FAILURES => Level::Over,
            Some(rate) if rate > limit * gate::CALM_SHARE => Level::Between,
            _ => Level::Calm,
        }
    }

    /// Describes the raised alarms again. Returns the state before, if there are other alarms now.
    fn renew_reasons(&mut self) -> Option<HealthState> {
        let before = self.state();
        let raised = [
            (Alarm::Lag, self.lag_gate.is_raised()),
            (Alarm::Stuck, self.stuck_gate.is_raised()),
            (Alarm::ErrorRate, self.error_gate.is_raised()),
            (
                Alarm::Failed,
                self.failure.is_some() || self.unsettled.is_some(),
            ),
        ];
        let raised = raised.into_iter().filter(|(_, is_raised)| *is_raised);
        let reasons = raised.map(|(alarm, _)| HealthReason {
            alarm,
            message: self.message(alarm),
        });
        let reasons: Vec<HealthReason> = reasons.collect();
        let old = self.reasons.iter().map(|reason| reason.alarm);
        let has_changed = !old.eq(reasons.iter().map(|reason| reason.alarm));
        self.reasons = reasons;
        has_changed.then_some(before)
    }
}

#[cfg(test)]
mod tests;
