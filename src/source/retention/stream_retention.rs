//! How long a stream keeps its records, as far as its readers know.
//!
//! Retention can change at any time, and no answer of GetRecords says so. The readers of a stream share
//! what was learnt last. A decision that depends on the present retention asks the service first.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::window::Kept;
use crate::kinesis::limits::MIN_RETENTION;
use crate::kinesis::{ApiResult, Kinesis};
use crate::model::{Clock, StreamIdentity, UnixMillis};

/// The least time between two questions. An account has twenty DescribeStreamSummary a second for all its
/// streams and programs, and many shards may want to know at once.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// What all readers of a stream know of its retention.
#[derive(Debug)]
pub(crate) struct StreamRetention {
    known: Mutex<Known>,
    /// Held by the reader that asks the service; others use its answer.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Known {
    kept: Kept,
    /// When the service was asked for it; `None` before a reader has asked.
    asked: Option<Instant>,
    /// When the service was asked last, with or without an answer.
    tried: Option<Instant>,
}

impl StreamRetention {
    /// What a description of the stream says.
    pub(crate) fn new(retention: Duration) -> Self {
        let known = Known {
            kept: Kept::for_all(or_default(retention)),
            asked: None,
            tried: None,
        };
        Self {
            known: Mutex::new(known),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// What is known now.
    pub(crate) fn kept(&self) -> Kept {
        self.lock().kept
    }

    /// How long the stream keeps its records, as far as is known.
    pub(crate) fn present(&self) -> Duration {
        self.kept().retention
    }

    /// Takes note that the retention was `before` at a time in the past. It may have been that until
    /// `now`, when the present one was learnt.
    pub(crate) fn was(&self, before: Duration, now: UnixMillis) {
        let mut known = self.lock();
        let present = known.kept.retention;
        known.kept = Kept::for_all(or_default(before)).changed_to(present, now);
    }

    /// What is known of the retention at `since` or later; asks the service if nothing is.
    ///
    /// # Errors
    /// The one request that was sent failed.
    pub(crate) async fn learn(
        &self,
        kinesis: &dyn Kinesis,
        stream: &StreamIdentity,
        clock: &dyn Clock,
        since: Instant,
    ) -> ApiResult<Kept> {
        let _asking = self.asking.lock().await;
        let tried = {
            let known = self.lock();
            if known.asked.is_some_and(|asked| asked >= since) {
                return Ok(known.kept);
            }
            known.tried
        };
        if let Some(tried) = tried {
            tokio::time::sleep_until(tried + LEAST_INTERVAL).await;
        }
        let asked = Instant::now();
        self.lock().tried = Some(asked);
        let summary = kinesis.describe_stream(stream).await?;
        let mut known = self.lock();
        let before = known.kept.retention;
        known.kept = known
            .kept
            .changed_to(or_default(summary.retention), clock.now());
        known.asked = Some(asked);
        let present = known.kept.retention;
        if present != before {
            let hours = |retention: Duration| retention.as_secs() / 3_600;
            let (was, is) = (hours(before), hours(present));
            tracing::info!(%stream, was, is, "the retention of the stream has changed (hours)");
        }
        Ok(known.kept)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server that does not say how long it keeps records keeps them for the default time.
fn or_default(retention: Duration) -> Duration {
    if retention.is_zero() {
        MIN_RETENTION
    } else {
        retention
    }
}
