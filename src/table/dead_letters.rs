//! Writes documents that cannot be parsed to a stream.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use datafusion::common::{DataFusionError, Result, internal_err};
use serde::Serialize;

use crate::error::Error;
use crate::format::BadDocument;
use crate::model::UnixMillis;
use crate::options::ExtraColumn;
use crate::sink::{SinkStream, SinkWriter};
use crate::source::RowColumn;

/// The columns of a record that its dead letters name.
pub(super) const COLUMNS: [RowColumn; 6] = [
    RowColumn::PartitionKey,
    RowColumn::Extra(ExtraColumn::ShardId),
    RowColumn::SequenceNumber,
    RowColumn::Extra(ExtraColumn::SubSequenceNumber),
    RowColumn::Extra(ExtraColumn::ExplicitHashKey),
    RowColumn::ArrivalTimestamp,
];

/// The payload of a dead letter. The names are those of the columns of a stream.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeadLetter<'a> {
    stream_name: &'a str,
    shard_id: &'a str,
    sequence_number: &'a str,
    sub_sequence_number: Option<i64>,
    partition_key: Option<&'a str>,
    explicit_hash_key: Option<&'a str>,
    approximate_arrival_timestamp: Option<String>,
    /// Why it cannot be parsed.
    reason: &'a str,
    /// Where in the document, counted from 0.
    byte: Option<usize>,
    field: Option<&'a str>,
    /// The document in base64; NULL if the dead letter would be too large for a record.
    data: Option<String>,
    /// The size of the document.
    data_bytes: usize,
}

/// The dead letters of one partition.
#[derive(Debug)]
pub(super) struct DeadLetters {
    target: Arc<SinkStream>,
    /// The stream that is read.
    stream_name: String,
    random: fastrand::Rng,
}

impl DeadLetters {
    pub(super) fn new(target: Arc<SinkStream>, stream_name: String, random: fastrand::Rng) -> Self {
        Self {
            target,
            stream_name,
            random,
        }
    }

    /// Writes `documents`, and waits until they are acknowledged. `columns` are the columns of their records, in
    /// the order of [`COLUMNS`].
    ///
    /// # Errors
    /// The stream cannot be written.
    pub(super) async fn write(
        &mut self,
        documents: &[BadDocument],
        columns: &[ArrayRef],
    ) -> Result<()> {
        let (target, counters) = (Arc::clone(&self.target), Arc::default());
        let writer = SinkWriter::new(target, counters, self.random.fork()).await;
        let mut writer = writer.map_err(|error| self.in_context(error))?;
        let letters = self.letters(documents, columns, writer.max_record_bytes())?;
        let written = writer.write(&letters).await;
        written.map_err(|error| self.in_context(error))?;
        let finished = writer.finish().await;
        finished.map_err(|error| self.in_context(error))?;
        Ok(())
    }

    fn in_context(&self, error: Error) -> Error {
        let target = self.target.identity();
        error.in_context(format!("dead-letter stream '{target}'"))
    }

    /// One row for each document: its partition key, and the dead letter as JSON.
    fn letters(
        &self,
        documents: &[BadDocument],
        columns: &[ArrayRef],
        max_record_bytes: usize,
    ) -> Result<RecordBatch> {
        let [keys, shards, sequences, sub_sequences, hash_keys, arrivals] = columns else {
            return internal_err!("dead letters need {} columns", COLUMNS.len());
        };
        let text = |column: &ArrayRef, row: usize| -> Option<String> {
            let strings = column.as_string::<i32>();
            strings.is_valid(row).then(|| strings.value(row).to_owned())
        };
        let mut partition_keys = Vec::with_capacity(documents.len());
        let mut payloads = Vec::with_capacity(documents.len());
        for document in documents {
            let row = document.record;
            let key = text(keys, row);
            let arrivals = arrivals.as_primitive::<TimestampMicrosecondType>();
            let arrival = arrivals
                .is_valid(row)
                .then(|| UnixMillis(arrivals.value(row).div_euclid(1_000)).to_string());
            let sub_sequences = sub_sequences.as_primitive::<Int64Type>();
            let sub_sequence = sub_sequences
                .is_valid(row)
                .then(|| sub_sequences.value(row));
            let (shard, sequence) = (text(shards, row), text(sequences, row));
            let hash_key = text(hash_keys, row);
            let mut letter = DeadLetter {
                stream_name: &self.stream_name,
                shard_id: shard.as_deref().unwrap_or_default(),
                sequence_number: sequence.as_deref().unwrap_or_default(),
                sub_sequence_number: sub_sequence,
                partition_key: key.as_deref(),
                explicit_hash_key: hash_key.as_deref(),
                approximate_arrival_timestamp: arrival,
                reason: &document.reason.reason,
                byte: document.reason.byte,
                field: document.reason.field.as_deref(),
                data: Some(base64_simd::STANDARD.encode_to_string(&document.document)),
                data_bytes: document.document.len(),
            };
            let mut payload = encoded(&letter)?;
            // A record without a key, from a stream whose shards the service chooses, still needs one.
            let key = key.as_deref().filter(|key| !key.is_empty()).unwrap_or("-");
            if payload.len() + key.len() > max_record_bytes {
                letter.data = None;
                payload = encoded(&letter)?;
            }
            payloads.push(payload);
            partition_keys.push(key.to_owned());
        }
        let payloads: BinaryArray = payloads
            .iter()
            .map(|payload| Some(payload.as_slice()))
            .collect();
        let columns: [(&str, ArrayRef); 2] = [
            ("partitionKey", Arc::new(StringArray::from(partition_keys))),
            ("data", Arc::new(payloads)),
        ];
        Ok(RecordBatch::try_from_iter(columns)?)
    }
}

fn encoded(letter: &DeadLetter<'_>) -> Result<Vec<u8>> {
    serde_json::to_vec(letter).map_err(|error| DataFusionError::External(error.into()))
}
