//! Reads one shard from the service, page by page, up to the end of its read.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::physical_plan::metrics::Count;

use super::context::ReadContext;
use super::counters::ReadCounters;
use super::range_end::{RangeEnd, RangeLoss, first_row, inside_record};
use super::shard_read::{ShardRead, Until};
use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::{ApiErrorKind, Backoff, RecordColumns};
use crate::model::{ShardPosition, UnixMillis};
use crate::source::pages::{
    Failure, PageError, PageRequest, PageSource, PollingPages, PollingSettings, ShardPage,
};
use crate::source::request::{Pace, RequestClock, scan_page_bytes};
use crate::source::retention::{CONTINUE_HINT, Gap, GapDetector, ReadHistory, StartRequest};
use crate::source::rows::{
    Findings, OpenPage, PageSlice, RowBuilder, RowColumn, RowIndex, page_columns,
};

/// Reads one shard in batches of rows; holds one page at a time.
#[derive(Debug)]
pub(crate) struct ShardReader<S> {
    context: Arc<ReadContext>,
    read: ShardRead,
    end: End,
    pages: S,
    backoff: Backoff,
    /// When the reader was created.
    started_at: UnixMillis,
    rows: RowBuilder,
    columns: RecordColumns,
    counters: ReadCounters,
    open: Option<OpenPage>,
    /// The rows that may still be returned.
    remaining: u64,
    /// The rows that were found, before the hash filter and the limit.
    found_rows: u64,
    /// Whether a part of the read was found to be lost.
    is_incomplete: bool,
    done: bool,
}

/// How the end of a read is recognized.
#[derive(Debug)]
enum End {
    Tip {
        /// The read ends when all records that had arrived by this time have been read.
        tip: UnixMillis,
        /// The read also ends after a record that arrived later than this.
        arrived_by: Option<UnixMillis>,
    },
    Range(RangeEnd),
}

impl End {
    /// The end of a read to the tip at the time `tip`.
    fn at_tip(tip: UnixMillis, arrived_by: Option<UnixMillis>) -> Self {
        Self::Tip {
            tip: arrived_by.map_or(tip, |by| tip.min(by)),
            arrived_by,
        }
    }
}

impl ShardReader<PollingPages> {
    /// A reader that polls GetRecords.
    pub(super) fn polling(
        context: Arc<ReadContext>,
        read: ShardRead,
        columns: &[RowColumn],
        counters: ReadCounters,
        random: fastrand::Rng,
    ) -> Self {
        let now = context.source.clock.now();
        let window = context.source.retention.window();
        let (started_at, gaps) = match &read.until {
            Until::Tip(tip) | Until::Arrived { tip, .. } => {
                let request = StartRequest {
                    at: now,
                    retention: window.retention,
                };
                let history = ReadHistory::of_requested_start(&read.start, request, now, window);
                // The read began before this reader was created, even if the clock shows an earlier time.
                (now.max(*tip), GapDetector::new(window, history))
            }
            // Missing rows show that records are lost.
            Until::Position(_) => (now, GapDetector::silent(window)),
        };
        let settings = PollingSettings {
            clock: RequestClock::steady(started_at),
            pace: Pace::default(),
            record_overhead_bytes: 0,
            calls: counters.calls.clone(),
            latency: Arc::default(),
            renewals: Count::new(),
        };
        let pages = PollingPages::new(
            Arc::clone(&context.source),
            read.shard.clone(),
            read.start.clone(),
            gaps,
            settings,
        );
        Self::new(context, read, pages, started_at, columns, counters, random)
    }
}

