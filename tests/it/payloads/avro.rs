//! Avro payloads in SQL.

use datafusion_kinesis::ErrorKind;

use crate::support::World;

const SCHEMA: &str = r#"{"type":"record","name":"Click","fields":[
    {"name":"userId","type":"long"},
    {"name":"url","type":["null","string"]},
    {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}]}"#;

/// A stream with two documents and one that ends too early.
async fn clicks() -> World {
    let world = World::new();
    world.table("raw", 1, "").await;
    world
        .run(
            "INSERT INTO raw (partitionKey, data) VALUES
             ('a', decode('0e02042f6102', 'hex')), ('b', decode('0e0204', 'hex')), ('c', decode('100004', 'hex'))",
        )
        .await;
    world
}

fn statement(schema: &str, options: &str) -> String {
    format!(
        "CREATE EXTERNAL TABLE clicks (userid BIGINT, url VARCHAR, at TIMESTAMP) STORED AS \"aws-kinesis\"
         LOCATION 'raw' OPTIONS ('kinesis.format' 'avro', 'kinesis.avro.schema' '{schema}' {options})"
    )
}

#[tokio::test(start_paused = true)]
async fn documents_with_the_schema_of_a_file_are_rows_and_others_are_skipped() {
    let world = clicks().await;
    let file = std::env::temp_dir().join(format!("clicks-{}.avsc", std::process::id()));
    std::fs::write(&file, SCHEMA).unwrap();
    let url = format!("file://{}", file.display());
    let skip = ", 'kinesis.format.onError' 'skip'";
    world.run(&statement(&url, skip)).await;
    // The file is not read again.
    std::fs::remove_file(&file).unwrap();
    let rows = world.run("SELECT * FROM clicks ORDER BY userid").await;
    for part in [
        "| 7      | /a  | 1970-01-01T00:00:00.001",
        "| 8      |     | 1970-01-01T00:00:00.002",
    ] {
        assert!(rows.contains(part), "{rows}");
    }
    assert_eq!(world.number("SELECT count(*) FROM clicks").await, 2);
    assert_eq!(
        world
            .number("SELECT count(*) FROM clicks WHERE url IS NULL")
            .await,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_bad_document_fails_with_its_byte_and_field() {
    let world = clicks().await;
    world.run(&statement(SCHEMA, "")).await;
    let (kind, error) = world.refusal("SELECT count(*) FROM clicks").await;
    assert_eq!(kind, ErrorKind::InvalidRow);
    let expected = "field 'url': has a value of 2 bytes, but only 0 are left (byte 2)";
    assert!(error.contains(expected), "{error}");
}

#[tokio::test(start_paused = true)]
async fn schemas_that_cannot_be_used_are_refused_when_the_table_is_made() {
    let world = clicks().await;
    for (schema, part) in [
        (
            "/no/such/file.avsc",
            "file '/no/such/file.avsc' cannot be read",
        ),
        (
            "https://schemas/click",
            "expected the JSON of an Avro schema",
        ),
        (
            "{",
            "option 'kinesis.avro.schema': the Avro schema: expected JSON",
        ),
        (
            r#"{"type":"record","name":"C","fields":[]}"#,
            "column 'userid': expected a field of the schema",
        ),
    ] {
        let (kind, error) = world.refusal(&statement(schema, "")).await;
        assert_eq!(kind, ErrorKind::InvalidOption);
        assert!(error.contains(part), "{error}");
    }
}
