//! INSERT into a table with declared columns.

use datafusion::dataframe::DataFrameWriteOptions;
use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::kinesis::Operation;
use datafusion_kinesis::model::Trigger;
use datafusion_kinesis::query::StreamingQuery;

use super::COLUMNS;
use crate::support::World;

/// A world with a stream, its raw table `raw`, and its table `out` with these columns and options.
async fn target(shards: u32, columns: &str, options: &str) -> World {
    let world = World::new();
    world
        .table("raw", shards, "'kinesis.extraColumns' 'shardId'")
        .await;
    declared(&world, "out", columns, options).await;
    world
}

/// Creates a table of the stream `raw` with these columns and options.
async fn declared(world: &World, table: &str, columns: &str, options: &str) {
    let statement = format!(
        "CREATE EXTERNAL TABLE {table} {columns} STORED AS \"aws-kinesis\" LOCATION 'raw' OPTIONS ({options})"
    );
    world.run(&statement).await;
}

async fn written(world: &World) -> Vec<String> {
    world
        .lines("SELECT partitionKey || ' ' || CAST(data AS VARCHAR) FROM raw ORDER BY 1")
        .await
}

fn puts(world: &World) -> u64 {
    world.kinesis.calls(Operation::PutRecords)
}

#[tokio::test(start_paused = true)]
async fn rows_of_declared_columns_become_json_and_are_read_back() {
    let options = "'kinesis.format' 'json', 'kinesis.sink.partitionKey' 'userId'";
    let world = target(2, COLUMNS, options).await;
    let inserted = world
        .number(
            "INSERT INTO out SELECT value, '/' || value, to_timestamp(value),
               named_struct('country', 'DE', 'lat', value / 2.0), ['a', CAST(value AS VARCHAR)]
             FROM generate_series(1, 1000)",
        )
        .await;
    assert_eq!(inserted, 1_000);
    let check = "SELECT count(*) FROM out WHERE url = '/' || userId AND ts = to_timestamp(userId)
        AND geo['country'] = 'DE' AND geo['lat'] = userId / 2.0 AND tags[2] = CAST(userId AS VARCHAR)";
    assert_eq!(world.number(check).await, 1_000);
    let first = world
        .lines("SELECT CAST(data AS VARCHAR) FROM raw WHERE partitionKey = '7'")
        .await;
    let json = r#"{"userid":7,"url":"/7","ts":"1970-01-01T00:00:07Z","geo":{"country":"DE","lat":3.5},"tags":["a","7"]}"#;
    assert_eq!(first, [json]);
}

#[tokio::test(start_paused = true)]
async fn the_partition_key_is_a_column_an_expression_or_random() {
    let columns = "(id BIGINT, \"userName\" VARCHAR)";
    let cases = [
        ("id", ["1", "2"]),
        ("USERNAME", ["ada", "bob"]),
        ("upper(userName) || '-' || (ID % 2)", ["ADA-1", "BOB-0"]),
        (
            "CASE WHEN id = 1 THEN 'one' ELSE 'more' END",
            ["one", "more"],
        ),
    ];
    for (expression, expected) in cases {
        let expression = expression.replace('\'', "''");
        let option = format!("'kinesis.format' 'json', 'kinesis.sink.partitionKey' '{expression}'");
        let world = target(1, columns, &option).await;
        world
            .run("INSERT INTO out VALUES (1, 'ada'), (2, 'bob')")
            .await;
        let keys = world.lines("SELECT partitionKey FROM raw").await;
        assert_eq!(keys, expected, "{expression}");
    }
    for option in ["", ", 'kinesis.sink.partitionKey' 'RANDOM'"] {
        let world = target(4, columns, &format!("'kinesis.format' 'json' {option}")).await;
        let statement = "INSERT INTO out SELECT value, 'x' FROM generate_series(1, 200)";
        world.run(statement).await;
        world.run(statement).await;
        let keys = "SELECT count(DISTINCT partitionKey) FROM raw WHERE length(partitionKey) = 16";
        assert_eq!(world.number(keys).await, 400);
        let shards = "SELECT count(DISTINCT shardId) FROM raw";
        assert_eq!(world.number(shards).await, 4);
    }
}

