//! A clock driven by Tokio's time, so that a test with paused time controls it.

use crate::model::{Clock, UnixMillis};

/// Advances from a given time with [`tokio::time`]. Under `#[tokio::test(start_paused = true)]` it
/// does not move until the test advances the time, or until every task waits for a timer.
#[derive(Debug, Clone, Copy)]
pub struct TokioClock {
    base: UnixMillis,
    started: tokio::time::Instant,
}

impl TokioClock {
    /// Creates a clock that shows `base` now. Create it inside the runtime that drives it.
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
    async fn it_advances_only_with_the_time_of_the_runtime() {
        let clock = TokioClock::starting_at(UnixMillis(1_000));
        assert_eq!(clock.now(), UnixMillis(1_000));
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(clock.now(), UnixMillis(1_250));
    }
}
