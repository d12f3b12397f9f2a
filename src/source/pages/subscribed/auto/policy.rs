//! When a stream is polled and when it is subscribed to, if the query chooses: decisions without I/O.
//!
//! ```text
//!   Polling ──a shard lags, or others use up its limits──▶ Registering ──consumer active──▶ Subscribed
//!      ▲                                                       │                               │
//!      └───────────── failed: ten minutes at least ────────────┴────── low lag for the hold ───┘
//! ```
//!
//! All shards of a stream switch together, because a consumer is charged for each of them once it is registered.
//! While a query subscribes, nothing shows whether other readers still use up the limits of polling. So it goes back
//! after a while, the hold, and finds out. If it has to switch again soon, it keeps fan-out for twice as long.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{ShardId, format_duration};

/// How long a shard is observed before it makes its stream switch. Shorter bursts do not pay for a registration.
pub(super) const OBSERVED: Duration = Duration::from_secs(60);

/// The throttled calls of a shard, of those within [`OBSERVED`], that show another reader: both a number and a share.
/// The jitter of a network throttles a reader that keeps its own limits now and then.
const MIN_THROTTLED: u32 = 5;
const MIN_THROTTLED_SHARE: f64 = 0.1;

/// How long fan-out is kept at first, and how long polling is kept after fan-out has failed.
pub(super) const FIRST_HOLD: Duration = Duration::from_secs(10 * 60);

/// How long fan-out is kept at most before polling is tried again.
const LONGEST_HOLD: Duration = Duration::from_secs(8 * 60 * 60);

/// How a stream is read at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Polling,
    /// It is polled until the consumer is active.
    Registering,
    Subscribed,
}

/// Why a stream is subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SwitchReason {
    /// A shard lags.
    Lag {
        shard: ShardId,
        lag: Duration,
        max_lag: Duration,
    },
    /// Calls were throttled although the query keeps the limits of the shard.
    OtherReaders {
        shard: ShardId,
        throttled: u32,
        calls: u32,
    },
}

impl fmt::Display for SwitchReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = OBSERVED.as_secs();
        match self {
            Self::Lag {
                shard,
                lag,
                max_lag,
            } => write!(
                f,
                "shard '{shard}' is {} s behind the tip, and has exceeded 'kinesis.auto.maxLag' = {} for {seconds} s",
                lag.as_secs(),
                format_duration(*max_lag)
            ),
            Self::OtherReaders {
                shard,
                throttled,
                calls,
            } => write!(
                f,
                "other readers use up the limits of shard '{shard}': {throttled} of {calls} GetRecords were \
                 throttled within {seconds} s"
            ),
        }
    }
}

/// The choice for one stream.
#[derive(Debug)]
pub(super) struct AutoPolicy {
    max_lag: Duration,
    mode: Mode,
    /// Polling is kept until then, because fan-out has failed.
    polls_until: Instant,
    /// How long fan-out is kept, and when polling was tried again after that.
    hold: Duration,
    returned_at: Option<Instant>,
    /// When a shard last lagged by more than half of the maximum.
    lagged_at: Instant,
}

impl AutoPolicy {
    pub(super) fn new(max_lag: Duration, now: Instant) -> Self {
        Self {
            max_lag,
            mode: Mode::Polling,
            polls_until: now,
            hold: FIRST_HOLD,
            returned_at: None,
            lagged_at: now,
        }
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// How long fan-out is kept.
    pub(super) fn hold(&self) -> Duration {
        self.hold
    }

    /// A shard has a reason to be subscribed to. Returns whether the consumer is to be registered now.
    pub(super) fn wants_fan_out(&mut self, now: Instant) -> bool {
        if self.mode != Mode::Polling || now < self.polls_until {
            return false;
        }
        self.mode = Mode::Registering;
        self.hold = match self.returned_at {
            Some(returned) if now.duration_since(returned) < self.hold => {
                (self.hold * 2).min(LONGEST_HOLD)
            }
            _ => FIRST_HOLD,
        };
        true
    }

    /// The consumer is active.
    pub(super) fn registered(&mut self, now: Instant) {
        self.mode = Mode::Subscribed;
        self.lagged_at = now;
    }

    /// Polls, because the stream may be another one.
    pub(super) fn reset(&mut self) {
        self.mode = Mode::Polling;
    }

    /// The consumer cannot be registered, or shards cannot be subscribed to. Returns whether this ends fan-out.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        if self.mode == Mode::Polling {
            return false;
        }
        self.mode = Mode::Polling;
        self.polls_until = now + FIRST_HOLD;
        true
    }

    /// An event has arrived, whose end is `lag` behind the tip. Returns whether to go back to polling.
    pub(super) fn pushed(&mut self, lag: Duration, now: Instant) -> bool {
        if self.mode != Mode::Subscribed {
            return false;
        }
        if lag > self.max_lag / 2 {
            self.lagged_at = now;
        }
        if now.duration_since(self.lagged_at) < self.hold {
            return false;
        }
        self.mode = Mode::Polling;
        self.returned_at = Some(now);
        true
    }
}

/// What polling a shard shows.
#[derive(Debug, Default)]
pub(super) struct PollObserver {
    /// Since when each page ended further behind the tip than allowed.
    lags_since: Option<Instant>,
    /// The window in which calls are counted.
    window_began: Option<Instant>,
    calls: u32,
    throttled: u32,
}

impl PollObserver {
    /// A page has arrived, whose end is `lag` behind the tip. Returns whether the shard has lagged for long enough.
    pub(super) fn lags(&mut self, lag: Duration, max_lag: Duration, now: Instant) -> bool {
        if lag <= max_lag {
            self.lags_since = None;
            return false;
        }
        let since = *self.lags_since.get_or_insert(now);
        now.duration_since(since) >= OBSERVED
    }

