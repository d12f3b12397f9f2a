//! Encodes the reads of shards as rows, the input of `KinesisReadExec`.
//!
//! Descriptors are plain data, so a plan can be split, serialized and cached like any other, and no node
//! depends on the index of its partition.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    Array, ArrayRef, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::error::{Error, Result};
use crate::model::{HashKey, HashRange, ShardId};
use crate::source::ShardRead;

/// The schema of descriptors. A plan has one descriptor per shard, and they share it.
pub(super) fn descriptor_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        Arc::new(Schema::new(vec![
            Field::new("shardId", DataType::Utf8, false),
            Field::new("hashRangeStart", DataType::Utf8, true),
            Field::new("hashRangeEnd", DataType::Utf8, true),
            Field::new("start", DataType::Utf8, false),
            Field::new("until", DataType::Utf8, false),
            Field::new("limit", DataType::UInt64, true),
            Field::new("rows", DataType::UInt64, true),
            Field::new("number", DataType::UInt32, false),
        ]))
    });
    Arc::clone(&SCHEMA)
}

/// Encodes each of `reads` as one row.
pub(super) fn encode_all(reads: &[&ShardRead]) -> Result<RecordBatch> {
    let bound = |key: fn(&HashRange) -> HashKey| -> ArrayRef {
        let key = |read: &&ShardRead| read.hash_range.as_ref().map(|range| key(range).to_string());
        texts(reads.iter().map(key))
    };
    let text = |text: fn(&ShardRead) -> String| -> ArrayRef {
        texts(reads.iter().map(|read| Some(text(read))))
    };
    let count = |count: fn(&ShardRead) -> Option<u64>| -> ArrayRef {
        let rows = reads.iter().map(|read| count(read));
        Arc::new(rows.collect::<UInt64Array>())
    };
    let numbers = reads.iter().map(|read| read.number);
    let columns: Vec<ArrayRef> = vec![
        text(|read| read.shard.to_string()),
        bound(|range| range.start),
        bound(|range| range.end),
        text(|read| read.start.to_string()),
        text(|read| read.until.to_string()),
        count(|read| read.limit),
        count(|read| read.rows),
        Arc::new(UInt32Array::from_iter_values(numbers)),
    ];
    RecordBatch::try_new(descriptor_schema(), columns).map_err(|error| {
        Error::internal("a descriptor does not match its schema").with_source(error)
    })
}

/// A column of short texts, without the 1 KiB that is reserved for longer ones.
fn texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    let mut column: StringArray = values.collect();
    column.shrink_to_fit();
    Arc::new(column)
}

/// Decodes the rows of `batch`.
pub(super) fn decode(batch: &RecordBatch) -> Result<Vec<ShardRead>> {
    let shard = column::<StringArray>(batch, "shardId")?;
    let range_start = column::<StringArray>(batch, "hashRangeStart")?;
    let range_end = column::<StringArray>(batch, "hashRangeEnd")?;
    let start = column::<StringArray>(batch, "start")?;
    let until = column::<StringArray>(batch, "until")?;
    let limit = column::<UInt64Array>(batch, "limit")?;
    let rows = column::<UInt64Array>(batch, "rows")?;
    let number = column::<UInt32Array>(batch, "number")?;
    let read = |row: usize| {
        let hash_range = if range_start.is_null(row) {
            None
        } else {
            Some(HashRange {
                start: hash_key(range_start.value(row))?,
                end: hash_key(range_end.value(row))?,
            })
        };
        Ok(ShardRead {
            shard: ShardId::new(shard.value(row)),
            hash_range,
            start: start.value(row).parse()?,
            until: until.value(row).parse()?,
            limit: limit.is_valid(row).then(|| limit.value(row)),
            rows: rows.is_valid(row).then(|| rows.value(row)),
            number: number.value(row),
        })
    };
    (0..batch.num_rows()).map(read).collect()
}

fn column<'a, A: 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a A> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_any().downcast_ref())
        .ok_or_else(|| {
            Error::internal(format!(
                "a descriptor has no column '{name}' of the expected type"
            ))
        })
}

fn hash_key(digits: &str) -> Result<HashKey> {
    let key = digits.parse().map(HashKey);
    key.map_err(|error| {
        Error::internal(format!(
            "hash key '{digits}' of a descriptor is not a number"
        ))
        .with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ShardPosition, UnixMillis};
    use crate::source::Until;

    #[test]
    fn descriptors_decode_to_the_encoded_reads() {
        let whole = ShardRead {
            shard: ShardId::new("shardId-000000000007"),
            hash_range: Some(HashRange::ALL),
            start: ShardPosition::AtTimestamp(UnixMillis(1_693_422_005_007)),
            until: Until::Tip(UnixMillis(1_693_422_006_000)),
            limit: Some(10),
            rows: None,
            number: 0,
        };
        let bare = ShardRead {
            hash_range: None,
            start: ShardPosition::TrimHorizon,
            until: Until::Position(ShardPosition::ShardEnd),
            limit: None,
            rows: Some(40),
            number: u32::MAX,
            ..whole.clone()
        };
        let bounded = ShardRead {
            until: Until::Arrived {
                tip: UnixMillis(1_693_422_006_000),
                by: UnixMillis(1_693_422_005_999),
            },
            ..whole.clone()
        };
        let rows = encode_all(&[&whole, &bare, &bounded]).unwrap();
        assert_eq!(decode(&rows).unwrap(), [whole, bare, bounded]);
    }
}
