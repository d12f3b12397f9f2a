//! Infers the columns of Avro documents from their schemas, and decodes the sample with them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::BinaryArray;
use datafusion::arrow::datatypes::{Field, Fields};

use super::decoded::{self, Counts, FoundSchema};
use super::header::Header;
use super::{Inferred, InferredFormat};
use crate::error::{Error, Result};
use crate::format::avro::{AvroSchema, SchemaColumns, columns};
use crate::format::{compression, header};
use crate::model::SchemaId;
use crate::options::{
    AvroFraming, AvroOptions, Compression, Format, FormatOptions, SchemaRegistryType,
};

/// The schemas of the documents of a sample.
#[derive(Debug)]
pub(crate) enum SampleSchemas {
    /// All documents have this one.
    One(String),
    /// They name these, the newest first: each is known, or there is a reason why it cannot be used.
    Registered(Vec<FoundSchema>),
}

/// What the sample shows about Avro documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InferredAvro {
    pub(super) columns: SchemaColumns,
    /// The header of documents that all have one schema.
    pub(super) framing: Option<AvroFraming>,
    /// The names of the schemas, the newest first.
    pub(super) schemas: Vec<String>,
    /// Why other schemas cannot be used.
    pub(super) unusable: Vec<String>,
}

/// The ids of the schemas that `records` name, the ones of the newest records first. Each record comes with its arrival
/// time.
pub(crate) fn schema_ids<'a>(
    records: impl Iterator<Item = (&'a [u8], i64)>,
    registry: SchemaRegistryType,
    options: &FormatOptions,
) -> Vec<SchemaId> {
    let mut newest: HashMap<SchemaId, (i64, usize)> = HashMap::new();
    for (index, (record, arrival)) in records.enumerate() {
        let limit = options.max_decompressed_bytes;
        let payload = compression::decompressed(record, options.compression, limit);
        let id = payload
            .ok()
            .and_then(|payload| header::schema_id(&payload, registry));
        if let Some(id) = id {
            let last = newest.entry(id).or_default();
            *last = (*last).max((arrival, index));
        }
    }
    let mut ids: Vec<(SchemaId, (i64, usize))> = newest.into_iter().collect();
    ids.sort_unstable_by_key(|(_, last)| std::cmp::Reverse(*last));
    ids.into_iter().map(|(id, _)| id).collect()
}

/// Infers columns from `schemas`, and decodes `records` with them. `options` are those of the table; if they do not say
/// which header documents of one schema have, `is_any_header` is set.
///
/// # Errors
/// [`InvalidOption`](crate::ErrorKind::InvalidOption) if no schema can be used, or they have no fields.
pub(crate) fn infer_avro(
    records: &[BinaryArray],
    schemas: &SampleSchemas,
    options: &FormatOptions,
    is_any_header: bool,
) -> Result<Inferred> {
    let (usable, unusable) = usable(schemas)?;
    let columns = columns(&usable);
    if columns.columns.is_empty() {
        return Err(Error::invalid_option(
            "there is nothing to infer columns from: the schema is a record without fields",
        ));
    }
    let fields = columns.columns.iter();
    let fields: Fields = fields
        .map(|column| Field::new(&column.name, column.data_type.clone(), true))
        .collect();
    let sample = Sample {
        records,
        schemas,
        fields,
    };
    let (decoded, framing) = match is_any_header {
        true => sample.decode_behind_any_header(options)?,
        false => (sample.decode(options)?, None),
    };
    let is_compressed = |record: Option<&[u8]>| {
        let limit = options.max_decompressed_bytes;
        let record = record.unwrap_or_default();
        let found = compression::decompressed(record, Compression::Auto, limit);
        !matches!(found, Ok(Cow::Borrowed(_)))
    };
    let mut all = records.iter().flat_map(|records| records.iter());
    let mut inferred = Inferred {
        compression: all.any(is_compressed).then_some(Compression::Auto),
        format: InferredFormat::Avro(InferredAvro {
            columns,
            framing,
            schemas: usable.into_iter().map(|(name, _)| name).collect(),
            unusable,
        }),
        records: decoded.records,
        documents: decoded.documents,
        ..Inferred::new()
    };
    inferred.take(decoded);
    Ok(inferred)
}

