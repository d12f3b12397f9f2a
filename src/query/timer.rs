//! What is remembered from wait to wait.

use std::time::Duration;

use tokio::time::Instant;

use super::trigger::next_fire;
use crate::model::{Clock, Trigger, UnixMillis};

/// When the trigger fires, and when what was done last.
#[derive(Debug)]
pub(super) struct Timer {
    trigger: Trigger,
    /// When the trigger fires, or fired for what is going on.
    pub(super) due: UnixMillis,
    /// Since when it has fired; what may hold a batch up is counted from here.
    pub(super) fired: Option<Instant>,
    /// When the stop lock was looked for last.
    pub(super) looked: Option<Instant>,
    /// Whether that failed.
    pub(super) lock_failed: bool,
    /// Since when nothing has happened.
    pub(super) idle: Instant,
}

impl Timer {
    pub(super) fn new(trigger: Trigger, clock: &dyn Clock) -> Self {
        Self {
            trigger,
            due: clock.now(),
            fired: None,
            looked: None,
            lock_failed: false,
            idle: Instant::now(),
        }
    }

    /// Whether the trigger has ticks.
    pub(super) fn has_interval(&self) -> bool {
        matches!(self.trigger, Trigger::ProcessingTime(interval) if !interval.is_zero())
    }

    /// The trigger has done its work: on to its next time. Gives how long the work took where that
    /// was longer than the interval.
    pub(super) fn advance(&mut self, now: UnixMillis) -> Option<Duration> {
        let next = next_fire(self.trigger, self.due, now);
        self.due = next.at;
        self.fired = None;
        next.fell_behind
    }
}