impl<S: PageSource> ShardReader<S> {
    /// A reader of the rows of `pages`.
    pub(super) fn new(
        context: Arc<ReadContext>,
        read: ShardRead,
        pages: S,
        started_at: UnixMillis,
        columns: &[RowColumn],
        counters: ReadCounters,
        random: fastrand::Rng,
    ) -> Self {
        let rows = context.row_builder(&read, columns);
        let mut columns = page_columns(columns);
        let limit = read.limit.unwrap_or(u64::MAX);
        let (end, remaining, is_empty) = match &read.until {
            Until::Tip(tip) | Until::Arrived { tip, .. } => (
                End::at_tip(*tip, read.until.arrived_by()),
                limit.min(
                    context
                        .source
                        .options
                        .max_records_per_shard
                        .unwrap_or(limit),
                ),
                // The service rejects a start in its future; here it is after the end of the read.
                matches!(read.start, ShardPosition::AtTimestamp(time) if read.until.is_before(time)),
            ),
            Until::Position(upto) => {
                columns.sequence_number = true;
                let is_empty = *upto == read.start || read.rows == Some(0);
                (End::Range(RangeEnd::new(upto.clone())), limit, is_empty)
            }
        };
        let is_empty = is_empty || read.start == ShardPosition::ShardEnd || remaining == 0;
        Self {
            backoff: context.backoff(random),
            context,
            read,
            end,
            pages,
            started_at,
            rows,
            columns,
            counters,
            open: None,
            remaining,
            found_rows: 0,
            is_incomplete: false,
            done: is_empty,
        }
    }

