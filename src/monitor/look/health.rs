//! The health of a query.

use serde::Serialize;

use super::mask::Mask;
use super::{millis, rate};
use crate::query::QueryHealth;

/// A raised alarm.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct AlarmView {
    pub(in crate::monitor) alarm: String,
    pub(in crate::monitor) message: String,
}

/// The health of a query at present, by the names in progress.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct HealthView {
    /// `healthy` or `unhealthy`.
    pub(in crate::monitor) state: String,
    /// The raised alarms.
    pub(in crate::monitor) reasons: Vec<AlarmView>,
    pub(in crate::monitor) processing_lag_ms: Option<u64>,
    pub(in crate::monitor) error_rate: Option<f64>,
    pub(in crate::monitor) throttle_rate: Option<f64>,
    pub(in crate::monitor) checkpoint_success_rate: Option<f64>,
    pub(in crate::monitor) recoveries: u64,
    pub(in crate::monitor) recoveries_per_hour: Option<f64>,
}

impl HealthView {
    pub(super) fn of(health: &QueryHealth, mask: &Mask) -> Self {
        let rates = &health.rates;
        let reasons = health.reasons.iter().map(|reason| AlarmView {
            alarm: reason.alarm.to_string(),
            message: mask.text(&reason.message),
        });
        Self {
            state: health.state.to_string(),
            reasons: reasons.collect(),
            processing_lag_ms: rates.processing_lag.map(millis),
            error_rate: rates.error_rate,
            throttle_rate: rates.throttle_rate,
            checkpoint_success_rate: rates.checkpoint_success_rate,
            recoveries: rates.recoveries,
            recoveries_per_hour: rate(rates.recoveries_per_hour),
        }
    }

    pub(in crate::monitor) fn is_healthy(&self) -> bool {
        self.reasons.is_empty()
    }
}
