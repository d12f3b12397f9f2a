//! [`RequestClock`]: stamps each request with the time at which it is sent.

use std::sync::Arc;

use tokio::time::Instant;

use crate::model::{Clock, UnixMillis};

/// Gives the time of each request, which bounds what its answer covers.
#[derive(Debug, Clone)]
pub(crate) enum RequestClock {
    /// The wall clock.
    Wall(Arc<dyn Clock>),
    /// Starts at a given time and is never set back. A read that ends at a fixed time uses it, because a
    /// wall clock that is set back would keep the read open.
    Steady {
        /// The time at `began`.
        start: UnixMillis,
        /// When the clock was started.
        began: Instant,
    },
}

impl RequestClock {
    /// A steady clock that shows `start` now.
    pub(crate) fn steady(start: UnixMillis) -> Self {
        Self::Steady {
            start,
            began: Instant::now(),
        }
    }

    /// The time now.
    pub(crate) fn now(&self) -> UnixMillis {
        match self {
            Self::Wall(clock) => clock.now(),
            Self::Steady { start, began } => start.plus(began.elapsed()),
        }
    }
}
