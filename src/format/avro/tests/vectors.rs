//! Documents that another implementation wrote.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Field, Fields, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use serde_json::{Value, json};

use super::{list, options, payload, time, timestamp};
use crate::format::{Decoder, PayloadSchema};

pub(in crate::format::avro) struct Vector {
    pub(in crate::format::avro) schema: String,
    pub(in crate::format::avro) columns: Fields,
    pub(in crate::format::avro) datum: Vec<u8>,
    row: Vec<Value>,
}

pub(in crate::format::avro) fn vectors() -> Vec<Vector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/avro/vectors.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            Vector {
                schema: line["schema"].to_string(),
                columns: columns(&line["columns"]),
                datum: unhex(line["datum"].as_str().unwrap()),
                row: line["row"].as_array_mut().unwrap().drain(..).collect(),
            }
        })
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let byte = |digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn columns(columns: &Value) -> Fields {
    let columns = columns.as_array().unwrap().iter();
    let field =
        |column: &Value| Field::new(column[0].as_str().unwrap(), data_type(&column[1]), true);
    columns.map(field).collect()
}

fn data_type(name: &Value) -> DataType {
    if let Some(parts) = name.as_array() {
        return match parts[0].as_str().unwrap() {
            "list" => list(data_type(&parts[1])),
            _ => DataType::Struct(columns(&parts[1])),
        };
    }
    match name.as_str().unwrap() {
        "BOOLEAN" => DataType::Boolean,
        "INT" => DataType::Int32,
        "BIGINT" => DataType::Int64,
        "REAL" => DataType::Float32,
        "DOUBLE" => DataType::Float64,
        "VARCHAR" => DataType::Utf8View,
        "BYTEA" => DataType::Binary,
        "DATE" => DataType::Date32,
        "TIME" => time(),
        "TIMESTAMP" => timestamp(),
        decimal => {
            let inner = decimal.strip_prefix("DECIMAL(").unwrap();
            let (precision, scale) = inner.strip_suffix(')').unwrap().split_once(',').unwrap();
            let (precision, scale) = (precision.parse().unwrap(), scale.parse().unwrap());
            match precision > 38 {
                true => DataType::Decimal256(precision, scale),
                false => DataType::Decimal128(precision, scale),
            }
        }
    }
}

/// The value as the vectors have it.
fn plain(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::Int32 | DataType::Int64 | DataType::Date32 => {
            let column = match column.data_type() {
                DataType::Date32 => cast(column, &DataType::Int32).unwrap(),
                _ => Arc::clone(column),
            };
            let column = cast(&column, &DataType::Int64).unwrap();
            json!(column.as_primitive::<Int64Type>().value(row))
        }
        DataType::Float32 | DataType::Float64 => {
            let column = cast(column, &DataType::Float64).unwrap();
            let value = column.as_primitive::<Float64Type>().value(row);
            json!(format!("{:016x}", value.to_bits()))
        }
        DataType::Utf8View => json!(column.as_string_view().value(row)),
        DataType::Binary => json!(hex(column.as_binary::<i32>().value(row))),
        DataType::Time64(_) => {
            let micros = cast(column, &DataType::Time64(TimeUnit::Microsecond)).unwrap();
            let micros = cast(&micros, &DataType::Int64).unwrap();
            json!(micros.as_primitive::<Int64Type>().value(row))
        }
        DataType::Timestamp(_, _) => {
            json!(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            (0..items.len()).map(|item| plain(&items, item)).collect()
        }
        DataType::Struct(_) => {
            let fields = column.as_struct().columns().iter();
            fields.map(|field| plain(field, row)).collect()
        }
        _ => json!(super::shown(column, row)),
    }
}

fn rows(payload: &Arc<PayloadSchema>, projection: &[usize], records: &[&[u8]]) -> Vec<Vec<Value>> {
    let records = BinaryArray::from_iter_values(records);
    let mut decoder = Decoder::new(payload, projection).unwrap();
    let decoded = decoder.decode(&records, 0).unwrap();
    assert_eq!(decoded.mismatches, 0);
    (0..decoded.records.len())
        .map(|row| {
            let columns = decoded.columns.iter();
            columns.map(|column| plain(column, row)).collect()
        })
        .collect()
}

