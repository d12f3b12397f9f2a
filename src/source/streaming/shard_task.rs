//! The reader of one shard: a task that lives as long as the query.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::shared_state::Shared;
use super::state::{Arrival, PageEnd, State};
use crate::error::Result;
use crate::kinesis::{ApiResult, RecordsPage};
use crate::model::{ShardId, ShardPosition, UnixMillis};
use crate::source::pages::Fetcher;
use crate::source::request::Answer;
use crate::source::request::PageSize;
use crate::source::request::Slot;
use crate::source::retention::{Past, Watch};
use crate::source::rows::{CountedPage, RECORD_OVERHEAD_BYTES};

/// The least time between two requests where pacing is off: an idle shard is no reason to spin.
const IDLE_WAIT: Duration = Duration::from_millis(10);

/// Fills the buffer of one shard.
#[derive(Debug)]
pub(crate) struct ShardFollower {
    pub(crate) shared: Arc<Shared>,
    pub(crate) fetcher: Fetcher,
    page_size: PageSize,
    /// Listings there were when the service refused the position: the next one tells why it may have.
    pub(crate) listing_awaited: Option<u64>,
}

/// A request that was sent.
pub(crate) struct Request {
    pub(crate) sent: Instant,
    asked_at: UnixMillis,
    limit: usize,
}

impl ShardFollower {
    pub(crate) fn new(shared: Arc<Shared>, shard: ShardId, mut random: fastrand::Rng) -> Self {
        let start = shared.with(|state| {
            let followed = state.shards.get(&shard);
            followed.map(|followed| (followed.buffer.end().clone(), followed.past))
        });
        let (position, past) = start.unwrap_or((ShardPosition::ShardEnd, Past::default()));
        let context = Arc::clone(&shared.context);
        let watch = Watch::new(context.retention.kept(), past);
        Self {
            page_size: PageSize::of_scan(context.shards),
            fetcher: Fetcher::new(context, shard, position, watch, random.fork()),
            listing_awaited: None,
            shared,
        }
    }

