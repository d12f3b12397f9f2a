//! A failing expression reports its record, in bounded reads and in streaming queries.

use datafusion::error::DataFusionError;
use datafusion_kinesis::kinesis::Kinesis;
use datafusion_kinesis::model::{OutputMode, StreamIdentity, Trigger};
use datafusion_kinesis::query::{StreamingQuery, StreamingQueryBuilder};
use datafusion_kinesis::{Error, ErrorKind};
use futures::TryStreamExt;

use crate::grouped::fails;
use crate::streaming::FROM_THE_START;
use crate::support::{World, entry};

/// Puts a record and returns its sequence number.
async fn put(world: &World, stream: &str, key: &str, data: &[u8]) -> String {
    let stream = StreamIdentity::parse(stream).unwrap();
    let entries = [entry(key, data.to_vec(), None)];
    let written = world.kinesis.put_records(&stream, &entries).await.unwrap();
    let written = written.into_iter().next().unwrap().unwrap();
    written.sequence.to_string()
}

/// Puts many valid numbers and one invalid value. Returns the sequence number of the latter.
async fn with_one_bad(world: &World, stream: &str, bad: &[u8]) -> String {
    world.put_numbers(stream, 900).await;
    let sequence = put(world, stream, "bad", bad).await;
    for number in 0..20 {
        world.put(stream, &number.to_string(), "7").await;
    }
    sequence
}

async fn bounded_world(shards: u32) -> World {
    let world = World::new();
    world.table("words", shards, "").await;
    world.run("CREATE TABLE names AS VALUES (1), (2)").await;
    world
}

/// Checks what a message about a record contains.
fn check(message: &str, sequence: &str, parts: &[&str]) {
    let place = format!("sequence number {sequence}");
    for part in ["stream 'words', shard 'shardId-0000", &place]
        .iter()
        .chain(parts)
    {
        assert!(message.contains(part), "{part}: {message}");
    }
}

const NUMBER: &str = "CAST(CAST(data AS VARCHAR) AS INT)";

