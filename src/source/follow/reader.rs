//! The reader of one shard: a task that lives as long as the query.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use super::events::{Arrival, PageEnd};
use super::shared::Shared;
use crate::error::Error;
use crate::kinesis::{ApiError, ApiErrorKind, ApiResult, Backoff, RecordsPage, ShardIterator};
use crate::model::{ShardId, ShardPosition, UnixMillis};
use crate::source::counted::{CountedPage, RECORD_OVERHEAD_BYTES};
use crate::source::pacing::{PageSize, wait_after};
use crate::source::read::iterator_position;
use crate::source::tip::Answer;

/// The least time between two requests where pacing is off: an idle shard is no reason to spin.
const IDLE_WAIT: Duration = Duration::from_millis(10);

/// How far our clock may be ahead of the service's for a time of ours to be no error.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// Fills the buffer of one shard.
#[derive(Debug)]
pub(super) struct ShardFollower {
    shared: Arc<Shared>,
    shard: ShardId,
    position: ShardPosition,
    iterator: Option<ShardIterator>,
    /// Set when the iterator has expired since the last page: the first time is no failure.
    renewed: bool,
    backoff: Backoff,
    page_size: PageSize,
    next_fetch: Instant,
}

/// A request that was sent.
struct Request {
    sent: Instant,
    asked_at: UnixMillis,
    limit: usize,
}

impl ShardFollower {
    pub(super) fn new(shared: Arc<Shared>, shard: ShardId, mut random: fastrand::Rng) -> Self {
        let position = shared.with(|state| {
            let followed = state.shards.get(&shard);
            followed.map(|followed| followed.buffer.end().clone())
        });
        Self {
            position: position.unwrap_or(ShardPosition::ShardEnd),
            iterator: None,
            renewed: false,
            backoff: Backoff::new(shared.context.retry, random.fork()),
            page_size: PageSize::of_scan(shared.context.shards),
            next_fetch: Instant::now(),
            shared,
            shard,
        }
    }

    /// Reads until the shard ends, the frozen tip is reached, or something fails for good.
    pub(super) async fn run(mut self) {
        if let (Some(until), ShardPosition::AtTimestamp(time)) =
            (self.shared.settings.until, &self.position)
            && *time > until
        {
            self.shared.with(|state| state.leave(&self.shard));
            return;
        }
        loop {
            tokio::time::sleep_until(self.next_fetch).await;
            if self.shared.with(|state| state.is_done(&self.shard)) {
                return;
            }
            let (request, answer) = self.ask().await;
            let goes_on = match answer {
                Ok(page) => self.arrived(&request, page),
                Err(error) => self.failed(&request, error),
            };
            if !goes_on {
                return;
            }
        }
    }

    /// One GetRecords, with an iterator before it where there is none.
    async fn ask(&mut self) -> (Request, ApiResult<RecordsPage>) {
        let shared = Arc::clone(&self.shared);
        let (kinesis, stream) = (&shared.context.kinesis, &shared.context.stream);
        let (_permit, page_bytes) = self.admitted(&shared).await;
        let limit = self.page_size.records_within(page_bytes);
        let limit = limit.min(shared.context.options.records_per_fetch);
        let mut request = Request {
            sent: Instant::now(),
            asked_at: shared.now(),
            limit,
        };
        let iterator = match &self.iterator {
            Some(iterator) => iterator.clone(),
            None => {
                let at = iterator_position(&self.position);
                match kinesis.get_shard_iterator(stream, &self.shard, &at).await {
                    Ok(iterator) => self.iterator.insert(iterator).clone(),
                    Err(error) => return (request, Err(error)),
                }
            }
        };
        request.sent = Instant::now();
        request.asked_at = shared.now();
        let columns = shared.columns();
        let answer = kinesis.get_records(stream, &iterator, limit, columns).await;
        (request, answer)
    }