    /// The query does not read, for example because its buffers are full: it is slower than the shard, and no way of
    /// reading would help.
    pub(super) fn paused(&mut self) {
        self.lags_since = None;
    }

    /// A call was answered. Returns the numbers of throttled and of all calls if they show another reader.
    pub(super) fn called(&mut self, is_throttled: bool, now: Instant) -> Option<(u32, u32)> {
        let began = *self.window_began.get_or_insert(now);
        self.calls += 1;
        self.throttled += u32::from(is_throttled);
        if now.duration_since(began) < OBSERVED {
            return None;
        }
        let (throttled, calls) = (self.throttled, self.calls);
        *self = Self {
            lags_since: self.lags_since,
            ..Self::default()
        };
        let share = f64::from(throttled) / f64::from(calls);
        (throttled >= MIN_THROTTLED && share >= MIN_THROTTLED_SHARE).then_some((throttled, calls))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_LAG: Duration = Duration::from_secs(60);
    const MINUTE: Duration = Duration::from_secs(60);

    /// A policy that subscribes, and the time at which it began to.
    fn subscribed() -> (AutoPolicy, Instant) {
        let now = Instant::now();
        let mut policy = AutoPolicy::new(MAX_LAG, now);
        assert!(policy.wants_fan_out(now));
        assert_eq!(policy.mode(), Mode::Registering);
        policy.registered(now);
        (policy, now)
    }

    #[test]
    fn the_first_reason_registers_and_later_ones_do_not() {
        let (mut policy, now) = subscribed();
        assert_eq!(policy.mode(), Mode::Subscribed);
        assert!(!policy.wants_fan_out(now));
    }

    #[test]
    fn it_goes_back_once_no_shard_has_lagged_for_the_hold() {
        let (mut policy, begin) = subscribed();
        let half = MAX_LAG / 2;
        assert!(!policy.pushed(Duration::ZERO, begin + FIRST_HOLD / 2));
        // One shard of many lags a little more than half of the maximum.
        let lagged = begin + FIRST_HOLD - MINUTE;
        assert!(!policy.pushed(half + Duration::from_millis(1), lagged));
        assert!(!policy.pushed(half, begin + FIRST_HOLD));
        assert!(!policy.pushed(Duration::ZERO, lagged + FIRST_HOLD - MINUTE / 60));
        assert!(policy.pushed(Duration::ZERO, lagged + FIRST_HOLD));
        assert_eq!(policy.mode(), Mode::Polling);
        assert!(!policy.pushed(Duration::ZERO, lagged + FIRST_HOLD * 2));
    }

    #[test]
    fn it_keeps_fan_out_twice_as_long_if_polling_fails_again_soon() {
        let (mut policy, mut now) = subscribed();
        for minutes in [20, 40, 80, 160, 320, 480, 480] {
            now += policy.hold();
            assert!(policy.pushed(Duration::ZERO, now));
            now += MINUTE;
            assert!(policy.wants_fan_out(now));
            assert_eq!(policy.hold(), MINUTE * minutes);
            policy.registered(now);
        }
        now += policy.hold();
        assert!(policy.pushed(Duration::ZERO, now));
        // Polling works for as long as fan-out was kept.
        now += LONGEST_HOLD;
        assert!(policy.wants_fan_out(now));
        assert_eq!(policy.hold(), FIRST_HOLD);
    }

    #[test]
    fn a_failure_keeps_polling_for_a_while() {
        let (mut policy, now) = subscribed();
        assert!(policy.failed(now));
        assert!(!policy.failed(now), "the next shard that fails is no news");
        assert!(!policy.wants_fan_out(now + FIRST_HOLD - MINUTE));
        assert!(policy.wants_fan_out(now + FIRST_HOLD));
    }

    #[test]
    fn a_shard_lags_if_every_page_of_a_minute_was_too_far_behind() {
        let begin = Instant::now();
        let seconds = |seconds| begin + Duration::from_secs(seconds);
        let mut observer = PollObserver::default();
        let (high, low) = (MAX_LAG * 2, MAX_LAG);
        assert!(!observer.lags(high, MAX_LAG, begin));
        assert!(!observer.lags(low, MAX_LAG, seconds(30)));
        assert!(!observer.lags(high, MAX_LAG, seconds(31)));
        assert!(!observer.lags(high, MAX_LAG, seconds(90)));
        assert!(observer.lags(high, MAX_LAG, seconds(91)));
        // Full buffers are no reason.
        observer.paused();
        assert!(!observer.lags(high, MAX_LAG, seconds(92)));
        assert!(observer.lags(high, MAX_LAG, seconds(152)));
    }

    #[test]
    fn throttles_count_if_they_are_many_and_a_tenth_of_the_calls() {
        let count = |calls: u32, is_throttled: fn(u32) -> bool| {
            let begin = Instant::now();
            let mut observer = PollObserver::default();
            let each = OBSERVED / (calls - 1);
            let mut found = None;
            for call in 0..calls {
                assert_eq!(found, None, "before the end of the window");
                // Rounding must not end the window too late.
                let now = begin + each * call + Duration::from_micros(1) * u32::from(call > 0);
                found = observer.called(is_throttled(call), now);
            }
            found
        };
        assert_eq!(count(300, |call| call % 10 == 0), Some((30, 300)));
        assert_eq!(count(300, |call| call % 11 == 0), None);
        assert_eq!(count(20, |call| call % 4 == 0), Some((5, 20)));
        assert_eq!(count(20, |call| call % 5 == 0), None, "four are few");
    }
}
