//! The task that reads one shard into its buffer; it lives as long as the query.

use std::sync::Arc;
use std::time::Duration;

use datafusion::physical_plan::metrics::Count;
use tokio::time::Instant;

use super::shared_state::SharedState;
use super::state::{AfterPage, PageArrival, StreamState};
use crate::error::Result;
use crate::kinesis::{ApiError, Backoff};
use crate::model::{ShardId, ShardPosition};
use crate::source::pages::{
    Failure, PageError, PageRequest, PageSource, PollingPages, PollingSettings, ShardPage,
    SubscribedPages, SubscribedSettings,
};
use crate::source::request::Pace;
use crate::source::retention::{GapDetector, ReadHistory};
use crate::source::rows::{CountedPage, RECORD_OVERHEAD_BYTES};

/// The minimum time between two requests if pacing is off, so that an idle shard does not cause a busy loop.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Reads one shard into its buffer.
#[derive(Debug)]
pub(super) struct ShardTask<S> {
    shared: Arc<SharedState>,
    shard: ShardId,
    pages: S,
    backoff: Backoff,
    /// The number of listings at the time when the service rejected the position. The next one shows whether
    /// the stream was recreated.
    awaited_listing: Option<u64>,
}

impl ShardTask<PollingPages> {
    /// A task that polls GetRecords.
    pub(super) fn polling(shared: Arc<SharedState>, shard: ShardId, random: fastrand::Rng) -> Self {
        let pages = polling_pages(&shared, &shard);
        Self::new(shared, shard, pages, random)
    }
}

impl ShardTask<SubscribedPages> {
    /// A task that takes what SubscribeToShard pushes.
    pub(super) fn subscribed(
        shared: Arc<SharedState>,
        shard: ShardId,
        settings: SubscribedSettings,
        random: fastrand::Rng,
    ) -> Self {
        let context = Arc::clone(&shared.context);
        let polling = polling_pages(&shared, &shard);
        let pages = SubscribedPages::new(context, shard.clone(), polling, settings);
        Self::new(shared, shard, pages, random)
    }
}

/// The pages of a shard from the end of its buffer on.
fn polling_pages(shared: &SharedState, shard: &ShardId) -> PollingPages {
    let start = shared.with(|state| {
        let tracked = state.shards.get(shard);
        tracked.map(|tracked| (tracked.buffer.end().clone(), tracked.history))
    });
    let (position, history) = start.unwrap_or((ShardPosition::ShardEnd, ReadHistory::default()));
    let context = Arc::clone(&shared.context);
    let settings = PollingSettings {
        clock: shared.clock.clone(),
        pace: Pace {
            after_empty_page: MIN_POLL_INTERVAL,
            after_failure: poll_interval(shared),
        },
        record_overhead_bytes: RECORD_OVERHEAD_BYTES,
        calls: Count::new(),
        latency: Arc::clone(&shared.latency),
        renewals: shared.renewals.clone(),
    };
    let gaps = GapDetector::new(context.retention.window(), history);
    PollingPages::new(context, shard.clone(), position, gaps, settings)
}

impl<S: PageSource> ShardTask<S> {
    pub(super) fn new(
        shared: Arc<SharedState>,
        shard: ShardId,
        pages: S,
        random: fastrand::Rng,
    ) -> Self {
        Self {
            backoff: Backoff::endless(shared.context.retry, random),
            shared,
            shard,
            pages,
            awaited_listing: None,
        }
    }

    /// Reads until the shard ends, the frozen tip is reached, or a request fails permanently.
    pub(super) async fn run(mut self) {
        if let (Some(until), ShardPosition::AtTimestamp(time)) =
            (self.shared.settings.until, self.pages.position())
            && *time > until
        {
            self.shared.with(|state| state.leave(&self.shard));
            return;
        }
        loop {
            self.pages.ready().await;
            if self.shared.with(|state| state.is_done(&self.shard)) {
                return;
            }
            if self.is_held_back() {
                self.pages.pause();
                tokio::time::sleep(poll_interval(&self.shared)).await;
                continue;
            }
            let Some(max_bytes) = self.page_room() else {
                self.pages.pause();
                self.shared.room(|| self.page_room().is_none()).await;
                continue;
            };
            if !self.next_page(max_bytes).await {
                return;
            }
        }
    }

    /// Whether requests are useless until the shards have been listed, or until the parents of the shard have
    /// been read, because the shard was not yet listed when its task started.
    fn is_held_back(&self) -> bool {
        self.shared.with(|state| {
            let is_unlisted = |listings| listings == state.listings;
            self.awaited_listing.is_some_and(is_unlisted) || state.is_held_back(&self.shard)
        })
    }

    /// The room for a page in the buffers.
    fn page_room(&self) -> Option<usize> {
        self.shared.with(|state| state.page_room(&self.shard))
    }

