//! Infers the columns of Avro documents from their schemas, and decodes the sample with them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, BinaryArray};
use datafusion::arrow::datatypes::{Field, Fields};

use super::{Inferred, InferredFormat};
use crate::error::{Error, Result};
use crate::format::avro::{AvroSchema, SchemaColumns, columns};
use crate::format::{Decoder, PayloadSchema, compression, header};
use crate::model::{SchemaId, StreamIdentity};
use crate::options::{
    AvroFraming, AvroOptions, Compression, Format, FormatOptions, OnError, OnMismatch,
    SchemaRegistryType,
};

/// The schemas of the documents of a sample.
#[derive(Debug)]
pub(crate) enum SampleSchemas {
    /// All documents have this one.
    One(String),
    /// They name these, the newest first: each is known, or there is a reason why it cannot be used.
    Registered(Vec<(SchemaId, Result<Arc<AvroSchema>, String>)>),
}

/// What the sample shows about Avro documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InferredAvro {
    pub(super) columns: SchemaColumns,
    /// The header of documents that all have one schema.
    pub(super) framing: Option<AvroFraming>,
    /// How many values do not fit their columns.
    pub(super) mismatches: u64,
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
    Ok(Inferred {
        compression: all.any(is_compressed).then_some(Compression::Auto),
        format: InferredFormat::Avro(InferredAvro {
            columns,
            framing,
            mismatches: decoded.mismatches,
            schemas: usable.into_iter().map(|(name, _)| name).collect(),
            unusable,
        }),
        ..decoded.inferred
    })
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

/// What decoding the sample shows.
struct DecodedSample {
    inferred: Inferred,
    bad_documents: usize,
    mismatches: u64,
}

impl Sample<'_> {
    /// Decodes the documents of one schema with the header that suits most of them.
    fn decode_behind_any_header(
        &self,
        options: &FormatOptions,
    ) -> Result<(DecodedSample, Option<AvroFraming>)> {
        let (mut decoded, mut framing) = (self.decode(options)?, AvroFraming::None);
        let others = [
            AvroFraming::SingleObject,
            AvroFraming::Confluent,
            AvroFraming::Glue,
        ];
        for other in others {
            if decoded.bad_documents == 0 {
                break;
            }
            let found = self.decode(&with_framing(options, other))?;
            if found.bad_documents < decoded.bad_documents {
                (decoded, framing) = (found, other);
            }
        }
        Ok((decoded, Some(framing)))
    }

    fn decode(&self, options: &FormatOptions) -> Result<DecodedSample> {
        let options = FormatOptions {
            // The stream is never written to: bad documents are collected with their reasons.
            on_error: OnError::DeadLetter(StreamIdentity::parse("none")?),
            on_mismatch: OnMismatch::Null,
            error_column: None,
            ..options.clone()
        };
        let schema = Arc::new(PayloadSchema::new(options, &self.fields)?);
        let all: Vec<usize> = (0..self.fields.len()).collect();
        let mut decoder = Decoder::new(&schema, &all)?;
        if let SampleSchemas::Registered(found) = self.schemas {
            for (id, schema) in found {
                decoder.add_schema(*id, schema.clone());
            }
        }
        let (mut inferred, mut mismatches) = (Inferred::new(), 0);
        for records in self.records {
            let mut next = 0;
            while next < records.len() {
                let decoded = decoder.decode(records, next)?;
                for bad in &decoded.skipped {
                    inferred.bad(inferred.records + bad.record + 1, &bad.reason.to_string());
                }
                inferred.documents += decoded.records.len();
                mismatches += decoded.mismatches;
                next = decoded.next;
                if let Some(id) = decoded.missing_schema {
                    // There are more ids than were looked up.
                    decoder.add_schema(id, Err(format!("names {id}, which was not looked up")));
                }
            }
            inferred.records += records.len();
        }
        Ok(DecodedSample {
            bad_documents: inferred.bad_documents,
            inferred,
            mismatches,
        })
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
