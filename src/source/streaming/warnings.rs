//! How often a stream reader warns of its shards.

use std::time::Duration;

use tokio::time::Instant;

/// Warnings within one [`SPAN`]; an outage makes every shard of a stream fail, and there may be thousands.
const AT_MOST: u32 = 5;

const SPAN: Duration = Duration::from_secs(60);

/// Lets the first warnings of a minute pass and counts the others.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    since: Option<Instant>,
    passed: u32,
    withheld: u64,
}

impl Warnings {
    /// Whether a warning may be given at `now`; then, how many were not since the last one.
    pub(crate) fn pass(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now - since >= SPAN) {
            self.since = Some(now);
            self.passed = 0;
        }
        if self.passed == AT_MOST {
            self.withheld += 1;
            return None;
        }
        self.passed += 1;
        Some(std::mem::take(&mut self.withheld))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_failing_shards_give_a_few_warnings_a_minute() {
        let (start, mut warnings) = (Instant::now(), Warnings::default());
        let mut given = |second| {
            let now = start + Duration::from_secs(second);
            (0..1000)
                .filter_map(|_| warnings.pass(now))
                .collect::<Vec<_>>()
        };
        assert_eq!(given(0), [0; 5]);
        assert_eq!(given(59), [0; 0]);
        assert_eq!(given(60), [1995, 0, 0, 0, 0]);
    }
}