#[tokio::test(start_paused = true)]
async fn key_columns_of_the_table_are_written_unless_an_option_says_otherwise() {
    let extra =
        "'kinesis.format' 'json', 'kinesis.extraColumns' 'partitionKey AS key, explicitHashKey'";
    let world = target(2, "(id BIGINT)", extra).await;
    let top = "340282366920938463463374607431768211455";
    world
        .run(&format!(
            "INSERT INTO out VALUES (1, 'a', '0'), (2, 'b', '{top}'), (3, 'c', NULL)"
        ))
        .await;
    let expected = [r#"a {"id":1}"#, r#"b {"id":2}"#, r#"c {"id":3}"#];
    assert_eq!(written(&world).await, expected);
    let shards = world
        .lines("SELECT shardId FROM raw WHERE partitionKey IN ('a', 'b') ORDER BY partitionKey")
        .await;
    assert_eq!(shards, ["shardId-000000000000", "shardId-000000000001"]);
    let options = format!(
        "{extra}, 'kinesis.sink.partitionKey' 'coalesce(key, CAST(id AS VARCHAR))',
         'kinesis.sink.explicitHashKey' 'id * 10'"
    );
    let world = target(1, "(id BIGINT)", &options).await;
    world
        .run("INSERT INTO out (id, key) VALUES (1, 'a'), (2, NULL)")
        .await;
    assert_eq!(written(&world).await, [r#"2 {"id":2}"#, r#"a {"id":1}"#]);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_encoded_fails_before_its_batch_is_written() {
    let world = target(
        1,
        "(id BIGINT, price DOUBLE)",
        "'kinesis.format' 'json', 'kinesis.sink.partitionKey' 'id'",
    )
    .await;
    let cases = [
        (
            "VALUES (1, 0.5), (2, CAST('NaN' AS DOUBLE)), (3, 1)",
            "row 2 of 3 in its batch (partitionKey '2'): it cannot be encoded as json: field 'price': NaN is no \
             JSON number",
        ),
        (
            "VALUES (1, 0.5), (NULL, 2)",
            "row 2 of 2 in its batch: the partition key 'id' is NULL: expected a string of 1 to 256 characters; see \
             option 'kinesis.sink.partitionKey'",
        ),
    ];
    for (rows, expected) in cases {
        let (kind, message) = world.refusal(&format!("INSERT INTO out {rows}")).await;
        assert_eq!(kind, ErrorKind::InvalidRow);
        assert!(message.starts_with(expected), "{message}");
    }
    assert_eq!(puts(&world), 0);
    // The record that the row came from is named.
    world.run("INSERT INTO out VALUES (1, 2.5), (7, 0)").await;
    let (_, message) = world
        .refusal(
            "INSERT INTO out SELECT id, 1 / (price - price) * CASE WHEN id = 7 THEN 1 END FROM out",
        )
        .await;
    let expected = "stream 'raw', shard 'shardId-000000000000', sequence number ";
    assert!(message.starts_with(expected), "{message}");
    assert!(message.contains("(partitionKey '7')"), "{message}");
    assert!(message.contains("field 'price'"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn columns_that_only_reading_fills_are_refused_unless_they_are_null() {
    let options = "'kinesis.format' 'json', 'kinesis.extraColumns' 'sequenceNumber AS seq, data AS bytes',
        'kinesis.format.onError' 'null', 'kinesis.format.errorColumn' 'why', 'kinesis.json.rescuedColumn' 'rest'";
    let world = target(1, "(id BIGINT)", options).await;
    world.put("raw", "k", r#"{"id":1,"more":true}"#).await;
    let (kind, message) = world
        .refusal("INSERT INTO out SELECT id, NULL, NULL, seq, bytes FROM out")
        .await;
    assert_eq!(kind, ErrorKind::InvalidRow);
    let expected = "column 'seq' cannot be written, but is '4";
    assert!(message.contains(expected), "{message}");
    assert!(
        message.contains("INSERT INTO … (\"id\") SELECT …"),
        "{message}"
    );
    for (row, column) in [
        ("2, '{\"more\":1}', NULL", "rest"),
        ("2, NULL, 'why'", "why"),
    ] {
        let (kind, message) = world
            .refusal(&format!("INSERT INTO out SELECT {row}, NULL, NULL"))
            .await;
        assert_eq!(kind, ErrorKind::InvalidRow);
        let expected =
            format!("row 1 of 1 in its batch: column '{column}' cannot be written, but is ");
        assert!(message.starts_with(&expected), "{message}");
    }
    world
        .run("INSERT INTO out SELECT id + 1, NULL, NULL, NULL, NULL FROM out")
        .await;
    world.run("INSERT INTO out (id) VALUES (3)").await;
    let documents = world.lines("SELECT CAST(data AS VARCHAR) FROM raw").await;
    let expected = [r#"{"id":1,"more":true}"#, r#"{"id":2}"#, r#"{"id":3}"#];
    assert_eq!(documents, expected);
}

#[tokio::test(start_paused = true)]
async fn inserts_that_miss_the_columns_are_told_the_columns() {
    let world = target(
        1,
        "(id BIGINT, \"Name\" VARCHAR, bits BYTEA)",
        "'kinesis.format' 'json'",
    )
    .await;
    let message = |error: datafusion::error::DataFusionError| error.to_string();
    let error = world.try_run("INSERT INTO out SELECT 1").await.unwrap_err();
    let hint = "name the columns to write: INSERT INTO out (id, \"Name\", bits) …";
    assert!(message(error).contains(hint));
    for (options, columns) in [
        (
            "'kinesis.extraColumns' 'sequenceNumber, partitionKey'",
            "id, \"partitionKey\"",
        ),
        (
            "'kinesis.extraColumns' 'partitionKey AS pk, explicitHashKey'",
            "id, pk, \"explicitHashKey\"",
        ),
        (
            "'kinesis.extraColumns' 'partitionKey', 'kinesis.sink.partitionKey' 'id'",
            "id",
        ),
    ] {
        let world = target(
            1,
            "(id BIGINT)",
            &format!("'kinesis.format' 'json', {options}"),
        )
        .await;
        let error = world
            .try_run("INSERT INTO out SELECT 1, 2, 3, 4, 5")
            .await
            .unwrap_err();
        let hint = format!("name the columns to write: INSERT INTO out ({columns}) …");
        assert!(message(error).contains(&hint), "{options}");
    }
    let (_, absent) = world
        .refusal("INSERT INTO out (id, partitionKey) VALUES (1, 'a')")
        .await;
    assert!(
        absent.contains("has no column 'partitionKey': add it with"),
        "{absent}"
    );
    let (_, number) = world
        .refusal("INSERT INTO out (id, bits) VALUES (1, 2)")
        .await;
    assert!(
        number.starts_with("table 'out': column 'bits' has type Int64: expected"),
        "{number}"
    );
    assert_eq!(puts(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn tables_that_cannot_be_written_are_refused_by_explain_too() {
    let json = "'kinesis.format' 'json'";
    let cases = [(
        format!("{json}, 'kinesis.format.compression' 'auto'"),
        "option 'kinesis.format.compression' = 'auto': expected 'none', 'gzip' or 'zstd'",
    )];
    for (options, expected) in cases {
        let world = target(1, "(id BIGINT)", &options).await;
        let (_, message) = world.refusal("INSERT INTO out VALUES (1)").await;
        assert!(message.starts_with(expected), "{message}");
        let explained = world.run("EXPLAIN INSERT INTO out VALUES (1)").await;
        assert!(explained.contains(expected), "{explained}");
        assert_eq!(puts(&world), 0);
    }
    let world = target(1, "", "'kinesis.format' 'cloudwatch_logs'").await;
    let columns = world.lines("DESCRIBE out").await;
    let nulls = vec!["NULL"; columns.len()].join(", ");
    let (kind, message) = world
        .refusal(&format!("INSERT INTO out SELECT {nulls}"))
        .await;
    assert_eq!(kind, ErrorKind::Unsupported);
    let expected = "a table with 'kinesis.format' = 'cloudwatch_logs' can only be read";
    assert!(message.starts_with(expected), "{message}");
}

#[tokio::test(start_paused = true)]
async fn compressed_documents_are_read_back() {
    for (compression, magic) in [("gzip", "1f8b"), ("zstd", "28b52ffd")] {
        for format in ["json", "csv"] {
            let options = format!(
                "'kinesis.format' '{format}', 'kinesis.format.compression' '{compression}'"
            );
            let world = target(1, "(id BIGINT, text VARCHAR)", &options).await;
            world
                .run("INSERT INTO out SELECT value, repeat('payload, ', value) FROM generate_series(1, 300)")
                .await;
            let compressed =
                format!("SELECT count(*) FROM raw WHERE encode(data, 'hex') LIKE '{magic}%'");
            assert_eq!(world.number(&compressed).await, 300);
            let check = "SELECT count(*) FROM out WHERE text = repeat('payload, ', id)";
            assert_eq!(world.number(check).await, 300);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn text_and_csv_are_written() {
    let world = target(
        1,
        "(line VARCHAR)",
        "'kinesis.format' 'text', 'kinesis.sink.partitionKey' 'line'",
    )
    .await;
    world.run("INSERT INTO out VALUES ('b c'), ('a')").await;
    assert_eq!(written(&world).await, ["a a", "b c b c"]);
    let options =
        "'kinesis.format' 'csv', 'kinesis.csv.delimiter' ';', 'kinesis.csv.nullLiteral' '-',
        'kinesis.sink.partitionKey' 'id'";
    let world = target(1, "(id BIGINT, text VARCHAR, at TIMESTAMP)", options).await;
    world
        .run("INSERT INTO out VALUES (1, 'a;b', to_timestamp(0)), (2, NULL, NULL), (3, '-', NULL)")
        .await;
    let expected = ["1 1;\"a;b\";1970-01-01T00:00:00Z", "2 2;-;-", "3 3;\"-\";-"];
    assert_eq!(written(&world).await, expected);
    let read = world
        .lines("SELECT concat_ws(' ', id, text, at) FROM out ORDER BY id")
        .await;
    assert_eq!(read, ["1 a;b 1970-01-01T00:00:00", "2", "3 -"]);
}

#[tokio::test(start_paused = true)]
async fn rows_are_encoded_in_the_order_of_order_by() {
    let world = target(
        3,
        "(word VARCHAR, n BIGINT)",
        "'kinesis.format' 'json', 'kinesis.sink.partitionKey' 'word'",
    )
    .await;
    let insert = "INSERT INTO out SELECT 'k' || (value % 5), value FROM generate_series(1, 20000)
        ORDER BY value DESC";
    let plan = world.run(&format!("EXPLAIN {insert}")).await;
    for node in [
        "KinesisSinkExec",
        "KinesisEncodeExec: format=json, partitionKey=word",
        "SortExec",
    ] {
        assert!(plan.contains(node), "{plan}");
    }
    world.run(insert).await;
    for key in 0..5 {
        let numbers = world
            .lines(&format!("SELECT n FROM out WHERE word = 'k{key}'"))
            .await;
        let numbers: Vec<u64> = numbers.iter().map(|n| n.parse().unwrap()).collect();
        assert_eq!(numbers.len(), 4_000);
        assert!(numbers.is_sorted_by(|a, b| a > b), "key {key}");
    }
}

#[tokio::test(start_paused = true)]
async fn data_frames_are_written_by_the_names_of_their_columns() {
    let world = target(
        1,
        "(id BIGINT, name VARCHAR)",
        "'kinesis.format' 'json', 'kinesis.sink.partitionKey' 'id'",
    )
    .await;
    let write = async |query: &str| {
        let frame = world.ctx.sql(query).await.unwrap();
        frame.write_table("out", DataFrameWriteOptions::new()).await
    };
    write("SELECT 'x' AS \"NAME\", CAST(7 AS SMALLINT) AS id")
        .await
        .unwrap();
    write("SELECT 8 AS id").await.unwrap();
    assert_eq!(
        written(&world).await,
        [r#"7 {"id":7,"name":"x"}"#, r#"8 {"id":8}"#]
    );
    let error = write("SELECT 8 AS id, 'x' AS nmae")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("has no column 'nmae': expected columns among [id, name]"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn streaming_and_bounded_statements_write_alike() {
    let options = "'kinesis.format' 'json', 'kinesis.sink.partitionKey' 'word', 'kinesis.sink.nullFields' 'keep'";
    let world = target(2, "(word VARCHAR, n BIGINT, price DOUBLE)", options).await;
    world
        .unbounded_table("words", 1, "'kinesis.startingPosition' 'TRIM_HORIZON'")
        .await;
    world.table_again("old_words", "words", "").await;
    let statement = |source: &str| {
        format!(
            "INSERT INTO out SELECT partitionKey, octet_length(data), CAST(CAST(data AS VARCHAR) AS DOUBLE) FROM {source}"
        )
    };
    let started = || async {
        let query = StreamingQuery::builder(&world.ctx, statement("words"))
            .with_checkpoint_location("memory://written")
            .with_trigger(Trigger::AvailableNow);
        query.start().await.unwrap().await_termination().await
    };
    world.put("words", "a", "1").await;
    world.put("words", "b", "25").await;
    started().await.unwrap();
    let expected = [
        r#"a {"word":"a","n":1,"price":1.0}"#,
        r#"b {"word":"b","n":2,"price":25.0}"#,
    ];
    assert_eq!(written(&world).await, expected);
    world.run(&statement("old_words")).await;
    assert_eq!(world.number("SELECT count(*) FROM raw").await, 4);
    let same = "SELECT count(DISTINCT CAST(data AS VARCHAR)) FROM raw";
    assert_eq!(world.number(same).await, 2);
    // No row of a batch is written if one of them cannot be encoded.
    world.put("words", "c", "3").await;
    world.put("words", "d", "NaN").await;
    let error = started().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRow);
    let message = error.to_string();
    assert!(
        message.contains("stream 'words', shard 'shardId-"),
        "{message}"
    );
    assert!(message.contains("(partitionKey 'd')"), "{message}");
    assert!(
        message.contains("field 'price': NaN is no JSON number"),
        "{message}"
    );
    assert_eq!(world.number("SELECT count(*) FROM raw").await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_cannot_read_single_documents_is_not_written() {
    let world = World::new();
    world.table("raw", 1, "").await;
    for (table, option) in [
        ("exploded", "'kinesis.json.explode' '$.items'"),
        ("arrays", "'kinesis.format.framing' 'array'"),
    ] {
        world
            .run(&format!(
                "CREATE EXTERNAL TABLE {table} (a INT) STORED AS \"aws-kinesis\" LOCATION 'raw'
                 OPTIONS ('kinesis.format' 'json', {option})"
            ))
            .await;
        let (kind, message) = world
            .refusal(&format!("INSERT INTO {table} VALUES (1)"))
            .await;
        assert_eq!(kind, ErrorKind::Unsupported);
        assert!(message.contains("can only be read"), "{message}");
    }
    assert_eq!(world.number("SELECT count(*) FROM raw").await, 0);
}
