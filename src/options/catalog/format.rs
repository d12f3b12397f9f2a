//! Options of the payload format.

use std::ops::RangeInclusive;

use datafusion::arrow::datatypes::TimeUnit;

use super::put;
use crate::model::StreamIdentity;
use crate::options::draft::{DraftFormat, DraftOnError};
use crate::options::format::{
    Compression, Framing, NullFields, OnMismatch, SchemaRegistryType, TimestampFormat,
};
use crate::options::spec::{OptionSpec, Role};
use crate::options::value;

const FORMATS: [(&str, DraftFormat); 8] = [
    ("raw", DraftFormat::Raw),
    ("json", DraftFormat::Json),
    ("text", DraftFormat::Text),
    ("csv", DraftFormat::Csv),
    ("avro", DraftFormat::Avro),
    ("protobuf", DraftFormat::Protobuf),
    ("cloudwatch_logs", DraftFormat::CloudWatchLogs),
    ("dynamodb", DraftFormat::DynamoDb),
];

const ON_ERROR: [(&str, DraftOnError); 4] = [
    ("fail", DraftOnError::Fail),
    ("null", DraftOnError::Null),
    ("skip", DraftOnError::Skip),
    ("dead_letter", DraftOnError::DeadLetter),
];

pub(in crate::options) const ON_MISMATCH: [(&str, OnMismatch); 2] =
    [("null", OnMismatch::Null), ("fail", OnMismatch::Fail)];

pub(in crate::options) const COMPRESSIONS: [(&str, Compression); 4] = [
    ("none", Compression::None),
    ("auto", Compression::Auto),
    ("gzip", Compression::Gzip),
    ("zstd", Compression::Zstd),
];

pub(in crate::options) const FRAMINGS: [(&str, Framing); 4] = [
    ("record", Framing::Record),
    ("newline", Framing::Newline),
    ("concatenated", Framing::Concatenated),
    ("array", Framing::Array),
];

pub(in crate::options) const JSON_HEADERS: [(&str, Option<SchemaRegistryType>); 3] = [
    ("none", None),
    ("confluent", Some(SchemaRegistryType::Confluent)),
    ("glue", Some(SchemaRegistryType::Glue)),
];

pub(in crate::options) const TIMESTAMPS: [(&str, TimestampFormat); 5] = [
    ("rfc3339", TimestampFormat::Rfc3339),
    ("epoch_s", TimestampFormat::Epoch(TimeUnit::Second)),
    ("epoch_ms", TimestampFormat::Epoch(TimeUnit::Millisecond)),
    ("epoch_us", TimestampFormat::Epoch(TimeUnit::Microsecond)),
    ("epoch_ns", TimestampFormat::Epoch(TimeUnit::Nanosecond)),
];

pub(in crate::options) const NULL_FIELDS: [(&str, NullFields); 2] =
    [("omit", NullFields::Omit), ("keep", NullFields::Keep)];

/// A record has at most 10 MiB; a thousandfold expansion is no payload of a producer any more.
const DECOMPRESSED_BYTES: RangeInclusive<u64> = 1..=1 << 30;

