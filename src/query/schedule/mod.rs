//! The scheduler: decides what a query does next between batches. Pure: maps the time and facts about the
//! sources to an action.

mod actions;
mod facts;
mod log_coverage;
mod timers;
mod trigger;

use std::time::Duration;

use tokio::time::Instant;

pub(super) use self::actions::{Action, Now, Wait, WaitReason};
pub(super) use self::facts::{Facts, SourceReadiness};
pub(super) use self::log_coverage::{LogCoverage, ReadProgress};
use self::timers::Timers;
use self::trigger::next_fire;
use super::status::QueryEnd;
use crate::error::Result;
use crate::model::{Trigger, UnixMillis};
use crate::source::streaming::Readiness;

/// How often the query checks for a STOP_LOCK.
const STOP_LOCK_INTERVAL: Duration = Duration::from_millis(500);

/// How often a query with an interval trigger checks, between two ticks, whether it has caught up while a
/// caller waits for that.
const CATCH_UP_INTERVAL: Duration = Duration::from_millis(20);

/// How often a query without data checks whether the clock has moved its watermark past the end of a group.
const CLOCK_INTERVAL: Duration = Duration::from_secs(1);

/// Decides what a query does between batches.
#[derive(Debug)]
pub(super) struct Scheduler {
    trigger: Trigger,
    /// When the trigger fires, or fired for the current batch.
    due: UnixMillis,
    /// When the trigger fired for the next batch. Shards that are catching up may hold up the batch for
    /// some time from here on.
    fired_at: Option<Instant>,
    /// When the query started; `None` once the work of the first trigger is done.
    started: Option<UnixMillis>,
    /// Whether the last action was to wait for data.
    waited_for_data: bool,
    /// Whether the query has a location for a STOP_LOCK.
    has_stop_lock: bool,
    stop_lock_checked: Option<Instant>,
    /// Whether the STOP_LOCK was already checked for the next decision. Otherwise a check that takes longer
    /// than the interval would be followed by another one at once.
    stop_lock_fresh: bool,
    timers: Timers,
}

/// All readiness combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data {
    None,
    /// There is data, and shards that are worth waiting for until then.
    Until(Instant),
    Ready,
}

impl Scheduler {
    pub(super) fn new(trigger: Trigger, has_stop_lock: bool, now: Now) -> Self {
        Self {
            trigger,
            due: now.clock,
            fired_at: None,
            started: Some(now.clock),
            waited_for_data: false,
            has_stop_lock,
            stop_lock_checked: None,
            stop_lock_fresh: false,
            timers: Timers::new(now.instant),
        }
    }

    /// When the trigger fired, or should have fired, for the batch that is planned next.
    pub(super) fn due(&self) -> UnixMillis {
        self.due
    }

    /// Decides what to do at `now`.
    ///
    /// # Errors
    /// The permanent error of a reader.
    pub(super) fn next(&mut self, now: Now, facts: &impl Facts) -> Result<Action> {
        if std::mem::take(&mut self.waited_for_data) {
            self.due = now.clock;
        }
        if let Some(idle) = self.timers.log_idle(now.instant) {
            return Ok(Action::LogIdle(idle));
        }
        if facts.is_stop_requested() {
            return Ok(Action::End(QueryEnd::Stopped));
        }
        if self.is_stop_lock_due(now.instant) {
            self.stop_lock_checked = Some(now.instant);
            self.stop_lock_fresh = true;
            return Ok(Action::CheckStopLock);
        }
        let action = self.decide(now, facts)?;
        if let Action::Wait(_) = action
            && self.timers.notify_idle(now.instant)
        {
            return Ok(Action::NotifyIdle);
        }
        self.stop_lock_fresh = false;
        self.waited_for_data = matches!(
            action,
            Action::Wait(Wait {
                reason: WaitReason::Data,
                ..
            })
        );
        Ok(action)
    }

