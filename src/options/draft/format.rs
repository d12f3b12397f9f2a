//! Checks of the options of the payload format against each other.

use super::registry::RegistryDraft;
use super::useless;
use crate::error::{Error, Result};
use crate::model::StreamIdentity;
use crate::options::format::{
    AvroFraming, AvroOptions, AvroSchemaSource, Compression, CsvOptions, DescriptorSource, Format,
    FormatOptions, Framing, JsonOptions, NullFields, OnError, OnMismatch, ProtobufFraming,
    ProtobufOptions, SchemaRegistryOptions, SchemaRegistryType, TimestampFormat,
};

/// Parsed format options, before they are checked together.
#[derive(Debug, Clone, Default)]
pub(in crate::options) struct FormatDraft {
    pub(in crate::options) format: Option<DraftFormat>,
    pub(in crate::options) on_error: DraftOnError,
    pub(in crate::options) dead_letter_stream: Option<StreamIdentity>,
    pub(in crate::options) on_mismatch: OnMismatch,
    pub(in crate::options) error_column: Option<String>,
    pub(in crate::options) compression: Option<Compression>,
    pub(in crate::options) max_decompressed_bytes: usize,
    pub(in crate::options) framing: Option<Framing>,
    pub(in crate::options) json_header: Option<SchemaRegistryType>,
    pub(in crate::options) explode: Option<Vec<String>>,
    pub(in crate::options) rescued_column: Option<String>,
    pub(in crate::options) timestamps: Option<TimestampFormat>,
    pub(in crate::options) fail_on_missing_field: bool,
    pub(in crate::options) null_fields: NullFields,
    pub(in crate::options) delimiter: Option<u8>,
    pub(in crate::options) quote: Option<u8>,
    pub(in crate::options) escape: Option<u8>,
    pub(in crate::options) null_literal: Option<String>,
    pub(in crate::options) avro_schema: Option<AvroSchemaSource>,
    pub(in crate::options) avro_framing: Option<AvroFraming>,
    pub(in crate::options) registry: RegistryDraft,
    pub(in crate::options) descriptors: Option<DescriptorSource>,
    pub(in crate::options) message: Option<String>,
    pub(in crate::options) protobuf_framing: Option<ProtobufFraming>,
}

/// The values of `kinesis.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::options) enum DraftFormat {
    Raw,
    Json,
    Text,
    Csv,
    Avro,
    Protobuf,
    CloudWatchLogs,
    DynamoDb,
}

/// The values of `kinesis.format.onError`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::options) enum DraftOnError {
    #[default]
    Fail,
    Null,
    Skip,
    DeadLetter,
}

/// The formats whose tables can be written.
const WRITTEN: &[DraftFormat] = &[
    DraftFormat::Json,
    DraftFormat::Text,
    DraftFormat::Csv,
    DraftFormat::Avro,
    DraftFormat::Protobuf,
];

/// The options that only some formats have, by the start of their names, with these formats.
const FORMAT_SPECIFIC: &[(&str, &[DraftFormat])] = &[
    (
        "kinesis.json.timestampFormat",
        &[
            DraftFormat::Json,
            DraftFormat::Csv,
            DraftFormat::Text,
            DraftFormat::Avro,
            DraftFormat::Protobuf,
        ],
    ),
    ("kinesis.protobuf.", &[DraftFormat::Protobuf]),
    ("kinesis.avro.", &[DraftFormat::Avro]),
    ("kinesis.schemaRegistry.", &[DraftFormat::Avro]),
    (
        "kinesis.json.failOnMissingField",
        &[DraftFormat::Json, DraftFormat::Avro],
    ),
    ("kinesis.json.", &[DraftFormat::Json]),
    ("kinesis.sink.nullFields", &[DraftFormat::Json]),
    ("kinesis.sink.partitionKey", WRITTEN),
    ("kinesis.sink.explicitHashKey", WRITTEN),
    ("kinesis.csv.", &[DraftFormat::Csv]),
    (
        "kinesis.format.framing",
        &[DraftFormat::Json, DraftFormat::Csv, DraftFormat::Text],
    ),
    (
        "kinesis.format.",
        &[
            DraftFormat::Json,
            DraftFormat::Text,
            DraftFormat::Csv,
            DraftFormat::Avro,
            DraftFormat::Protobuf,
            DraftFormat::CloudWatchLogs,
            DraftFormat::DynamoDb,
        ],
    ),
];

