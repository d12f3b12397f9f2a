//! How far the clock of this machine is from that of a service.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_sts::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::BoxError;
use chrono::DateTime;

use crate::model::{Clock, UnixMillis};

/// From here on services refuse a signature: they allow five minutes (IAM User Guide, "Troubleshooting
/// signed requests"), and a request takes a while.
const TOO_FAR: Duration = Duration::from_secs(4 * 60);

/// The difference between two clocks, in milliseconds; above zero this machine's is ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockSkew(i64);

impl ClockSkew {
    /// By the `Date` of an answer that came at `now`.
    pub(crate) fn of(date: &str, now: UnixMillis) -> Option<Self> {
        let date = DateTime::parse_from_rfc2822(date).ok()?;
        Some(Self(now.0.saturating_sub(date.timestamp_millis())))
    }

    /// What to say about it where signatures are refused for it.
    pub(crate) fn complaint(self) -> Option<String> {
        let far = Duration::from_millis(self.0.unsigned_abs());
        (far > TOO_FAR).then(|| {
            let side = if self.0 > 0 { "ahead of" } else { "behind" };
            let (minutes, seconds) = (far.as_secs() / 60, far.as_secs() % 60);
            format!(
                "the clock of this machine is {minutes} min {seconds} s {side} that of the service: set \
                 it right, signatures of another time are refused"
            )
        })
    }
}

/// Reads the time of the first answer that passes.
#[derive(Debug, Clone)]
pub(super) struct SkewProbe {
    clock: Arc<dyn Clock>,
    seen: Arc<Mutex<Option<ClockSkew>>>,
}

impl SkewProbe {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            seen: Arc::default(),
        }
    }

    pub(super) fn seen(&self) -> Option<ClockSkew> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for SkewProbe {
    fn name(&self) -> &'static str {
        "SkewProbe"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let skew = date.and_then(|date| ClockSkew::of(date, self.clock.now()));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = seen.or(skew);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_service_would_refuse_is_complained_about() {
        // 2023-11-14T22:13:20Z
        let now = UnixMillis(1_700_000_000_000);
        let complaint = |date: &str| ClockSkew::of(date, now).unwrap().complaint();
        assert_eq!(complaint("Tue, 14 Nov 2023 22:13:20 GMT"), None);
        assert_eq!(complaint("Tue, 14 Nov 2023 22:09:20 GMT"), None);
        let ahead = complaint("Tue, 14 Nov 2023 22:03:10 GMT").unwrap();
        assert!(ahead.contains("10 min 10 s ahead of"), "{ahead}");
        let behind = complaint("Tue, 14 Nov 2023 23:13:20 GMT").unwrap();
        assert!(behind.contains("60 min 0 s behind"), "{behind}");
        assert_eq!(ClockSkew::of("yesterday", now), None);
    }
}
