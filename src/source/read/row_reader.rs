//! The rows of one read: from memory if they are buffered, else from Kinesis.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;

use super::context::ReadContext;
use super::counters::ReadCounters;
use super::shard_read::{ShardRead, Until};
use super::shard_reader::ShardReader;
use crate::error::Result;
use crate::source::pages::PollingPages;
use crate::source::rows::{Findings, OpenPage, PageSlice, RowBuilder, RowColumn};

/// Returns the rows of one read in batches.
#[derive(Debug)]
pub(crate) enum RowReader {
    Memory(Box<BufferedReader>),
    Kinesis(Box<ShardReader<PollingPages>>),
}

impl RowReader {
    /// A reader of `read`. It sends no request before the first call of
    /// [`next_batch`](Self::next_batch).
    pub(crate) fn new(
        context: Arc<ReadContext>,
        read: ShardRead,
        columns: &[RowColumn],
        counters: ReadCounters,
        random: fastrand::Rng,
    ) -> Self {
        match BufferedReader::new(&context, &read, columns, &counters) {
            Some(reader) => Self::Memory(Box::new(reader)),
            None => {
                let reader = ShardReader::polling(context, read, columns, counters, random);
                Self::Kinesis(Box::new(reader))
            }
        }
    }

    /// The next rows, at least one; `None` at the end.
    ///
    /// # Errors
    /// See [`ShardReader::next_batch`].
    pub(crate) async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        match self {
            Self::Memory(reader) => reader.next_batch(),
            Self::Kinesis(reader) => reader.next_batch().await,
        }
    }
}

/// Reads the rows of a range from pages in memory.
#[derive(Debug)]
pub(crate) struct BufferedReader {
    slices: std::vec::IntoIter<PageSlice>,
    rows: RowBuilder,
    counters: ReadCounters,
    open: Option<OpenPage>,
}

impl BufferedReader {
    /// `None` if the rows are not in memory.
    fn new(
        context: &ReadContext,
        read: &ShardRead,
        columns: &[RowColumn],
        counters: &ReadCounters,
    ) -> Option<Self> {
        let Until::Position(_) = read.until else {
            return None;
        };
        let slices = context.batch.as_ref()?.buffered.get(&read.shard)?;
        Some(Self {
            slices: slices.clone().into_iter(),
            rows: context.row_builder(read, columns),
            counters: counters.clone(),
            open: None,
        })
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(open) = &mut self.open {
                let mut findings = Findings::default();
                let batch = self.rows.next_batch(open, &mut findings)?;
                self.counters.add(findings);
                if batch.is_some() {
                    return Ok(batch);
                }
            }
            let Some(slice) = self.slices.next() else {
                self.open = None;
                return Ok(None);
            };
            self.counters.add_slice(&slice);
            self.counters.buffered_records.add(slice.records().len());
            self.open = Some(OpenPage::new(slice));
        }
    }
}