    /// Reads a page; returns whether to continue.
    async fn next_page(&mut self, max_bytes: usize) -> bool {
        let request = PageRequest {
            columns: self.shared.page_columns(),
            max_bytes,
            max_records: usize::MAX,
        };
        let from = self.pages.position().clone();
        match self.pages.next_page(request).await {
            Ok(page) => {
                self.awaited_listing = None;
                match page {
                    Some(page) => self.arrived(page, &from).await,
                    None => true,
                }
            }
            Err(error) => match self.failed(error) {
                Some(wait) => {
                    tokio::time::sleep(wait).await;
                    true
                }
                None => false,
            },
        }
    }

    /// Handles the page after `from`; returns whether to continue.
    async fn arrived(&mut self, mut page: ShardPage, from: &ShardPosition) -> bool {
        self.backoff.reset();
        if let Some(gap) = page.gap.take()
            && !self.has_its_first_records(from).await
            && !self.shared.report_loss(&self.shard, from, &gap)
        {
            return false;
        }
        let arrival = match self.page_arrival(page, from) {
            Ok(arrival) => arrival,
            Err(error) => {
                let location = self.shared.context.location(&self.shard, from);
                self.shared.fail(error.in_context(location));
                return false;
            }
        };
        let (started, continues) = self
            .shared
            .with(|state| state.arrived(&self.shard, arrival));
        self.shared.start(started);
        continues
    }

    /// Whether the first page of a shard that a reshard created contains its first records despite a gap.
    /// Requests a listing to decide that: parents are listed for as long as the first records of their
    /// children are kept.
    async fn has_its_first_records(&self, from: &ShardPosition) -> bool {
        if *from != ShardPosition::TrimHorizon {
            return false;
        }
        let shared = &self.shared;
        let listing = shared.with(|state| state.listings_requested);
        loop {
            shared.request_listing();
            tokio::time::sleep(poll_interval(shared)).await;
            let answer =
                |state: &mut StreamState| state.has_parents_after_listing(&self.shard, listing);
            if let Some(has_parents) = shared.with(answer) {
                return has_parents;
            }
        }
    }

    /// Counts the rows of the page after `from`.
    fn page_arrival(&self, page: ShardPage, from: &ShardPosition) -> Result<PageArrival> {
        let until = self.shared.settings.until;
        let is_at_frozen_tip = until.is_some_and(|until| page.covered >= Some(until));
        let records = CountedPage::new(page.records, from, until)?;
        let after = if !records.is_whole() {
            AfterPage::BehindFrozenTip
        } else if let Some(children) = page.ended {
            AfterPage::Children(children)
        } else if is_at_frozen_tip {
            AfterPage::AtFrozenTip
        } else {
            AfterPage::More
        };
        Ok(PageArrival {
            page: records.reading_to(page.read_to),
            covered: page.covered,
            at_tip: page.at_tip,
            found_nothing: page.found_nothing,
            after,
        })
    }

    /// Handles a failed request; returns how long to wait before the retry, or `None` if the query has failed.
    fn failed(&mut self, failed: PageError) -> Option<Duration> {
        let PageError { error, failure } = failed;
        let may_retry = match failure {
            Failure::Transient | Failure::StartInFuture => true,
            Failure::UnknownShard => {
                self.shared.missing(&self.shard);
                true
            }
            Failure::RejectedPosition => self.await_listing(),
            Failure::Permanent => false,
        };
        if !may_retry {
            let position = self.pages.position();
            let location = self.shared.context.location(&self.shard, position);
            self.shared.fail(error.into_error(location));
            return None;
        }
        let now = self.shared.now();
        self.shared
            .with(|state| state.request_failed(&self.shard, &error, now));
        let (wait, is_time_to_warn) = self.backoff.endless_wait();
        self.log_retry(&error, is_time_to_warn);
        Some(wait)
    }

    /// Requests a listing, which shows whether the stream was recreated, unless that was already done.
    /// Returns whether it did.
    fn await_listing(&mut self) -> bool {
        let is_first = self.awaited_listing.is_none();
        if is_first {
            self.awaited_listing = Some(self.shared.request_listing());
        }
        is_first
    }

    fn log_retry(&self, error: &ApiError, is_time_to_warn: bool) {
        let (shard, position) = (&self.shard, self.pages.position());
        let admit = || {
            self.shared
                .with(|state| state.warnings.admit(Instant::now()))
        };
        if let Some(suppressed) = is_time_to_warn.then(admit).flatten() {
            let failures = self.backoff.failures();
            tracing::warn!(
                %shard, %position, %error, failures, suppressed,
                "cannot read a shard, retrying; other shards are read independently of it"
            );
        } else {
            tracing::debug!(%shard, %position, %error, "retrying a request");
        }
    }
}

/// The time between two requests to a shard.
fn poll_interval(shared: &SharedState) -> Duration {
    let interval = shared.context.options.fetch_interval;
    interval.max(MIN_POLL_INTERVAL)
}
