//! Columns of Avro documents with known schemas.

use std::sync::Arc;

use datafusion::arrow::array::BinaryArray;
use uuid::Uuid;

use super::*;
use crate::format::avro::AvroSchema;
use crate::format::testing::TestTable;
use crate::model::SchemaId;
use crate::options::{FormatOptions, OptionsBuilder};

fn options(given: &[(&str, &str)]) -> FormatOptions {
    let mut builder = OptionsBuilder::default();
    builder.set_location("clicks").unwrap();
    builder.set("kinesis.format", "avro").unwrap();
    for (name, value) in given {
        builder.set(name, value).unwrap();
    }
    builder.finish().unwrap().format.unwrap()
}

/// The statement for `records` of the schema with this JSON.
fn of_schema<T: AsRef<[u8]>>(schema: &str, records: &[T]) -> String {
    let options = options(&[("kinesis.avro.schema", schema)]);
    let records = BinaryArray::from_iter_values(records.iter().map(AsRef::as_ref));
    let schemas = SampleSchemas::One(schema.to_owned());
    let inferred = infer_avro(&[records], &schemas, &options, true).unwrap();
    inferred.statement(DECLARED)
}

/// The column list of a statement without comments.
fn column_list(statement: &str) -> String {
    let lines = statement.lines().filter(|line| line.starts_with("  "));
    let lines = lines.filter(|line| !line.starts_with("  'kinesis"));
    let lines: Vec<&str> = lines
        .map(|line| line.split_once("  -- ").unwrap().0.trim())
        .collect();
    lines.join(" ")
}

fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)
}

