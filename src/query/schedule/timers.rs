//! What is remembered from wait to wait.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Clock, Trigger, UnixMillis};
use crate::query::schedule::trigger::next_fire;

/// A query that is always behind says so this often.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// How often the log hears of a query that has nothing to read: often enough to tell it from one that hangs.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(300);

/// When the trigger fires, and when what was done last.
#[derive(Debug)]
pub(in crate::query) struct Timer {
    trigger: Trigger,
    /// When the trigger fires, or fired for what is going on.
    pub(in crate::query) due: UnixMillis,
    /// Since when it has fired; what may hold a batch up is counted from here.
    pub(in crate::query) fired: Option<Instant>,
    /// When the stop lock was looked for last.
    pub(in crate::query) looked: Option<Instant>,
    /// Whether that failed.
    pub(in crate::query) lock_failed: bool,
    /// Since when nothing has happened.
    pub(in crate::query) idle: Instant,
    /// When there was a batch last.
    active: Instant,
    /// When there was a batch last, or the log was told that there is none.
    told_idle: Instant,
    /// When the query began, before its first trigger has done its work.
    pub(in crate::query) opening: Option<UnixMillis>,
    /// When it was told last that batches take longer than the interval.
    told: Option<Instant>,
}

impl Timer {
    pub(in crate::query) fn new(trigger: Trigger, clock: &dyn Clock) -> Self {
        Self {
            trigger,
            due: clock.now(),
            fired: None,
            looked: None,
            lock_failed: false,
            idle: Instant::now(),
            active: Instant::now(),
            told_idle: Instant::now(),
            opening: Some(clock.now()),
            told: None,
        }
    }

    /// How long until the trigger fires, at `now`; `None` where it has fired. A clock that is set back
    /// meanwhile costs one interval at most.
    pub(in crate::query) fn wait_from(&mut self, now: UnixMillis) -> Option<Duration> {
        if let Trigger::ProcessingTime(interval) = self.trigger {
            self.due = self.due.min(now.plus(interval));
        }
        (self.due > now).then(|| self.due.since(now))
    }

    /// There was a batch.
    pub(in crate::query) fn worked(&mut self) {
        let now = Instant::now();
        (self.idle, self.active, self.told_idle) = (now, now, now);
    }

    /// For how long there has been no batch, where it is time to tell.
    pub(in crate::query) fn heartbeat(&mut self) -> Option<Duration> {
        if self.told_idle.elapsed() < HEARTBEAT_INTERVAL {
            return None;
        }
        self.told_idle = Instant::now();
        Some(self.active.elapsed())
    }

    /// Whether it is time to tell that batches take longer than the interval.
    pub(in crate::query) fn tells_behind(&mut self) -> bool {
        let tells = self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if tells {
            self.told = Some(Instant::now());
        }
        tells
    }

    /// Whether the trigger has ticks.
    pub(in crate::query) fn has_interval(&self) -> bool {
        matches!(self.trigger, Trigger::ProcessingTime(interval) if !interval.is_zero())
    }

    /// The trigger has done its work: on to its next time. Gives how long the work took where that
    /// was longer than the interval.
    pub(in crate::query) fn advance(&mut self, now: UnixMillis) -> Option<Duration> {
        let next = next_fire(self.trigger, self.due, now);
        self.due = next.at;
        self.fired = None;
        self.opening = None;
        next.fell_behind
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::model::SystemClock;

    #[test]
    fn a_clock_that_is_set_back_before_a_tick_costs_one_interval_at_most() {
        const SECOND: Duration = Duration::from_secs(1);
        let mut timer = Timer::new(Trigger::ProcessingTime(SECOND), &SystemClock);
        timer.due = UnixMillis(3_600_000);
        assert_eq!(timer.wait_from(UnixMillis(3_599_400)), Some(SECOND * 3 / 5));
        assert_eq!(timer.wait_from(UnixMillis(1_700)), Some(SECOND));
        assert_eq!(timer.due, UnixMillis(2_700));
        assert_eq!(timer.wait_from(UnixMillis(2_700)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_that_is_always_behind_says_so_once_a_minute() {
        let mut timer = Timer::new(Trigger::AsFastAsPossible, &SystemClock);
        let mut told = Vec::new();
        for second in 0..150 {
            if timer.tells_behind() {
                told.push(second);
            }
            advance(Duration::from_secs(1)).await;
        }
        assert_eq!(told, [0, 60, 120]);
    }
}
