//! One alarm, which does not flap: it is raised at once, and cleared after a calm time.

use std::time::Duration;

use tokio::time::Instant;

/// Below this share of its limit a value is calm.
pub(super) const CALM_SHARE: f64 = 0.8;

/// How long a value must stay calm until its alarm is cleared.
const CALM_TIME: Duration = Duration::from_secs(60);

/// Where a value is, compared with its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Over,
    /// Neither, or unknown.
    Between,
    Calm,
}

impl Level {
    /// The level of a duration. There is no alarm without a limit.
    pub(super) fn of_span(value: Option<Duration>, limit: Option<Duration>) -> Self {
        let Some(limit) = limit else {
            return Self::Calm;
        };
        match value {
            Some(value) if value >= limit => Self::Over,
            Some(value) if value <= limit.mul_f64(CALM_SHARE) => Self::Calm,
            _ => Self::Between,
        }
    }
}

/// Whether an alarm is raised.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate {
    is_raised: bool,
    calm_since: Option<Instant>,
}

impl Gate {
    pub(super) fn is_raised(&self) -> bool {
        self.is_raised
    }

    pub(super) fn update(&mut self, at: Instant, level: Level) {
        match level {
            Level::Over => {
                self.is_raised = true;
                self.calm_since = None;
            }
            Level::Between => self.calm_since = None,
            Level::Calm => {
                let since = *self.calm_since.get_or_insert(at);
                self.is_raised &= at - since < CALM_TIME;
            }
        }
    }
}
