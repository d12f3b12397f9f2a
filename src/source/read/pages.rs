//! The pages of one shard: each at its time, over as many tries as it takes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::counters::ReadCounters;
use crate::error::Result;
use crate::kinesis::{
    ApiError, ApiErrorKind, ApiResult, RecordColumns, RecordsPage, ShardIterator, with_retries,
};
use crate::model::{ShardId, ShardPosition, UnixMillis};
use crate::source::context::ReadContext;
use crate::source::pages::Fetcher;
use crate::source::request::Answer;
use crate::source::request::PageSize;
use crate::source::retention::{Gap, Watch};

/// Reads a shard page by page, from a place on.
#[derive(Debug)]
pub(crate) struct PageReader {
    fetcher: Fetcher,
    counters: ReadCounters,
    random: fastrand::Rng,
    page_size: PageSize,
    started: Started,
}

/// The time by the clock when the reader was made, and on from there by a clock that is never set:
/// one that is set back would hold the end of the read open.
#[derive(Debug, Clone, Copy)]
struct Started {
    time: UnixMillis,
    instant: Instant,
}

impl Started {
    fn at(&self, instant: Instant) -> UnixMillis {
        self.time.plus(instant.duration_since(self.instant))
    }
}

/// A page and what its answer says about the tip.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) page: RecordsPage,
    pub(crate) answer: Answer,
    /// What is gone before the page.
    pub(crate) gap: Option<Gap>,
}

impl PageReader {
    /// A reader of `shard` behind `position`; `started_at` is the present moment.
    pub(crate) fn new(
        context: Arc<ReadContext>,
        shard: ShardId,
        position: ShardPosition,
        watch: Watch,
        started_at: UnixMillis,
        counters: ReadCounters,
        mut random: fastrand::Rng,
    ) -> Self {
        Self {
            page_size: PageSize::of_scan(context.shards),
            fetcher: Fetcher::new(context, shard, position, watch, random.fork()),
            counters,
            random,
            started: Started {
                time: started_at,
                instant: Instant::now(),
            },
        }
    }

    /// When it was made.
    pub(crate) fn started_at(&self) -> UnixMillis {
        self.started.time
    }

    /// Whether the last page, which was empty, says nothing of the tip.
    pub(crate) fn is_unsure(&self) -> bool {
        self.fetcher.is_unsure()
    }

    /// Behind the last page.
    pub(crate) fn position(&self) -> &ShardPosition {
        self.fetcher.position()
    }

    /// The next page, of at most `most` records. With a place inside a record it begins with that
    /// record, as long as the shard holds it.
    ///
    /// # Errors
    /// A request failed for good, or longer than the retry options allow.
    pub(crate) async fn next(&mut self, columns: RecordColumns, most: usize) -> Result<Fetched> {
        let most = most.min(self.fetcher.context.options.records_per_fetch);
        loop {
            tokio::time::sleep_until(self.fetcher.next_fetch).await;
            self.fetcher.prepare(self.started.at(Instant::now()));
            let iterator = match &self.fetcher.iterator {
                Some(iterator) => iterator.clone(),
                None => {
                    let iterator = self.new_iterator().await?;
                    self.fetcher.iterator.insert(iterator).clone()
                }
            };
            let (asked, limit, answer) = self.get_records(&iterator, most, columns).await;
            let failed = match answer {
                Ok(page) => {
                    let asked_at = self.started.at(asked);
                    let answer = self.fetcher.answer(&page, asked_at, limit);
                    match self.fetcher.must_ask_again(&page, &answer, asked).await {
                        Ok(true) => continue,
                        Ok(false) => {
                            self.take_stock(&page);
                            let wait = Duration::ZERO;
                            let (page, gap) = self.fetcher.move_on(page, &answer, asked, wait);
                            return Ok(Fetched { page, answer, gap });
                        }
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            let wait = self.wait_after_failure(failed)?;
            self.fetcher.next_fetch = Instant::now() + wait;
        }
    }

    /// One request for at most `most` records; gives when it was sent and for how many.
    async fn get_records(
        &self,
        iterator: &ShardIterator,
        most: usize,
        columns: RecordColumns,
    ) -> (Instant, usize, ApiResult<RecordsPage>) {
        let in_flight = &self.fetcher.context.in_flight;
        // Held for the request alone: with rows on their way up it could wait for other shards.
        let slot = in_flight.slot().await;
        let room = in_flight.reserve(self.page_size.bytes());
        let limit = most.min(self.page_size.records_within(room.bytes()));
        let asked = Instant::now();
        self.counters.calls.add(1);
        let columns = self.fetcher.columns(columns);
        let request = self.fetcher.get_records(iterator, limit, columns);
        (asked, limit, slot.send(request).await)
    }

    fn take_stock(&mut self, page: &RecordsPage) {
        self.page_size.learn(page.len(), page.size_bytes());
        let millis = page.behind_latest.unwrap_or_default().as_millis();
        let millis = usize::try_from(millis).unwrap_or(usize::MAX);
        self.counters.millis_behind_latest.set(millis);
    }

    fn wait_after_failure(&mut self, error: ApiError) -> Result<Duration> {
        let fetcher = &mut self.fetcher;
        if fetcher.forgives(&error) {
            return Ok(Duration::ZERO);
        }
        let kind = error.kind();
        if kind != ApiErrorKind::ExpiredIterator && !error.is_retryable() {
            return Err(error.into_error(fetcher.place()));
        }
        if kind == ApiErrorKind::Throttled {
            self.counters.throttles.add(1);
        } else {
            self.counters.retries.add(1);
        }
        let Some(wait) = fetcher.backoff.next_wait() else {
            let tries = fetcher.backoff.failures() + 1;
            let place = fetcher.place();
            return Err(error.into_error(format!("{place}: gave up after {tries} tries")));
        };
        let (shard, failures) = (&fetcher.shard, fetcher.backoff.failures());
        if fetcher.backoff.should_warn() {
            tracing::warn!(%shard, %error, failures, "a batch cannot be read again, which is tried again");
        } else {
            tracing::debug!(%shard, %error, "GetRecords will be sent again");
        }
        Ok(wait)
    }

    /// A new iterator, over as many tries as it takes.
    async fn new_iterator(&mut self) -> Result<ShardIterator> {
        let (context, shard) = (&self.fetcher.context, &self.fetcher.shard);
        let place = format!("stream '{}', shard '{shard}'", context.stream.name());
        // A backoff of its own: a success here says nothing of GetRecords.
        let mut backoff = context.backoff(self.random.fork());
        with_retries(&mut backoff, place, || async {
            let slot = context.in_flight.slot().await;
            slot.send(self.fetcher.new_iterator()).await
        })
        .await
    }
}
