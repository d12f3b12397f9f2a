//! The difference between the local clock and the clock of a service.

use std::time::Duration;

use chrono::DateTime;

use crate::model::UnixMillis;

/// The skew from which signatures may be refused. Services refuse those that are five minutes off
/// (IAM User Guide, "Troubleshooting signed requests"), and a request takes a while.
const TOO_FAR: Duration = Duration::from_secs(4 * 60);

/// The difference in milliseconds; positive if the local clock is ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockSkew(i64);

impl ClockSkew {
    /// Computes the skew from the `Date` header of a response received at `now`.
    pub(crate) fn of(date: &str, now: UnixMillis) -> Option<Self> {
        let date = DateTime::parse_from_rfc2822(date).ok()?;
        Some(Self(now.0.saturating_sub(date.timestamp_millis())))
    }

    /// The problem to report if signatures are refused because of the skew.
    pub(crate) fn problem(self) -> Option<String> {
        let far = Duration::from_millis(self.0.unsigned_abs());
        (far > TOO_FAR).then(|| {
            let side = if self.0 > 0 { "ahead of" } else { "behind" };
            let (minutes, seconds) = (far.as_secs() / 60, far.as_secs() % 60);
            format!(
                "the clock of this machine is {minutes} min {seconds} s {side} that of the service: correct it, \
                 because the service refuses requests that are signed with a wrong time"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_skew_that_breaks_signatures_is_reported() {
        // 2023-11-14T22:13:20Z
        let now = UnixMillis(1_700_000_000_000);
        let problem = |date: &str| ClockSkew::of(date, now).unwrap().problem();
        assert_eq!(problem("Tue, 14 Nov 2023 22:13:20 GMT"), None);
        assert_eq!(problem("Tue, 14 Nov 2023 22:09:20 GMT"), None);
        let ahead = problem("Tue, 14 Nov 2023 22:03:10 GMT").unwrap();
        assert!(ahead.contains("10 min 10 s ahead of"), "{ahead}");
        let behind = problem("Tue, 14 Nov 2023 23:13:20 GMT").unwrap();
        assert!(behind.contains("60 min 0 s behind"), "{behind}");
        assert_eq!(ClockSkew::of("yesterday", now), None);
    }
}
