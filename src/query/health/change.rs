//! The event of a change of health.

use serde_json::json;

use super::report::{HealthState, QueryHealth};
use crate::model::UnixMillis;

/// The alarms of a query have changed.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::query) struct HealthChange {
    pub(in crate::query) previous: HealthState,
    pub(in crate::query) health: QueryHealth,
}

/// An alarm of a query was raised or cleared, or the query has failed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StreamingQueryHealthChange {
    /// The id of the query, the same after every restart.
    pub id: String,
    /// The id of this run.
    pub run_id: String,
    /// The name of the query, if it has one.
    pub name: Option<String>,
    /// The time of the event.
    pub timestamp: UnixMillis,
    /// The state before. It is the same as now if the query was unhealthy for other reasons.
    pub previous: HealthState,
    /// The health now, with the reasons.
    pub health: QueryHealth,
}

impl StreamingQueryHealthChange {
    /// What a webhook gets: `id`, `runId`, `name`, `timestamp`, `previous`, `state`, and `reasons`, each with `alarm` and
    /// `message`.
    pub fn to_json(&self) -> String {
        let reasons = self.health.reasons.iter();
        let reasons: Vec<_> = reasons
            .map(|reason| json!({"alarm": reason.alarm.to_string(), "message": reason.message}))
            .collect();
        json!({
            "id": self.id,
            "runId": self.run_id,
            "name": self.name,
            "timestamp": self.timestamp.to_string(),
            "previous": self.previous.to_string(),
            "state": self.health.state.to_string(),
            "reasons": reasons,
        })
        .to_string()
    }
}