/// Whether the option with this name is one of formats, so that tables without a format have no use for it.
#[cfg(feature = "cli")]
pub(crate) fn is_of_format(name: &str) -> bool {
    FORMAT_SPECIFIC
        .iter()
        .any(|(start, _)| name.starts_with(start))
}

impl FormatDraft {
    /// Checks the options together; `None` means that payloads are not decoded. `given` lists the names of the
    /// options that were set, and `stream` is the table's stream.
    pub(super) fn finish(
        &self,
        given: &[&'static str],
        stream: &StreamIdentity,
    ) -> Result<Option<FormatOptions>> {
        let format = self.format.unwrap_or(DraftFormat::Raw);
        refuse_other_formats(format, given)?;
        let format = match format {
            DraftFormat::Raw => return Ok(None),
            DraftFormat::Json => Format::Json(JsonOptions {
                header: self.json_header,
                explode: self.explode.clone(),
                rescued_column: self.rescued_column.clone(),
                null_fields: self.null_fields,
            }),
            DraftFormat::Text => Format::Text,
            DraftFormat::Csv => Format::Csv(self.csv()?),
            DraftFormat::Avro => Format::Avro(self.avro()?),
            DraftFormat::Protobuf => Format::Protobuf(self.protobuf()?),
            DraftFormat::CloudWatchLogs => Format::CloudWatchLogs,
            DraftFormat::DynamoDb => Format::DynamoDb,
        };
        let (framing, compression) = match format {
            // Subscriptions compress; a collector in between may have decompressed.
            Format::CloudWatchLogs => (Framing::Concatenated, Compression::Auto),
            _ => Default::default(),
        };
        let framing = self.framing.unwrap_or(framing);
        if !matches!(format, Format::Json(_) | Format::CloudWatchLogs)
            && matches!(framing, Framing::Concatenated | Framing::Array)
        {
            return Err(Error::invalid_option(format!(
                "option 'kinesis.format.framing': expected 'record' or 'newline' with 'kinesis.format' = '{}', \
                 because only JSON documents show where they end",
                format.name()
            )));
        }
        if matches!(&format, Format::Json(json) if json.header.is_some())
            && framing != Framing::Record
        {
            return Err(Error::invalid_option(
                "option 'kinesis.json.header': expected only with 'kinesis.format.framing' = 'record', because the \
                 serializers of a registry write one header and one document into a record",
            ));
        }
        let options = FormatOptions {
            on_error: self.on_error(stream)?,
            on_mismatch: self.on_mismatch,
            fail_on_missing_field: self.fail_on_missing_field,
            error_column: self.error_column.clone(),
            compression: self.compression.unwrap_or(compression),
            max_decompressed_bytes: self.max_decompressed_bytes,
            framing,
            timestamps: self.timestamps.unwrap_or_default(),
            format,
        };
        useless::refuse(&options, given)?;
        Ok(Some(options))
    }

    fn csv(&self) -> Result<CsvOptions> {
        let options = CsvOptions {
            delimiter: self.delimiter.unwrap_or(b','),
            quote: self.quote.unwrap_or(b'"'),
            escape: self.escape,
            null_literal: self.null_literal.clone(),
        };
        let is_special = |byte: u8| byte == options.delimiter || byte == options.quote;
        if let Some(null) = options.null_literal.as_ref()
            && null.bytes().any(is_special)
        {
            return Err(Error::invalid_option(format!(
                "option 'kinesis.csv.nullLiteral' = '{null}': expected a text without delimiters and quotes, which \
                 is written and read without quotes"
            )));
        }
        let same = options.delimiter == options.quote || options.escape == Some(options.delimiter);
        match same {
            false => Ok(options),
            true => Err(Error::invalid_option(
                "options 'kinesis.csv.delimiter', 'kinesis.csv.quote' and 'kinesis.csv.escape': expected the \
                 delimiter to differ from the others",
            )),
        }
    }

    fn avro(&self) -> Result<AvroOptions> {
        if let Some(registry) = self.registry.finish()? {
            return self.avro_of(registry);
        }
        let framing = self.avro_framing.unwrap_or_default();
        let schema = self.avro_schema.clone();
        if schema.is_none() && matches!(framing, AvroFraming::Confluent | AvroFraming::Glue) {
            return Err(Error::invalid_option(
                "option 'kinesis.avro.framing' = 'confluent' or 'glue': expected together with \
                 'kinesis.schemaRegistry.type', the registry of the schemas, or with 'kinesis.avro.schema', the \
                 schema that all documents were written with",
            ));
        }
        Ok(AvroOptions { schema, framing })
    }

    /// Documents whose schemas are in `registry`.
    fn avro_of(&self, registry: SchemaRegistryOptions) -> Result<AvroOptions> {
        let (framing, name) = match registry {
            SchemaRegistryOptions::Confluent { .. } => (AvroFraming::Confluent, "confluent"),
            SchemaRegistryOptions::Glue { .. } => (AvroFraming::Glue, "glue"),
        };
        if self.avro_framing.is_some_and(|given| given != framing) {
            return Err(Error::invalid_option(format!(
                "option 'kinesis.avro.framing': expected '{name}', whose headers have the ids of schemas in the \
                 registry of 'kinesis.schemaRegistry.type' = '{name}'"
            )));
        }
        if self.avro_schema.is_some() {
            return Err(Error::invalid_option(
                "option 'kinesis.avro.schema': expected only without 'kinesis.schemaRegistry.type' and \
                 'kinesis.schemaRegistry.url', because the registry has the schemas",
            ));
        }
        Ok(AvroOptions {
            schema: Some(AvroSchemaSource::Registry(registry)),
            framing,
        })
    }

    fn protobuf(&self) -> Result<ProtobufOptions> {
        let (Some(descriptors), Some(message)) = (&self.descriptors, &self.message) else {
            return Err(Error::invalid_option(
                "option 'kinesis.format' = 'protobuf': expected together with 'kinesis.protobuf.descriptorFile' and \
                 'kinesis.protobuf.message', which describe the messages",
            ));
        };
        Ok(ProtobufOptions {
            descriptors: descriptors.clone(),
            message: message.trim_start_matches('.').to_owned(),
            framing: self.protobuf_framing.unwrap_or_default(),
        })
    }

    fn on_error(&self, stream: &StreamIdentity) -> Result<OnError> {
        let on_error = match (self.on_error, &self.dead_letter_stream) {
            (DraftOnError::DeadLetter, Some(target)) if target.name() == stream.name() => {
                return Err(Error::invalid_option(format!(
                    "option 'kinesis.format.deadLetterStream' = '{target}': expected another stream than the \
                     table's own, which would read its dead letters again"
                )));
            }
            (DraftOnError::DeadLetter, Some(target)) => OnError::DeadLetter(target.clone()),
            (DraftOnError::DeadLetter, None) => {
                return Err(Error::invalid_option(
                    "option 'kinesis.format.onError' = 'dead_letter': expected together with \
                     'kinesis.format.deadLetterStream'",
                ));
            }
            (_, Some(target)) => {
                return Err(Error::invalid_option(format!(
                    "option 'kinesis.format.deadLetterStream' = '{target}': expected only together with \
                     'kinesis.format.onError' = 'dead_letter'"
                )));
            }
            (DraftOnError::Fail, None) => OnError::Fail,
            (DraftOnError::Null, None) => OnError::Null,
            (DraftOnError::Skip, None) => OnError::Skip,
        };
        Ok(on_error)
    }
}

/// Refuses options of formats other than `format`, which would be ignored.
fn refuse_other_formats(format: DraftFormat, given: &[&'static str]) -> Result<()> {
    for name in given {
        let mut specific = FORMAT_SPECIFIC.iter();
        let Some((_, formats)) = specific.find(|(start, _)| name.starts_with(start)) else {
            continue;
        };
        if !formats.contains(&format) {
            let names: Vec<String> = formats
                .iter()
                .map(|format| format!("'{}'", format.name()))
                .collect();
            return Err(Error::invalid_option(format!(
                "option '{name}': expected only together with 'kinesis.format' = {}",
                names.join(" or ")
            )));
        }
    }
    Ok(())
}

impl DraftFormat {
    fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Json => "json",
            Self::Text => "text",
            Self::Csv => "csv",
            Self::Avro => "avro",
            Self::Protobuf => "protobuf",
            Self::CloudWatchLogs => "cloudwatch_logs",
            Self::DynamoDb => "dynamodb",
        }
    }
}
