use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BinaryArray, Decimal128Array, Float64Array, Int64Array, StringArray,
    TimestampSecondArray,
};
use datafusion::arrow::datatypes::{DataType, Fields};

use crate::error::{ErrorKind, Result};
use crate::format::avro::AvroSchema;
use crate::format::avro::tests::{fields, in_record, options, vectors};
use crate::format::encode::Encoder;
use crate::format::{Decoder, PayloadSchema};

/// The documents of all rows of `columns`.
fn encoded(payload: &Arc<PayloadSchema>, columns: &[ArrayRef]) -> Result<Vec<Vec<u8>>> {
    let mut encoder = Encoder::new(payload)?;
    let rows = columns.first().map_or(0, |column| column.len());
    let documents = encoder.encode(columns, rows, |row| format!("row {row}"))?;
    Ok(documents.iter().flatten().map(<[u8]>::to_vec).collect())
}

fn decoded(payload: &Arc<PayloadSchema>, documents: &[Vec<u8>]) -> Vec<ArrayRef> {
    let all: Vec<usize> = (0..payload.columns().len()).collect();
    let records = BinaryArray::from_iter_values(documents);
    let decoded = Decoder::new(payload, &all).unwrap().decode(&records, 0);
    decoded.unwrap().columns
}

/// The payload of a table with the schema that is derived from its columns.
fn derived(columns: &Fields) -> Arc<PayloadSchema> {
    let json = AvroSchema::json_of(columns).unwrap();
    Arc::new(PayloadSchema::new(options(&json, &[]), columns).unwrap())
}

