//! DESCRIBE of Kinesis tables.

use crate::process::command;
use crate::support::World;

/// The lines of `DESCRIBE`, with one space between columns.
async fn described(world: &World, statement: &str) -> Vec<String> {
    let table = world.run(statement).await;
    let lines = table.lines().filter(|line| line.starts_with('|'));
    let words = |line: &str| -> String {
        let cells = line.trim_matches('|').split('|').map(str::trim);
        cells.collect::<Vec<_>>().join(" | ")
    };
    lines.map(words).collect()
}

#[tokio::test(start_paused = true)]
async fn the_standard_columns_are_payload_and_metadata() {
    let world = World::new();
    let options = "'kinesis.extraColumns' 'shardId, subSequenceNumber AS number'";
    world.table("words", 1, options).await;
    for statement in ["DESCRIBE words", "DESC Words", "DESCRIBE public.words"] {
        assert_eq!(
            described(&world, statement).await,
            [
                "column_name | data_type | is_nullable | source",
                "data | Binary | YES | payload",
                "streamName | Utf8 | YES | metadata 'streamName'",
                "partitionKey | Utf8 | YES | metadata 'partitionKey'",
                "sequenceNumber | Utf8 | YES | metadata 'sequenceNumber'",
                "approximateArrivalTimestamp | Timestamp(µs, \"UTC\") | YES | metadata 'approximateArrivalTimestamp'",
                "shardId | Utf8 | YES | metadata 'shardId'",
                "number | Int64 | YES | metadata 'subSequenceNumber'",
            ],
            "{statement}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn declared_columns_are_fields_of_the_payload() {
    let world = World::new();
    world.table("words", 1, "").await;
    let create = |name: &str, columns: &str, options: &str| {
        format!(
            "CREATE UNBOUNDED EXTERNAL TABLE {name} {columns} STORED AS \"aws-kinesis\" LOCATION 'words' \
             OPTIONS ({options})"
        )
    };
    let json = "'kinesis.format' 'json', 'kinesis.json.rescuedColumn' 'rest',
                'kinesis.format.errorColumn' 'problem', 'kinesis.extraColumns' 'data AS raw, sequenceNumber'";
    let columns = "(\"userId\" BIGINT, geo STRUCT<country VARCHAR>)";
    world.run(&create("clicks", columns, json)).await;
    assert_eq!(
        described(&world, "DESCRIBE clicks").await[1..],
        [
            "userId | Int64 | YES | json field 'userId'",
            "geo | Struct(\"country\": Utf8View) | YES | json field 'geo'",
            "rest | Utf8View | YES | json fields without a column",
            "problem | Utf8View | YES | why the payload could not be decoded",
            "raw | Binary | YES | payload",
            "sequenceNumber | Utf8 | YES | metadata 'sequenceNumber'",
        ]
    );
    let text = create("lines", "(line VARCHAR)", "'kinesis.format' 'text'");
    world.run(&text).await;
    let lines = ["line | Utf8View | YES | payload as text"];
    assert_eq!(described(&world, "DESCRIBE lines").await[1..], lines);
}

#[tokio::test(start_paused = true)]
async fn other_tables_are_described_as_before() {
    let world = World::new();
    world.run("CREATE TABLE plain AS VALUES (1)").await;
    let found = described(&world, "DESCRIBE plain").await;
    assert_eq!(found[0], "column_name | data_type | is_nullable");
    let error = world.try_run("DESCRIBE absent").await.unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
}

#[test]
fn the_command_shows_the_source_of_columns() {
    let create = "CREATE EXTERNAL TABLE t STORED AS \"aws-kinesis\" LOCATION 't' \
                  OPTIONS ('kinesis.createStream' 'true'); DESCRIBE t";
    let output = command()
        .args(["--embedded", "--output", "csv", "-c", create])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("data,Binary,YES,payload"), "{text}");
}
