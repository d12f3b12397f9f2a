//! Entry point of the fuzz target for Avro payloads.

use datafusion::arrow::datatypes::{DataType, TimeUnit};

use super::tables::{expect_same_rows, payload, try_payload};

/// A schema with every kind of type, some of them recursive.
const AVRO_SCHEMA: &str = r#"{"type": "record", "name": "R", "fields": [
    {"name": "n", "type": ["null", "long"]},
    {"name": "text", "type": "string"},
    {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}, "string"]},
    {"name": "money", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 3}},
    {"name": "bytes", "type": [{"type": "fixed", "name": "F", "size": 3}, "bytes", "boolean", "float", "double"]},
    {"name": "list", "type": {"type": "array", "items": ["null", "int"]}},
    {"name": "tree", "type": {"type": "record", "name": "N", "fields": [
        {"name": "hue", "type": {"type": "enum", "name": "E", "symbols": ["red", "green"]}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "children", "type": {"type": "map", "values": "N"}},
        {"name": "nothing", "type": {"type": "array", "items": "null"}}]}}
]}"#;

/// Fuzzes the reader of Avro payloads and its parser of schemas. The first byte chooses options; the rest is a
/// record, or, separated by a zero byte, a schema and a record. Which rows there are, and each value, must not
/// depend on the columns that are read.
pub fn avro(bytes: &[u8]) {
    let Some((choice, record)) = bytes.split_first() else {
        return;
    };
    let on_error = if choice & 1 == 0 { "skip" } else { "null" };
    let framing = ["none", "single_object", "confluent", "glue"][usize::from(choice >> 1 & 3)];
    let mut options = vec![
        ("kinesis.format", "avro"),
        ("kinesis.format.onError", on_error),
        ("kinesis.avro.framing", framing),
    ];
    if framing == "glue" {
        options.push(("kinesis.format.maxDecompressedBytes", "65536"));
    }
    if choice & 0x80 == 0 {
        let columns = [
            ("n", DataType::Int32),
            ("text", DataType::Utf8View),
            ("at", DataType::Timestamp(TimeUnit::Nanosecond, None)),
            ("money", DataType::Decimal128(12, 3)),
            ("bytes", DataType::Binary),
            ("list", DataType::new_list(DataType::Int64, true)),
            ("tree", DataType::Utf8View),
        ];
        let options = [&options[..], &[("kinesis.avro.schema", AVRO_SCHEMA)]].concat();
        return expect_same_rows(&payload(&options, &columns), record);
    }
    let mut parts = record.splitn(2, |byte| *byte == 0);
    let (Some(Ok(schema)), Some(record)) = (parts.next().map(std::str::from_utf8), parts.next())
    else {
        return;
    };
    // The column takes a value of any type.
    let schema = format!(
        r#"{{"type": "record", "name": "Fuzzed", "fields": [{{"name": "v", "type": {schema}}}]}}"#
    );
    let options = [&options[..], &[("kinesis.avro.schema", schema.as_str())]].concat();
    if let Ok(payload) = try_payload(&options, &[("v", DataType::Utf8View)]) {
        expect_same_rows(&payload, record);
    }
}
