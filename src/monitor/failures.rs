//! Logs that something cannot be sent, but not each time.

use std::time::Duration;

use tokio::time::Instant;

/// How often a failure is logged at most.
const WARNING_INTERVAL: Duration = Duration::from_secs(600);

/// The failures in a row of those who send metrics.
#[derive(Debug)]
pub(super) struct Failures {
    receiver: &'static str,
    count: u64,
    warned: Option<Instant>,
}

impl Failures {
    pub(super) fn new(receiver: &'static str) -> Self {
        Self {
            receiver,
            count: 0,
            warned: None,
        }
    }

    /// Notes the result of a request.
    pub(super) fn note(&mut self, result: Result<(), String>) {
        let (receiver, failures) = (self.receiver, self.count);
        match result {
            Ok(()) if failures > 0 => {
                self.count = 0;
                tracing::info!(receiver, failures, "metrics are taken again");
            }
            Ok(()) => {}
            Err(reason) => {
                self.count += 1;
                self.warn(&reason);
            }
        }
    }

    fn warn(&mut self, reason: &str) {
        let now = Instant::now();
        let is_due = |warned| now - warned >= WARNING_INTERVAL;
        if self.warned.is_none_or(is_due) {
            self.warned = Some(now);
            let (receiver, failures) = (self.receiver, self.count);
            tracing::warn!(receiver, reason, failures, "cannot send metrics");
        }
    }
}
