//! Setters of the payload format.

use super::TableOptions;
use crate::options::catalog::{
    COMPRESSIONS, FRAMINGS, JSON_HEADERS, NULL_FIELDS, ON_MISMATCH, TIMESTAMPS,
};
use crate::options::{
    Compression, Framing, NullFields, OnMismatch, SchemaRegistryType, TimestampFormat,
};

/// The format of the payload, for [`TableOptions::with_format`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PayloadFormat {
    /// The payload is the column `data`.
    Raw,
    /// JSON objects.
    Json,
    /// The whole document is the value of the table's only column.
    Text,
    /// Lines of comma-separated values.
    Csv,
    /// Avro's binary encoding.
    Avro,
    /// Protobuf messages.
    Protobuf,
    /// What CloudWatch Logs subscriptions deliver.
    CloudWatchLogs,
    /// What DynamoDB writes about changed items.
    DynamoDb,
}

/// What happens to a document that cannot be parsed, for [`TableOptions::with_bad_documents`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadDocuments {
    /// The statement fails.
    Fail,
    /// It becomes a row of NULLs.
    Null,
    /// It is skipped and counted.
    Skip,
    /// It is written to the stream with this name or ARN, and skipped.
    DeadLetter(String),
}

impl TableOptions {
    /// Sets `kinesis.format`.
    #[must_use]
    pub fn with_format(self, format: PayloadFormat) -> Self {
        let name = match format {
            PayloadFormat::Raw => "raw",
            PayloadFormat::Json => "json",
            PayloadFormat::Text => "text",
            PayloadFormat::Csv => "csv",
            PayloadFormat::Avro => "avro",
            PayloadFormat::Protobuf => "protobuf",
            PayloadFormat::CloudWatchLogs => "cloudwatch_logs",
            PayloadFormat::DynamoDb => "dynamodb",
        };
        self.with("kinesis.format", name)
    }

    /// Sets `kinesis.format.onError`, and `kinesis.format.deadLetterStream` if documents go to one.
    #[must_use]
    pub fn with_bad_documents(self, bad: BadDocuments) -> Self {
        const OPTION: &str = "kinesis.format.onError";
        match bad {
            BadDocuments::Fail => self.with(OPTION, "fail"),
            BadDocuments::Null => self.with(OPTION, "null"),
            BadDocuments::Skip => self.with(OPTION, "skip"),
            BadDocuments::DeadLetter(stream) => self
                .with(OPTION, "dead_letter")
                .with("kinesis.format.deadLetterStream", stream),
        }
    }

    /// Sets `kinesis.format.onTypeMismatch`.
    #[must_use]
    pub fn with_type_mismatches(self, on_mismatch: OnMismatch) -> Self {
        let name = name_of(&ON_MISMATCH, on_mismatch);
        self.with("kinesis.format.onTypeMismatch", name)
    }

    /// Sets `kinesis.format.errorColumn`.
    #[must_use]
    pub fn with_error_column(self, name: impl Into<String>) -> Self {
        self.with("kinesis.format.errorColumn", name)
    }

    /// Sets `kinesis.format.compression`.
    #[must_use]
    pub fn with_compression(self, compression: Compression) -> Self {
        let name = name_of(&COMPRESSIONS, compression);
        self.with("kinesis.format.compression", name)
    }

    /// Sets `kinesis.format.maxDecompressedBytes`.
    #[must_use]
    pub fn with_max_decompressed_bytes(self, bytes: usize) -> Self {
        self.with("kinesis.format.maxDecompressedBytes", bytes.to_string())
    }

    /// Sets `kinesis.format.framing`.
    #[must_use]
    pub fn with_framing(self, framing: Framing) -> Self {
        self.with("kinesis.format.framing", name_of(&FRAMINGS, framing))
    }

    /// Sets `kinesis.json.header` to the header of the serializers of this registry.
    #[must_use]
    pub fn with_json_header(self, registry: SchemaRegistryType) -> Self {
        let name = name_of(&JSON_HEADERS, Some(registry));
        self.with("kinesis.json.header", name)
    }

    /// Sets `kinesis.json.explode` to a path such as `$.logEvents`.
    #[must_use]
    pub fn with_exploded_array(self, path: impl Into<String>) -> Self {
        self.with("kinesis.json.explode", path)
    }

    /// Sets `kinesis.json.rescuedColumn`.
    #[must_use]
    pub fn with_rescued_column(self, name: impl Into<String>) -> Self {
        self.with("kinesis.json.rescuedColumn", name)
    }

    /// Sets `kinesis.json.timestampFormat`.
    #[must_use]
    pub fn with_timestamp_format(self, format: TimestampFormat) -> Self {
        let name = name_of(&TIMESTAMPS, format);
        self.with("kinesis.json.timestampFormat", name)
    }

    /// Sets `kinesis.json.failOnMissingField`.
    #[must_use]
    pub fn with_fail_on_missing_field(self, fail: bool) -> Self {
        self.with("kinesis.json.failOnMissingField", fail.to_string())
    }

    /// Sets `kinesis.csv.delimiter`.
    #[must_use]
    pub fn with_csv_delimiter(self, delimiter: char) -> Self {
        self.with("kinesis.csv.delimiter", delimiter.to_string())
    }

    /// Sets `kinesis.csv.quote`.
    #[must_use]
    pub fn with_csv_quote(self, quote: char) -> Self {
        self.with("kinesis.csv.quote", quote.to_string())
    }

    /// Sets `kinesis.csv.escape`.
    #[must_use]
    pub fn with_csv_escape(self, escape: char) -> Self {
        self.with("kinesis.csv.escape", escape.to_string())
    }

    /// Sets `kinesis.csv.nullLiteral`.
    #[must_use]
    pub fn with_csv_null_literal(self, text: impl Into<String>) -> Self {
        self.with("kinesis.csv.nullLiteral", text)
    }

    /// Sets `kinesis.sink.nullFields`.
    #[must_use]
    pub fn with_null_fields(self, null_fields: NullFields) -> Self {
        let name = name_of(&NULL_FIELDS, null_fields);
        self.with("kinesis.sink.nullFields", name)
    }
}

/// The text of `value` in the option table.
pub(super) fn name_of<T: Copy + PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    let named = names.iter().find(|(_, known)| *known == value);
    named.expect("every value has a name").0
}
