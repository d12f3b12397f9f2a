//! Rows of every type as payloads of every format.

mod json;
mod random;
mod random_values;
mod text_and_csv;

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BinaryArray, LargeBinaryArray, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use fastrand::Rng;

use super::*;
use crate::format::Decoder;
use crate::options::OptionsBuilder;

/// The payload of a table with these columns and options.
fn schema(fields: &Fields, options: &[(&str, &str)]) -> Arc<PayloadSchema> {
    let mut builder = OptionsBuilder::default();
    builder.set_location("words").unwrap();
    for (name, value) in options {
        builder.set(name, value).unwrap();
    }
    let format = builder.finish().unwrap().format.unwrap();
    Arc::new(PayloadSchema::new(format, fields).unwrap())
}

fn fields(types: &[(&str, DataType)]) -> Fields {
    let field = |(name, data_type): &(&str, DataType)| Field::new(*name, data_type.clone(), true);
    types.iter().map(field).collect()
}

fn encoded(schema: &Arc<PayloadSchema>, columns: &[ArrayRef]) -> Result<LargeBinaryArray> {
    let mut encoder = Encoder::new(schema)?;
    encoder.encode(columns, columns[0].len(), |row| format!("row {}", row + 1))
}

fn texts(documents: &LargeBinaryArray) -> Vec<&str> {
    let documents = documents.iter();
    documents
        .map(|document| std::str::from_utf8(document.unwrap()).unwrap())
        .collect()
}

fn decoded(schema: &Arc<PayloadSchema>, documents: &LargeBinaryArray) -> Vec<ArrayRef> {
    let all: Vec<usize> = (0..schema.fields.len()).collect();
    let mut decoder = Decoder::new(schema, &all).unwrap();
    let records: BinaryArray = documents.iter().collect();
    let decoded = decoder.decode(&records, 0).unwrap();
    assert_eq!(decoded.next, records.len());
    assert_eq!(decoded.mismatches, 0, "{:?}", documents);
    decoded.columns
}

/// The documents of `columns`, after checking that they decode to `columns`.
fn round_trip(schema: &Arc<PayloadSchema>, columns: &[ArrayRef]) -> LargeBinaryArray {
    let documents = encoded(schema, columns).unwrap();
    assert_eq!(decoded(schema, &documents), columns);
    documents
}

/// A column of these values in JSON, decoded.
fn column(data_type: &DataType, values: &[&str]) -> ArrayRef {
    let field = fields(&[("v", data_type.clone())]);
    let schema = schema(&field, &[("kinesis.format", "json")]);
    let documents = values
        .iter()
        .map(|value| format!("{{\"v\":{value}}}").into_bytes());
    let documents: LargeBinaryArray = documents.map(Some).collect();
    decoded(&schema, &documents).remove(0)
}

#[test]
fn compressed_documents_decompress_to_what_is_written_without_compression() {
    let field = fields(&[("text", DataType::Utf8)]);
    let long = "0123456789".repeat(50_000);
    let mut random = Rng::with_seed(7);
    let noise: String = (0..100_000).map(|_| random.alphanumeric()).collect();
    let values: ArrayRef = Arc::new(StringArray::from(vec!["", "short", &long, &noise, "again"]));
    for compression in ["gzip", "zstd"] {
        let options = [
            ("kinesis.format", "json"),
            ("kinesis.format.compression", compression),
        ];
        let schema = schema(&field, &options);
        let documents = round_trip(&schema, &[Arc::clone(&values)]);
        assert!(documents.value(2).len() < 10_000, "{compression}");
        // Each document is complete, so the same one is always written in the same way.
        let again = round_trip(&schema, &[values.slice(4, 1)]);
        assert_eq!(documents.value(4), again.value(0), "{compression}");
    }
}

#[test]
fn formats_without_a_form_for_the_table_are_refused() {
    let refused = |types: &[(&str, DataType)], options: &[(&str, &str)]| {
        let schema = schema(&fields(types), options);
        Encoder::new(&schema).unwrap_err().to_string()
    };
    let list = DataType::new_list(DataType::Int64, true);
    let nested = refused(&[("tags", list)], &[("kinesis.format", "text")]);
    assert!(
        nested.starts_with("column 'tags' has type List(Int64)"),
        "{nested}"
    );
    let options = [
        ("kinesis.format", "json"),
        ("kinesis.format.compression", "auto"),
    ];
    let auto = refused(&[("id", DataType::Int64)], &options);
    assert!(
        auto.starts_with("option 'kinesis.format.compression' = 'auto': expected"),
        "{auto}"
    );
    let preset = refused(&[], &[("kinesis.format", "dynamodb")]);
    assert!(
        preset.contains("'kinesis.format' = 'dynamodb' can only be read"),
        "{preset}"
    );
}
