//! Decodes the records of one partition.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BinaryArray};
use datafusion::arrow::datatypes::DataType;

use super::avro::AvroSchema;
use super::columns::Column;
use super::compression;
use super::document_decoder::{DocumentDecoder, Paused};
use super::documents::{BadDocument, Documents};
use super::schema::{PayloadColumn, PayloadSchema};
use crate::error::{Error, Result};
use crate::model::SchemaId;
use crate::options::OnError;

/// Decoded rows are handed on once there are this many, the engine's default batch size.
const BATCH_ROWS: usize = 8_192;

/// Decodes records to the columns that a query reads.
#[derive(Debug)]
pub(crate) struct Decoder {
    schema: Arc<PayloadSchema>,
    /// The columns to return, in order.
    projection: Vec<PayloadColumn>,
    /// The fields that are decoded, and the column of rescued fields if it is read.
    fields: Vec<usize>,
    columns: Vec<Column>,
    errors: Option<Column>,
    documents: DocumentDecoder,
    /// The record that is not wholly decoded.
    paused: Option<Paused>,
    /// After how many rows a batch is full.
    pub(crate) batch_rows: usize,
}

/// Rows that were decoded from some records.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// The columns of the projection.
    pub(crate) columns: Vec<ArrayRef>,
    /// The index of the record that each row comes from, in ascending order.
    pub(crate) records: Vec<u32>,
    /// The documents for the dead-letter stream, if there is one.
    pub(crate) skipped: Vec<BadDocument>,
    /// How many documents could not be parsed.
    pub(crate) bad_documents: usize,
    /// How many of them have no row.
    pub(crate) skipped_documents: usize,
    /// How many values did not fit their columns.
    pub(crate) mismatches: u64,
    /// The index of the first record that was not decoded.
    pub(crate) next: usize,
    /// The schema that must be [added](Decoder::add_schema) before that record can be decoded.
    pub(crate) missing_schema: Option<SchemaId>,
}

impl Decoder {
    /// A decoder for the columns of `schema` with these indices.
    ///
    /// # Errors
    /// A column has a type that a payload cannot have.
    pub(crate) fn new(schema: &Arc<PayloadSchema>, projection: &[usize]) -> Result<Self> {
        let projection: Vec<_> = (projection.iter())
            .map(|index| schema.column(*index))
            .collect();
        let rescues = projection.contains(&PayloadColumn::Rescued);
        let has_errors = projection.contains(&PayloadColumn::Error);
        // What could not be decoded is only known once everything was tried.
        let all = rescues || has_errors;
        let fields = 0..schema.fields.len();
        let fields: Vec<usize> = fields
            .filter(|field| all || projection.contains(&PayloadColumn::Field(*field)))
            .collect();
        let types = fields.iter().map(|field| schema.fields[*field].data_type());
        let text = &DataType::Utf8View;
        let columns = types.chain(rescues.then_some(text)).map(Column::new);
        Ok(Self {
            columns: columns.collect::<Result<_>>()?,
            errors: has_errors.then(|| Column::new(text)).transpose()?,
            documents: DocumentDecoder::new(schema, &fields, rescues)?,
            schema: Arc::clone(schema),
            projection,
            fields,
            paused: None,
            batch_rows: BATCH_ROWS,
        })
    }

    /// Decodes records of `data` from index `first` on, until there are enough rows for a batch. A record of many
    /// documents can be cut: then it counts as not decoded, and the next call goes on in it.
    ///
    /// # Errors
    /// [`InvalidRow`](crate::ErrorKind::InvalidRow) for the first record that ends the statement. No rows are
    /// left in the decoder.
    pub(crate) fn decode(&mut self, data: &BinaryArray, first: usize) -> Result<Decoded> {
        let mut decoded = Decoded {
            columns: Vec::new(),
            records: Vec::with_capacity((data.len() - first).min(BATCH_ROWS)),
            skipped: Vec::new(),
            bad_documents: 0,
            skipped_documents: 0,
            mismatches: 0,
            next: first,
            missing_schema: None,
        };
        let mut bytes = 0;
        while decoded.next < data.len() {
            let record = match data.is_null(decoded.next) {
                true => &[][..],
                false => data.value(decoded.next),
            };
            let is_full = match self.record(record, &mut decoded, &mut bytes) {
                Ok(_) if decoded.missing_schema.is_some() => break,
                Ok(is_full) => is_full,
                Err(error) => {
                    self.clear();
                    return Err(error);
                }
            };
            if self.paused.is_some() {
                break;
            }
            decoded.next += 1;
            if is_full {
                break;
            }
        }
        decoded.columns = self.finish(decoded.records.len())?;
        Ok(decoded)
    }

