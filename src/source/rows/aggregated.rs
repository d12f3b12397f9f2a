//! Builds rows from a mix of aggregated and plain records.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BinaryBuilder, Int64Array, StringBuilder, UInt32Array,
};
use datafusion::arrow::compute::take;

use super::columns::RowColumn;
use super::read_columns::{ReadColumns, of_page};
use crate::aggregation::UserRecord;
use crate::error::{Error, Result};
use crate::kinesis::RecordsPage;
use crate::model::HashKey;
use crate::options::ExtraColumn;

/// The rows of a batch, rounded up to the end of a Kinesis record. Limits memory if a page of a few MiB contains
/// a million rows.
pub(super) const ROWS_PER_BATCH: usize = 8_192;

/// Rows from a mix of aggregated and plain records. Columns of user records are built row by row; columns of
/// Kinesis records are taken from the page by index at the end.
pub(crate) struct OpenedRows {
    /// The Kinesis record of each row.
    records: Vec<u32>,
    data: Option<BinaryBuilder>,
    partition_key: Option<StringBuilder>,
    sub_sequence: Option<Vec<i64>>,
    explicit_hash_key: Option<StringBuilder>,
}

impl OpenedRows {
    pub(crate) fn new(columns: &[RowColumn]) -> Self {
        let has = |column| columns.contains(&column);
        let extra = |column| columns.contains(&RowColumn::Extra(column));
        Self {
            records: Vec::with_capacity(ROWS_PER_BATCH),
            data: has(RowColumn::Data).then(BinaryBuilder::new),
            partition_key: has(RowColumn::PartitionKey).then(StringBuilder::new),
            sub_sequence: extra(ExtraColumn::SubSequenceNumber).then(Vec::new),
            explicit_hash_key: extra(ExtraColumn::ExplicitHashKey).then(StringBuilder::new),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn push(&mut self, record: usize, sub: usize, user: &UserRecord<'_>) {
        self.add(
            record,
            sub,
            user.data,
            Some(user.partition_key),
            user.explicit_hash_key,
        );
    }

    pub(crate) fn push_plain(&mut self, record: usize, data: &[u8], page: &RecordsPage) {
        let key = page.partition_key().filter(|keys| keys.is_valid(record));
        self.add(record, 0, data, key.map(|keys| keys.value(record)), None);
    }

    fn add(
        &mut self,
        record: usize,
        sub: usize,
        data: &[u8],
        partition_key: Option<&str>,
        explicit_hash_key: Option<HashKey>,
    ) {
        // Fits: a page has at most 10,000 records, and a record at most 10 MiB.
        self.records.push(u32::try_from(record).unwrap_or(u32::MAX));
        if let Some(column) = &mut self.data {
            column.append_value(data);
        }
        if let Some(column) = &mut self.partition_key {
            column.append_option(partition_key);
        }
        if let Some(column) = &mut self.sub_sequence {
            column.push(i64::try_from(sub).unwrap_or(i64::MAX));
        }
        if let Some(column) = &mut self.explicit_hash_key {
            match explicit_hash_key {
                None => column.append_null(),
                Some(key) => {
                    write!(column, "{key}").expect("writing to a string builder does not fail");
                    column.append_value("");
                }
            }
        }
    }

    pub(crate) fn finish(
        self,
        columns: &[RowColumn],
        read: &mut ReadColumns,
        page: &RecordsPage,
    ) -> Result<Vec<ArrayRef>> {
        let rows = self.len();
        let records = UInt32Array::from(self.records);
        let of_record = |column: ArrayRef| {
            take(&column, &records, None).map_err(|error| {
                Error::internal("a row points outside its page").with_source(error)
            })
        };
        let mut data = self.data;
        let mut partition_key = self.partition_key;
        let mut explicit_hash_key = self.explicit_hash_key;
        let mut sub_sequence = self.sub_sequence;
        let column = |column: &RowColumn| -> Result<ArrayRef> {
            let unbuilt = || Error::internal(format!("column '{}' was not built", column.name()));
            Ok(match column {
                RowColumn::Data => Arc::new(data.as_mut().ok_or_else(unbuilt)?.finish()),
                RowColumn::PartitionKey => {
                    of_page(page.partition_key())?;
                    Arc::new(partition_key.as_mut().ok_or_else(unbuilt)?.finish())
                }
                RowColumn::SequenceNumber => of_record(of_page(page.sequence_number())?)?,
                RowColumn::ArrivalTimestamp => of_record(of_page(page.arrival())?)?,
                RowColumn::StreamName => read.stream(rows),
                RowColumn::ShardNumber => read.number(rows),
                RowColumn::Extra(ExtraColumn::ShardId) => read.shard(rows),
                RowColumn::Extra(ExtraColumn::SubSequenceNumber) => {
                    Arc::new(Int64Array::from(sub_sequence.take().ok_or_else(unbuilt)?))
                }
                RowColumn::Extra(ExtraColumn::ExplicitHashKey) => {
                    Arc::new(explicit_hash_key.as_mut().ok_or_else(unbuilt)?.finish())
                }
            })
        };
        columns.iter().map(column).collect()
    }
}
