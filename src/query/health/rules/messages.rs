//! What the reasons of an unhealthy query say.

use std::time::Duration;

use super::HealthRules;
use crate::model::format_duration;
use crate::query::health::report::Alarm;

impl HealthRules {
    /// What was found, and the limit.
    pub(super) fn message(&self, alarm: Alarm) -> String {
        match alarm {
            Alarm::Lag => self.lag_message(),
            Alarm::Stuck => self.stuck_message(),
            Alarm::ErrorRate => self.error_message(),
            Alarm::Failed => self.failed_message(),
        }
    }

    fn failed_message(&self) -> String {
        match (&self.failure, &self.unsettled) {
            (Some(failure), _) => failure.clone(),
            (None, Some(left)) => format!(
                "it was started again, and has neither committed a batch nor found everything read since then; before, \
                 it failed: {}",
                left.failure
            ),
            (None, None) => String::new(),
        }
    }

    fn lag_message(&self) -> String {
        let lag = self.processing_lag().unwrap_or_default();
        let is_of_reader = self.last.reader_lag == Some(lag);
        let place = match (&self.last.laggard, self.batch) {
            (Some((stream, shard)), _) if is_of_reader => {
                format!(" in {shard} of stream '{stream}'")
            }
            (_, Some((batch, _))) if !is_of_reader => {
                format!(" in batch {batch}, which is running")
            }
            _ => String::new(),
        };
        let limit = self.limits.lag.unwrap_or_default();
        let since = match lag < limit {
            true => "was above the limit within the last minutes, and is now",
            false => "is",
        };
        format!(
            "the lag {since} {}{place} (streaming.alarm_lag = '{}')",
            rounded(lag),
            format_duration(limit)
        )
    }

    fn stuck_message(&self) -> String {
        let limit = format_duration(self.limits.stuck.unwrap_or_default());
        let waited = self.waited();
        let what = match waited.is_zero() {
            true => "rows had waited without a commit".to_owned(),
            false => format!(
                "no batch was committed for {}, although rows wait ({})",
                rounded(waited),
                self.last.activity
            ),
        };
        format!("{what} (streaming.alarm_stuck = '{limit}')")
    }

    fn error_message(&self) -> String {
        let requests = self.window.requests();
        let limit = self.limits.error_rate.unwrap_or_default();
        let mut message = format!(
            "{} of {} requests failed or were throttled in the last minute \
             (streaming.alarm_error_rate = '{limit}')",
            requests.failures(),
            requests.total()
        );
        let error = match (requests.read_failures(), requests.write_failures()) {
            (0, 0) => &self.last.checkpoint_error,
            (0, _) => &self.last.write_error,
            _ => &self.last.read_error,
        };
        if let Some(error) = error {
            message.push_str("; the last one: ");
            message.push_str(error);
        }
        message
    }
}

/// A duration in whole seconds, minutes from two minutes on, or hours from two hours on.
fn rounded(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..120 => format_duration(Duration::from_secs(seconds)),
        120..7_200 => format_duration(Duration::from_secs(seconds / 60 * 60)),
        _ => format_duration(Duration::from_secs(seconds / 3_600 * 3_600)),
    }
}
