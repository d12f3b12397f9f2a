//! The pages of one shard: each at its time, over as many tries as it takes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Result;
use crate::kinesis::{
    ApiError, ApiErrorKind, ApiResult, Backoff, RecordColumns, RecordsPage, ShardIterator,
    with_retries,
};
use crate::model::{ShardId, ShardPosition, UnixMillis};
use crate::source::counters::ReadCounters;
use crate::source::pacing::{PageSize, wait_after};
use crate::source::read::{ReadContext, iterator_position};
use crate::source::tip::Answer;

/// Reads a shard page by page, from a place on.
#[derive(Debug)]
pub(in crate::source) struct PageReader {
    context: Arc<ReadContext>,
    shard: ShardId,
    counters: ReadCounters,
    backoff: Backoff,
    random: fastrand::Rng,
    iterator: Option<ShardIterator>,
    /// Set when the iterator has expired since the last page: the first time costs no retry.
    renewed: bool,
    position: ShardPosition,
    page_size: PageSize,
    next_fetch: Instant,
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
pub(in crate::source) struct Fetched {
    pub(in crate::source) page: RecordsPage,
    pub(in crate::source) answer: Answer,
}

impl PageReader {
    /// A reader of `shard` behind `position`; `started_at` is the present moment.
    pub(in crate::source) fn new(
        context: Arc<ReadContext>,
        shard: ShardId,
        position: ShardPosition,
        started_at: UnixMillis,
        counters: ReadCounters,
        mut random: fastrand::Rng,
    ) -> Self {
        Self {
            backoff: Backoff::new(context.retry, random.fork()),
            random,
            renewed: false,
            position,
            page_size: PageSize::of_scan(context.shards),
            context,
            shard,
            counters,
            iterator: None,
            next_fetch: Instant::now(),
            started: Started {
                time: started_at,
                instant: Instant::now(),
            },
        }
    }

    /// When it was made.
    pub(in crate::source) fn started_at(&self) -> UnixMillis {
        self.started.time
    }

    /// Behind the last page.
    pub(in crate::source) fn position(&self) -> &ShardPosition {
        &self.position
    }

    /// The next page, of at most `most` records. With a place inside a record it begins with that
    /// record, as long as the shard holds it.
    ///
    /// # Errors
    /// A request failed for good, or longer than the retry options allow.
    pub(in crate::source) async fn next(
        &mut self,
        columns: RecordColumns,
        most: usize,
    ) -> Result<Fetched> {
        let most = most.min(self.context.options.records_per_fetch);
        let limit = most.min(self.page_size.records());
        loop {
            tokio::time::sleep_until(self.next_fetch).await;
            let iterator = match self.iterator.take() {
                Some(iterator) => iterator,
                None => self.new_iterator().await?,
            };
            let (asked, answer) = self.get_records(&iterator, limit, columns).await;
            match answer {
                Ok(page) => {
                    self.backoff.reset();
                    self.renewed = false;
                    let wait = wait_after(page.size_bytes(), self.context.options.fetch_interval);
                    self.next_fetch = asked + wait;
                    let answer = self.take_stock(&page, self.started.at(asked), limit);
                    return Ok(Fetched { page, answer });
                }
                Err(error) => {
                    // A failed call does not use up its iterator; an expired one is of no more use.
                    if error.kind() != ApiErrorKind::ExpiredIterator {
                        self.iterator = Some(iterator);
                    }
                    let wait = self.wait_after_failure(error)?;
                    self.next_fetch = Instant::now() + wait;
                }
            }
        }
    }

    /// One request, and when it was sent.
    async fn get_records(
        &self,
        iterator: &ShardIterator,
        limit: usize,
        columns: RecordColumns,
    ) -> (Instant, ApiResult<RecordsPage>) {
        let context = &self.context;
        // Held for the request alone: with rows on their way up it could wait for other shards.
        let _permit = context.fetches.acquire().await;
        let asked = Instant::now();
        self.counters.calls.add(1);
        let (kinesis, stream) = (&context.kinesis, &context.stream);
        let answer = kinesis.get_records(stream, iterator, limit, columns);
        (asked, answer.await)
    }

    /// Learns from the page and moves on behind it.
    fn take_stock(&mut self, page: &RecordsPage, asked_at: UnixMillis, limit: usize) -> Answer {
        self.page_size.learn(page.len(), page.size_bytes());
        let behind = page.behind_latest;
        let millis = behind.unwrap_or(Duration::ZERO).as_millis();
        self.counters
            .millis_behind_latest
            .set(usize::try_from(millis).unwrap_or(usize::MAX));
        tracing::trace!(shard = %self.shard, records = page.len(), ?behind, "page");
        if let Some(sequence) = page.last_sequence() {
            self.position = ShardPosition::After {
                sequence: sequence.clone(),
                sub_sequence: None,
            };
        }
        self.iterator.clone_from(&page.next);
        Answer {
            asked_at,
            behind_latest: behind,
            limit,
            records: page.len(),
            bytes: page.size_bytes(),
        }
    }

    fn wait_after_failure(&mut self, error: ApiError) -> Result<Duration> {
        let expired = error.kind() == ApiErrorKind::ExpiredIterator;
        if expired && !self.renewed {
            self.renewed = true;
            return Ok(Duration::ZERO);
        }
        if !expired && !error.is_retryable() {
            return Err(error.into_error(self.place()));
        }
        if error.kind() == ApiErrorKind::Throttled {
            self.counters.throttles.add(1);
        } else {
            self.counters.retries.add(1);
        }
        tracing::debug!(shard = %self.shard, %error, "GetRecords will be sent again");
        self.backoff.next_wait().ok_or_else(|| {
            let tries = self.backoff.failures() + 1;
            let place = self.place();
            error.into_error(format!("{place}: gave up after {tries} tries"))
        })
    }

    /// An iterator after the last record that was read, or at the start.
    async fn new_iterator(&mut self) -> Result<ShardIterator> {
        let context = &self.context;
        let shard = &self.shard;
        let at = iterator_position(&self.position);
        let place = format!("stream '{}', shard '{shard}'", context.stream.name());
        // A backoff of its own: a success here says nothing of GetRecords.
        let mut backoff = Backoff::new(context.retry, self.random.fork());
        with_retries(&mut backoff, place, || {
            context
                .kinesis
                .get_shard_iterator(&context.stream, shard, &at)
        })
        .await
    }

    fn place(&self) -> String {
        let stream = self.context.stream.name();
        let (shard, position) = (&self.shard, &self.position);
        format!("stream '{stream}', shard '{shard}', position {position}")
    }
}