/// Schemas with their names, and why others cannot be used.
type UsableSchemas = (Vec<(String, Arc<AvroSchema>)>, Vec<String>);

fn usable(schemas: &SampleSchemas) -> Result<UsableSchemas> {
    let (mut usable, mut unusable) = (Vec::new(), Vec::new());
    match schemas {
        SampleSchemas::One(text) => {
            usable.push((String::new(), Arc::new(AvroSchema::parse(text)?)));
        }
        SampleSchemas::Registered(found) => {
            for (id, schema) in found {
                match schema {
                    Ok(schema) => usable.push((id.to_string(), Arc::clone(schema))),
                    Err(reason) => unusable.push(reason.clone()),
                }
            }
        }
    }
    if usable.is_empty() {
        let reason = unusable.first().map_or_else(
            || "no record has the header of the registry, which names a schema".to_owned(),
            |reason| format!("a record {reason}"),
        );
        return Err(Error::invalid_option(format!(
            "there is no schema to infer columns from: {reason}"
        )));
    }
    Ok((usable, unusable))
}

fn with_framing(options: &FormatOptions, framing: AvroFraming) -> FormatOptions {
    let schema = match &options.format {
        Format::Avro(avro) => avro.schema.clone(),
        _ => None,
    };
    FormatOptions {
        format: Format::Avro(AvroOptions { schema, framing }),
        ..options.clone()
    }
}

/// Records to decode to columns.
struct Sample<'a> {
    records: &'a [BinaryArray],
    schemas: &'a SampleSchemas,
    fields: Fields,
}

impl Sample<'_> {
    /// Decodes the documents of one schema with the header that suits most of them.
    fn decode_behind_any_header(
        &self,
        options: &FormatOptions,
    ) -> Result<(Counts, Option<AvroFraming>)> {
        let (mut decoded, mut framing) = (self.decode(options)?, AvroFraming::None);
        let others = [
            AvroFraming::SingleObject,
            AvroFraming::Confluent,
            AvroFraming::Glue,
        ];
        let seen = self.header(options);
        for other in others {
            if decoded.bad_documents == 0 {
                break;
            }
            let found = self.decode(&with_framing(options, other))?;
            // A schema that suits no document does not hide their header.
            let is_seen = found.bad_documents == decoded.bad_documents && seen == Some(other);
            if found.bad_documents < decoded.bad_documents || is_seen {
                (decoded, framing) = (found, other);
            }
        }
        Ok((decoded, Some(framing)))
    }

    /// The header that so many records have that it is no coincidence.
    fn header(&self, options: &FormatOptions) -> Option<AvroFraming> {
        let records = self.records.iter().flat_map(|records| records.iter());
        let payloads: Vec<Cow<'_, [u8]>> = records
            .flatten()
            .filter_map(|record| {
                let limit = options.max_decompressed_bytes;
                compression::decompressed(record, options.compression, limit).ok()
            })
            .collect();
        let mut kinds: Vec<Header> = Vec::new();
        for header in payloads.iter().filter_map(|payload| Header::of(payload)) {
            if !kinds.iter().any(|kind| kind.is_like(&header)) {
                kinds.push(header);
            }
        }
        let is_plausible =
            |kind: &Header| kind.is_plausible(payloads.iter().map(|payload| &**payload));
        Some(match kinds.into_iter().find(is_plausible)? {
            Header::SingleObject(_) => AvroFraming::SingleObject,
            Header::Confluent(_) => AvroFraming::Confluent,
            Header::Glue(_) => AvroFraming::Glue,
        })
    }

    fn decode(&self, options: &FormatOptions) -> Result<Counts> {
        let schemas = match self.schemas {
            SampleSchemas::One(_) => &[][..],
            SampleSchemas::Registered(found) => found,
        };
        decoded::counts(self.records, usize::MAX, &self.fields, options, schemas)
    }
}

impl InferredAvro {
    /// The options that read the documents, besides those of the schema.
    pub(super) fn framing_option(&self) -> Option<&'static str> {
        match self.framing? {
            AvroFraming::None => None,
            AvroFraming::SingleObject => Some("single_object"),
            AvroFraming::Confluent => Some("confluent"),
            AvroFraming::Glue => Some("glue"),
        }
    }
}
