//! From a page of Kinesis records to rows: opens aggregated records, keeps the asked columns.
//!
//! A page without aggregated records passes through by reference; nothing is copied.

mod opened;

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, new_null_array,
};
use datafusion::arrow::datatypes::{DataType, SchemaRef};

use self::opened::OpenedRows;
use super::columns::{RowColumn, row_schema};
use crate::aggregation::{Opened, UserRecord, UserRecords, looks_aggregated, open};
use crate::error::{Error, Result};
use crate::kinesis::RecordsPage;
use crate::model::{HashRange, SequenceNumber, ShardId, StreamName};
use crate::options::{ExtraColumn, HashFilter};

/// Rows of a batch, as a rule to the end of a Kinesis record: keeps memory flat where a page of a few
/// MiB opens into a million rows.
const ROWS_PER_BATCH: usize = 8_192;

/// Rows of a batch at most. A Kinesis record of more rows is opened again for each batch, which costs
/// its checksum once more.
const MOST_ROWS_PER_BATCH: usize = 65_536;

/// What the rows of one shard have in common.
#[derive(Debug)]
pub(super) struct RowBuilder {
    pub(super) stream: StreamName,
    pub(super) shard: ShardId,
    /// Set where user records outside it are left out.
    pub(super) hash_range: Option<HashRange>,
    pub(super) hash_filter: HashFilter,
    columns: Vec<RowColumn>,
    schema: SchemaRef,
}

/// What opening pages has come across besides rows.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Findings {
    /// Aggregated records with a bad table index, kept whole.
    pub(super) damaged: usize,
    /// User records left out by the hash filter.
    pub(super) filtered: usize,
}

/// A page that is being turned into rows, batch by batch.
#[derive(Debug)]
pub(super) struct OpenPage {
    page: RecordsPage,
    next_record: usize,
    /// User records of `next_record` that were given already.
    given: usize,
    aggregated: bool,
    /// User records of this Kinesis record up to this place were read before.
    skip: Option<(SequenceNumber, u64)>,
}

impl OpenPage {
    pub(super) fn new(page: RecordsPage, skip: Option<(SequenceNumber, u64)>) -> Self {
        let data = page.data();
        let aggregated = skip.is_some() || (0..data.len()).any(|i| looks_aggregated(data.value(i)));
        Self {
            page,
            next_record: 0,
            given: 0,
            aggregated,
            skip,
        }
    }
}

impl RowBuilder {
    pub(super) fn new(
        stream: StreamName,
        shard: ShardId,
        hash_range: Option<HashRange>,
        hash_filter: HashFilter,
        columns: Vec<RowColumn>,
    ) -> Self {
        let schema = row_schema(&columns);
        Self {
            stream,
            shard,
            hash_range,
            hash_filter,
            columns,
            schema,
        }
    }

    /// The next rows of `open`, at least one; `None` at its end.
    pub(super) fn next_batch(
        &self,
        open: &mut OpenPage,
        findings: &mut Findings,
    ) -> Result<Option<RecordBatch>> {
        let records = open.page.len();
        while open.next_record < records {
            let batch = if open.aggregated {
                self.opened(open, findings)?
            } else {
                open.next_record = records;
                self.plain(&open.page)?
            };
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// A page of plain records: its columns as they are.
    fn plain(&self, page: &RecordsPage) -> Result<RecordBatch> {
        let rows = page.len();
        let column = |column: &RowColumn| -> Result<ArrayRef> {
            Ok(match column {
                RowColumn::Data => Arc::new(page.data().clone()),
                RowColumn::PartitionKey => shared(page.partition_key())?,
                RowColumn::SequenceNumber => shared(page.sequence_number())?,
                RowColumn::ArrivalTimestamp => shared(page.arrival())?,
                RowColumn::StreamName => repeated(self.stream.as_str(), rows),
                RowColumn::Extra(ExtraColumn::ShardId) => repeated(self.shard.as_str(), rows),
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

    /// Records from `open.next_record` on, aggregated ones opened, until a batch is full.
    fn opened(&self, open: &mut OpenPage, findings: &mut Findings) -> Result<RecordBatch> {
        let mut rows = OpenedRows::new(&self.columns);
        let page = &open.page;
        while open.next_record < page.len() && rows.len() < ROWS_PER_BATCH {
            let record = open.next_record;
            let data = page.data().value(record);
            if open.given == 0 {
                open.given = read_before(page, record, &mut open.skip);
            }
            match open_record(data) {
                Opened::Aggregate(users) => {
                    let given = self.open_aggregate(record, users, open.given, &mut rows, findings);
                    if let Some(given) = given {
                        open.given = given;
                        break;
                    }
                }
                outcome => {
                    findings.damaged += usize::from(matches!(outcome, Opened::Damaged));
                    if open.given == 0 {
                        rows.push_plain(record, data, page);
                    }
                }
            }
            open.next_record += 1;
            open.given = 0;
        }
        let count = rows.len();
        let columns = rows.finish(self, page)?;
        self.batch(columns, count)
    }

    /// Takes the user records of one Kinesis record from `given` on; gives the place where the batch was
    /// full, unless it took all.
    fn open_aggregate(
        &self,
        record: usize,
        users: UserRecords<'_>,
        given: usize,
        rows: &mut OpenedRows,
        findings: &mut Findings,
    ) -> Option<usize> {
        let drop_all =
            self.hash_filter == HashFilter::Kcl && users.clone().any(|user| !self.is_inside(&user));
        for (sub, user) in users.enumerate().skip(given) {
            if rows.len() == MOST_ROWS_PER_BATCH {
                return Some(sub);
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
            |error| Error::internal("columns of a page do not fit the schema").with_source(error),
        )
    }
}

/// How many user records of `record` were read before; forgets `skip` once its record is past.
fn read_before(
    page: &RecordsPage,
    record: usize,
    skip: &mut Option<(SequenceNumber, u64)>,
) -> usize {
    let Some((sequence, last)) = skip.take() else {
        return 0;
    };
    let same = page
        .sequence_number()
        .is_some_and(|numbers| numbers.value(record) == sequence.as_str());
    if same {
        usize::try_from(last.saturating_add(1)).unwrap_or(usize::MAX)
    } else {
        0
    }
}

fn open_record(data: &[u8]) -> Opened<'_> {
    if looks_aggregated(data) {
        open(data)
    } else {
        Opened::Plain
    }
}

fn repeated(text: &str, rows: usize) -> ArrayRef {
    Arc::new(StringArray::new_repeated(text, rows))
}

/// A column of the page; it is there because the columns of the rows decided what was asked for.
fn shared<A: Array + Clone + 'static>(column: Option<&A>) -> Result<ArrayRef> {
    match column {
        Some(column) => Ok(Arc::new(column.clone())),
        None => Err(Error::internal(
            "a column that was asked for is not in the page",
        )),
    }
}

#[cfg(test)]
mod tests;
