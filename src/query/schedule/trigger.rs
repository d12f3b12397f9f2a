//! When a trigger fires next.

use std::time::Duration;

use crate::model::{Trigger, UnixMillis};

/// The next time a trigger fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NextFire {
    /// The time; never before the end of the work.
    pub(super) at: UnixMillis,
    /// How long the work took, if that was longer than the interval.
    pub(super) fell_behind: Option<Duration>,
}

/// When `trigger` fires next, after it fired at `fired` and the work ended at `done`.
///
/// An interval fires at its multiples since the epoch. After a batch that took longer than the interval it
/// fires immediately and skips the missed ticks. The other triggers fire as soon as the work ends.
pub(super) fn next_fire(trigger: Trigger, fired: UnixMillis, done: UnixMillis) -> NextFire {
    let immediately = NextFire {
        at: done,
        fell_behind: None,
    };
    let Trigger::ProcessingTime(interval) = trigger else {
        return immediately;
    };
    let millis = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
    if millis == 0 {
        return immediately;
    }
    let tick = (fired.0.div_euclid(millis))
        .saturating_add(1)
        .saturating_mul(millis);
    // Without this limit, a clock that was set back would stop the query until it catches up.
    let latest = done.plus(interval);
    let took = done.since(fired);
    NextFire {
        at: UnixMillis(tick).max(done).min(latest),
        fell_behind: (took > interval).then_some(took),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Trigger = Trigger::ProcessingTime(Duration::from_secs(1));

    fn next(trigger: Trigger, fired: i64, done: i64) -> (i64, Option<u64>) {
        let next = next_fire(trigger, UnixMillis(fired), UnixMillis(done));
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap();
        (next.at.0, next.fell_behind.map(millis))
    }

    #[test]
    fn an_interval_fires_at_its_multiples() {
        assert_eq!(
            next(SECOND, 1_700_000_000_250, 1_700_000_000_300).0,
            1_700_000_001_000
        );
        assert_eq!(
            next(SECOND, 1_700_000_001_000, 1_700_000_001_000).0,
            1_700_000_002_000
        );
        let weekly = Trigger::ProcessingTime(Duration::from_secs(7 * 86_400));
        assert_eq!(next(weekly, 0, 5), (7 * 86_400_000, None));
    }

    #[test]
    fn after_a_slow_batch_it_fires_immediately_and_skips_missed_ticks() {
        assert_eq!(next(SECOND, 10_000, 13_400), (13_400, Some(3_400)));
        assert_eq!(next(SECOND, 13_400, 13_500), (14_000, None));
    }

    #[test]
    fn a_batch_that_crosses_a_tick_within_the_interval_is_not_behind() {
        assert_eq!(next(SECOND, 10_900, 11_100), (11_100, None));
        assert_eq!(next(SECOND, 10_000, 11_000), (11_000, None));
    }

    #[test]
    fn a_clock_that_was_set_back_delays_by_at_most_one_interval() {
        assert_eq!(next(SECOND, 3_600_000, 1_000), (2_000, None));
    }

    #[test]
    fn other_triggers_fire_as_soon_as_the_work_ends() {
        let none = Trigger::ProcessingTime(Duration::ZERO);
        for trigger in [
            Trigger::AsFastAsPossible,
            Trigger::Once,
            Trigger::AvailableNow,
            none,
        ] {
            assert_eq!(next(trigger, 10, 25), (25, None));
        }
    }
}
