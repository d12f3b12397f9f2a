//! What the reader of a shard does about a request that failed.

use std::time::Duration;

use tokio::time::Instant;

use super::shard_task::{Request, ShardFollower};
use crate::kinesis::{ApiError, ApiErrorKind};
use crate::model::ShardPosition;
use crate::source::retention::number_of;

/// How far our clock may be ahead of the service's for a time of ours to be no error.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

impl ShardFollower {
    /// Decides when the request is sent again; gives whether it is.
    pub(crate) fn failed(&mut self, request: &Request, error: ApiError) -> bool {
        self.fetcher.next_fetch = request.sent + self.pace();
        let kind = error.kind();
        let forgiven = self.fetcher.forgives(&error);
        if kind == ApiErrorKind::ExpiredIterator {
            self.shared.with(|state| state.failures.renewals += 1);
            if forgiven {
                return true;
            }
        } else if kind == ApiErrorKind::NotFound {
            self.fetcher.iterator = None;
            self.shared.missing(&self.fetcher.shard);
        } else if kind == ApiErrorKind::InvalidArgument && self.awaits_listing() {
            self.fetcher.iterator = None;
        } else if !error.is_retryable() && !self.is_ahead_of_the_service(kind) {
            self.shared.fail(error.into_error(self.fetcher.place()));
            return false;
        }
        self.shared.with(|state| {
            match kind {
                ApiErrorKind::Throttled => state.failures.throttled += 1,
                _ => state.failures.retries += 1,
            }
            state.update(&self.fetcher.shard, |followed| {
                followed.failing = true;
                followed.found_nothing = false;
            });
        });
        let (wait, over) = self.fetcher.backoff.endless_wait();
        self.fetcher.next_fetch = self.fetcher.next_fetch.max(Instant::now() + wait);
        self.report(&error, over);
        true
    }

    /// Whether the service may refuse the iterator, or the number it is to stand at, for being of a
    /// stream that was made anew: a listing tells. It is asked for once.
    fn awaits_listing(&mut self) -> bool {
        let of_stream =
            self.fetcher.iterator.is_some() || number_of(self.fetcher.position()).is_some();
        let asks = of_stream && self.listing_awaited.is_none();
        if asks {
            self.listing_awaited = Some(self.shared.want_listing());
        }
        asks
    }

    /// Whether the service may refuse the start for being in its future: its clock, or ours, is not
    /// quite right, and the time will come.
    fn is_ahead_of_the_service(&self, kind: ApiErrorKind) -> bool {
        let ShardPosition::AtTimestamp(time) = *self.fetcher.position() else {
            return false;
        };
        let now = self.shared.context.clock.now();
        let apart = time.since(now).max(now.since(time));
        kind == ApiErrorKind::InvalidArgument
            && self.fetcher.iterator.is_none()
            && apart < CLOCK_SKEW
    }

    fn report(&self, error: &ApiError, over: bool) {
        let (shard, position) = (&self.fetcher.shard, self.fetcher.position());
        let warn = || {
            self.shared
                .with(|state| state.warnings.pass(Instant::now()))
        };
        if let Some(not_told) = over.then(warn).flatten() {
            let failures = self.fetcher.backoff.failures();
            tracing::warn!(
                %shard, %position, %error, failures, not_told,
                "a shard cannot be read, which is tried again; other shards go on"
            );
        } else {
            tracing::debug!(%shard, %position, %error, "a request will be sent again");
        }
    }
}
