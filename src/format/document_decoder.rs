//! The decoders of all formats, and how they go on in a record.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::datatypes::Fields;

use super::avro::{AvroDecoder, AvroSchema};
use super::csv::CsvDecoder;
use super::documents::Documents;
use super::json::{self, JsonDecoder};
use super::presets::{CloudWatchLogsDecoder, DynamoDbDecoder};
#[cfg(feature = "protobuf")]
use super::protobuf::ProtobufDecoder;
use super::schema::PayloadSchema;
use super::text::TextDecoder;
#[cfg(not(feature = "protobuf"))]
use crate::error::Error;
use crate::error::Result;
use crate::model::SchemaId;
use crate::options::Format;

/// A record of which some documents are decoded.
#[derive(Debug)]
pub(super) struct Paused {
    payload: Payload,
    /// Where to go on.
    at: usize,
    /// See [`Documents::repeated`].
    pub(super) repeated: usize,
    /// See [`Documents::header`].
    header: Vec<u8>,
}

/// The decompressed payload of a record, kept for the next batch.
#[derive(Debug)]
enum Payload {
    Bytes(Vec<u8>),
    Text(String),
}

/// The decoder of a format.
#[derive(Debug)]
pub(super) enum DocumentDecoder {
    Avro(AvroDecoder),
    Json(JsonDecoder),
    Csv(CsvDecoder),
    Text(TextDecoder),
    #[cfg(feature = "protobuf")]
    Protobuf(ProtobufDecoder),
    CloudWatchLogs(CloudWatchLogsDecoder),
    DynamoDb(DynamoDbDecoder),
}

impl DocumentDecoder {
    /// A decoder of the columns of `schema` with the indices `fields` and, with `rescues`, of rescued fields.
    ///
    /// # Errors
    /// The format does not suit the columns.
    pub(super) fn new(schema: &PayloadSchema, fields: &[usize], rescues: bool) -> Result<Self> {
        let options = &schema.options;
        let decoded: Fields = fields
            .iter()
            .map(|field| Arc::clone(&schema.fields[*field]))
            .collect();
        Ok(match &options.format {
            Format::Avro(avro) => {
                schema.expect_avro_schema(avro)?;
                let all = schema.fields.len();
                let avro_schema = schema.avro.as_ref();
                Self::Avro(AvroDecoder::new(
                    avro_schema,
                    decoded,
                    all,
                    avro.framing,
                    options,
                ))
            }
            Format::Json(json) => Self::Json(JsonDecoder::new(
                &decoded,
                &schema.fields,
                json,
                options,
                rescues,
            )),
            Format::Csv(csv) => Self::Csv(CsvDecoder::new(schema, csv, fields)),
            Format::Text => Self::Text(TextDecoder::new(schema)),
            #[cfg(feature = "protobuf")]
            Format::Protobuf(protobuf) => Self::Protobuf(ProtobufDecoder::new(
                schema.protobuf()?,
                options,
                protobuf.framing,
                &decoded,
            )?),
            #[cfg(not(feature = "protobuf"))]
            Format::Protobuf(_) => {
                return Err(Error::internal(
                    "a table cannot have this format without its feature",
                ));
            }
            Format::CloudWatchLogs => {
                Self::CloudWatchLogs(CloudWatchLogsDecoder::new(fields, options.on_mismatch))
            }
            Format::DynamoDb => Self::DynamoDb(DynamoDbDecoder::new(fields, options.on_mismatch)),
        })
    }

    /// The schema of the registry that must be added before `payload` can be decoded.
    pub(super) fn missing_schema(&self, payload: &[u8]) -> Option<SchemaId> {
        match self {
            Self::Avro(avro) => avro.missing_schema(payload),
            _ => None,
        }
    }

    /// Takes a schema of the registry, or the reason why documents that name it cannot be decoded.
    pub(super) fn add_schema(&mut self, id: SchemaId, schema: Result<Arc<AvroSchema>, String>) {
        if let Self::Avro(avro) = self {
            avro.add_schema(id, schema);
        }
    }

    /// Forgets the record that is not wholly decoded.
    pub(super) fn reset(&mut self) {
        match self {
            Self::Json(json) => json.reset(),
            Self::CloudWatchLogs(logs) => logs.reset(),
            _ => {}
        }
    }

    /// Decodes the documents of `payload`, until there are enough rows for a batch. Returns what is left.
    pub(super) fn decode(
        &mut self,
        payload: Cow<'_, [u8]>,
        out: &mut Documents<'_>,
    ) -> Option<Paused> {
        let len = payload.len();
        let rest = match self {
            Self::Avro(avro) => {
                avro.decode(&payload, out);
                None
            }
            #[cfg(feature = "protobuf")]
            Self::Protobuf(message) => {
                message.decode(&payload, out);
                None
            }
            Self::Csv(csv) => {
                let next = csv.decode(&payload, 0, out);
                next.map(|at| (Payload::Bytes(payload.into_owned()), at))
            }
            Self::Text(text) => {
                let next = text.decode(&payload, 0, out);
                next.map(|at| (Payload::Bytes(payload.into_owned()), at))
            }
            Self::Json(_) | Self::CloudWatchLogs(_) | Self::DynamoDb(_) => {
                let document = match self {
                    Self::Json(json) => json.without_header(payload, out),
                    _ => Some(payload),
                };
                let text = document.and_then(|document| json::text_of(document, out));
                text.and_then(|text| {
                    let next = self.decode_text(&text, 0, out);
                    next.map(|at| (Payload::Text(text.into_owned()), at))
                })
            }
        };
        out.decoded_bytes = rest.as_ref().map_or(len, |(_, at)| *at);
        rest.map(|(payload, at)| Paused {
            payload,
            at,
            repeated: out.repeated,
            header: std::mem::take(&mut out.header),
        })
    }

    /// Goes on where decoding paused. Returns what is left.
    pub(super) fn resume(&mut self, mut paused: Paused, out: &mut Documents<'_>) -> Option<Paused> {
        out.header = std::mem::take(&mut paused.header);
        let (start, payload) = (paused.at, &paused.payload);
        let next = match (self, payload) {
            (Self::Csv(csv), Payload::Bytes(bytes)) => csv.decode(bytes, start, out),
            (Self::Text(text), Payload::Bytes(bytes)) => text.decode(bytes, start, out),
            (decoder, Payload::Text(text)) => decoder.decode_text(text, start, out),
            // The other formats have one document in a record.
            (_, Payload::Bytes(_)) => None,
        };
        next.map(|at| Paused {
            at,
            repeated: out.repeated,
            header: std::mem::take(&mut out.header),
            ..paused
        })
    }

    /// Decodes the documents of `text` from `at` on. Returns where to go on if there are enough rows for a batch.
    fn decode_text(&mut self, text: &str, at: usize, out: &mut Documents<'_>) -> Option<usize> {
        match self {
            Self::Json(json) => json.decode(text, at, out),
            Self::CloudWatchLogs(logs) => logs.decode(text, at, out),
            Self::DynamoDb(changes) => {
                changes.decode(text, out);
                None
            }
            _ => None,
        }
    }
}
