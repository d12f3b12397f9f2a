//! One shard by GetRecords: paced, retried, its iterator renewed, until it is read to the end.

use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use tokio::time::Instant;

use super::buffered::{PageSlice, RowPlace};
use super::columns::{RowColumn, page_columns};
use super::counters::ReadCounters;
use super::pacing::{PageSize, wait_after};
use super::read::{ReadContext, ShardRead, Until, iterator_position};
use super::rows::{Findings, OpenPage, RowBuilder};
use super::tip::Answer;
use crate::error::Result;
use crate::kinesis::{
    ApiError, ApiErrorKind, ApiResult, Backoff, RecordColumns, RecordsPage, ShardIterator,
    with_retries,
};
use crate::model::{SequenceNumber, ShardPosition, UnixMillis};

/// Reads one shard, batch by batch; holds one page at a time.
#[derive(Debug)]
pub(crate) struct ShardReader {
    context: ReadContext,
    read: ShardRead,
    rows: RowBuilder,
    columns: RecordColumns,
    counters: ReadCounters,
    backoff: Backoff,
    random: fastrand::Rng,
    iterator: Option<ShardIterator>,
    /// Set when the iterator has expired since the last page: the first time costs no retry.
    renewed: bool,
    position: ShardPosition,
    open: Option<OpenPage>,
    remaining: u64,
    page_size: PageSize,
    next_fetch: Instant,
    started: Started,
    done: bool,
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

impl ShardReader {
    pub(crate) fn new(
        context: ReadContext,
        read: ShardRead,
        columns: &[RowColumn],
        counters: ReadCounters,
        mut random: fastrand::Rng,
    ) -> Self {
        let rows = RowBuilder::new(
            context.stream.name().clone(),
            read.shard.clone(),
            read.hash_range,
            context.options.hash_filter,
            columns.to_vec(),
        );
        let cap = context.options.max_records_per_shard.unwrap_or(u64::MAX);
        let remaining = read.limit.unwrap_or(u64::MAX).min(cap);
        let started = Started {
            // The read began before this, whatever the clock says.
            time: match read.until {
                Until::Tip(begun_at) => context.clock.now().max(begun_at),
                Until::Position(_) => context.clock.now(),
            },
            instant: Instant::now(),
        };
        // A time in the future is an error to the service, and behind the end of the read to us.
        let empty = match read.start {
            ShardPosition::ShardEnd => true,
            ShardPosition::AtTimestamp(time) => read.until.is_tip_before(time),
            _ => false,
        };
        Self {
            columns: page_columns(columns),
            backoff: Backoff::new(context.retry, random.fork()),
            random,
            renewed: false,
            position: read.start.clone(),
            done: empty || remaining == 0,
            page_size: PageSize::of_scan(context.shards),
            context,
            read,
            rows,
            counters,
            iterator: None,
            open: None,
            remaining,
            next_fetch: Instant::now(),
            started,
        }
    }

    /// The next rows, at least one; `None` when the shard is read.
    ///
    /// # Errors
    /// A request failed for good, or longer than the retry options allow.
    pub(crate) async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.next_opened()? {
                return Ok(Some(batch));
            }
            if self.done {
                return Ok(None);
            }
            let page = self.fetch().await?;
            self.open = Some(page);
        }
    }

    /// Rows of the page at hand, up to what may still be read.
    fn next_opened(&mut self) -> Result<Option<RecordBatch>> {
        if self.remaining == 0 {
            self.done = true;
            self.open = None;
            return Ok(None);
        }
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        let mut findings = Findings::default();
        let batch = self.rows.next_batch(open, &mut findings)?;
        self.counters.damaged_aggregates.add(findings.damaged);
        self.counters.filtered.add(findings.filtered);
        let Some(batch) = batch else {
            self.open = None;
            return Ok(None);
        };
        let rows = batch.num_rows() as u64;
        let taken = rows.min(self.remaining);
        self.remaining -= taken;
        Ok(Some(if taken < rows {
            batch.slice(0, usize::try_from(taken).unwrap_or(usize::MAX))
        } else {
            batch
        }))
    }

    /// One page, at its time, over as many tries as it takes.
    async fn fetch(&mut self) -> Result<OpenPage> {
        let from = self.position.clone();
        let columns = RecordColumns {
            sequence_number: self.columns.sequence_number || inside(&from).is_some(),
            ..self.columns
        };
        let limit = self.page_limit();
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
                    self.take_stock(&page, self.started.at(asked), limit);
                    let end = RowPlace::before(page.len());
                    let first = first_row(&page, &from);
                    return Ok(OpenPage::new(PageSlice::new(page, first, end)));
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

    /// Counts the page and moves on behind it.
    fn take_stock(&mut self, page: &RecordsPage, asked_at: UnixMillis, limit: usize) {
        self.counters.records.add(page.len());
        self.counters.bytes.add(page.size_bytes());
        self.page_size.learn(page.len(), page.size_bytes());
        let behind = page.behind_latest;
        let millis = behind.unwrap_or(Duration::ZERO).as_millis();
        self.counters
            .millis_behind_latest
            .set(usize::try_from(millis).unwrap_or(usize::MAX));
        tracing::trace!(shard = %self.read.shard, records = page.len(), ?behind, "page");
        if let Some(sequence) = page.last_sequence() {
            self.position = ShardPosition::After {
                sequence: sequence.clone(),
                sub_sequence: None,
            };
        }
        self.iterator.clone_from(&page.next);
        let answer = Answer {
            asked_at,
            behind_latest: behind,
            limit,
            records: page.len(),
            bytes: page.size_bytes(),
        };
        self.done = page.next.is_none()
            || match self.read.until {
                Until::Tip(begun_at) => answer.covers(begun_at),
                Until::Position(_) => false,
            };
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
        tracing::debug!(shard = %self.read.shard, %error, "GetRecords will be sent again");
        self.backoff.next_wait().ok_or_else(|| {
            let tries = self.backoff.failures() + 1;
            let place = self.place();
            error.into_error(format!("{place}: gave up after {tries} tries"))
        })
    }

    /// An iterator after the last record that was read, or at the start.
    async fn new_iterator(&mut self) -> Result<ShardIterator> {
        let context = &self.context;
        let shard = &self.read.shard;
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

    /// No more records than rows may still be read: each record holds at least one, as a rule.
    fn page_limit(&self) -> usize {
        let remaining = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        let asked = self.context.options.records_per_fetch.min(remaining);
        asked.min(self.page_size.records())
    }

    fn place(&self) -> String {
        let stream = self.context.stream.name();
        let shard = &self.read.shard;
        format!(
            "stream '{stream}', shard '{shard}', position {}",
            self.position
        )
    }
}

/// The record a place stands in, and the user records of it that were read.
fn inside(position: &ShardPosition) -> Option<(&SequenceNumber, u64)> {
    match position {
        ShardPosition::After {
            sequence,
            sub_sequence: Some(sub),
        } => Some((sequence, sub.saturating_add(1))),
        _ => None,
    }
}

/// Where the unread rows of the page that follows `position` begin.
fn first_row(page: &RecordsPage, position: &ShardPosition) -> RowPlace {
    let numbers = page.sequence_number().filter(|_| !page.is_empty());
    let read = inside(position).filter(|(sequence, _)| {
        numbers.is_some_and(|numbers| numbers.value(0) == sequence.as_str())
    });
    RowPlace {
        record: 0,
        sub: read.map_or(0, |(_, read)| read),
    }
}