#[test]
fn documents_of_fastavro_decode_to_their_values() {
    for vector in vectors() {
        let payload = payload(&vector.schema, &vector.columns, &[]).unwrap();
        let all: Vec<usize> = (0..vector.columns.len()).collect();
        let found = rows(&payload, &all, &[&vector.datum]);
        assert_eq!(found, [vector.row], "{}", vector.schema);
    }
}

#[test]
fn any_projection_and_any_bad_neighbours_leave_the_same_rows() {
    let mut random = fastrand::Rng::with_seed(7);
    for vector in vectors() {
        let skip = [("kinesis.format.onError", "skip")];
        let payload = payload(&vector.schema, &vector.columns, &skip).unwrap();
        let mut projection: Vec<usize> = (0..vector.columns.len()).collect();
        random.shuffle(&mut projection);
        projection.truncate(random.usize(..=projection.len()));
        let expected: Vec<Value> = projection
            .iter()
            .map(|column| vector.row[*column].clone())
            .collect();
        // A truncated document may be a valid one: that of an empty array.
        let bad = [&vector.datum[..], &[0x80; 11]].concat();
        let records: [&[u8]; 5] = [&vector.datum, &bad, &bad, &vector.datum, &bad];
        let found = rows(&payload, &projection, &records);
        assert_eq!(found, [expected.clone(), expected], "{}", vector.schema);
    }
}

#[test]
fn every_truncation_is_a_bad_document_for_every_projection() {
    for vector in vectors() {
        let columns = vector.columns.len();
        let skip = [("kinesis.format.onError", "skip")];
        let payload = payload(&vector.schema, &vector.columns, &skip).unwrap();
        let truncated: Vec<&[u8]> = (0..vector.datum.len())
            .map(|len| &vector.datum[..len])
            .collect();
        let records = BinaryArray::from_iter_values(&truncated);
        let first = [0];
        for projection in [&[][..], &first, &(0..columns).collect::<Vec<_>>()] {
            let mut decoder = Decoder::new(&payload, projection).unwrap();
            let decoded = decoder.decode(&records, 0).unwrap();
            assert_eq!(decoded.records, [0_u32; 0], "{}", vector.schema);
            assert_eq!(decoded.bad_documents, truncated.len(), "{}", vector.schema);
        }
    }
}

#[test]
fn changed_bytes_never_panic_and_give_the_same_rows_for_every_projection() {
    let mut random = fastrand::Rng::with_seed(11);
    for vector in vectors() {
        let skip = [("kinesis.format.onError", "skip")];
        let payload = payload(&vector.schema, &vector.columns, &skip).unwrap();
        let changed: Vec<Vec<u8>> = (0..100)
            .map(|_| {
                let mut datum = vector.datum.clone();
                for _ in 0..random.usize(1..4) {
                    if let Some(byte) = random.choice(&mut datum) {
                        *byte = random.u8(..);
                    }
                }
                datum
            })
            .collect();
        let records = BinaryArray::from_iter_values(&changed);
        let all: Vec<usize> = (0..vector.columns.len()).collect();
        let decoded = |projection: &[usize]| {
            let mut decoder = Decoder::new(&payload, projection).unwrap();
            decoder.decode(&records, 0).unwrap().records
        };
        assert_eq!(decoded(&[]), decoded(&all), "{}", vector.schema);
    }
}

#[test]
fn a_message_of_the_java_library_in_single_object_encoding_decodes() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/avro");
    let schema = std::fs::read_to_string(data.join("test_schema.avsc")).unwrap();
    let message = std::fs::read(data.join("test_message.bin")).unwrap();
    let columns = super::fields(&[
        ("id", DataType::Int64),
        ("name", DataType::Utf8View),
        ("tags", list(DataType::Utf8View)),
    ]);
    let framing = [("kinesis.avro.framing", "single_object")];
    let payload = payload(&schema, &columns, &framing).unwrap();
    let expected = [json!(42), json!("Bill"), json!(["dog_lover", "cat_hater"])];
    assert_eq!(rows(&payload, &[0, 1, 2], &[&message]), [expected]);
    assert_eq!(options(&schema, &framing).format.name(), "avro");
}