pub(super) const ROWS: &[OptionSpec] = &[
    OptionSpec::new(
        "kinesis.format",
        Role::Table,
        Some("raw"),
        "Format of the payload: `raw`, `json`, `text`, `csv`, `avro`, `protobuf`, `cloudwatch_logs` or `dynamodb`. With any but `raw`, the table has the columns of its column list (or those of the format) instead of `data`. See [payload formats][payloads].",
        |draft, text| {
            put(
                &mut draft.format.format,
                value::choice(text, &FORMATS).map(Some),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.format.onError",
        Role::Source,
        Some("fail"),
        "What happens to a document that cannot be parsed: `fail` fails the statement, `null` gives a row of NULLs, `skip` skips and counts it, `dead_letter` writes it to `kinesis.format.deadLetterStream` and skips it.",
        |draft, text| put(&mut draft.format.on_error, value::choice(text, &ON_ERROR)),
    ),
    OptionSpec::new(
        "kinesis.format.deadLetterStream",
        Role::Source,
        None,
        "Name or ARN of the stream for documents that cannot be parsed, written before their batch is committed. Required by `dead_letter`.",
        |draft, text| {
            let stream = StreamIdentity::parse(text.trim()).map_err(|error| error.to_string())?;
            draft.format.dead_letter_stream = Some(stream);
            Ok(())
        },
    ),
    OptionSpec::new(
        "kinesis.format.onTypeMismatch",
        Role::Source,
        Some("null"),
        "What happens to a value that does not fit its column, such as text in a BIGINT: `null` or `fail`. It never changes which rows there are.",
        |draft, text| {
            put(
                &mut draft.format.on_mismatch,
                value::choice(text, &ON_MISMATCH),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.format.errorColumn",
        Role::Source,
        None,
        "Name of an additional VARCHAR column with the reason why the document, or its first unfit value, could not be decoded; else NULL.",
        |draft, text| put(&mut draft.format.error_column, value::text(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.format.compression",
        Role::Table,
        None,
        "Compression of records: `none` (the default), `gzip` (any number of members), `zstd`, or, only for reading, `auto`, by the first bytes of each record (the default of `cloudwatch_logs`).",
        |draft, text| {
            put(
                &mut draft.format.compression,
                value::choice(text, &COMPRESSIONS).map(Some),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.format.maxDecompressedBytes",
        Role::Source,
        Some("67108864"),
        "Maximum size of one record after decompression, 1 to 1073741824. A larger one is a bad record.",
        |draft, text| {
            put(
                &mut draft.format.max_decompressed_bytes,
                value::bytes(text, &DECOMPRESSED_BYTES),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.format.framing",
        Role::Table,
        None,
        "Documents in a record: `record` (one, the default), `newline` (one per line), `concatenated` (JSON documents without separators) or `array` (the elements of a JSON array). Writing always puts one document into a record.",
        |draft, text| {
            put(
                &mut draft.format.framing,
                value::choice(text, &FRAMINGS).map(Some),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.json.header",
        Role::Source,
        Some("none"),
        "Header that the serializers of a schema registry write before a JSON document: `none`, `confluent` (`00` and a schema id of 4 bytes) or `glue` (`03`, the compression and a schema version of 16 bytes). It is checked and removed, and the document decompressed; the schema is not looked up. Only with framing `record`.",
        |draft, text| {
            put(
                &mut draft.format.json_header,
                value::choice(text, &JSON_HEADERS),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.json.explode",
        Role::Source,
        None,
        "Path of an array in each document, such as `$.logEvents` or `$.a.b`: each element is a row. Fields that an element lacks are taken from the document.",
        |draft, text| put(&mut draft.format.explode, value::json_path(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.json.rescuedColumn",
        Role::Source,
        None,
        "Name of an additional VARCHAR column with the fields that no column has and the values that do not fit, as a JSON object; NULL if there are none.",
        |draft, text| {
            put(
                &mut draft.format.rescued_column,
                value::text(text).map(Some),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.json.timestampFormat",
        Role::Table,
        None,
        "How timestamps are written in JSON, CSV and text, and as numbers without a logical type in Avro and Protobuf: `rfc3339` (the default), `epoch_s`, `epoch_ms`, `epoch_us` or `epoch_ns`. Text in RFC 3339 is always read.",
        |draft, text| {
            put(
                &mut draft.format.timestamps,
                value::choice(text, &TIMESTAMPS).map(Some),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.json.failOnMissingField",
        Role::Source,
        Some("false"),
        "`true` fails the statement if a JSON document, or the schema of an Avro document, lacks a field that the statement reads. Otherwise the field is NULL.",
        |draft, text| {
            put(
                &mut draft.format.fail_on_missing_field,
                value::boolean(text),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.csv.delimiter",
        Role::Table,
        None,
        "Character between CSV values, one ASCII character or `\\t`. Without it: `,`.",
        |draft, text| put(&mut draft.format.delimiter, value::ascii(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.csv.quote",
        Role::Table,
        None,
        "Character around CSV values that contain delimiters, quotes or line ends. Without it: `\"`.",
        |draft, text| put(&mut draft.format.quote, value::ascii(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.csv.escape",
        Role::Table,
        None,
        "Character before a quote within a quoted CSV value. Without it, a quote is doubled.",
        |draft, text| put(&mut draft.format.escape, value::ascii(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.csv.nullLiteral",
        Role::Table,
        None,
        "Unquoted CSV text that means NULL. Without it, an empty unquoted value is NULL, and in a VARCHAR column the empty string.",
        |draft, text| put(&mut draft.format.null_literal, value::line(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.sink.nullFields",
        Role::Sink,
        Some("omit"),
        "Whether fields that are NULL are written to JSON, at any nesting: `omit` leaves them out, `keep` writes `null`. Elements of arrays are always written.",
        |draft, text| {
            put(
                &mut draft.format.null_fields,
                value::choice(text, &NULL_FIELDS),
            )
        },
    ),
];