    /// Waits for a place among the requests in flight and for room in the buffers.
    async fn admitted<'a>(&self, shared: &'a Shared) -> (Option<SemaphorePermit<'a>>, usize) {
        loop {
            let permit = shared.context.fetches.acquire().await.ok();
            let room = || shared.with(|state| state.page_room(&self.shard));
            if let Some(page_bytes) = room() {
                return (permit, page_bytes);
            }
            drop(permit);
            shared.room(|| room().is_none()).await;
        }
    }

    /// Takes in a page; gives whether the shard goes on.
    fn arrived(&mut self, request: &Request, page: RecordsPage) -> bool {
        self.backoff.reset();
        self.renewed = false;
        let interval = self.shared.context.options.fetch_interval;
        let wait = wait_after(page.size_bytes(), interval);
        let wait = if page.is_empty() {
            wait.max(IDLE_WAIT)
        } else {
            wait
        };
        self.next_fetch = request.sent + wait;
        let held = page.size_bytes() + page.len() * RECORD_OVERHEAD_BYTES;
        self.page_size.learn(page.len(), held);
        self.iterator.clone_from(&page.next);
        tracing::trace!(shard = %self.shard, records = page.len(), behind = ?page.behind_latest, "page");
        let Some(arrival) = self.arrival(request, page) else {
            return false;
        };
        let (started, goes_on) = self
            .shared
            .with(|state| state.arrived(&self.shard, arrival));
        self.shared.start(started);
        goes_on
    }

    /// Counts the rows of a page and moves on behind it; `None` where the page makes no sense.
    fn arrival(&mut self, request: &Request, mut page: RecordsPage) -> Option<Arrival> {
        let answer = Answer {
            asked_at: request.asked_at,
            behind_latest: page.behind_latest,
            limit: request.limit,
            records: page.len(),
            bytes: page.size_bytes(),
        };
        let (behind, ended) = (page.behind_latest, page.next.is_none());
        let children = std::mem::take(&mut page.children);
        let last = page.last_sequence().cloned();
        let until = self.shared.settings.until;
        let page = match CountedPage::new(page, &self.position, until) {
            Ok(page) => page,
            Err(error) => {
                let place = self.shared.place(&self.shard, &self.position);
                let message = format!("{place}: {error}");
                self.shared.fail(Error::new(error.kind(), message));
                return None;
            }
        };
        if let Some(sequence) = last {
            self.position = ShardPosition::After {
                sequence,
                sub_sequence: None,
            };
        }
        let end = if !page.is_whole() {
            PageEnd::BehindFrozenTip
        } else if ended {
            PageEnd::Children(children)
        } else if until.is_some_and(|until| answer.covers(until)) {
            PageEnd::AtFrozenTip
        } else {
            PageEnd::More
        };
        Some(Arrival {
            page,
            behind,
            covered: answer.covered(),
            at_tip: !answer.is_full() && behind.unwrap_or_default().is_zero(),
            end,
        })
    }

    /// Decides when the request is sent again; gives whether it is.
    fn failed(&mut self, request: &Request, error: ApiError) -> bool {
        let pace = self.shared.context.options.fetch_interval.max(IDLE_WAIT);
        self.next_fetch = request.sent + pace;
        let kind = error.kind();
        if kind == ApiErrorKind::ExpiredIterator {
            self.iterator = None;
            self.shared.with(|state| state.failures.renewals += 1);
            if !self.renewed {
                self.renewed = true;
                return true;
            }
        } else if kind == ApiErrorKind::NotFound {
            self.iterator = None;
            self.shared.missing(&self.shard);
        } else if !error.is_retryable() && !self.is_ahead_of_the_service(kind) {
            let place = self.shared.place(&self.shard, &self.position);
            self.shared.fail(error.into_error(place));
            return false;
        }
        self.shared.with(|state| {
            match kind {
                ApiErrorKind::Throttled => state.failures.throttled += 1,
                _ => state.failures.retries += 1,
            }
            state.update(&self.shard, |followed| followed.failing = true);
        });
        let (wait, over) = self.backoff.endless_wait();
        self.next_fetch = self.next_fetch.max(Instant::now() + wait);
        self.report(&error, over);
        true
    }

    /// Whether the service may refuse the start for being in its future: its clock, or ours, is not
    /// quite right, and the time will come.
    fn is_ahead_of_the_service(&self, kind: ApiErrorKind) -> bool {
        let ShardPosition::AtTimestamp(time) = self.position else {
            return false;
        };
        let now = self.shared.context.clock.now();
        let apart = time.since(now).max(now.since(time));
        kind == ApiErrorKind::InvalidArgument && self.iterator.is_none() && apart < CLOCK_SKEW
    }

    fn report(&self, error: &ApiError, over: bool) {
        let (shard, position) = (&self.shard, &self.position);
        let warn = || {
            self.shared
                .with(|state| state.warnings.pass(Instant::now()))
        };
        if let Some(not_told) = over.then(warn).flatten() {
            let failures = self.backoff.failures();
            tracing::warn!(
                %shard, %position, %error, failures, not_told,
                "a shard cannot be read, which is tried again; other shards go on"
            );
        } else {
            tracing::debug!(%shard, %position, %error, "a request will be sent again");
        }
    }
}
