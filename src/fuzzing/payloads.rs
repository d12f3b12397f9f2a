//! Entry points of the fuzz targets for payload formats.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BinaryArray};
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use serde_json::value::RawValue;

use super::tables::{decode, expect_same_rows, payload};
use crate::format::Encoder;

/// Fuzzes the reader of CSV payloads. The first byte chooses options, and the rest is a record. Which rows there
/// are, and each value, must not depend on the columns that are read.
pub fn csv(bytes: &[u8]) {
    let Some((choice, record)) = bytes.split_first() else {
        return;
    };
    let pick = |bit: u8, text: &'static str| (choice & (1 << bit) != 0).then_some(text);
    let on_error = pick(0, "null").unwrap_or("skip");
    let framing = pick(1, "newline").unwrap_or("record");
    let mut options = vec![
        ("kinesis.format", "csv"),
        ("kinesis.format.onError", on_error),
        ("kinesis.format.framing", framing),
    ];
    let given = [
        ("kinesis.csv.delimiter", pick(2, ";")),
        ("kinesis.csv.quote", pick(3, "'")),
        ("kinesis.csv.escape", pick(4, "\\")),
        ("kinesis.csv.nullLiteral", pick(5, "")),
    ];
    options.extend(
        given
            .iter()
            .filter_map(|(name, value)| value.map(|value| (*name, value))),
    );
    let columns = [
        ("n", DataType::Int64),
        ("text", DataType::Utf8View),
        ("at", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("money", DataType::Decimal128(12, 3)),
        ("bytes", DataType::Binary),
    ];
    expect_same_rows(&payload(&options, &columns), record);
}

/// Fuzzes the reader of JSON payloads. The first byte chooses options, and the rest is a record. Which rows there are,
/// and each value, must not depend on the columns that are read. A record that serde_json reads as an object must be a
/// row.
pub fn json(bytes: &[u8]) {
    let Some((choice, record)) = bytes.split_first() else {
        return;
    };
    let on_error = ["skip", "null"][usize::from(choice & 1)];
    let framing = ["record", "newline", "concatenated", "array"][usize::from(choice >> 1 & 3)];
    let mut options = vec![
        ("kinesis.format", "json"),
        ("kinesis.format.onError", on_error),
        ("kinesis.format.framing", framing),
    ];
    if choice & 8 != 0 {
        options.push(("kinesis.json.explode", "$.list"));
    }
    if choice & 16 != 0 {
        options.push(("kinesis.format.errorColumn", "why"));
    }
    if choice & 32 != 0 {
        options.push(("kinesis.json.rescuedColumn", "rest"));
    }
    if choice & 64 != 0 {
        options.push(("kinesis.json.timestampFormat", "epoch_ms"));
    }
    if choice & 128 != 0 && framing == "record" {
        let header = if choice & 64 == 0 {
            "confluent"
        } else {
            "glue"
        };
        options.push(("kinesis.json.header", header));
        if header == "glue" {
            options.push(("kinesis.format.maxDecompressedBytes", "65536"));
        }
    }
    let list = DataType::List(Field::new_list_field(DataType::Decimal128(12, 3), true).into());
    let structure = [("n", DataType::Int32), ("v", DataType::Utf8View)];
    let structure = structure.map(|(name, data_type)| Field::new(name, data_type, true));
    let columns = [
        ("v", DataType::Utf8View),
        ("n", DataType::Int64),
        ("at", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("list", list),
        ("object", DataType::Struct(structure.into_iter().collect())),
    ];
    let payload = payload(&options, &columns);
    expect_same_rows(&payload, record);
    let is_object = serde_json::from_slice::<BTreeMap<String, &RawValue>>(record).is_ok();
    if choice & 0b1000_1111 == 0 && is_object && std::str::from_utf8(record).is_ok() {
        assert_eq!(decode(&payload, &[], record).records.len(), 1);
    }
}

/// Fuzzes the readers of messages that AWS services write. The first byte chooses options, and the rest is a record.
/// Which rows there are, and each value, must not depend on the columns that are read.
pub fn presets(bytes: &[u8]) {
    let Some((choice, record)) = bytes.split_first() else {
        return;
    };
    let pick = |bit: u8, texts: [&'static str; 2]| texts[usize::from(choice >> bit & 1)];
    let mut options = vec![
        ("kinesis.format", pick(1, ["cloudwatch_logs", "dynamodb"])),
        ("kinesis.format.onError", pick(0, ["skip", "null"])),
        ("kinesis.format.compression", pick(2, ["none", "auto"])),
    ];
    if pick(2, ["none", "auto"]) == "auto" {
        options.push(("kinesis.format.maxDecompressedBytes", "65536"));
    }
    if choice & 8 != 0 {
        options.push(("kinesis.format.errorColumn", "why"));
    }
    expect_same_rows(&payload(&options, &[]), record);
}

/// Fuzzes the reader of text. The first byte chooses options, and the rest is a record. The rows of text must be the
/// lines that are not blank, or the record.
pub fn text(bytes: &[u8]) {
    let Some((choice, record)) = bytes.split_first() else {
        return;
    };
    let on_error = ["skip", "null"][usize::from(choice & 1)];
    let framing = ["record", "newline"][usize::from(choice >> 1 & 1)];
    let options = [
        ("kinesis.format", "text"),
        ("kinesis.format.onError", on_error),
        ("kinesis.format.framing", framing),
        ("kinesis.format.errorColumn", "why"),
    ];
    let types = [
        DataType::Utf8View,
        DataType::Binary,
        DataType::Int64,
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Decimal128(12, 3),
        DataType::Float64,
        DataType::Date32,
        DataType::Boolean,
    ];
    let data_type = types[usize::from(choice >> 2 & 7)].clone();
    let payload = payload(&options, &[("line", data_type.clone())]);
    expect_same_rows(&payload, record);
    if data_type == DataType::Utf8View
        && let Ok(text) = std::str::from_utf8(record)
    {
        let lines: Vec<&str> = match framing {
            "newline" => lines(text).collect(),
            _ => vec![text],
        };
        let decoded = decode(&payload, &[0], record);
        let found: Vec<_> = decoded.columns[0]
            .as_string_view()
            .iter()
            .flatten()
            .collect();
        assert_eq!(found, lines);
    }
}

/// The lines of a text that are not blank.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.split('\n');
    let lines = lines.map(|line| line.strip_suffix('\r').unwrap_or(line));
    lines.filter(|line| !line.trim_ascii().is_empty())
}

/// Fuzzes the reader and the writer of compressed records. The first byte chooses the compression, and the rest is a
/// record, and a payload that must survive being written and read.
pub fn compression(bytes: &[u8]) {
    let Some((choice, record)) = bytes.split_first() else {
        return;
    };
    const MAX_BYTES: usize = 4_096;
    let table = |compression: &str| {
        let options = [
            ("kinesis.format", "text"),
            ("kinesis.format.onError", "skip"),
            ("kinesis.format.compression", compression),
            ("kinesis.format.maxDecompressedBytes", "4096"),
        ];
        payload(&options, &[("bytes", DataType::Binary)])
    };
    let read = |compression: &str, record: &[u8]| {
        let decoded = decode(&table(compression), &[0], record);
        let column = decoded.columns[0].as_binary::<i32>();
        column.iter().flatten().next().map(<[u8]>::to_vec)
    };
    let compression = ["gzip", "zstd"][usize::from(choice & 1)];
    let payload = read(compression, record);
    if let Some(payload) = &payload {
        assert!(payload.len() <= MAX_BYTES);
    }
    let magic = [&b"\x1f\x8b"[..], b"\x28\xb5\x2f\xfd"];
    let automatic = read("auto", record);
    match magic.iter().position(|magic| record.starts_with(magic)) {
        Some(found) if found == usize::from(choice & 1) => assert_eq!(automatic, payload),
        Some(_) => {}
        None => assert_eq!(automatic.as_deref(), Some(record)),
    }
    let mut encoder = Encoder::new(&table(compression)).expect("bytes can be written");
    let column: ArrayRef = Arc::new(BinaryArray::from_vec(vec![record]));
    let written = encoder.encode(&[column], 1, |_| String::new());
    let written = written.expect("bytes can be written");
    for compression in [compression, "auto"] {
        let expected = (record.len() <= MAX_BYTES).then(|| record.to_vec());
        assert_eq!(read(compression, written.value(0)), expected);
    }
}
