//! Converts slices of pages to rows: opens aggregated records, and selects columns.
//!
//! Records that are not aggregated are passed on by reference, without a copy.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BinaryArray, Int64Array, RecordBatch, RecordBatchOptions, new_null_array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, SchemaRef};

use super::aggregated::{OpenedRows, ROWS_PER_BATCH};
use super::columns::{RowColumn, row_schema};
use super::page_slice::{PageSlice, RowIndex};
use super::read_columns::{ReadColumns, of_page};
use crate::aggregation::{
    Opened, UserRecord, UserRecords, are_intact, looks_aggregated, open, open_checked,
};
use crate::error::{Error, Result};
use crate::model::{HashRange, ShardId, StreamName};
use crate::options::{ExtraColumn, HashFilter};

/// The maximum number of rows in a batch. A Kinesis record with more rows is opened again for each batch,
/// including its checksum.
const MAX_ROWS_PER_BATCH: usize = 65_536;

/// Builds the rows of one read.
#[derive(Debug)]
pub(crate) struct RowBuilder {
    read: ReadColumns,
    /// Set if user records outside it are dropped.
    hash_range: Option<HashRange>,
    hash_filter: HashFilter,
    columns: Vec<RowColumn>,
    schema: SchemaRef,
}

/// What was found in pages besides rows.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Aggregated records with an index outside their own tables; each is one row.
    pub(crate) damaged: usize,
    /// User records that the hash filter dropped.
    pub(crate) filtered: usize,
}

/// A slice that is being turned into rows, batch by batch.
#[derive(Debug)]
pub(crate) struct OpenPage {
    /// The rest of the slice.
    slice: PageSlice,
    has_aggregates: bool,
    /// The records before this one were looked at for damage.
    verified_to: usize,
    /// Whether the checksums of those that were looked at last are right.
    intact: bool,
}

impl OpenPage {
    pub(crate) fn new(slice: PageSlice) -> Self {
        let data = slice.page.data();
        let has_aggregates = slice.records().any(|i| looks_aggregated(data.value(i)));
        Self {
            intact: slice.checked,
            verified_to: if slice.checked { usize::MAX } else { 0 },
            slice,
            has_aggregates,
        }
    }

    /// Whether the checksum of `record` is known to be right, if it looks aggregated.
    fn is_intact(&mut self, record: usize) -> bool {
        /// Verified together, which takes about as long as building their rows.
        const RECORDS: usize = 32;
        if record >= self.verified_to {
            let data = self.slice.page.data();
            self.verified_to = (record + RECORDS).min(data.len());
            self.intact = are_intact((record..self.verified_to).map(|record| data.value(record)));
        }
        self.intact
    }
}

impl RowBuilder {
    pub(crate) fn new(
        stream: &StreamName,
        shard: &ShardId,
        hash_range: Option<HashRange>,
        hash_filter: HashFilter,
        columns: Vec<RowColumn>,
    ) -> Self {
        let schema = row_schema(&columns);
        Self {
            read: ReadColumns::new(stream, shard),
            hash_range,
            hash_filter,
            columns,
            schema,
        }
    }

    /// The builder for the read of this number.
    #[must_use]
    pub(crate) fn numbered(mut self, number: u32) -> Self {
        self.read.number = number;
        self
    }

