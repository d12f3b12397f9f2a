//! The difference between the local clock and the clock of a service.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::DateTime;

use crate::model::{Clock, UnixMillis};

/// The skew from which signatures may be refused. Services refuse those that are five minutes off
/// (IAM User Guide, "Troubleshooting signed requests"), and a request takes a while.
const TOO_FAR: Duration = Duration::from_secs(4 * 60);

/// The difference in milliseconds; positive if the local clock is ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockSkew(i64);

impl ClockSkew {
    /// Computes the skew from the `Date` header of a response received at `now`, or to a request signed then.
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

/// The clock of a service, as far as its answers tell. Signatures have its time.
#[derive(Debug)]
pub(crate) struct ServiceClock {
    local: Arc<dyn Clock>,
    /// How far the local clock is ahead.
    skew_millis: AtomicI64,
}

impl ServiceClock {
    /// A clock with the time of `local` until it is corrected.
    pub(crate) fn new(local: Arc<dyn Clock>) -> Self {
        Self {
            local,
            skew_millis: AtomicI64::new(0),
        }
    }

    /// Corrects the clock by the `Date` header of an answer, if it is so far off that signatures may be refused.
    pub(crate) fn correct(&self, date: &str) {
        let Some(ClockSkew(millis)) = ClockSkew::of(date, self.local.now()) else {
            return;
        };
        let applied = self.skew_millis.load(Ordering::Relaxed);
        if Duration::from_millis(millis.abs_diff(applied)) > TOO_FAR {
            self.skew_millis.store(millis, Ordering::Relaxed);
        }
    }
}

impl Clock for ServiceClock {
    fn now(&self) -> UnixMillis {
        let skew = self.skew_millis.load(Ordering::Relaxed);
        UnixMillis(self.local.now().0.saturating_sub(skew))
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

    #[test]
    fn the_clock_of_a_service_follows_skew_that_breaks_signatures() {
        #[derive(Debug)]
        struct At(AtomicI64);
        impl Clock for At {
            fn now(&self) -> UnixMillis {
                UnixMillis(self.0.load(Ordering::Relaxed))
            }
        }
        let local = Arc::new(At(AtomicI64::new(1_700_000_000_000)));
        let service = ServiceClock::new(Arc::clone(&local) as Arc<dyn Clock>);
        let ahead = |millis: i64| service.now().0 - 1_700_000_000_000 - millis;
        service.correct("Tue, 14 Nov 2023 22:14:20 GMT");
        assert_eq!(ahead(0), 0, "a minute does not matter");
        service.correct("Tue, 14 Nov 2023 22:23:20 GMT");
        assert_eq!(ahead(600_000), 0);
        service.correct("Tue, 14 Nov 2023 22:22:20 GMT");
        assert_eq!(ahead(600_000), 0, "close enough");
        // The local clock is corrected.
        local.0.fetch_add(600_000, Ordering::Relaxed);
        service.correct("Tue, 14 Nov 2023 22:23:20 GMT");
        assert_eq!(ahead(600_000), 0);
    }
}