    /// The next rows, at least one; `None` at the end of the read.
    ///
    /// # Errors
    /// A request failed permanently, or longer than the retry options allow;
    /// [`DataLoss`](ErrorKind::DataLoss) if records of the read have expired.
    pub(crate) async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.next_of_open_page()? {
                return Ok(Some(batch));
            }
            if self.done {
                return self.check_rows().map(|()| None);
            }
            let Some(slice) = self.next_slice().await? else {
                continue;
            };
            self.counters.add_slice(&slice);
            self.open = Some(OpenPage::new(slice));
        }
    }

    /// Rows of the open page, within the limit.
    fn next_of_open_page(&mut self) -> Result<Option<RecordBatch>> {
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
        self.counters.add(findings);
        self.found_rows += findings.filtered as u64;
        let Some(batch) = batch else {
            self.open = None;
            return Ok(None);
        };
        let rows = batch.num_rows() as u64;
        self.found_rows += rows;
        let taken = rows.min(self.remaining);
        self.remaining -= taken;
        Ok(Some(if taken < rows {
            batch.slice(0, usize::try_from(taken).unwrap_or(usize::MAX))
        } else {
            batch
        }))
    }

    /// The part of the next page that belongs to the read.
    async fn next_slice(&mut self) -> Result<Option<PageSlice>> {
        let from = self.pages.position().clone();
        let page = self.next_page(&from).await;
        match &mut self.end {
            End::Tip { tip, arrived_by } => {
                let page = page?;
                let at_tip = page.covered.is_some_and(|covered| covered >= *tip);
                let is_past = arrived_by.is_some_and(|by| page.records.has_arrived_after(by));
                self.done = page.ended.is_some() || at_tip || is_past;
                if let Some(gap) = page.gap {
                    self.report_loss(self.gap_error(&from, &gap))?;
                }
                let end = RowIndex::before(page.records.len());
                let first = first_row(&page.records, &from);
                let recent = &self.context.recent;
                recent.record(&self.read, from, self.pages.position().clone());
                Ok(Some(PageSlice::new(page.records, first, end)))
            }
            End::Range(range) => {
                let page = match page {
                    Ok(page) => page,
                    Err(error) => return self.range_refused(error).map(|()| None),
                };
                let at_tip = page
                    .covered
                    .is_some_and(|covered| covered >= self.started_at);
                let taken = range.take(&page.records, &from, page.ended.is_some(), at_tip)?;
                if let Some(loss) = &taken.loss {
                    self.report_loss(self.range_error(loss))?;
                }
                self.done = taken.done;
                Ok(Some(PageSlice::new(page.records, taken.first, taken.end)))
            }
        }
    }

    /// The page after `from`, with as many attempts as the retry options allow.
    async fn next_page(&mut self, from: &ShardPosition) -> Result<ShardPage> {
        let request = PageRequest {
            columns: RecordColumns {
                sequence_number: self.columns.sequence_number || inside_record(from).is_some(),
                arrival: self.columns.arrival || self.read.until.arrived_by().is_some(),
                ..self.columns
            },
            max_bytes: scan_page_bytes(self.context.source.shards),
            // A record has at least one row, so more records than rows are not needed.
            max_records: usize::try_from(self.remaining).unwrap_or(usize::MAX),
        };
        loop {
            self.pages.ready().await;
            match self.pages.next_page(request).await {
                Ok(Some(page)) => {
                    self.backoff.reset();
                    let lag = page.records.behind_latest.unwrap_or_default().as_millis();
                    let lag = usize::try_from(lag).unwrap_or(usize::MAX);
                    self.counters.millis_behind_latest.set(lag);
                    return Ok(page);
                }
                Ok(None) => {}
                Err(failed) => tokio::time::sleep(self.wait_after_failure(failed)?).await,
            }
        }
    }

    fn wait_after_failure(&mut self, failed: PageError) -> Result<Duration> {
        let PageError { error, failure } = failed;
        let location = || {
            let position = self.pages.position();
            self.context.source.location(&self.read.shard, position)
        };
        if failure != Failure::Transient {
            return Err(error.into_error(location()));
        }
        if error.kind() == ApiErrorKind::Throttled {
            self.counters.throttles.add(1);
        } else {
            self.counters.retries.add(1);
        }
        let Some(wait) = self.backoff.next_wait() else {
            let attempts = self.backoff.failures() + 1;
            let location = location();
            return Err(error.into_error(format!("{location}: gave up after {attempts} tries")));
        };
        let (shard, failures) = (&self.read.shard, self.backoff.failures());
        if self.backoff.should_warn() {
            tracing::warn!(%shard, %error, failures, "cannot re-read a batch, retrying");
        } else {
            tracing::debug!(%shard, %error, "retrying a request");
        }
        Ok(wait)
    }

    /// The service no longer knows the shard or these sequence numbers: the range is lost.
    fn range_refused(&mut self, error: Error) -> Result<()> {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::InvalidOption => {}
            _ => return Err(error),
        }
        self.done = true;
        let loss = self.range_error(&error);
        self.report_loss(loss.with_source(error))
    }

    /// Compares the rows of an exact read at its end with those it had when it was planned.
    fn check_rows(&mut self) -> Result<()> {
        let (found, planned) = (self.found_rows, self.read.rows.unwrap_or_default());
        if found >= planned || self.is_incomplete || self.read.limit.is_some() {
            return Ok(());
        }
        self.report_loss(self.range_error(&RangeLoss::Rows { found, planned }))
    }

    /// Fails, or continues without the lost records if the options say so. A read counts as one loss, no
    /// matter how often it loses records.
    fn report_loss(&mut self, loss: Error) -> Result<()> {
        if self.context.source.options.fail_on_data_loss {
            return Err(loss);
        }
        if !self.is_incomplete {
            self.counters.lost_ranges.add(1);
        }
        self.is_incomplete = true;
        tracing::warn!(error = %loss, "records are lost, continuing without them");
        Ok(())
    }

    /// The error for a gap after `position` in a read to the tip.
    fn gap_error(&self, position: &ShardPosition, gap: &Gap) -> Error {
        let location = self.context.source.location(&self.read.shard, position);
        let message = format!("{location}: {gap}. {CONTINUE_HINT}");
        Error::new(ErrorKind::DataLoss, message)
    }

    /// The error for an exact read that does not have all its rows.
    fn range_error(&self, reason: &dyn Display) -> Error {
        let ShardRead {
            shard,
            start,
            until,
            ..
        } = &self.read;
        let stream = self.context.stream_name();
        Error::new(
            ErrorKind::DataLoss,
            format!(
                "stream '{stream}', shard '{shard}': the range from {start} to {until} can no longer be \
                 read completely: {reason}. The stream was recreated, or its records have expired; \
                 {CONTINUE_HINT}"
            ),
        )
    }
}