    /// The next rows of `open`, at least one; `None` at the end.
    pub(crate) fn next_batch(
        &mut self,
        open: &mut OpenPage,
        findings: &mut Findings,
    ) -> Result<Option<RecordBatch>> {
        while !open.slice.is_empty() {
            let batch = if open.has_aggregates {
                self.opened(open, findings)?
            } else {
                let batch = self.plain(&open.slice)?;
                open.slice.first = open.slice.end;
                batch
            };
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// The rows of plain records: the unchanged columns of the page.
    fn plain(&mut self, slice: &PageSlice) -> Result<RecordBatch> {
        let page = &slice.page;
        let mut records = slice.records();
        // The first record has one row, which was returned already.
        records.start += usize::from(slice.first.sub > 0);
        let (first, rows) = (records.start, records.len());
        let read = &mut self.read;
        let column = |column: &RowColumn| -> Result<ArrayRef> {
            Ok(match column {
                RowColumn::Data => Arc::new(trimmed(page.data().slice(first, rows))),
                RowColumn::PartitionKey => of_page(page.partition_key())?.slice(first, rows),
                RowColumn::SequenceNumber => of_page(page.sequence_number())?.slice(first, rows),
                RowColumn::ArrivalTimestamp => of_page(page.arrival())?.slice(first, rows),
                RowColumn::StreamName => read.stream(rows),
                RowColumn::ShardNumber => read.number(rows),
                RowColumn::Extra(ExtraColumn::ShardId) => read.shard(rows),
                RowColumn::Extra(ExtraColumn::SubSequenceNumber) => {
                    Arc::new(Int64Array::from_value(0, rows))
                }
                RowColumn::Extra(ExtraColumn::ExplicitHashKey) => {
                    new_null_array(&DataType::Utf8, rows)
                }
            })
        };
        let columns = self.columns.iter().map(column).collect::<Result<_>>()?;
        self.batch(columns, rows)
    }

    /// The rows of the next records, aggregated ones opened, until the batch is full.
    fn opened(&mut self, open: &mut OpenPage, findings: &mut Findings) -> Result<RecordBatch> {
        let mut rows = OpenedRows::new(&self.columns);
        while !open.slice.is_empty() && rows.len() < ROWS_PER_BATCH {
            let RowIndex { record, sub } = open.slice.first;
            let is_intact = open.is_intact(record);
            let slice = &mut open.slice;
            let data = slice.page.data().value(record);
            let subs = sub..slice.subs_end(record);
            match open_record(data, is_intact) {
                Opened::Aggregate(users) => {
                    let full = self.open_aggregate(record, users, subs, &mut rows, findings);
                    if let Some(sub) = full {
                        slice.first.sub = sub;
                        break;
                    }
                }
                outcome => {
                    if subs.contains(&0) {
                        findings.damaged += usize::from(matches!(outcome, Opened::Damaged));
                        rows.push_plain(record, data, &slice.page);
                    }
                }
            }
            slice.first = RowIndex::before(record + 1);
        }
        let count = rows.len();
        let columns = rows.finish(&self.columns, &mut self.read, &open.slice.page)?;
        self.batch(columns, count)
    }

    /// Adds the user records `subs` of one Kinesis record; returns the first one that the batch has no room for,
    /// if there is one.
    fn open_aggregate(
        &self,
        record: usize,
        users: UserRecords<'_>,
        subs: Range<u64>,
        rows: &mut OpenedRows,
        findings: &mut Findings,
    ) -> Option<u64> {
        let drop_all =
            self.hash_filter == HashFilter::Kcl && users.clone().any(|user| !self.is_inside(&user));
        let index = |sub: u64| usize::try_from(sub).unwrap_or(usize::MAX);
        let users = users.enumerate().take(index(subs.end));
        for (sub, user) in users.skip(index(subs.start)) {
            if rows.len() == MAX_ROWS_PER_BATCH {
                return Some(sub as u64);
            }
            let outside = self.hash_filter == HashFilter::PerRecord && !self.is_inside(&user);
            if drop_all || outside {
                findings.filtered += 1;
            } else {
                rows.push(record, sub, &user);
            }
        }
        None
    }

    fn is_inside(&self, user: &UserRecord<'_>) -> bool {
        self.hash_range
            .is_none_or(|range| range.contains(user.hash_key()))
    }

    fn batch(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(
            |error| {
                Error::internal("the columns of a page do not match the schema").with_source(error)
            },
        )
    }
}

/// The same rows in the same memory, without the bytes around them. A cast to text checks every byte of an
/// array, including those that do not belong to any row.
fn trimmed(rows: BinaryArray) -> BinaryArray {
    let (offsets, values, nulls) = rows.into_parts();
    let (begin, end) = (offsets[0], offsets[offsets.len() - 1]);
    let index = |offset: i32| usize::try_from(offset).expect("offsets of an array never decrease");
    let values = values.slice_with_length(index(begin), index(end - begin));
    let offsets = match begin {
        0 => offsets,
        _ => OffsetBuffer::new(offsets.iter().map(|offset| offset - begin).collect()),
    };
    BinaryArray::new(offsets, values, nulls)
}

fn open_record(data: &[u8], checked: bool) -> Opened<'_> {
    if checked {
        open_checked(data)
    } else {
        open(data)
    }
}

#[cfg(test)]
mod tests;
