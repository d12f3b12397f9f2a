//! The answers to liveness and readiness probes.

use std::fmt;

use serde_json::{Value, json};

use super::report::{Alarm, HealthReason, HealthState};

/// The answer to a liveness or readiness probe, for all queries of a session. See
/// [`StreamingQueries::liveness`](crate::query::StreamingQueries::liveness) and
/// [`readiness`](crate::query::StreamingQueries::readiness).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeReport {
    /// Whether the probe succeeds.
    pub is_ok: bool,
    /// The queries that were looked at, in the order of their starts.
    pub queries: Vec<QueryProbe>,
    /// Why the program is not ready, whatever its queries say: see
    /// [`hold_readiness`](crate::query::StreamingQueries::hold_readiness).
    pub reasons: Vec<String>,
}

/// What a probe found about one query.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueryProbe {
    /// The id of the query.
    pub id: String,
    /// The id of the run.
    pub run_id: String,
    /// The name of the query, if it has one.
    pub name: Option<String>,
    /// Whether it is healthy.
    pub state: HealthState,
    /// Whether it lets the probe succeed.
    pub is_ok: bool,
    /// Why not, and other raised alarms.
    pub reasons: Vec<ProbeReason>,
}

/// A reason in the answer to a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProbeReason {
    /// A raised alarm.
    Alarm(HealthReason),
    /// It has neither committed a batch since its start nor found everything read.
    Starting,
}

/// `starting`, or the alarm, with a message.
impl fmt::Display for ProbeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.message())
    }
}

impl ProbeReason {
    fn name(&self) -> String {
        match self {
            Self::Alarm(reason) => reason.alarm.to_string(),
            Self::Starting => "starting".to_owned(),
        }
    }

    fn message(&self) -> &str {
        match self {
            Self::Alarm(reason) => &reason.message,
            Self::Starting => {
                "no batch was committed yet, and it is not known that there is nothing to read"
            }
        }
    }
}

impl QueryProbe {
    /// Alive unless a batch is stuck: a restart may help, and repeats at most that batch.
    pub(in crate::query) fn of_liveness(mut self) -> Self {
        self.is_ok = !self.reasons.iter().any(
            |reason| matches!(reason, ProbeReason::Alarm(reason) if reason.alarm == Alarm::Stuck),
        );
        self
    }

    /// Ready if it is healthy, and has started to do its work.
    pub(in crate::query) fn of_readiness(mut self, is_settled: bool) -> Self {
        if !is_settled && self.state == HealthState::Healthy {
            self.reasons.push(ProbeReason::Starting);
        }
        self.is_ok = self.reasons.is_empty();
        self
    }

    fn json(&self) -> Value {
        let reasons = self
            .reasons
            .iter()
            .map(|reason| json!({"reason": reason.name(), "message": reason.message()}));
        json!({
            "id": self.id,
            "runId": self.run_id,
            "name": self.name,
            "state": self.state.to_string(),
            "ok": self.is_ok,
            "reasons": reasons.collect::<Vec<_>>(),
        })
    }
}

impl ProbeReport {
    pub(in crate::query) fn new(queries: Vec<QueryProbe>, reasons: Vec<String>) -> Self {
        Self {
            is_ok: reasons.is_empty() && queries.iter().all(|query| query.is_ok),
            queries,
            reasons,
        }
    }

    /// The status of an HTTP answer: 200, or 503 if the probe fails.
    pub fn status_code(&self) -> u16 {
        match self.is_ok {
            true => 200,
            false => 503,
        }
    }

    /// `{"ok":…,"queries":[…],"reasons":[…]}`, where each query has `id`, `runId`, `name`, `state`, `ok`, and `reasons`, each with
    /// `reason` and `message`.
    pub fn to_json(&self) -> String {
        let queries: Vec<Value> = self.queries.iter().map(QueryProbe::json).collect();
        json!({"ok": self.is_ok, "queries": queries, "reasons": self.reasons}).to_string()
    }
}
