//! The payload format of a table as typed values.

use std::fmt;
use std::path::PathBuf;

use datafusion::arrow::datatypes::TimeUnit;

use crate::model::{Secret, StreamIdentity};

/// How the payload of a record becomes rows, and rows become payloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormatOptions {
    /// The format of one document.
    pub(crate) format: Format,
    /// How documents are compressed when read.
    pub(crate) compression: Compression,
    /// The most bytes that one record may decompress to.
    pub(crate) max_decompressed_bytes: usize,
    /// How documents are arranged in a record.
    pub(crate) framing: Framing,
    /// What happens to a document that cannot be parsed.
    pub(crate) on_error: OnError,
    /// What happens to a value that does not fit its column.
    pub(crate) on_mismatch: OnMismatch,
    /// Whether a document without a field of a column fails the statement.
    pub(crate) fail_on_missing_field: bool,
    /// The name of the column with the reason why a document or value could not be decoded.
    pub(crate) error_column: Option<String>,
    /// How timestamps are written in text formats.
    pub(crate) timestamps: TimestampFormat,
}

impl FormatOptions {
    /// The option and its value with which a table can only be read; `None` if rows can be written.
    pub(crate) fn read_only_by(&self) -> Option<&'static str> {
        let of_format = match &self.format {
            Format::Json(json) if json.header.is_some() => Some("'kinesis.json.header'"),
            Format::Json(json) if json.explode.is_some() => Some("'kinesis.json.explode'"),
            Format::Avro(AvroOptions {
                schema: Some(AvroSchemaSource::Registry(_)),
                ..
            }) => Some("a schema registry"),
            Format::Avro(avro) => match avro.framing {
                AvroFraming::Confluent => Some("'kinesis.avro.framing' = 'confluent'"),
                AvroFraming::Glue => Some("'kinesis.avro.framing' = 'glue'"),
                AvroFraming::None | AvroFraming::SingleObject => None,
            },
            Format::Protobuf(protobuf) if protobuf.framing == ProtobufFraming::Confluent => {
                Some("'kinesis.protobuf.framing' = 'confluent'")
            }
            Format::CloudWatchLogs => Some("'kinesis.format' = 'cloudwatch_logs'"),
            Format::DynamoDb => Some("'kinesis.format' = 'dynamodb'"),
            Format::Json(_) | Format::Text | Format::Csv(_) | Format::Protobuf(_) => None,
        };
        let of_records = match (self.framing, self.compression) {
            (Framing::Array, _) => Some("'kinesis.format.framing' = 'array'"),
            (_, Compression::Auto) => Some("'kinesis.format.compression' = 'auto'"),
            _ => None,
        };
        of_format.or(of_records)
    }

    /// Whether a record, or its document, can be compressed.
    pub(crate) fn can_be_compressed(&self) -> bool {
        self.compression != Compression::None
            || match &self.format {
                Format::Json(json) => json.header == Some(SchemaRegistryType::Glue),
                Format::Avro(avro) => avro.framing == AvroFraming::Glue,
                _ => false,
            }
    }
}

/// The format of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON objects.
    Json(JsonOptions),
    /// The whole document is the value of the table's only column.
    Text,
    /// Lines of comma-separated values, in the order of the columns.
    Csv(CsvOptions),
    /// Avro's binary encoding.
    Avro(AvroOptions),
    /// Protobuf messages.
    Protobuf(ProtobufOptions),
    /// What CloudWatch Logs subscriptions deliver.
    CloudWatchLogs,
    /// What DynamoDB writes about changed items.
    DynamoDb,
}

impl Format {
    /// The value of option `kinesis.format`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Json(_) => "json",
            Self::Text => "text",
            Self::Csv(_) => "csv",
            Self::Avro(_) => "avro",
            Self::Protobuf(_) => "protobuf",
            Self::CloudWatchLogs => "cloudwatch_logs",
            Self::DynamoDb => "dynamodb",
        }
    }

    /// Whether the format itself determines the columns of the table.
    pub(crate) fn has_fixed_columns(&self) -> bool {
        matches!(self, Self::CloudWatchLogs | Self::DynamoDb)
    }
}

/// Options of format `json`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct JsonOptions {
    /// The registry whose serializers wrote a header before each document.
    pub(crate) header: Option<SchemaRegistryType>,
    /// The array whose elements are rows; the names of the fields that lead to it.
    pub(crate) explode: Option<Vec<String>>,
    /// The name of the column with the fields that no column has, as JSON.
    pub(crate) rescued_column: Option<String>,
    /// Whether fields that are NULL are written.
    pub(crate) null_fields: NullFields,
}