    fn decide(&mut self, now: Now, facts: &impl Facts) -> Result<Action> {
        loop {
            if let Some(wait) = self.until_trigger(now.clock) {
                let poll = facts.has_catch_up_waiters().then_some(CATCH_UP_INTERVAL);
                let wait = wait.min(poll.unwrap_or(wait));
                return Ok(self.wait(WaitReason::Trigger, Some(now.instant + wait)));
            }
            let fired_at = *self.fired_at.get_or_insert(now.instant);
            match self.data(&facts.readiness(fired_at)?) {
                Data::Ready => return Ok(Action::RunBatch),
                Data::Until(time) => return Ok(self.wait(WaitReason::CatchingUp, Some(time))),
                Data::None => {}
            }
            if facts.needs_empty_batch(now.clock) {
                return Ok(Action::RunEmptyBatch);
            }
            if self.trigger.ends_by_itself() && facts.is_exhausted() {
                return Ok(Action::End(QueryEnd::Finished));
            }
            if self.has_interval() && self.is_tick_over(facts) {
                self.advance(now.clock);
                continue;
            }
            self.fired_at = None;
            let poll = facts.closes_groups_by_clock().then_some(CLOCK_INTERVAL);
            return Ok(self.wait(WaitReason::Data, poll.map(|poll| now.instant + poll)));
        }
    }

    /// Handles the end of a batch at `now`. Returns how long the batch took if that exceeds the trigger's
    /// interval and a warning about it is due.
    pub(super) fn batch_done(&mut self, now: Now) -> Option<Duration> {
        self.timers.batch_done(now.instant);
        let took = self.advance(now.clock)?;
        self.timers.warn_behind(now.instant).then_some(took)
    }

    /// Moves on to the next time of the trigger, whose work ended at `done`. Returns how long the work took
    /// if that was longer than the interval.
    fn advance(&mut self, done: UnixMillis) -> Option<Duration> {
        let next = next_fire(self.trigger, self.due, done);
        self.due = next.at;
        self.fired_at = None;
        self.started = None;
        next.fell_behind
    }

    /// How long until the trigger fires; `None` if it has fired. A clock that is set back in the meantime
    /// costs one interval at most.
    fn until_trigger(&mut self, now: UnixMillis) -> Option<Duration> {
        if let Trigger::ProcessingTime(interval) = self.trigger {
            self.due = self.due.min(now.plus(interval));
        }
        (self.due > now).then(|| self.due.since(now))
    }

    /// Combines the readiness of the sources. One shard that is worth waiting for holds up the whole batch.
    /// Trigger `once` runs one batch, so it waits until every source has data or is exhausted.
    fn data(&self, sources: &[SourceReadiness]) -> Data {
        let is_unread = |source: &SourceReadiness| {
            source.readiness == Readiness::NoData && !source.is_exhausted
        };
        if self.trigger == Trigger::Once && sources.iter().any(is_unread) {
            return Data::None;
        }
        let deadlines = sources.iter().filter_map(|source| match source.readiness {
            Readiness::WaitUntil(time) => Some(time),
            Readiness::NoData | Readiness::Ready => None,
        });
        let is_ready = |source: &SourceReadiness| source.readiness == Readiness::Ready;
        match deadlines.max() {
            Some(time) => Data::Until(time),
            None if sources.iter().any(is_ready) => Data::Ready,
            None => Data::None,
        }
    }

    /// Whether a tick without data is over. The first tick waits for the first pages of all shards, so that
    /// data that exists at the start is not left to the second tick.
    fn is_tick_over(&self, facts: &impl Facts) -> bool {
        self.started
            .is_none_or(|started| facts.has_taken_all_before(started))
    }

    fn has_interval(&self) -> bool {
        matches!(self.trigger, Trigger::ProcessingTime(interval) if !interval.is_zero())
    }

    fn is_stop_lock_due(&self, now: Instant) -> bool {
        let is_old = |checked| now - checked >= STOP_LOCK_INTERVAL;
        self.has_stop_lock && !self.stop_lock_fresh && self.stop_lock_checked.is_none_or(is_old)
    }

    /// A wait that also ends when the STOP_LOCK or the idle event is due.
    fn wait(&self, reason: WaitReason, until: Option<Instant>) -> Action {
        let stop_lock = self
            .stop_lock_checked
            .map(|checked| checked + STOP_LOCK_INTERVAL);
        let idle = self.timers.idle_at();
        let until = until.into_iter().chain(stop_lock).fold(idle, Instant::min);
        Action::Wait(Wait { reason, until })
    }
}

#[cfg(test)]
mod tests;
