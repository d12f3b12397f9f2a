//! When idleness is logged and reported, and when a warning about slow batches is due.

use std::time::Duration;

use tokio::time::Instant;

/// How long the query is idle before listeners get an event, and the interval of further events.
const IDLE_INTERVAL: Duration = Duration::from_secs(10);

/// How often idleness is logged, so that an idle query does not look like one that hangs.
const LOG_INTERVAL: Duration = Duration::from_secs(300);

/// The minimum interval between two warnings that batches take longer than the trigger's interval.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// Limits how often idleness and slow batches are reported.
#[derive(Debug)]
pub(super) struct Timers {
    /// When the last batch ended.
    last_batch: Instant,
    /// When the last batch ended, or the last idle event was sent.
    idle_since: Instant,
    /// When the last batch ended, or idleness was last logged.
    log_idle_since: Instant,
    /// When the last warning about slow batches was logged.
    warned: Option<Instant>,
}

impl Timers {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            last_batch: now,
            idle_since: now,
            log_idle_since: now,
            warned: None,
        }
    }

    /// Restarts the idle intervals after a batch.
    pub(super) fn batch_done(&mut self, now: Instant) {
        (self.last_batch, self.idle_since, self.log_idle_since) = (now, now, now);
    }

    /// When the next idle event is due.
    pub(super) fn idle_at(&self) -> Instant {
        self.idle_since + IDLE_INTERVAL
    }

    /// Whether an idle event is due, which restarts the interval.
    pub(super) fn notify_idle(&mut self, now: Instant) -> bool {
        let due = now >= self.idle_at();
        if due {
            self.idle_since = now;
        }
        due
    }

    /// How long there has been no batch, if it is time to log that.
    pub(super) fn log_idle(&mut self, now: Instant) -> Option<Duration> {
        if now - self.log_idle_since < LOG_INTERVAL {
            return None;
        }
        self.log_idle_since = now;
        Some(now - self.last_batch)
    }

    /// Whether a warning about slow batches is due, which restarts the interval.
    pub(super) fn warn_behind(&mut self, now: Instant) -> bool {
        let due = self
            .warned
            .is_none_or(|warned| now - warned >= WARN_INTERVAL);
        if due {
            self.warned = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warning_about_slow_batches_is_logged_once_a_minute() {
        let start = Instant::now();
        let mut timers = Timers::new(start);
        let seconds = (0..150).map(|second| start + Duration::from_secs(second));
        let warned: Vec<_> = seconds
            .filter(|now| timers.warn_behind(*now))
            .map(|now| (now - start).as_secs())
            .collect();
        assert_eq!(warned, [0, 60, 120]);
    }
}