    /// Takes a schema of the registry, or the reason why documents that name it cannot be decoded.
    pub(crate) fn add_schema(&mut self, id: SchemaId, schema: Result<Arc<AvroSchema>, String>) {
        self.documents.add_schema(id, schema);
    }

    /// Decodes one record, unless its schema is missing, or goes on in it. Returns whether there are enough rows for a
    /// batch, which has `bytes` bytes.
    fn record(&mut self, record: &[u8], decoded: &mut Decoded, bytes: &mut usize) -> Result<bool> {
        let options = &self.schema.options;
        let paused = self.paused.take();
        let mut documents = Documents {
            columns: &mut self.columns,
            mismatches: 0,
            errors: self.errors.as_mut(),
            on_error: &options.on_error,
            record: decoded.next,
            records: &mut decoded.records,
            skipped: &mut decoded.skipped,
            bad_documents: 0,
            failure: None,
            earlier_bytes: *bytes,
            decoded_bytes: 0,
            expanded: 0,
            repeated: paused.as_ref().map_or(0, |paused| paused.repeated),
            header: Vec::new(),
            batch_rows: self.batch_rows,
        };
        self.paused = match paused {
            Some(paused) => self.documents.resume(paused, &mut documents),
            None => {
                let limit = options.max_decompressed_bytes;
                match compression::decompressed(record, options.compression, limit) {
                    Ok(payload) => {
                        decoded.missing_schema = self.documents.missing_schema(&payload);
                        if decoded.missing_schema.is_some() {
                            return Ok(false);
                        }
                        self.documents.decode(payload, &mut documents)
                    }
                    Err(failure) => {
                        documents.decoded_bytes = record.len();
                        documents.bad(record, failure);
                        None
                    }
                }
            }
        };
        let (mismatches, bad_documents) = (documents.mismatches, documents.bad_documents);
        *bytes = documents.batch_bytes();
        let is_full = documents.is_full();
        if let Some((failure, option)) = documents.failure {
            let format = options.format.name();
            return Err(Error::invalid_row(format!(
                "the payload cannot be decoded as {format}: {failure}; see option '{option}'"
            )));
        }
        decoded.mismatches += mismatches;
        decoded.bad_documents += bad_documents;
        if options.on_error != OnError::Null {
            decoded.skipped_documents += bad_documents;
        }
        Ok(is_full)
    }

    fn clear(&mut self) {
        for column in self.columns.iter_mut().chain(&mut self.errors) {
            column.truncate(0);
        }
        self.paused = None;
        self.documents.reset();
    }

    /// The columns of the projection, which have `rows` rows.
    fn finish(&mut self, rows: usize) -> Result<Vec<ArrayRef>> {
        let finished = self.columns.iter_mut().map(Column::finish);
        let finished: Vec<ArrayRef> = finished.collect::<Result<_>>()?;
        let errors = self.errors.as_mut().map(Column::finish).transpose()?;
        debug_assert!(finished.iter().all(|column| column.len() == rows));
        let columns = self.projection.iter().map(|column| match column {
            PayloadColumn::Field(field) => {
                let index = self.fields.iter().position(|decoded| decoded == field);
                index.and_then(|index| finished.get(index))
            }
            PayloadColumn::Rescued => finished.last(),
            PayloadColumn::Error => errors.as_ref(),
        });
        columns
            .map(|column| {
                let column =
                    column.ok_or_else(|| Error::internal("a projected column was not decoded"));
                column.map(Arc::clone)
            })
            .collect()
    }
}
