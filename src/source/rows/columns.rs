//! The columns of rows, and their schema.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::kinesis::RecordColumns;
use crate::options::{ExtraColumn, MetadataColumn};

/// A column of a Kinesis table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RowColumn {
    /// `data`: the payload as the producer wrote it.
    Data,
    /// `streamName`: the name of the stream.
    StreamName,
    /// `partitionKey`: the producer's key; null if the service chooses the shard and the producer set none.
    PartitionKey,
    /// `sequenceNumber`: the sequence number of the Kinesis record, shared by all rows of an aggregate.
    SequenceNumber,
    /// `approximateArrivalTimestamp`: when the service received the record, in milliseconds.
    ArrivalTimestamp,
    /// An extra column that the options of a table request.
    Extra(ExtraColumn),
    /// `__shard`: the number of the read within its batch. Internal; no table has it.
    ShardNumber,
}

impl RowColumn {
    /// The five columns of every table, in order.
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

    /// The column as a field of a schema.
    pub(crate) fn field(self) -> Field {
        Field::new(self.name(), self.data_type(), self != Self::ShardNumber)
    }
}

impl From<MetadataColumn> for RowColumn {
    fn from(column: MetadataColumn) -> Self {
        match column {
            MetadataColumn::Data => Self::Data,
            MetadataColumn::StreamName => Self::StreamName,
            MetadataColumn::PartitionKey => Self::PartitionKey,
            MetadataColumn::SequenceNumber => Self::SequenceNumber,
            MetadataColumn::ArrivalTimestamp => Self::ArrivalTimestamp,
            MetadataColumn::Extra(column) => Self::Extra(column),
        }
    }
}

/// The schema of `columns`. The columns of a table are nullable, because rows to be written may omit those that
/// the service fills in.
pub(crate) fn row_schema(columns: &[RowColumn]) -> SchemaRef {
    let fields = columns.iter().map(|column| column.field());
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The columns of pages that rows of `columns` need.
pub(crate) fn page_columns(columns: &[RowColumn]) -> RecordColumns {
    RecordColumns {
        partition_key: columns.contains(&RowColumn::PartitionKey),
        sequence_number: columns.contains(&RowColumn::SequenceNumber),
        arrival: columns.contains(&RowColumn::ArrivalTimestamp),
    }
}