#[test]
fn rows_are_encoded_to_the_same_bytes_as_by_fastavro() {
    let mut compared = 0;
    for vector in vectors::vectors() {
        let payload = options(&vector.schema, &[]);
        let payload = Arc::new(PayloadSchema::new(payload, &vector.columns).unwrap());
        let columns = decoded(&payload, std::slice::from_ref(&vector.datum));
        // Only a part of the columns that can take a value can also be written to the same type.
        if let Ok(documents) = encoded(&payload, &columns) {
            let json = vector
                .schema
                .contains(r#"["boolean","long","null","string"]"#);
            if !json {
                assert_eq!(documents, [vector.datum], "{}", vector.schema);
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn rows_of_any_type_survive_a_derived_schema() {
    for vector in vectors::vectors() {
        let payload = options(&vector.schema, &[]);
        let payload = Arc::new(PayloadSchema::new(payload, &vector.columns).unwrap());
        let columns = decoded(&payload, &[vector.datum.clone(), vector.datum.clone()]);
        let derived = derived(&vector.columns);
        let documents = encoded(&derived, &columns).unwrap();
        assert_eq!(decoded(&derived, &documents), columns, "{}", vector.schema);
    }
}

#[test]
fn a_derived_schema_is_a_record_of_nullable_fields() {
    let geo = fields(&[("lat", DataType::Float64)]);
    let columns = fields(&[
        ("id", DataType::Int64),
        ("geo", DataType::Struct(geo)),
        ("tags", super::super::tests::list(DataType::Utf8View)),
    ]);
    let json = AvroSchema::json_of(&columns).unwrap();
    let canonical = AvroSchema::parse(&json).unwrap().canonical();
    assert_eq!(
        canonical,
        r#"{"name":"Row","type":"record","fields":[{"name":"id","type":["null","long"]},{"name":"geo","type":["null",{"name":"Row1","type":"record","fields":[{"name":"lat","type":["null","double"]}]}]},{"name":"tags","type":["null",{"type":"array","items":["null","string"]}]}]}"#
    );
    let error = AvroSchema::json_of(&fields(&[("user id", DataType::Int64)])).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("column 'user id': expected a name"),
        "{error}"
    );
}

#[test]
fn a_single_object_of_a_derived_schema_can_be_read_without_a_schema() {
    let columns = fields(&[("id", DataType::Int64)]);
    let mut format = options("\"null\"", &[("kinesis.avro.framing", "single_object")]);
    let crate::options::Format::Avro(avro) = &mut format.format else {
        panic!("{:?}", format.format);
    };
    avro.schema = None;
    let payload = Arc::new(PayloadSchema::new(format.clone(), &columns).unwrap());
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None]));
    let documents = encoded(&payload, &[Arc::clone(&ids)]).unwrap();
    assert_eq!(documents[0][..2], [0xc3, 1]);
    assert_eq!(decoded(&payload, &documents), [ids]);
    let crate::options::Format::Avro(avro) = &mut format.format else {
        panic!("{:?}", format.format);
    };
    avro.framing = crate::options::AvroFraming::None;
    let payload = Arc::new(PayloadSchema::new(format, &columns).unwrap());
    let error = Decoder::new(&payload, &[0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(
        error
            .to_string()
            .contains("expected option 'kinesis.avro.schema'"),
        "{error}"
    );
    assert!(error.to_string().contains(r#""name":"Row""#), "{error}");
}

/// The reason why the second row of a column cannot be written as a value of type `avro_type`.
fn refusal(avro_type: &str, column: ArrayRef) -> String {
    let columns = fields(&[("v", column.data_type().clone())]);
    let format = options(&in_record(avro_type), &[]);
    let payload = Arc::new(PayloadSchema::new(format, &columns).unwrap());
    let error = encoded(&payload, &[column]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRow);
    error.to_string()
}

#[test]
fn values_that_do_not_fit_the_schema_are_refused() {
    let longs: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(1 << 40)]));
    let nulls: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["red", "blue"]));
    let bytes: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"abc", b"ab"]));
    let doubles: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 0.1]));
    let decimals = Decimal128Array::from(vec![100, 12345]);
    let decimals: ArrayRef = Arc::new(decimals.with_precision_and_scale(20, 2).unwrap());
    let times: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1, i64::MAX]));
    let decimal = |digits: u8| {
        format!(r#"{{"type":"bytes","logicalType":"decimal","precision":{digits},"scale":1}}"#)
    };
    for (avro_type, column, expected) in [
        (r#""int""#, longs, "1099511627776 is not an int"),
        (
            r#""long""#,
            nulls,
            "the value is NULL, but the Avro schema has no null here",
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["red"]}"#,
            texts,
            "'blue' is no symbol of the enum: expected one of red",
        ),
        (
            r#"{"type":"fixed","name":"F","size":3}"#,
            bytes,
            "the value has 2 bytes: expected 3",
        ),
        (r#""float""#, doubles, "0.1 is not exactly a float"),
        (
            &decimal(9),
            Arc::clone(&decimals),
            "123.45 is not exactly a decimal of 9 digits, 1 of them",
        ),
        (
            r#"{"type":"long","logicalType":"timestamp-millis"}"#,
            times,
            "the time does not fit into 64 bits",
        ),
    ] {
        let refusal = refusal(avro_type, column);
        assert!(
            refusal.contains("row 1: it cannot be encoded as avro: field 'v': "),
            "{refusal}"
        );
        assert!(refusal.contains(expected), "{refusal}");
    }
}

#[test]
fn columns_that_do_not_suit_the_schema_are_refused_before_any_row() {
    let refusal = |schema: &str, columns: &[(&str, DataType)], more: &[(&str, &str)]| {
        let columns = fields(columns);
        let payload = Arc::new(PayloadSchema::new(options(schema, more), &columns).unwrap());
        Encoder::new(&payload).unwrap_err().to_string()
    };
    let long = [("v", DataType::Int64)];
    for (avro_type, column, expected) in [
        (
            r#""int""#,
            DataType::Utf8,
            "a column of type VARCHAR cannot be written to a field of type int",
        ),
        (
            r#"["null","string"]"#,
            DataType::Binary,
            "cannot be written to a field of type string",
        ),
        (
            r#""null""#,
            DataType::Int64,
            "cannot be written to a field of type null",
        ),
        (
            r#"{"type":"map","values":"int"}"#,
            DataType::Utf8,
            "a column of type VARCHAR cannot",
        ),
    ] {
        let refusal = refusal(&in_record(avro_type), &[("v", column)], &[]);
        assert!(refusal.contains(expected), "{refusal}");
    }
    let two = r#"{"type":"record","name":"R","fields":[{"name":"v","type":"long"},{"name":"w","type":"int"}]}"#;
    let missing = refusal(two, &long, &[]);
    assert!(
        missing.contains("field 'w': the field has no column and cannot be null"),
        "{missing}"
    );
    let no_record = refusal(r#""long""#, &long, &[]);
    assert!(no_record.contains("expected a record"), "{no_record}");
    let glue = [("kinesis.avro.framing", "glue")];
    let glue = refusal(&in_record(r#""long""#), &long, &glue);
    assert!(glue.contains("can only be read"), "{glue}");
}