/// Options of format `csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CsvOptions {
    /// The character between values.
    pub(crate) delimiter: u8,
    /// The character around values that contain delimiters.
    pub(crate) quote: u8,
    /// The character before a quote within a quoted value; `None` means a second quote.
    pub(crate) escape: Option<u8>,
    /// The unquoted text that means NULL; `None` means no text.
    pub(crate) null_literal: Option<String>,
}

/// Options of format `avro`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AvroOptions {
    /// The schema that documents were written with; without it, rows are written with a schema that is derived from
    /// the columns.
    pub(crate) schema: Option<AvroSchemaSource>,
    /// The header before a document.
    pub(crate) framing: AvroFraming,
}

/// Where an Avro schema is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AvroSchemaSource {
    /// It is this JSON.
    Text(String),
    /// It is in this file, which is read when the table is made.
    File(PathBuf),
    /// Each document names its own in a registry.
    Registry(SchemaRegistryOptions),
}

/// A registry of schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SchemaRegistryOptions {
    /// One with the REST interface of Confluent's registry.
    Confluent {
        /// The URL that its paths follow.
        url: String,
        /// The user and password, or API key and secret, of each request.
        login: Option<RegistryLogin>,
    },
    /// AWS Glue, with the credentials of the table.
    Glue {
        /// An endpoint instead of the region's public one.
        endpoint_url: Option<String>,
        /// The region; `None` means that of the stream.
        region: Option<String>,
    },
}

/// A user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegistryLogin {
    pub(crate) username: String,
    pub(crate) password: Secret,
}

/// The kind of a schema registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaRegistryType {
    /// Confluent's, or another with the same REST interface.
    Confluent,
    /// AWS Glue's.
    Glue,
}

/// The header before an Avro document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AvroFraming {
    /// There is none.
    #[default]
    None,
    /// That of Avro's single-object encoding, with the fingerprint of the schema.
    SingleObject,
    /// That of Confluent's serializers, with the id of the schema in a registry.
    Confluent,
    /// That of AWS Glue's serializers, with the id of the schema's version in a registry.
    Glue,
}

/// Options of format `protobuf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProtobufOptions {
    /// The descriptors of the message and of all that it uses.
    pub(crate) descriptors: DescriptorSource,
    /// The full name of the message.
    pub(crate) message: String,
    /// The header before a message.
    pub(crate) framing: ProtobufFraming,
}

/// Where a set of Protobuf descriptors is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum DescriptorSource {
    /// It is in this file, which is read when the table is made.
    File(PathBuf),
    /// It is these bytes.
    Bytes(Vec<u8>),
}

impl fmt::Debug for DescriptorSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Bytes(bytes) => write!(f, "Bytes(<{} bytes>)", bytes.len()),
        }
    }
}

/// The header before a Protobuf message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtobufFraming {
    /// There is none.
    #[default]
    None,
    /// That of Confluent's serializers, with the id of the schema in a registry and the place of the message in it.
    Confluent,
}

/// How a record is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// By the first bytes of each record: gzip, Zstandard, or not at all.
    Auto,
    /// gzip, one or more members.
    Gzip,
    /// Zstandard, one or more frames.
    Zstd,
}

/// How documents are arranged in a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// The record is one document.
    #[default]
    Record,
    /// Each line is a document; blank lines are skipped.
    Newline,
    /// JSON documents one after the other, with or without whitespace between them.
    Concatenated,
    /// A JSON array, whose elements are the documents.
    Array,
}

/// What happens to a document that cannot be parsed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum OnError {
    /// The statement fails.
    #[default]
    Fail,
    /// It becomes a row of NULLs.
    Null,
    /// It is skipped and counted.
    Skip,
    /// It is written to this stream, and skipped.
    DeadLetter(StreamIdentity),
}

/// What happens to a value that does not fit its column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnMismatch {
    /// It becomes NULL.
    #[default]
    Null,
    /// The statement fails.
    Fail,
}

/// Whether fields that are NULL are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NullFields {
    /// They are left out.
    #[default]
    Omit,
    /// They are written as `null`.
    Keep,
}

/// How timestamps are written in text formats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimestampFormat {
    /// Text such as `2026-11-30T08:00:00Z`; without an offset it is UTC.
    #[default]
    Rfc3339,
    /// The number of these units since 1970. Text as above is read, too.
    Epoch(TimeUnit),
}
