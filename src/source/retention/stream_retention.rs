//! The retention of a stream, as known to its readers.
//!
//! The readers of a stream share the last known retention. Before a decision that depends on the present
//! retention, it is requested from the service.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::window::RetentionWindow;
use crate::kinesis::limits::MIN_RETENTION;
use crate::kinesis::{ApiResult, Kinesis};
use crate::model::{Clock, StreamIdentity, UnixMillis};

/// The minimum time between two requests. An account is limited to 20 DescribeStreamSummary calls per second
/// for all its streams and programs, and many shards may need the retention at once.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The shared knowledge of a stream's retention.
#[derive(Debug)]
pub(crate) struct StreamRetention {
    known: Mutex<Known>,
    /// Locked by the reader that sends the request; the others use its result.
    requesting: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Known {
    window: RetentionWindow,
    /// When the request that gave the retention was sent; `None` if it is still the one from the description of
    /// the stream.
    requested_at: Option<Instant>,
    /// When the last request was sent, successful or not.
    attempted_at: Option<Instant>,
}

impl StreamRetention {
    /// The retention from a description of the stream.
    pub(crate) fn new(retention: Duration) -> Self {
        let known = Known {
            window: RetentionWindow::constant(or_default(retention)),
            requested_at: None,
            attempted_at: None,
        };
        Self {
            known: Mutex::new(known),
            requesting: tokio::sync::Mutex::default(),
        }
    }

    /// The last known window.
    pub(crate) fn window(&self) -> RetentionWindow {
        self.lock().window
    }

    /// The last known retention.
    pub(crate) fn current(&self) -> Duration {
        self.window().retention
    }

    /// Records that the retention was `before` at some time in the past. It may have applied until `now`,
    /// when the present one became known.
    pub(crate) fn record_past(&self, before: Duration, now: UnixMillis) {
        let mut known = self.lock();
        let present = known.window.retention;
        known.window = RetentionWindow::constant(or_default(before)).changed_to(present, now);
    }

    /// The window as of `since` or later; sends a request if it is not known.
    ///
    /// # Errors
    /// The one request that was sent failed.
    pub(crate) async fn refresh(
        &self,
        kinesis: &dyn Kinesis,
        stream: &StreamIdentity,
        clock: &dyn Clock,
        since: Instant,
    ) -> ApiResult<RetentionWindow> {
        let _requesting = self.requesting.lock().await;
        let attempted_at = {
            let known = self.lock();
            if known
                .requested_at
                .is_some_and(|requested_at| requested_at >= since)
            {
                return Ok(known.window);
            }
            known.attempted_at
        };
        if let Some(attempted_at) = attempted_at {
            tokio::time::sleep_until(attempted_at + MIN_INTERVAL).await;
        }
        let requested_at = Instant::now();
        self.lock().attempted_at = Some(requested_at);
        let summary = kinesis.describe_stream(stream).await?;
        let mut known = self.lock();
        let before = known.window.retention;
        known.window = known
            .window
            .changed_to(or_default(summary.retention), clock.now());
        known.requested_at = Some(requested_at);
        let present = known.window.retention;
        if present != before {
            let hours = |retention: Duration| retention.as_secs() / 3_600;
            let (was, is) = (hours(before), hours(present));
            tracing::info!(%stream, was, is, "the retention of the stream has changed (hours)");
        }
        Ok(known.window)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The default retention for servers that do not report one.
fn or_default(retention: Duration) -> Duration {
    if retention.is_zero() {
        MIN_RETENTION
    } else {
        retention
    }
}
