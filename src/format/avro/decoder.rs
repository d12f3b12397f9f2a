//! One record's Avro document to a row.

use std::sync::Arc;

use datafusion::arrow::datatypes::Fields;
use hashbrown::HashMap;

use super::framing::{self, NamedSchema, unframed};
use super::input::{Input, Malformed};
use super::plan::Root;
use super::rows::{Misfit, Missing, RowReader};
use super::schema::AvroSchema;
use super::walk::Walk;
use crate::format::documents::{DocumentError, DocumentFailure, Documents};
use crate::format::header::Unframed;
use crate::model::SchemaId;
use crate::options::{AvroFraming, FormatOptions, OnMismatch, TimestampFormat};

/// Decodes Avro documents.
#[derive(Debug)]
pub(in crate::format) struct AvroDecoder {
    /// The columns to decode.
    fields: Fields,
    /// The number of columns that the table has.
    all: usize,
    programs: Programs,
    framing: AvroFraming,
    timestamps: TimestampFormat,
    on_mismatch: OnMismatch,
    fail_on_missing_field: bool,
    /// The most bytes that one document may decompress to.
    max_decompressed_bytes: usize,
    /// For JSON texts.
    json: Vec<u8>,
}

/// How documents are decoded.
#[derive(Debug)]
enum Programs {
    /// All have one schema, with this fingerprint.
    One { program: Program, fingerprint: u64 },
    /// Each names its schema in a registry. A schema that was looked up has a program, or a reason why its
    /// documents cannot be decoded.
    Registered(HashMap<SchemaId, Result<Program, String>>),
}

/// How documents of one schema are decoded.
#[derive(Debug)]
struct Program {
    schema: Arc<AvroSchema>,
    root: Root,
}

impl AvroDecoder {
    /// A decoder of `fields` in a table with `all` declared columns, for documents of `schema`; `None` if each
    /// document names its own.
    pub(in crate::format) fn new(
        schema: Option<&Arc<AvroSchema>>,
        fields: Fields,
        all: usize,
        framing: AvroFraming,
        options: &FormatOptions,
    ) -> Self {
        let programs = match schema {
            Some(schema) => Programs::One {
                program: Program::new(schema, &fields, all),
                fingerprint: schema.fingerprint(),
            },
            None => Programs::Registered(HashMap::new()),
        };
        Self {
            fields,
            all,
            programs,
            framing,
            timestamps: options.timestamps,
            on_mismatch: options.on_mismatch,
            fail_on_missing_field: options.fail_on_missing_field,
            max_decompressed_bytes: options.max_decompressed_bytes,
            json: Vec::new(),
        }
    }

    /// The schema that must be looked up in a registry before this record can be decoded.
    pub(in crate::format) fn missing_schema(&self, record: &[u8]) -> Option<SchemaId> {
        match &self.programs {
            Programs::One { .. } => None,
            Programs::Registered(known) => {
                framing::schema_id(record, self.framing).filter(|id| !known.contains_key(id))
            }
        }
    }

    /// Takes a schema of the registry, or the reason why documents that name it cannot be decoded.
    pub(in crate::format) fn add_schema(
        &mut self,
        id: SchemaId,
        schema: Result<Arc<AvroSchema>, String>,
    ) {
        if let Programs::Registered(known) = &mut self.programs {
            let program = schema.map(|schema| Program::new(&schema, &self.fields, self.all));
            known.insert(id, program);
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
        document: &Unframed<'_, NamedSchema>,
        out: &mut Documents<'_>,
    ) -> Result<(), DocumentError> {
        let program = self.programs.of(document.schema)?;
        let start = out.rows();
        let mut reader = RowReader {
            walk: Walk::new(&program.schema, Input::new(&document.bytes, document.start)),
            timestamps: self.timestamps,
            json: &mut self.json,
            mismatches: 0,
            first: None,
            finds_missing: self.fail_on_missing_field,
            missing: None,
        };
        let read = reader.document(&program.root, out.columns);
        let expanded = document.decompressed() + reader.walk.additional_bytes();
        out.expanded = out.expanded.saturating_add(expanded);
        out.mismatches += reader.mismatches;
        if let Err(malformed) = read {
            out.truncate(start);
            return Err(failure(malformed, &reader.walk.path).into());
        }
        if let Some(missing) = reader.missing {
            out.truncate(start);
            return Err(DocumentError::Missing(lacking(&missing)));
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

impl Program {
    fn new(schema: &Arc<AvroSchema>, fields: &Fields, all: usize) -> Self {
        Self {
            root: Root::new(schema, fields, all),
            schema: Arc::clone(schema),
        }
    }
}

impl Programs {
    /// The program for a document whose header names this schema.
    fn of(&self, named: NamedSchema) -> Result<&Program, DocumentFailure> {
        match (self, named) {
            (
                Self::One {
                    fingerprint: expected,
                    ..
                },
                NamedSchema::Fingerprint(found),
            ) if found != *expected => Err(DocumentFailure::new(format!(
                "was written with the schema of fingerprint {found:016x}: expected that of 'kinesis.avro.schema', \
                 {expected:016x}"
            ))),
            (Self::One { program, .. }, _) => Ok(program),
            (Self::Registered(known), NamedSchema::Registered(id)) => match known.get(&id) {
                Some(Ok(program)) => Ok(program),
                Some(Err(reason)) => Err(DocumentFailure::new(reason)),
                None => Err(DocumentFailure::new(format!("{id} was not looked up"))),
            },
            (Self::Registered(_), _) => Err(DocumentFailure::new("names no schema in a registry")),
        }
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

fn lacking(missing: &Missing<'_>) -> DocumentFailure {
    let around = missing.path.iter().copied();
    let path: Vec<&str> = std::iter::once(missing.name.as_str())
        .chain(around)
        .collect();
    DocumentFailure {
        byte: None,
        field: joined(&path),
        reason: "is missing in the schema of the document".to_owned(),
    }
}

/// A path whose innermost name is first.
fn joined(path: &[&str]) -> Option<String> {
    let names: Vec<&str> = path.iter().rev().copied().collect();
    (!names.is_empty()).then(|| names.join("."))
}
