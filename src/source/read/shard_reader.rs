//! One shard by GetRecords, until it is read to the end.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;

use super::counters::ReadCounters;
use super::pages::{Fetched, PageReader};
use super::range_end::{Loss, RangeEnd, first_row, inside};
use super::shard_read::{ShardRead, Until};
use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::RecordColumns;
use crate::model::{ShardPosition, UnixMillis};
use crate::source::context::ReadContext;
use crate::source::retention::{Gap, Past, WAY_OUT, Watch, Wish};
use crate::source::rows::{Findings, OpenPage, RowBuilder};
use crate::source::rows::{PageSlice, RowIndex};
use crate::source::rows::{RowColumn, page_columns};

/// Reads one shard, batch by batch; holds one page at a time.
#[derive(Debug)]
pub(crate) struct ShardReader {
    context: Arc<ReadContext>,
    read: ShardRead,
    end: End,
    pages: PageReader,
    rows: RowBuilder,
    columns: RecordColumns,
    counters: ReadCounters,
    open: Option<OpenPage>,
    remaining: u64,
    /// Rows that came, those that a hash filter left out counted.
    came: u64,
    /// Whether a part of the read was found to be gone.
    is_cut: bool,
    done: bool,
}

/// How the end of a read is known.
#[derive(Debug)]
enum End {
    Tip {
        /// All that was there at this time is read.
        begun_at: UnixMillis,
        /// Records behind one that arrived later are not wanted.
        arrived_by: Option<UnixMillis>,
    },
    Range(RangeEnd),
}

impl End {
    /// Of a read to the tip as it was at `begun_at`.
    fn at_tip(begun_at: UnixMillis, arrived_by: Option<UnixMillis>) -> Self {
        Self::Tip {
            begun_at: arrived_by.map_or(begun_at, |by| begun_at.min(by)),
            arrived_by,
        }
    }
}

impl ShardReader {
    pub(crate) fn new(
        context: Arc<ReadContext>,
        read: ShardRead,
        columns: &[RowColumn],
        counters: ReadCounters,
        random: fastrand::Rng,
    ) -> Self {
        let rows = context.row_builder(&read, columns);
        let mut columns = page_columns(columns);
        let limit = read.limit.unwrap_or(u64::MAX);
        // A time in the future is an error to the service, and behind the end of the read to us.
        let now = context.clock.now();
        let kept = context.retention.kept();
        let wish = Wish {
            at: now,
            retention: kept.retention,
        };
        let (end, started_at, remaining, empty, watch) = match &read.until {
            Until::Tip(tip) | Until::Arrived { tip, .. } => (
                End::at_tip(*tip, read.until.arrived_by()),
                // The read began before this, whatever the clock says.
                now.max(*tip),
                limit.min(context.options.max_records_per_shard.unwrap_or(limit)),
                matches!(read.start, ShardPosition::AtTimestamp(time) if read.until.is_before(time)),
                Watch::new(kept, Past::of_wish(&read.start, wish, now, kept)),
            ),
            Until::Position(upto) => {
                columns.sequence_number = true;
                let end = End::Range(RangeEnd::new(upto.clone()));
                let empty = *upto == read.start || read.rows == Some(0);
                // What is gone is told by the rows that are missing.
                (end, now, limit, empty, Watch::silent(kept))
            }
        };
        let empty = empty || read.start == ShardPosition::ShardEnd;
        let pages = PageReader::new(
            Arc::clone(&context),
            read.shard.clone(),
            read.start.clone(),
            watch,
            started_at,
            counters.clone(),
            random,
        );
        Self {
            context,
            read,
            end,
            pages,
            rows,
            columns,
            counters,
            open: None,
            remaining,
            came: 0,
            is_cut: false,
            done: empty || remaining == 0,
        }
    }

