//! The columns of a row.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::kinesis::RecordColumns;
use crate::options::ExtraColumn;

/// A column of a Kinesis table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RowColumn {
    /// `data`: the payload, as the producer wrote it.
    Data,
    /// `streamName`: the name of the stream.
    StreamName,
    /// `partitionKey`: the producer's key; null where the stream spreads records itself and none
    /// was given.
    PartitionKey,
    /// `sequenceNumber`: the number of the Kinesis record, shared by the rows out of one aggregate.
    SequenceNumber,
    /// `approximateArrivalTimestamp`: when the service took the record, to the millisecond.
    ArrivalTimestamp,
    /// One that a table has on request.
    Extra(ExtraColumn),
    /// `__shard`: which read of a batch the row came from, for the query itself; no table shows it.
    ShardNumber,
}

impl RowColumn {
    /// The five columns every table has, in their order.
    pub(crate) const STANDARD: [Self; 5] = [
        Self::Data,
        Self::StreamName,
        Self::PartitionKey,
        Self::SequenceNumber,
        Self::ArrivalTimestamp,
    ];

    /// The name of the column.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::StreamName => "streamName",
            Self::PartitionKey => "partitionKey",
            Self::SequenceNumber => "sequenceNumber",
            Self::ArrivalTimestamp => "approximateArrivalTimestamp",
            Self::Extra(column) => column.name(),
            Self::ShardNumber => "__shard",
        }
    }

    /// The Arrow type of the column.
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Data => DataType::Binary,
            Self::ArrivalTimestamp => {
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
            }
            Self::Extra(ExtraColumn::SubSequenceNumber) => DataType::Int64,
            Self::ShardNumber => DataType::UInt32,
            Self::StreamName
            | Self::PartitionKey
            | Self::SequenceNumber
            | Self::Extra(ExtraColumn::ShardId | ExtraColumn::ExplicitHashKey) => DataType::Utf8,
        }
    }

    fn field(self) -> Field {
        Field::new(self.name(), self.data_type(), self != Self::ShardNumber)
    }

    /// All columns of a table with `extra` ones.
    pub(crate) fn all(extra: &[ExtraColumn]) -> Vec<Self> {
        let extra = extra.iter().map(|column| Self::Extra(*column));
        Self::STANDARD.into_iter().chain(extra).collect()
    }
}

/// The schema of `columns`; those of a table are nullable, so that a row to be written may leave out
/// what the service fills in.
pub(crate) fn row_schema(columns: &[RowColumn]) -> SchemaRef {
    let fields = columns.iter().map(|column| column.field());
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// What a page must hold for rows of `columns`.
pub(crate) fn page_columns(columns: &[RowColumn]) -> RecordColumns {
    RecordColumns {
        partition_key: columns.contains(&RowColumn::PartitionKey),
        sequence_number: columns.contains(&RowColumn::SequenceNumber),
        arrival: columns.contains(&RowColumn::ArrivalTimestamp),
    }
}
