//! The alarms of a query, and how often it was restarted.

use std::time::Duration;

use super::StreamingQueryBuilder;
use crate::error::Result;
use crate::sql::StreamingSettings;

/// The alarms that the program sets; the session's settings apply to the others.
#[derive(Debug, Default)]
pub(in crate::query) struct AlarmSettings {
    lag: Option<Duration>,
    stuck: Option<Duration>,
    error_rate: Option<f64>,
    webhook: Option<String>,
}

impl AlarmSettings {
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption), as `SET` returns it for the same value.
    pub(in crate::query) fn apply_to(&self, settings: &mut StreamingSettings) -> Result<()> {
        if let Some(lag) = self.lag {
            settings.set_alarm_lag(lag)?;
        }
        if let Some(stuck) = self.stuck {
            settings.set_alarm_stuck(stuck)?;
        }
        if let Some(rate) = self.error_rate {
            settings.set_alarm_error_rate(rate)?;
        }
        match &self.webhook {
            Some(url) => settings.set_alarm_webhook(url),
            None => Ok(()),
        }
    }
}

impl StreamingQueryBuilder {
    /// Raises an alarm while rows wait this long until they are committed: see
    /// [`health`](crate::query::StreamingQuery::health).
    #[must_use]
    pub fn with_alarm_lag(mut self, limit: Duration) -> Self {
        self.alarms.lag = Some(limit);
        self
    }

    /// Raises an alarm if no batch is committed for this long although rows wait.
    #[must_use]
    pub fn with_alarm_stuck(mut self, limit: Duration) -> Self {
        self.alarms.stuck = Some(limit);
        self
    }

    /// Raises an alarm while a larger share of requests fails or is throttled, such as 0.05.
    #[must_use]
    pub fn with_alarm_error_rate(mut self, limit: f64) -> Self {
        self.alarms.error_rate = Some(limit);
        self
    }

    /// Posts each change of health to this URL, as
    /// [JSON](crate::query::StreamingQueryHealthChange::to_json).
    #[must_use]
    pub fn with_alarm_webhook(mut self, url: impl Into<String>) -> Self {
        self.alarms.webhook = Some(url.into());
        self
    }

    /// Says how often the query was restarted after failures, for those who look at it.
    #[must_use]
    pub fn with_restart_count(mut self, restarts: u32) -> Self {
        self.restarts = restarts;
        self
    }
}