    /// Reads until the shard ends, the frozen tip is reached, or something fails for good.
    pub(crate) async fn run(mut self) {
        if let (Some(until), ShardPosition::AtTimestamp(time)) =
            (self.shared.settings.until, self.fetcher.position())
            && *time > until
        {
            self.shared.with(|state| state.leave(&self.fetcher.shard));
            return;
        }
        loop {
            tokio::time::sleep_until(self.fetcher.next_fetch).await;
            if self.shared.with(|state| state.is_done(&self.fetcher.shard)) {
                return;
            }
            if self.is_held_back() {
                self.fetcher.next_fetch = Instant::now() + self.pace();
                continue;
            }
            let (request, answer) = self.ask().await;
            let goes_on = match answer {
                Ok(page) => self.arrived(&request, page).await,
                Err(error) => self.failed(&request, error),
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Whether to ask the service is of no use before the shards have been listed, or before the parents
    /// of the shard, which was not listed when its reader began, are read.
    fn is_held_back(&self) -> bool {
        self.shared.with(|state| {
            let unlisted = |listings| listings == state.listings;
            self.listing_awaited.is_some_and(unlisted) || state.is_held_back(&self.fetcher.shard)
        })
    }

    /// The time between two requests.
    pub(crate) fn pace(&self) -> Duration {
        self.shared.context.options.fetch_interval.max(IDLE_WAIT)
    }

    /// One GetRecords, with an iterator before it where there is none.
    async fn ask(&mut self) -> (Request, ApiResult<RecordsPage>) {
        let shared = Arc::clone(&self.shared);
        let (slot, page_bytes) = self.admitted(&shared).await;
        let room = shared.context.in_flight.reserve(page_bytes);
        let limit = self.page_size.records_within(room.bytes());
        let limit = limit.min(shared.context.options.records_per_fetch);
        slot.send(self.send(&shared, limit)).await
    }

    /// The requests of [`ask`](Self::ask).
    async fn send(&mut self, shared: &Shared, limit: usize) -> (Request, ApiResult<RecordsPage>) {
        let mut request = Request {
            sent: Instant::now(),
            asked_at: shared.now(),
            limit,
        };
        self.fetcher.prepare(request.asked_at);
        let iterator = match &self.fetcher.iterator {
            Some(iterator) => iterator.clone(),
            None => match self.fetcher.new_iterator().await {
                Ok(iterator) => self.fetcher.iterator.insert(iterator).clone(),
                Err(error) => return (request, Err(error)),
            },
        };
        request.sent = Instant::now();
        request.asked_at = shared.now();
        let columns = self.fetcher.columns(shared.columns());
        let answer = self.fetcher.get_records(&iterator, limit, columns);
        (request, answer.await)
    }

    /// Waits for a place among the requests in flight and for room in the buffers.
    async fn admitted<'a>(&self, shared: &'a Shared) -> (Slot<'a>, usize) {
        loop {
            let slot = shared.context.in_flight.slot().await;
            let room = || shared.with(|state| state.page_room(&self.fetcher.shard));
            if let Some(page_bytes) = room() {
                return (slot, page_bytes);
            }
            drop(slot);
            shared.room(|| room().is_none()).await;
        }
    }

    /// Takes in a page; gives whether the shard goes on.
    async fn arrived(&mut self, request: &Request, page: RecordsPage) -> bool {
        let least_wait = if page.is_empty() {
            IDLE_WAIT
        } else {
            Duration::ZERO
        };
        self.listing_awaited = None;
        let from = self.fetcher.position().clone();
        let held = page.size_bytes() + page.len() * RECORD_OVERHEAD_BYTES;
        self.page_size.learn(page.len(), held);
        let answer = self.fetcher.answer(&page, request.asked_at, request.limit);
        match self
            .fetcher
            .must_ask_again(&page, &answer, request.sent)
            .await
        {
            Ok(false) => {}
            Ok(true) => return true,
            Err(error) => return self.failed(request, error),
        }
        let (page, gap) = self
            .fetcher
            .move_on(page, &answer, request.sent, least_wait);
        if let Some(gap) = gap
            && !self.has_its_beginning(&from).await
            && !self.shared.lost(&self.fetcher.shard, &from, &gap)
        {
            return false;
        }
        let arrival = match self.arrival(&answer, page, &from) {
            Ok(arrival) => arrival,
            Err(error) => {
                let place = self.shared.context.place(&self.fetcher.shard, &from);
                self.shared.fail(error.in_context(place));
                return false;
            }
        };
        let (started, goes_on) = self
            .shared
            .with(|state| state.arrived(&self.fetcher.shard, arrival));
        self.shared.start(started);
        goes_on
    }

    /// Whether the first page of a shard that came out of a reshard has all that it began with, which
    /// a listing tells that is asked for now: it has the parents for as long as their children's first
    /// records stay.
    async fn has_its_beginning(&self, from: &ShardPosition) -> bool {
        if *from != ShardPosition::TrimHorizon {
            return false;
        }
        let shared = &self.shared;
        let listing = shared.with(|state| state.listings_begun);
        loop {
            shared.want_listing();
            tokio::time::sleep(self.pace()).await;
            let told = |state: &mut State| state.has_parents_behind(&self.fetcher.shard, listing);
            if let Some(whole) = shared.with(told) {
                return whole;
            }
        }
    }

    /// Counts the rows of a page that was asked for from `from` on.
    fn arrival(
        &self,
        answer: &Answer,
        mut page: RecordsPage,
        from: &ShardPosition,
    ) -> Result<Arrival> {
        let (behind, ended) = (page.behind_latest, page.next.is_none());
        let children = std::mem::take(&mut page.children);
        let until = self.shared.settings.until;
        let sure = !self.fetcher.is_unsure();
        // A lag that the service does not say may be any.
        let found_nothing = sure && page.is_empty() && behind == Some(Duration::ZERO);
        let page = CountedPage::new(page, from, until)?;
        let end = if !page.is_whole() {
            PageEnd::BehindFrozenTip
        } else if ended {
            PageEnd::Children(children)
        } else if sure && until.is_some_and(|until| answer.covers(until)) {
            PageEnd::AtFrozenTip
        } else {
            PageEnd::More
        };
        Ok(Arrival {
            page: page.reading_to(self.fetcher.read_to()),
            covered: answer.covered().filter(|_| sure),
            at_tip: sure && !answer.is_full() && behind.unwrap_or_default().is_zero(),
            found_nothing,
            end,
        })
    }
}
