//! The arrival times at which records of a stream may already have expired.

use std::time::Duration;

use crate::kinesis::limits::MIN_RETENTION;
use crate::model::UnixMillis;

/// How close to the horizon a reader starts to prove that it missed nothing. Allows for clock differences and
/// for the duration of requests.
pub(super) const MARGIN: Duration = Duration::from_secs(60);

/// The unit of retention.
pub(super) const HOUR: Duration = Duration::from_secs(3_600);

/// The time span whose records a stream still has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetentionWindow {
    /// The last known retention.
    pub(crate) retention: Duration,
    /// Records that arrived before this may have expired under an earlier, shorter retention; a longer one
    /// does not bring them back.
    pub(super) expired_before: Option<UnixMillis>,
}

impl RetentionWindow {
    /// The window of a stream that has always had this retention.
    pub(crate) fn constant(retention: Duration) -> Self {
        Self {
            retention,
            expired_before: None,
        }
    }

    /// The window after the retention was found to be `retention` at `now`. The former one may have applied
    /// until then.
    #[must_use]
    pub(crate) fn changed_to(self, retention: Duration, now: UnixMillis) -> Self {
        let expired_before = (retention > self.retention).then(|| self.horizon(now));
        Self {
            retention,
            expired_before: self.expired_before.max(expired_before),
        }
    }

    /// Records that arrived before this may have expired at `now`.
    pub(super) fn horizon(self, now: UnixMillis) -> UnixMillis {
        let horizon = now.minus(self.retention);
        self.expired_before
            .map_or(horizon, |expired| expired.max(horizon))
    }

    /// The horizon with a safety margin: records that arrived at this time or later stay for at least the
    /// duration of a request.
    pub(super) fn safe_horizon(self, now: UnixMillis) -> UnixMillis {
        self.horizon(now).plus(MARGIN)
    }

    /// The safe horizon if the retention may have been shortened without the readers' knowledge.
    pub(super) fn safe_horizon_of_any_retention(self, now: UnixMillis) -> UnixMillis {
        let shortest = now.minus(self.retention.min(MIN_RETENTION)).plus(MARGIN);
        self.safe_horizon(now).max(shortest)
    }
}