    /// The next rows, at least one; `None` when the shard is read.
    ///
    /// # Errors
    /// A request failed for good, or longer than the retry options allow;
    /// [`DataLoss`](ErrorKind::DataLoss) where rows of an exact read are gone from the shard.
    pub(crate) async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.next_opened()? {
                return Ok(Some(batch));
            }
            if self.done {
                return self.check_rows().map(|()| None);
            }
            let Some(slice) = self.fetch().await? else {
                continue;
            };
            self.counters.add_slice(&slice);
            self.open = Some(OpenPage::new(slice));
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
        self.counters.add(findings);
        self.came += findings.filtered as u64;
        let Some(batch) = batch else {
            self.open = None;
            return Ok(None);
        };
        let rows = batch.num_rows() as u64;
        self.came += rows;
        let taken = rows.min(self.remaining);
        self.remaining -= taken;
        Ok(Some(if taken < rows {
            batch.slice(0, usize::try_from(taken).unwrap_or(usize::MAX))
        } else {
            batch
        }))
    }

    /// What the next page has of the read.
    async fn fetch(&mut self) -> Result<Option<PageSlice>> {
        let from = self.pages.position().clone();
        let columns = RecordColumns {
            sequence_number: self.columns.sequence_number || inside(&from).is_some(),
            arrival: self.columns.arrival || self.read.until.arrived_by().is_some(),
            ..self.columns
        };
        // No more records than rows may still be read: each holds at least one, as a rule.
        let most = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        let fetched = self.pages.next(columns, most).await;
        match &mut self.end {
            End::Tip {
                begun_at,
                arrived_by,
            } => {
                let Fetched { page, answer, gap } = fetched?;
                let at_tip = answer.covers(*begun_at) && !self.pages.is_unsure();
                let past = arrived_by.is_some_and(|by| page.has_arrived_after(by));
                self.done = page.next.is_none() || at_tip || past;
                if let Some(gap) = gap {
                    self.lost(self.read_loss(&from, &gap))?;
                }
                let end = RowIndex::before(page.len());
                let first = first_row(&page, &from);
                let recent = &self.context.recent;
                recent.note(&self.read, from, self.pages.position().clone());
                Ok(Some(PageSlice::new(page, first, end)))
            }
            End::Range(range) => {
                let Fetched { page, answer, .. } = match fetched {
                    Ok(fetched) => fetched,
                    Err(error) => return self.refused(error).map(|()| None),
                };
                let at_tip = answer.covers(self.pages.started_at());
                let taken = range.take(&page, &from, at_tip)?;
                if let Some(loss) = &taken.loss {
                    self.lost(self.range_loss(loss))?;
                }
                self.done = taken.done;
                Ok(Some(PageSlice::new(page, taken.first, taken.end)))
            }
        }
    }

    /// A service that does not know the shard any more, or not these sequence numbers, has lost
    /// what the range was planned over.
    fn refused(&mut self, error: Error) -> Result<()> {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::InvalidOption => {}
            _ => return Err(error),
        }
        self.done = true;
        let refused = self.range_loss(&error);
        self.lost(refused.with_source(error))
    }

    /// Compares the rows of an exact read that has come to its end with those it had when it was planned.
    fn check_rows(&mut self) -> Result<()> {
        let (came, planned) = (self.came, self.read.rows.unwrap_or_default());
        if came >= planned || self.is_cut || self.read.limit.is_some() {
            return Ok(());
        }
        self.lost(self.range_loss(&Loss::Rows { came, planned }))
    }

    /// Goes on without what is lost, where the options have it so. The read counts as one loss however
    /// often it is cut.
    fn lost(&mut self, loss: Error) -> Result<()> {
        if self.context.options.fail_on_data_loss {
            return Err(loss);
        }
        if !self.is_cut {
            self.counters.lost_ranges.add(1);
        }
        self.is_cut = true;
        tracing::warn!(error = %loss, "records are lost, reading goes on without them");
        Ok(())
    }

    /// The error of a read to the tip that has lost records behind `position`.
    fn read_loss(&self, position: &ShardPosition, found: &Gap) -> Error {
        let place = self.context.place(&self.read.shard, position);
        Error::new(ErrorKind::DataLoss, format!("{place}: {found}. {WAY_OUT}"))
    }

    /// The error of an exact read that has not all its rows.
    fn range_loss(&self, found: &dyn std::fmt::Display) -> Error {
        let ShardRead {
            shard,
            start,
            until,
            ..
        } = &self.read;
        let stream = self.context.stream.name();
        Error::new(
            ErrorKind::DataLoss,
            format!(
                "stream '{stream}', shard '{shard}': the range from {start} to {until} cannot be read \
                 whole any more: {found}. The stream was made anew, or its retention is over; {WAY_OUT}"
            ),
        )
    }
}
