//! Which records a stream still keeps.

use std::time::Duration;

use super::proof::MARGIN;
use crate::kinesis::limits::MIN_RETENTION;
use crate::model::UnixMillis;

/// Retention is set in whole hours.
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// Which records of a stream may be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    /// How long the stream keeps records, as far as is known.
    pub(crate) retention: Duration,
    /// What arrived before this may have gone under a shorter retention of the past: to keep records
    /// longer brings none back.
    pub(crate) gone_to: Option<UnixMillis>,
}

impl Kept {
    /// Records of a stream that has always had this retention.
    pub(crate) fn for_all(retention: Duration) -> Self {
        Self {
            retention,
            gone_to: None,
        }
    }

    /// The same after a look at `now` that found another retention. The former one may have applied
    /// until then.
    #[must_use]
    pub(crate) fn changed_to(self, retention: Duration, now: UnixMillis) -> Self {
        let gone_to = (retention > self.retention).then(|| self.horizon(now));
        Self {
            retention,
            gone_to: self.gone_to.max(gone_to),
        }
    }

    /// What arrived before this may be gone at `now`.
    pub(crate) fn horizon(self, now: UnixMillis) -> UnixMillis {
        let horizon = now.minus(self.retention);
        self.gone_to.map_or(horizon, |gone_to| gone_to.max(horizon))
    }

    /// The oldest time that is out of the reach of retention for the next moments.
    pub(crate) fn edge(self, now: UnixMillis) -> UnixMillis {
        self.horizon(now).plus(MARGIN)
    }

    /// The same whatever retention is set without the readers' knowledge.
    pub(crate) fn safe_edge(self, now: UnixMillis) -> UnixMillis {
        let shortest = now.minus(self.retention.min(MIN_RETENTION)).plus(MARGIN);
        self.edge(now).max(shortest)
    }
}