#[tokio::test(start_paused = true)]
async fn a_bounded_statement_reports_record_expression_and_advice() {
    for shards in [1, 3] {
        let world = bounded_world(shards).await;
        world.table("out", 1, "").await;
        let sequence = with_one_bad(&world, "words", b"abc").await;
        for statement in [
            format!("SELECT {NUMBER} FROM words"),
            format!("SELECT partitionKey FROM words WHERE {NUMBER} > 1000"),
            format!("SELECT max({NUMBER}) FROM words"),
            format!("SELECT partitionKey, sum({NUMBER}) FROM words GROUP BY partitionKey"),
            format!("SELECT {NUMBER} AS n, count(*) FROM words GROUP BY n ORDER BY n"),
            format!("SELECT partitionKey FROM words ORDER BY {NUMBER} LIMIT 2"),
            format!("SELECT * FROM (SELECT {NUMBER} AS n FROM words) w JOIN names ON n = column1"),
            format!("SELECT {NUMBER} FROM words UNION ALL SELECT 1"),
            format!("SELECT sum({NUMBER}) OVER (PARTITION BY partitionKey) FROM words"),
            format!(
                "INSERT INTO out (partitionKey, data)
                 SELECT partitionKey, CAST({NUMBER} AS VARCHAR) FROM words"
            ),
            format!("CREATE TABLE kept AS SELECT {NUMBER} AS n FROM words"),
        ] {
            let (kind, message) = world.refusal(&statement).await;
            assert_eq!(kind, ErrorKind::InvalidRow, "{statement}");
            check(&message, &sequence, &["CAST(CAST(", "'abc'", "TRY_CAST"]);
        }
        let kept =
            "SELECT count(*) FROM words WHERE TRY_CAST(CAST(data AS VARCHAR) AS INT) IS NULL";
        assert_eq!(world.number(kept).await, 1);
        let left_out =
            format!("SELECT max({NUMBER}) FROM words WHERE \"sequenceNumber\" <> '{sequence}'");
        assert_eq!(world.number(&left_out).await, 899);
    }
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_failing_value_is_attributed() {
    const MAX: &[u8] = b"9223372036854775807";
    for (good, bad, expr, parts) in [
        (
            "7",
            &b"\xff\xfe"[..],
            "CAST(data AS VARCHAR)",
            ["UTF-8", "TRY_CAST"],
        ),
        ("7", b"\xff", "data LIKE 'a%'", ["UTF-8", "TRY_CAST"]),
        (
            "7",
            b"0",
            "7 / CAST(CAST(data AS VARCHAR) AS INT)",
            ["zero", "WHERE"],
        ),
        (
            "7",
            MAX,
            "CAST(CAST(data AS VARCHAR) AS BIGINT) + 1",
            ["overflow", "DECIMAL"],
        ),
        (
            "7",
            MAX,
            "to_timestamp(CAST(CAST(data AS VARCHAR) AS BIGINT))",
            ["range", "WHERE"],
        ),
        (
            "2023-11-14T00:00:00Z",
            b"soon",
            "to_timestamp(CAST(data AS VARCHAR))",
            ["soon", "WHERE"],
        ),
    ] {
        let world = bounded_world(2).await;
        datafusion_kinesis::fail_on_overflow(&world.ctx);
        for key in 0..50 {
            world.put("words", &key.to_string(), good).await;
        }
        let sequence = put(&world, "words", "bad", bad).await;
        let error = world.try_run(&format!("SELECT {expr} FROM words")).await;
        let error = error.unwrap_err();
        let own = Error::find_in(&error);
        let own = own.unwrap_or_else(|| panic!("{expr}: not an error of this crate: {error}"));
        check(&own.to_string(), &sequence, &parts);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_independent_of_the_data_names_no_record() {
    let world = bounded_world(1).await;
    world.put("words", "a", "1").await;
    let error = world.try_run("SELECT to_timestamp(data) FROM words").await;
    let message = error.unwrap_err().to_string();
    assert!(message.contains("Binary"), "{message}");
    assert!(!message.contains("sequence number"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_an_aggregate_names_no_record() {
    let world = bounded_world(1).await;
    for word in ["9223372036854775807", "1"] {
        world.put("words", "a", word).await;
    }
    datafusion_kinesis::fail_on_overflow(&world.ctx);
    let sum = "SELECT sum(CAST(CAST(data AS VARCHAR) AS BIGINT)) FROM words";
    let (kind, message) = world.refusal(sum).await;
    assert_eq!(kind, ErrorKind::InvalidRow);
    assert!(message.contains("overflow in sum"), "{message}");
    assert!(!message.contains("sequence number"), "{message}");
    let above = "SELECT CAST(max(CAST(data AS VARCHAR)) || 'x' AS BIGINT) FROM words";
    let error = world.try_run(above).await.unwrap_err();
    assert!(
        error.to_string().contains("9223372036854775807x"),
        "{error}"
    );
    assert!(!error.to_string().contains("sequence number"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_user_record_in_an_aggregated_record_is_identified() {
    let world = bounded_world(1).await;
    world
        .run("INSERT INTO words (partitionKey, data) VALUES ('a', '1'), ('a', '2'), ('a', 'abc')")
        .await;
    let (_, message) = world.refusal(&format!("SELECT {NUMBER} FROM words")).await;
    assert!(message.contains(", user record 2:"), "{message}");
}

fn streaming(world: &World, sql: &str) -> StreamingQueryBuilder {
    StreamingQuery::builder(&world.ctx, sql)
        .with_output_mode(OutputMode::Update)
        .with_trigger(Trigger::AvailableNow)
        .as_in_another_process()
}

fn collected(builder: StreamingQueryBuilder) -> StreamingQueryBuilder {
    builder.foreach_batch(|_, rows| async move {
        let _rows: Vec<_> = rows.try_collect().await?;
        Ok::<_, DataFusionError>(())
    })
}

#[tokio::test(start_paused = true)]
async fn a_streaming_query_reports_record_expression_and_advice() {
    let world = World::new();
    world.unbounded_table("words", 3, FROM_THE_START).await;
    world.table("out", 1, "").await;
    world.run("CREATE TABLE names AS VALUES (1), (2)").await;
    let sequence = with_one_bad(&world, "words", b"abc").await;
    for (number, sql) in [
        format!("SELECT {NUMBER} FROM words"),
        format!("SELECT partitionKey FROM words WHERE {NUMBER} > 1000"),
        format!("SELECT partitionKey, sum({NUMBER}) FROM words GROUP BY partitionKey"),
        format!("SELECT max({NUMBER}) FROM words"),
        format!("SELECT DISTINCT {NUMBER} FROM words"),
        format!("SELECT n FROM (SELECT {NUMBER} AS n FROM words) w JOIN names ON n = column1"),
        format!(
            "SELECT count(*) FROM words GROUP BY tumble(to_timestamp({NUMBER}), INTERVAL '1 day')"
        ),
    ]
    .iter()
    .enumerate()
    {
        let place = format!("memory://row-errors-{number}");
        // The first start has the range in memory; the second reads it from Kinesis.
        for start in 1..=2 {
            let query = collected(streaming(&world, sql)).with_checkpoint_location(&place);
            let error = fails(query).await;
            assert_eq!(error.kind(), ErrorKind::InvalidRow, "{sql}, start {start}");
            let parts = ["CAST(CAST(", "'abc'", "TRY_CAST", "batch 0"];
            check(&error.to_string(), &sequence, &parts);
        }
    }
    let insert = format!(
        "INSERT INTO out (partitionKey, data) SELECT partitionKey, CAST({NUMBER} AS VARCHAR) FROM words"
    );
    let query = streaming(&world, &insert).with_checkpoint_location("memory://row-errors-insert");
    check(&fails(query).await.to_string(), &sequence, &["'abc'"]);
}

#[tokio::test(start_paused = true)]
async fn the_sink_reports_a_row_that_cannot_be_written() {
    let world = bounded_world(1).await;
    world.table("out", 1, "").await;
    world.put("words", "a", "1").await;
    let insert = "INSERT INTO out (partitionKey, data) SELECT '', data FROM words";
    let (kind, message) = world.refusal(insert).await;
    assert_eq!(kind, ErrorKind::InvalidRow);
    assert!(message.contains("in its batch"), "{message}");
}

/// The condition that the message of a failing statement gives.
async fn advised(world: &World, statement: &str) -> String {
    let (_, message) = world.refusal(statement).await;
    let (_, advice) = message.split_once("add WHERE ").expect(&message);
    advice.split(", with ").next().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn the_advice_leaves_out_one_record_of_an_aggregate() {
    let world = World::new();
    world
        .table("words", 1, "'kinesis.extraColumns' 'subSequenceNumber'")
        .await;
    world
        .run("INSERT INTO words (partitionKey, data) VALUES ('a', '1'), ('b', 'x'), ('c', '3')")
        .await;
    let query = "SELECT CAST(CAST(data AS VARCHAR) AS INT) FROM words";
    let condition = advised(&world, query).await;
    let rest = world
        .lines(&format!("{query} WHERE {condition} ORDER BY 1"))
        .await;
    assert_eq!(rest, ["1", "3"], "{condition}");
    // A table without the column says so.
    world.table_again("bare", "words", "").await;
    let (_, message) = world.refusal(&query.replace("words", "bare")).await;
    let expected = ", with 'kinesis.extraColumns' = 'subSequenceNumber' in the table";
    assert!(message.contains(expected), "{message}");
}

#[tokio::test(start_paused = true)]
async fn the_advice_names_columns_that_a_decoded_table_must_ask_for() {
    let world = World::new();
    world.table("raw", 1, "").await;
    for text in [r#"{"n":"1"}"#, r#"{"n":"x"}"#] {
        world.put("raw", "k", text).await;
    }
    for (table, options) in [
        ("plain", ""),
        ("numbered", ", 'kinesis.extraColumns' 'sequenceNumber'"),
    ] {
        world
            .run(&format!(
                "CREATE EXTERNAL TABLE {table} (n VARCHAR) STORED AS \"aws-kinesis\" LOCATION 'raw'
                 OPTIONS ('kinesis.format' 'json' {options})"
            ))
            .await;
    }
    let (_, message) = world.refusal("SELECT CAST(n AS INT) FROM plain").await;
    let expected = ", with 'kinesis.extraColumns' = 'sequenceNumber' in the table";
    assert!(message.contains(expected), "{message}");
    let query = "SELECT CAST(n AS INT) FROM numbered";
    let condition = advised(&world, query).await;
    assert_eq!(
        world.lines(&format!("{query} WHERE {condition}")).await,
        ["1"]
    );
}
