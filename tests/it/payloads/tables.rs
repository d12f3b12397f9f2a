//! Tables with a format: their columns, filters on metadata, and what is refused when they are made.

use datafusion_kinesis::ErrorKind;

use super::{COLUMNS, clicks, decoded};
use crate::support::World;

#[tokio::test(start_paused = true)]
async fn metadata_columns_follow_the_declared_ones_under_their_own_names() {
    let world = clicks(&[r#"{"userId":7}"#]).await;
    let options = ", 'kinesis.extraColumns' 'partitionKey AS pk, shardId, data, streamName AS src'";
    decoded(&world, "clicks", "(userId BIGINT)", options).await;
    let row = world
        .run("SELECT userId, pk, shardId, CAST(data AS VARCHAR) AS data, src FROM clicks")
        .await;
    for part in [
        "| 7 ",
        "| 0 ",
        "shardId-000000000000",
        r#"{"userId":7}"#,
        "| raw ",
    ] {
        assert!(row.contains(part), "{part}: {row}");
    }
    assert_eq!(
        world
            .number("SELECT count(*) FROM clicks WHERE shardId = 'shardId-9'")
            .await,
        0
    );
    assert_eq!(
        world
            .number("SELECT count(*) FROM clicks WHERE pk = '0'")
            .await,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn names_after_as_are_in_lower_case_unless_they_are_quoted() {
    let world = clicks(&[r#"{"id":7}"#]).await;
    for (name, column) in [
        ("Key", "key"),
        ("\"Key\"", "\"Key\""),
        ("\"The, key\"", "\"The, key\""),
        ("\"a \"\"key\"\"\"", "\"a \"\"key\"\"\""),
    ] {
        let options = format!(", 'kinesis.extraColumns' 'shardId , partitionKey AS {name}'");
        decoded(&world, "t", "(id BIGINT)", &options).await;
        let keys = world.lines(&format!("SELECT {column} FROM t")).await;
        assert_eq!(keys, ["0"], "{name}");
        world.run("DROP TABLE t").await;
    }
    for name in ["\"\"", "\"a", "a\"b", "\"a\"b\"", "\"a\" b"] {
        let (_, message) = world
            .refusal(&format!(
                "CREATE EXTERNAL TABLE t STORED AS \"aws-kinesis\" LOCATION 'raw'
                 OPTIONS ('kinesis.extraColumns' 'shardId AS {name}')"
            ))
            .await;
        assert!(
            message.starts_with("option 'kinesis.extraColumns' = "),
            "{name}: {message}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_declared_column_with_the_name_of_a_metadata_column_is_the_payload() {
    let world =
        clicks(&[r#"{"shardId":"mine","approximateArrivalTimestamp":"1999-01-01T00:00:00Z"}"#])
            .await;
    let columns = "(\"shardId\" VARCHAR, \"approximateArrivalTimestamp\" TIMESTAMP)";
    decoded(&world, "clicks", columns, "").await;
    // Neither filter may skip a shard or a time range of the stream.
    let count = "SELECT count(*) FROM clicks WHERE \"shardId\" = 'mine'
        AND \"approximateArrivalTimestamp\" < '2000-01-01'";
    assert_eq!(world.number(count).await, 1);
}

#[tokio::test(start_paused = true)]
async fn options_and_columns_that_do_not_fit_are_refused_when_the_table_is_made() {
    let world = World::new();
    world.table("raw", 1, "").await;
    world.table("dead", 1, "").await;
    for (columns, options, part) in [
        (
            "(a INT)",
            "",
            "a column list: expected together with option 'kinesis.format'",
        ),
        ("", "'kinesis.format' 'json'", "expected a column list"),
        ("(a INT)", "'kinesis.format' 'jsn'", "expected"),
        (
            "(a INT, b INT)",
            "'kinesis.format' 'text'",
            "expected one column for the text",
        ),
        ("(a INT NOT NULL)", "'kinesis.format' 'json'", "NOT NULL"),
        (
            "",
            "'kinesis.format.onError' 'skip'",
            "expected only together with 'kinesis.format'",
        ),
        (
            "(a INT)",
            "'kinesis.format' 'text', 'kinesis.json.explode' '$.a'",
            "'json'",
        ),
        (
            "(a INT)",
            "'kinesis.format' 'text', 'kinesis.format.framing' 'array'",
            "only JSON documents",
        ),
        (
            "(a INT)",
            "'kinesis.format' 'json', 'kinesis.json.explode' 'a'",
            "such as `$.logEvents`",
        ),
        (
            "(a INT)",
            "'kinesis.format' 'json', 'kinesis.format.onError' 'dead_letter'",
            "deadLetterStream",
        ),
        (
            "(a INT)",
            "'kinesis.format' 'json', 'kinesis.format.deadLetterStream' 'dead'",
            "'dead_letter'",
        ),
        (
            "(a INT)",
            "'kinesis.format' 'json', 'kinesis.format.onError' 'dead_letter',
             'kinesis.format.deadLetterStream' 'raw'",
            "another stream",
        ),
        (
            "(a INT)",
            "'kinesis.format' 'json', 'kinesis.extraColumns' 'partitionKey AS a'",
            "duplicate column 'a'",
        ),
        (
            "(partitionKey VARCHAR)",
            "'kinesis.format' 'json', 'kinesis.extraColumns' 'partitionKey'",
            "'kinesis.extraColumns' = 'partitionKey AS name'",
        ),
        (
            "(a INT)",
            "'kinesis.format' 'json', 'kinesis.format.errorColumn' 'a'",
            "duplicate column 'a'",
        ),
        (
            "",
            "'kinesis.extraColumns' 'partitionKey'",
            "a column of every table",
        ),
    ] {
        let table = format!(
            "CREATE EXTERNAL TABLE t {columns} STORED AS \"aws-kinesis\" LOCATION 'raw' {}",
            match options {
                "" => String::new(),
                options => format!("OPTIONS ({options})"),
            }
        );
        let (kind, message) = world.refusal(&table).await;
        assert!(
            matches!(kind, ErrorKind::InvalidOption | ErrorKind::Unsupported),
            "{table}: {message}"
        );
        assert!(message.contains(part), "{table}: {message}");
    }
    let missing = "CREATE EXTERNAL TABLE t (a INT) STORED AS \"aws-kinesis\" LOCATION 'raw' OPTIONS
        ('kinesis.format' 'json', 'kinesis.format.onError' 'dead_letter',
         'kinesis.format.deadLetterStream' 'nowhere')";
    let (kind, message) = world.refusal(missing).await;
    assert_eq!(kind, ErrorKind::NotFound);
    assert!(
        message.contains("'kinesis.format.deadLetterStream' = 'nowhere'"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_plan_reads_only_what_the_statement_needs() {
    let world = clicks(&[r#"{"userId":7}"#]).await;
    decoded(
        &world,
        "clicks",
        COLUMNS,
        ", 'kinesis.extraColumns' 'partitionKey'",
    )
    .await;
    let plan = world.run("EXPLAIN SELECT url FROM clicks").await;
    assert!(
        plan.contains("KinesisDecodeExec: format=json, columns=[url]"),
        "{plan}"
    );
    assert!(plan.contains("columns=[data]"), "{plan}");
}
