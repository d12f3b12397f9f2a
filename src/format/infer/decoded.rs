//! Decodes the sample with the columns that the statement declares.

use std::sync::Arc;

use datafusion::arrow::array::{Array, BinaryArray};
use datafusion::arrow::datatypes::Fields;

use super::{Inferred, InferredFormat};
use crate::error::Result;
use crate::format::{AvroSchema, Decoder, PayloadSchema};
use crate::model::{SchemaId, StreamIdentity};
use crate::options::{FormatOptions, OnError, OnMismatch};

/// A schema of a registry, or the reason why it cannot be used.
pub(super) type FoundSchema = (SchemaId, Result<Arc<AvroSchema>, String>);

/// What decoding records shows.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) records: usize,
    pub(super) documents: usize,
    pub(super) bad_documents: usize,
    /// The number of the record with the first bad document, from 1, and why it is bad.
    pub(super) first_bad: Option<(usize, String)>,
    /// How many values do not fit their columns.
    pub(super) mismatches: u64,
}

/// Decodes at most the first `limit` of `records` to these columns. `schemas` are those that documents name.
///
/// # Errors
/// A table cannot have these columns and options.
pub(super) fn counts(
    records: &[BinaryArray],
    limit: usize,
    columns: &Fields,
    options: &FormatOptions,
    schemas: &[FoundSchema],
) -> Result<Counts> {
    let options = FormatOptions {
        // The stream is never written to: bad documents are collected with their reasons.
        on_error: OnError::DeadLetter(StreamIdentity::parse("none")?),
        on_mismatch: OnMismatch::Null,
        error_column: None,
        ..options.clone()
    };
    let schema = Arc::new(PayloadSchema::new(options, columns)?);
    let all: Vec<usize> = (0..schema.fields().len()).collect();
    let mut decoder = Decoder::new(&schema, &all)?;
    for (id, schema) in schemas {
        decoder.add_schema(*id, schema.clone());
    }
    let mut counts = Counts::default();
    for records in records {
        let records = records.slice(0, records.len().min(limit - counts.records));
        let mut next = 0;
        while next < records.len() {
            let decoded = decoder.decode(&records, next)?;
            counts.bad_documents += decoded.bad_documents;
            if counts.first_bad.is_none()
                && let Some(bad) = decoded.skipped.first()
            {
                counts.first_bad = Some((counts.records + bad.record + 1, bad.reason.to_string()));
            }
            counts.documents += decoded.records.len();
            counts.mismatches += decoded.mismatches;
            next = decoded.next;
            if let Some(id) = decoded.missing_schema {
                // There are more ids than were looked up.
                decoder.add_schema(id, Err(format!("names {id}, which was not looked up")));
            }
        }
        counts.records += records.len();
    }
    Ok(counts)
}

impl Inferred {
    /// Decodes the sample, `records`, with the columns and options of the statement, whose comments then say what that
    /// shows.
    ///
    /// # Errors
    /// A table cannot have these columns and options.
    pub(crate) fn decode(
        &mut self,
        records: &[BinaryArray],
        columns: &Fields,
        options: &FormatOptions,
    ) -> Result<()> {
        if let InferredFormat::Avro(_) = self.format {
            // Its columns were made by decoding.
            return Ok(());
        }
        let counts = counts(records, self.records, columns, options, &[])?;
        // A record of a preset holds any number of rows.
        if !options.format.has_fixed_columns() {
            self.documents = counts.documents;
        }
        self.take(counts);
        Ok(())
    }

    /// Takes what decoding showed, besides the number of documents.
    pub(super) fn take(&mut self, counts: Counts) {
        self.bad_documents = counts.bad_documents;
        self.mismatches = counts.mismatches;
        let first = counts.first_bad;
        self.first_bad = first.map(|(number, reason)| format!("record {number} {reason}"));
    }

    /// Why the first document is bad, if all are.
    pub(crate) fn all_bad(&self) -> Option<&str> {
        match self.documents {
            0 => self.first_bad.as_deref(),
            _ => None,
        }
    }

    /// Whether there are records, but no documents in them.
    pub(crate) fn is_without_documents(&self) -> bool {
        self.records > 0 && self.documents == 0 && self.bad_documents == 0
    }
}