/// The type of the column for a field of this Avro type.
fn column_type(avro_type: &str) -> String {
    let schema = record(&format!(r#"{{"name":"v","type":{avro_type}}}"#));
    let list = column_list(&of_schema::<&[u8]>(&schema, &[]));
    // What is printed is a column list.
    let options = [("format", "avro"), ("avro.schema", schema.as_str())];
    TestTable::try_new(&list, &options).unwrap();
    list.strip_prefix("v ").unwrap().to_owned()
}

#[test]
fn each_type_has_a_column() {
    let logical =
        |base: &str, logical: &str| format!(r#"{{"type":"{base}","logicalType":"{logical}"}}"#);
    let decimal = |precision: u8| {
        format!(r#"{{"type":"bytes","logicalType":"decimal","precision":{precision},"scale":2}}"#)
    };
    let inner = r#"{"type":"record","name":"I","fields":[{"name":"order","type":"int"},{"name":"userId","type":["null","long"]}]}"#;
    for (avro_type, expected) in [
        (r#""boolean""#.to_owned(), "BOOLEAN"),
        (r#""int""#.to_owned(), "INT"),
        (r#""long""#.to_owned(), "BIGINT"),
        (r#""float""#.to_owned(), "REAL"),
        (r#""double""#.to_owned(), "DOUBLE"),
        (r#""string""#.to_owned(), "VARCHAR"),
        (r#""bytes""#.to_owned(), "BYTEA"),
        (r#""null""#.to_owned(), "VARCHAR"),
        (r#"["null","long"]"#.to_owned(), "BIGINT"),
        (r#"["string","null"]"#.to_owned(), "VARCHAR"),
        (r#"["int","string"]"#.to_owned(), "VARCHAR"),
        (r#"["null","int","long"]"#.to_owned(), "VARCHAR"),
        (r#"["string","bytes"]"#.to_owned(), "BYTEA"),
        (r#"{"type":"fixed","name":"F","size":3}"#.to_owned(), "BYTEA"),
        (r#"{"type":"enum","name":"E","symbols":["A"]}"#.to_owned(), "VARCHAR"),
        (r#"{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}"#.to_owned(), "VARCHAR"),
        (r#"{"type":"map","values":"long"}"#.to_owned(), "VARCHAR"),
        (r#"{"type":"array","items":["null","long"]}"#.to_owned(), "BIGINT[]"),
        (r#"{"type":"array","items":{"type":"array","items":{"type":"map","values":"int"}}}"#.to_owned(), "VARCHAR[][]"),
        (logical("string", "uuid"), "VARCHAR"),
        (logical("int", "date"), "DATE"),
        (logical("int", "time-millis"), "TIME"),
        (logical("long", "time-micros"), "TIME"),
        (logical("long", "timestamp-millis"), "TIMESTAMP(3)"),
        (logical("long", "timestamp-micros"), "TIMESTAMP(6)"),
        (logical("long", "local-timestamp-nanos"), "TIMESTAMP"),
        (format!(r#"{{"type":"array","items":{}}}"#, logical("long", "timestamp-millis")), "TIMESTAMP(3)[]"),
        (decimal(10), "DECIMAL(10, 2)"),
        (decimal(60), "DECIMAL(60, 2)"),
        (decimal(90), "BYTEA"),
        (inner.to_owned(), "STRUCT<\"order\" INT, userId BIGINT>"),
        (format!(r#"{{"type":"array","items":{inner}}}"#), "STRUCT<\"order\" INT, userId BIGINT>[]"),
        (r#"{"type":"record","name":"Empty","fields":[]}"#.to_owned(), "VARCHAR"),
        (r#"{"type":"record","name":"T","fields":[{"name":"next","type":["null","T"]},{"name":"v","type":"int"}]}"#.to_owned(),
         "STRUCT<next VARCHAR, v INT>"),
        (r#"{"type":"record","name":"Same","fields":[{"name":"a","type":"int"},{"name":"A","type":"int"}]}"#.to_owned(), "VARCHAR"),
    ] {
        assert_eq!(column_type(&avro_type), expected, "{avro_type}");
    }
}

#[test]
fn types_do_not_grow_exponentially() {
    let mut avro_type = r#""int""#.to_owned();
    for depth in 0..30 {
        let fields =
            format!(r#"{{"name":"a","type":{avro_type}}},{{"name":"b","type":"N{depth}"}}"#);
        avro_type = match depth {
            0 => r#"{"type":"fixed","name":"N1","size":1}"#.to_owned(),
            _ => format!(
                r#"{{"type":"record","name":"N{}","fields":[{fields}]}}"#,
                depth + 1
            ),
        };
    }
    let found = column_type(&avro_type);
    assert!(found.len() < 100_000, "{}", found.len());
}

#[test]
fn the_whole_statement() {
    let schema = record(
        r#"{"name":"userId","type":"long"},{"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},
           {"name":"tags","type":{"type":"array","items":"string"}}"#,
    );
    let records: [&[u8]; 3] = [&[14, 0, 0], &[16, 2, 2, 0], &[0xff]];
    let expected = r#"-- Stream 'clicks': 3 records, 2 documents, 1 bad.
-- The first bad one: record 3 field 'userId': ends after 1 bytes, within a value (byte 0).
-- The payloads are Avro with the given schema.
-- The types fit these schemas; later ones may have others.
-- A bad document is a row of NULLs here; see option 'kinesis.format.onError'.
CREATE EXTERNAL TABLE clicks (
  userId BIGINT,  -- long
  at TIMESTAMP(3),  -- null or long (timestamp-millis)
  tags VARCHAR[]  -- array of string
)
STORED AS "aws-kinesis" LOCATION 'clicks'
OPTIONS (
  'kinesis.format' 'avro',
  'kinesis.format.onError' 'null'
);
"#;
    assert_eq!(of_schema(&schema, &records), expected);
}

#[test]
fn the_header_of_documents_of_one_schema_is_found() {
    let schema = record(r#"{"name":"v","type":"int"}"#);
    let plain = of_schema(&schema, &[[2_u8], [4]]);
    assert!(!plain.contains("framing"), "{plain}");
    for (header, framing) in [
        (vec![0, 0, 0, 0, 7], "confluent"),
        ([&[3, 0][..], &[1; 16]].concat(), "glue"),
    ] {
        let records = [2_u8, 4].map(|value| [&header[..], &[value]].concat());
        let text = of_schema(&schema, &records);
        let option = format!("'kinesis.avro.framing' '{framing}'");
        assert!(text.contains(&option) && text.contains("0 bad"), "{text}");
    }
}

#[test]
fn documents_that_are_no_records_are_one_column() {
    for (schema, expected) in [
        (r#""string""#, "\"value\" VARCHAR"),
        (r#"["null","long"]"#, "\"value\" BIGINT"),
        (r#"{"type":"array","items":"int"}"#, "\"value\" INT[]"),
    ] {
        let list = column_list(&of_schema::<&[u8]>(schema, &[]));
        assert_eq!(list.replace('"', ""), expected.replace('"', ""), "{schema}");
        let options = [("format", "avro"), ("avro.schema", schema)];
        TestTable::try_new(&list, &options).unwrap();
    }
    let empty = record("");
    let error = infer_avro(
        &[],
        &SampleSchemas::One(empty.clone()),
        &options(&[("kinesis.avro.schema", &empty)]),
        true,
    );
    let error = error.unwrap_err().to_string();
    assert!(error.contains("a record without fields"), "{error}");
}

/// The statement for records of schemas 1, 2, … with these fields, the last of which is the newest.
fn of_registry(fields: &[&str], records: &[(u32, &[u8])]) -> String {
    let options = options(&[("kinesis.schemaRegistry.url", "https://registry:8081")]);
    let schemas = fields.iter().enumerate().rev().map(|(index, fields)| {
        let schema = AvroSchema::parse(&record(fields)).unwrap();
        (SchemaId::Confluent(index as u32 + 1), Ok(Arc::new(schema)))
    });
    let records = records
        .iter()
        .map(|(id, body)| [&[0][..], &id.to_be_bytes(), body].concat());
    let records = BinaryArray::from_iter_values(records);
    let schemas = SampleSchemas::Registered(schemas.collect());
    let inferred = infer_avro(&[records], &schemas, &options, false).unwrap();
    inferred.statement(DECLARED)
}

#[test]
fn schemas_that_disagree_have_a_type_that_both_fit() {
    for (one, other, expected) in [
        (r#""int""#, r#""long""#, "BIGINT"),
        (r#""float""#, r#""double""#, "DOUBLE"),
        (r#""int""#, r#""double""#, "DOUBLE"),
        (r#""long""#, r#""double""#, "VARCHAR"),
        (r#""int""#, r#""string""#, "VARCHAR"),
        (r#""string""#, r#""bytes""#, "BYTEA"),
        (r#""int""#, r#"["null","int"]"#, "INT"),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":6,"scale":2}"#,
            r#"{"type":"bytes","logicalType":"decimal","precision":8,"scale":6}"#,
            "DECIMAL(10, 6)",
        ),
        (
            r#"{"type":"long","logicalType":"timestamp-millis"}"#,
            r#"{"type":"long","logicalType":"timestamp-micros"}"#,
            "TIMESTAMP(6)",
        ),
        (
            r#"{"type":"array","items":"int"}"#,
            r#"{"type":"array","items":"long"}"#,
            "BIGINT[]",
        ),
        (
            r#"{"type":"record","name":"S","fields":[{"name":"x","type":"int"}]}"#,
            r#"{"type":"record","name":"S","fields":[{"name":"y","type":"int"},{"name":"x","type":"long"}]}"#,
            "STRUCT<y INT, x BIGINT>",
        ),
        (r#"{"type":"array","items":"int"}"#, r#""int""#, "VARCHAR"),
    ] {
        let field = |avro_type: &str| format!(r#"{{"name":"v","type":{avro_type}}}"#);
        let text = of_registry(&[&field(one), &field(other)], &[]);
        assert_eq!(column_list(&text), format!("v {expected}"), "{one} {other}");
    }
}

#[test]
fn a_fraction_fits_the_column_of_a_double_and_a_long() {
    let fields = [
        r#"{"name":"v","type":"double"}"#,
        r#"{"name":"v","type":"long"}"#,
    ];
    let records: [(u32, &[u8]); 2] = [(1, &1.5_f64.to_le_bytes()), (2, &[4])];
    let text = of_registry(&fields, &records);
    assert!(text.contains("v VARCHAR"), "{text}");
    assert!(!text.contains("fit the column"), "{text}");
}

#[test]
fn fields_of_the_newest_schema_come_first() {
    let first = r#"{"name":"userId","type":"int"},{"name":"old","type":"string"},{"name":"URL","type":"string"}"#;
    let second = r#"{"name":"url","type":"string"},{"name":"userId","type":"long"}"#;
    let records: [(u32, &[u8]); 4] = [
        (1, &[14, 2, b'o', 2, b'u']),
        (2, &[2, b'u', 16]),
        (3, &[0]),
        (2, &[2, b'v', 18]),
    ];
    let text = of_registry(&[first, second], &records);
    for line in [
        "-- Stream 'clicks': 4 records, 3 documents, 1 bad.",
        "-- The first bad one: record 3 names schema 3, which was not looked up.",
        "-- The payloads are Avro with schema 2, schema 1; the newest is the first.",
        "  url VARCHAR,  -- string",
        "  userId BIGINT,  -- long in schema 2; int in schema 1",
        "  old VARCHAR  -- string in schema 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(!text.contains("fit the column"), "{text}");
    let same = r#"{"name":"Id","type":"int"},{"name":"id","type":"int"}"#;
    let text = of_registry(&[same], &[(1, &[2, 4])]);
    assert_eq!(column_list(&text), "\"Id\" INT");
    assert!(text.contains("Some fields are left out"), "{text}");
}

#[test]
fn ids_are_ordered_by_arrival() {
    let confluent = |id: u32| [&[0][..], &id.to_be_bytes(), b"x"].concat();
    let records = [
        (confluent(1), 5),
        (confluent(2), 9),
        (confluent(3), 7),
        (confluent(1), 8),
        (b"no header".to_vec(), 10),
    ];
    let options = options(&[("kinesis.schemaRegistry.url", "https://registry:8081")]);
    let records = records
        .iter()
        .map(|(record, arrival)| (record.as_slice(), *arrival));
    let ids = schema_ids(records, SchemaRegistryType::Confluent, &options);
    assert_eq!(ids, [2, 1, 3].map(SchemaId::Confluent));
    let version = [&[3, 0][..], &[7; 16]].concat();
    let ids = schema_ids(
        [(version.as_slice(), 1)].into_iter(),
        SchemaRegistryType::Glue,
        &options,
    );
    assert_eq!(ids, [SchemaId::Glue(Uuid::from_bytes([7; 16]))]);
}

#[test]
fn without_a_usable_schema_there_are_no_columns() {
    let options = options(&[("kinesis.schemaRegistry.url", "https://registry:8081")]);
    let unknown = (
        SchemaId::Confluent(3),
        Err("names schema 3, which does not exist".to_owned()),
    );
    for (found, expected) in [
        (vec![], "no record has the header"),
        (
            vec![unknown],
            "a record names schema 3, which does not exist",
        ),
    ] {
        let error = infer_avro(&[], &SampleSchemas::Registered(found), &options, false);
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
