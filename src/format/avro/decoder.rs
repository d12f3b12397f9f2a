//! One record's Avro document to a row.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::datatypes::Fields;

use super::framing::{Unframed, unframed};
use super::input::{Input, Malformed};
use super::plan::Root;
use super::rows::{Misfit, RowReader};
use super::schema::AvroSchema;
use super::walk::Walk;
use crate::format::documents::{DocumentError, DocumentFailure, Documents};
use crate::options::{AvroFraming, FormatOptions, OnMismatch, TimestampFormat};

/// Decodes Avro documents.
#[derive(Debug)]
pub(in crate::format) struct AvroDecoder {
    /// How documents of the table's schema are decoded.
    program: Program,
    framing: AvroFraming,
    timestamps: TimestampFormat,
    on_mismatch: OnMismatch,
    /// The most bytes that one document may decompress to.
    max_decompressed_bytes: usize,
    /// For JSON texts.
    json: Vec<u8>,
}

/// How documents of one schema are decoded.
#[derive(Debug)]
struct Program {
    schema: Arc<AvroSchema>,
    fingerprint: u64,
    root: Root,
}

impl AvroDecoder {
    /// A decoder of `fields`, for documents of `schema` in a table with `all` declared columns.
    pub(in crate::format) fn new(
        schema: &Arc<AvroSchema>,
        fields: &Fields,
        all: usize,
        framing: AvroFraming,
        options: &FormatOptions,
    ) -> Self {
        Self {
            program: Program {
                root: Root::new(schema, fields, all),
                fingerprint: schema.fingerprint(),
                schema: Arc::clone(schema),
            },
            framing,
            timestamps: options.timestamps,
            on_mismatch: options.on_mismatch,
            max_decompressed_bytes: options.max_decompressed_bytes,
            json: Vec::new(),
        }
    }

    /// Decodes the document of one record.
    pub(in crate::format) fn decode(&mut self, record: &[u8], out: &mut Documents<'_>) {
        let unframed = unframed(record, self.framing, self.max_decompressed_bytes);
        let read = unframed
            .map_err(DocumentError::Bad)
            .and_then(|unframed| self.document(&unframed, out));
        if let Err(error) = read {
            out.bad(record, error);
        }
    }

    fn document(
        &mut self,
        document: &Unframed<'_>,
        out: &mut Documents<'_>,
    ) -> Result<(), DocumentError> {
        let program = &self.program;
        if let Some(found) = document.fingerprint
            && found != program.fingerprint
        {
            return Err(DocumentFailure::new(format!(
                "was written with the schema of fingerprint {found:016x}: expected that of 'kinesis.avro.schema', \
                 {:016x}",
                program.fingerprint
            ))
            .into());
        }
        let start = out.rows();
        let mut reader = RowReader {
            walk: Walk::new(&program.schema, Input::new(&document.bytes, document.start)),
            timestamps: self.timestamps,
            json: &mut self.json,
            mismatches: 0,
            first: None,
        };
        let read = reader.document(&program.root, out.columns);
        let decompressed = match &document.bytes {
            Cow::Borrowed(_) => 0,
            Cow::Owned(bytes) => bytes.len(),
        };
        let expanded = decompressed + reader.walk.additional_bytes();
        out.expanded = out.expanded.saturating_add(expanded);
        out.mismatches += reader.mismatches;
        if let Err(malformed) = read {
            out.truncate(start);
            return Err(failure(malformed, &reader.walk.path).into());
        }
        match reader.first {
            Some(misfit) if self.on_mismatch == OnMismatch::Fail => {
                out.truncate(start);
                return Err(DocumentError::Unfit(unfit(misfit)));
            }
            Some(misfit) => out.finish_row(Some(&unfit(misfit).to_string())),
            None => out.finish_row(None),
        }
        Ok(())
    }
}

fn failure(malformed: Malformed, path: &[&str]) -> DocumentFailure {
    DocumentFailure {
        byte: Some(malformed.byte),
        field: joined(path),
        reason: malformed.reason.to_string(),
    }
}

fn unfit(misfit: Misfit<'_>) -> DocumentFailure {
    DocumentFailure {
        byte: Some(misfit.byte),
        field: joined(&misfit.path),
        reason: misfit.reason,
    }
}

/// A path whose innermost name is first.
fn joined(path: &[&str]) -> Option<String> {
    let names: Vec<&str> = path.iter().rev().copied().collect();
    (!names.is_empty()).then(|| names.join("."))
}
