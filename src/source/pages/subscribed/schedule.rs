//! When a shard is subscribed to: decisions without I/O.

use std::time::Duration;

use tokio::time::Instant;

/// The service refuses a subscription within five seconds of the last one that it accepted for the same consumer and
/// shard (API reference, SubscribeToShard).
const AFTER_ACCEPTED: Duration = Duration::from_secs(5);

/// The service takes one call per second, consumer and shard (API reference, SubscribeToShard).
const BETWEEN_CALLS: Duration = Duration::from_secs(1);

/// The calls of SubscribeToShard for one shard.
#[derive(Debug, Default)]
pub(super) struct SubscribeSchedule {
    called: Option<Instant>,
    accepted: Option<Instant>,
    failures: u32,
}

impl SubscribeSchedule {
    /// When the next call may be sent; `None` if it may be sent at once.
    pub(super) fn earliest(&self) -> Option<Instant> {
        let call = self.called.map(|called| called + BETWEEN_CALLS);
        let acceptance = self.accepted.map(|accepted| accepted + AFTER_ACCEPTED);
        call.max(acceptance)
    }

    /// A call is sent.
    pub(super) fn called(&mut self, now: Instant) {
        self.called = Some(now);
    }

    /// The service has accepted it.
    pub(super) fn accepted(&mut self, now: Instant) {
        self.accepted = Some(now);
    }

    /// A call or a subscription has failed. Returns the number of failures since the last event.
    pub(super) fn failed(&mut self) -> u32 {
        self.failures = self.failures.saturating_add(1);
        self.failures
    }

    /// An event has arrived, or the failures have been dealt with.
    pub(super) fn reset_failures(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_keep_the_distance_that_the_service_demands() {
        let now = Instant::now();
        let mut schedule = SubscribeSchedule::default();
        assert_eq!(schedule.earliest(), None);
        schedule.called(now);
        assert_eq!(schedule.earliest(), Some(now + BETWEEN_CALLS));
        // The answer took half a second.
        let answered = now + Duration::from_millis(500);
        schedule.accepted(answered);
        assert_eq!(schedule.earliest(), Some(answered + AFTER_ACCEPTED));
        let later = now + Duration::from_secs(300);
        schedule.called(later);
        assert_eq!(schedule.earliest(), Some(later + BETWEEN_CALLS));
    }

    #[test]
    fn failures_count_until_an_event_arrives() {
        let mut schedule = SubscribeSchedule::default();
        assert_eq!((schedule.failed(), schedule.failed()), (1, 2));
        schedule.reset_failures();
        assert_eq!(schedule.failed(), 1);
    }
}
