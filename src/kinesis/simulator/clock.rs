//! A clock that Tokio's time drives, so that a paused test decides what "now" is.

use crate::model::{Clock, UnixMillis};

/// Counts from a given moment by [`tokio::time`]: under `#[tokio::test(start_paused = true)]` it
/// stands still until the test advances it, or until every task waits for a timer.
#[derive(Debug, Clone, Copy)]
pub struct TokioClock {
    base: UnixMillis,
    started: tokio::time::Instant,
}

impl TokioClock {
    /// A clock that says `base` now. Make it inside the runtime that drives it.
    pub fn starting_at(base: UnixMillis) -> Self {
        Self {
            base,
            started: tokio::time::Instant::now(),
        }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> UnixMillis {
        self.base.plus(self.started.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn moves_only_when_the_runtimes_time_does() {
        let clock = TokioClock::starting_at(UnixMillis(1_000));
        assert_eq!(clock.now(), UnixMillis(1_000));
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(clock.now(), UnixMillis(1_250));
    }
}
