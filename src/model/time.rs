//! Timestamps in milliseconds, and clocks.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat};

/// Milliseconds since 1970-01-01T00:00:00Z, the precision of all Kinesis timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The earliest time with a four-digit year, 0000-01-01T00:00:00Z.
    pub const FIRST: Self = Self(-62_167_219_200_000);

    /// The latest time with a four-digit year, 9999-12-31T23:59:59.999Z.
    pub const LAST: Self = Self(253_402_300_799_999);

    /// Whether the year has four digits, as the text format requires.
    pub(crate) fn has_date(self) -> bool {
        (Self::FIRST..=Self::LAST).contains(&self)
    }

    /// The duration since `earlier`; zero if `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// This time minus `span`, saturating.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// This time plus `span`, saturating.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_timestamp_millis(self.0) {
            Some(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            None => write!(f, "{} ms", self.0),
        }
    }
}

/// A source of the current time: the system clock in production, a controlled one in tests.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The current time.
    fn now(&self) -> UnixMillis;
}

/// The system clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the only use of the system clock"
    )]
    fn now(&self) -> UnixMillis {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixMillis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_as_rfc_3339_with_milliseconds_if_any() {
        assert_eq!(
            UnixMillis(1_693_422_005_000).to_string(),
            "2023-08-30T19:00:05Z"
        );
        assert_eq!(
            UnixMillis(1_693_422_005_120).to_string(),
            "2023-08-30T19:00:05.120Z"
        );
    }

    #[test]
    fn the_earliest_and_latest_times_print_as_dates() {
        assert_eq!(UnixMillis::FIRST.to_string(), "0000-01-01T00:00:00Z");
        assert_eq!(UnixMillis::LAST.to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn differences_are_never_negative() {
        assert_eq!(UnixMillis(5).since(UnixMillis(9)), Duration::ZERO);
        assert_eq!(UnixMillis(9).since(UnixMillis(5)), Duration::from_millis(4));
        assert_eq!(UnixMillis(9).minus(Duration::from_millis(4)), UnixMillis(5));
        assert_eq!(UnixMillis(5).plus(Duration::from_millis(4)), UnixMillis(9));
    }
}
