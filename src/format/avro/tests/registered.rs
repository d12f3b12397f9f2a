//! Documents that name their schemas in a registry.

use std::sync::Arc;

use datafusion::arrow::array::BinaryArray;
use datafusion::arrow::datatypes::{DataType, Field, Fields};

use super::super::schema::AvroSchema;
use super::{fields, shown};
use crate::error::ErrorKind;
use crate::format::{Decoder, Encoder, PayloadSchema};
use crate::model::SchemaId;
use crate::options::OptionsBuilder;

fn payload(columns: &Fields, more: &[(&str, &str)]) -> Arc<PayloadSchema> {
    let mut builder = OptionsBuilder::default();
    builder.set_location("words").unwrap();
    builder.set("kinesis.format", "avro").unwrap();
    let url = "http://localhost:8081";
    builder.set("kinesis.schemaRegistry.url", url).unwrap();
    for (name, value) in more {
        builder.set(name, value).unwrap();
    }
    let options = builder.finish().unwrap().format.unwrap();
    Arc::new(PayloadSchema::new(options, columns).unwrap())
}

fn schema(fields: &str, references: &[&str]) -> Result<Arc<AvroSchema>, String> {
    let json = format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#);
    let references: Vec<String> = references.iter().map(|text| (*text).to_owned()).collect();
    AvroSchema::with_references(&json, &references).map(Arc::new)
}

const N: &str = r#"{"name":"n","type":"int"}"#;
const W: &str = r#"{"name":"w","type":"string"}"#;

/// The values of a column, `NULL` for none.
fn values(decoded: &crate::format::Decoded, column: usize) -> Vec<String> {
    let column = &decoded.columns[column];
    (0..column.len()).map(|row| shown(column, row)).collect()
}

#[test]
fn decoding_stops_before_a_record_whose_schema_is_missing() {
    let columns = fields(&[("n", DataType::Int64), ("w", DataType::Utf8View)]);
    let payload = payload(&columns, &[("kinesis.format.onError", "null")]);
    let mut decoder = Decoder::new(&payload, &[0, 1]).unwrap();
    // Schema 1 is n then w, schema 2 is w then n, and schema 3 has n only.
    let records: [&[u8]; 5] = [
        &[0, 0, 0, 0, 1, 2, 2, b'a'],
        &[0, 0, 0, 0, 2, 2, b'b', 4],
        &[0, 0, 0, 0, 1, 6, 2, b'c'],
        &[0, 0, 0],
        &[0, 0, 0, 0, 3, 8],
    ];
    let records = BinaryArray::from_iter_values(records);
    let mut next = 0;
    let mut missing = Vec::new();
    let mut rows: Vec<Vec<String>> = vec![Vec::new(); 2];
    while next < 5 {
        let decoded = decoder.decode(&records, next).unwrap();
        next = decoded.next;
        for (column, rows) in rows.iter_mut().enumerate() {
            rows.extend(values(&decoded, column));
        }
        if let Some(id) = decoded.missing_schema {
            missing.push((next, id));
            let fields = match id {
                SchemaId::Confluent(1) => schema(&format!("{N},{W}"), &[]),
                SchemaId::Confluent(2) => schema(&format!("{W},{N}"), &[]),
                SchemaId::Confluent(3) => schema(N, &[]),
                other => panic!("{other}"),
            };
            decoder.add_schema(id, fields);
        }
    }
    let id = SchemaId::Confluent;
    assert_eq!(missing, [(0, id(1)), (1, id(2)), (4, id(3))]);
    assert_eq!(rows[0], ["1", "2", "3", "NULL", "4"]);
    assert_eq!(rows[1], ["a", "b", "c", "NULL", "NULL"]);
}

#[test]
fn a_document_without_a_schema_is_bad_for_the_reason_of_the_registry() {
    let columns = fields(&[("n", DataType::Int64)]);
    let mut decoder = Decoder::new(&payload(&columns, &[]), &[0]).unwrap();
    let records = BinaryArray::from_iter_values([&[0, 0, 0, 0, 9, 2][..]]);
    let stopped = decoder.decode(&records, 0).unwrap();
    let reason = "names schema 9, which does not exist in schema registry 'x'".to_owned();
    decoder.add_schema(stopped.missing_schema.unwrap(), Err(reason));
    let error = decoder.decode(&records, 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRow);
    assert_eq!(
        error.to_string(),
        "the payload cannot be decoded as avro: names schema 9, which does not exist in schema registry 'x'; see \
         option 'kinesis.format.onError'"
    );
}

