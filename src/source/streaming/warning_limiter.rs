//! Limits how often a stream reader warns about its shards.

use std::time::Duration;

use tokio::time::Instant;

/// The maximum number of warnings per [`PERIOD`]: an outage affects every shard of a stream, and there may
/// be thousands.
const MAX_WARNINGS: u32 = 5;

const PERIOD: Duration = Duration::from_secs(60);

/// Allows the first warnings of a minute, and counts the others.
#[derive(Debug, Default)]
pub(super) struct WarningLimiter {
    since: Option<Instant>,
    passed: u32,
    suppressed: u64,
}

impl WarningLimiter {
    /// Whether to warn at `now`; if so, how many warnings were suppressed since the last one.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now - since >= PERIOD) {
            self.since = Some(now);
            self.passed = 0;
        }
        if self.passed == MAX_WARNINGS {
            self.suppressed += 1;
            return None;
        }
        self.passed += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_failing_shards_cause_a_few_warnings_per_minute() {
        let (start, mut limiter) = (Instant::now(), WarningLimiter::default());
        let mut admitted = |second| {
            let now = start + Duration::from_secs(second);
            (0..1000)
                .filter_map(|_| limiter.admit(now))
                .collect::<Vec<_>>()
        };
        assert_eq!(admitted(0), [0; 5]);
        assert_eq!(admitted(59), [0; 0]);
        assert_eq!(admitted(60), [1995, 0, 0, 0, 0]);
    }
}