#[test]
fn a_schema_uses_the_types_of_the_schemas_it_refers_to() {
    let geo =
        r#"{"type":"record","name":"Geo","namespace":"x","fields":[{"name":"at","type":"Point"}]}"#;
    let point = r#"{"type":"record","name":"Point","namespace":"x","fields":[{"name":"lat","type":"int"}]}"#;
    let field = r#"{"name":"geo","type":"x.Geo"}"#;
    let schema = schema(field, &[point, geo]).unwrap();
    let whole = format!(
        r#"{{"type":"record","name":"R","fields":[{{"name":"geo","type":{}}}]}}"#,
        geo.replace("\"Point\"", point)
    );
    assert_eq!(
        schema.canonical(),
        AvroSchema::parse(&whole).unwrap().canonical()
    );
    let lat = Fields::from(vec![Field::new("lat", DataType::Int64, true)]);
    let at = Fields::from(vec![Field::new("at", DataType::Struct(lat), true)]);
    let columns = fields(&[("geo", DataType::Struct(at))]);
    let mut decoder = Decoder::new(&payload(&columns, &[]), &[0]).unwrap();
    decoder.add_schema(SchemaId::Confluent(1), Ok(schema));
    let records = BinaryArray::from_iter_values([&[0, 0, 0, 0, 1, 14][..]]);
    let decoded = decoder.decode(&records, 0).unwrap();
    assert_eq!(values(&decoded, 0), ["{at: {lat: 7}}"]);
}

#[test]
fn a_reference_that_is_no_schema_is_named_as_such() {
    let error = schema(N, &["{"]).unwrap_err();
    assert!(
        error.starts_with("a schema that it refers to: expected JSON"),
        "{error}"
    );
}

#[test]
fn a_table_of_a_registry_cannot_be_written() {
    let columns = fields(&[("n", DataType::Int64)]);
    let error = Encoder::new(&payload(&columns, &[])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let expected = "a table with 'kinesis.schemaRegistry.type' can only be read";
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[test]
fn a_column_that_a_schema_lacks_is_null_or_fails_the_statement() {
    let geo = DataType::Struct(fields(&[
        ("country", DataType::Utf8View),
        ("lat", DataType::Float64),
    ]));
    let columns = fields(&[("n", DataType::Int64), ("geo", geo)]);
    let point = r#"{"type":"record","name":"G","fields":[{"name":"lat","type":"double"}]}"#;
    let own = schema(&format!(r#"{N},{{"name":"geo","type":{point}}}"#), &[]).unwrap();
    let record = [&[0, 0, 0, 0, 1, 14][..], &1.5_f64.to_le_bytes()].concat();
    let records = BinaryArray::from_iter_values([&record]);
    let decode = |more: &[(&str, &str)], columns: &Fields, projection: &[usize]| {
        let mut decoder = Decoder::new(&payload(columns, more), projection).unwrap();
        decoder.add_schema(SchemaId::Confluent(1), Ok(Arc::clone(&own)));
        decoder.decode(&records, 0)
    };
    let decoded = decode(&[], &columns, &[0, 1]).unwrap();
    assert_eq!(values(&decoded, 1), ["{country: , lat: 1.5}"]);
    let fail = [("kinesis.json.failOnMissingField", "true")];
    let error = decode(&fail, &columns, &[0, 1]).unwrap_err().to_string();
    let expected = "field 'geo.country': is missing in the schema of the document; see option \
        'kinesis.json.failOnMissingField'";
    assert!(error.ends_with(expected), "{error}");
    // Only what is read matters.
    let decoded = decode(&fail, &columns, &[0]).unwrap();
    assert_eq!(values(&decoded, 0), ["7"]);
    let other = fields(&[("n", DataType::Int64), ("w", DataType::Utf8View)]);
    let error = decode(&fail, &other, &[0, 1]).unwrap_err().to_string();
    assert!(error.contains("field 'w': is missing"), "{error}");
}

#[test]
fn a_value_that_its_column_never_takes_has_a_reason_or_fails() {
    let columns = fields(&[("w", DataType::Int64)]);
    let own = schema(W, &[]).unwrap();
    let records = BinaryArray::from_iter_values([&[0, 0, 0, 0, 1, 2, b'x'][..]]);
    let decode = |more: &[(&str, &str)], projection: &[usize]| {
        let mut decoder = Decoder::new(&payload(&columns, more), projection).unwrap();
        decoder.add_schema(SchemaId::Confluent(1), Ok(Arc::clone(&own)));
        decoder.decode(&records, 0)
    };
    let expected = "field 'w': the string x is no BIGINT (byte 5)";
    let decoded = decode(&[("kinesis.format.errorColumn", "why")], &[0, 1]).unwrap();
    assert_eq!(decoded.mismatches, 1);
    assert_eq!(values(&decoded, 0), ["NULL"]);
    assert_eq!(values(&decoded, 1), [expected]);
    let error = decode(&[("kinesis.format.onTypeMismatch", "fail")], &[0]).unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
}
