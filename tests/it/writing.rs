//! INSERT into a simulated stream.

use std::sync::Arc;
use std::time::Duration;

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::kinesis::{FaultPlan, FaultRates, InMemoryOptions, Operation};
use datafusion_kinesis::model::{HashKey, ShardId, StreamIdentity};

use crate::support::World;

const NUMBERS: &str =
    "SELECT CAST(value AS VARCHAR), 'payload ' || value FROM generate_series(1, 5000)";

#[tokio::test(start_paused = true)]
async fn written_rows_are_read_back() {
    for aggregation in ["true", "false"] {
        let world = World::new();
        let option = format!("'kinesis.sink.aggregationEnabled' '{aggregation}'");
        world.table("words", 4, &option).await;
        let written = world
            .number(&format!("INSERT INTO words (partitionKey, data) {NUMBERS}"))
            .await;
        assert_eq!(written, 5_000);
        let check =
            "SELECT count(*) FROM words WHERE CAST(data AS VARCHAR) = 'payload ' || partitionKey";
        assert_eq!(world.number(check).await, 5_000);
        let records = world
            .number("SELECT count(DISTINCT sequenceNumber) FROM words")
            .await;
        if aggregation == "true" {
            assert!(records < 50, "{records} records hold 5,000 rows");
        } else {
            assert_eq!(records, 5_000);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_key_keep_their_order() {
    let world = World::new();
    world
        .table("ordered", 4, "'kinesis.sink.maxConnections' '4'")
        .await;
    world.kinesis.set_faults(
        FaultPlan::default().with(
            Operation::PutRecords,
            FaultRates::default()
                .with_throttled(0.1)
                .with_failed_entry(0.3),
        ),
    );
    world
        .run("INSERT INTO ordered (partitionKey, data) SELECT CAST(value % 7 AS VARCHAR), CAST(value AS VARCHAR) FROM generate_series(1, 20000)")
        .await;
    for key in 0..7 {
        let query =
            format!("SELECT CAST(data AS VARCHAR) FROM ordered WHERE partitionKey = '{key}'");
        let numbers: Vec<u64> = world
            .lines(&query)
            .await
            .iter()
            .map(|n| n.parse().unwrap())
            .collect();
        assert!(numbers.is_sorted(), "key {key}");
        let expected: Vec<u64> = (1..=20_000).filter(|n| n % 7 == key).collect();
        assert_eq!(numbers, expected, "key {key}");
    }
}

#[tokio::test(start_paused = true)]
async fn rows_are_written_in_the_order_of_order_by() {
    let world = World::new();
    world.table("unordered", 4, "").await;
    world.table("ordered", 3, "").await;
    world.put_numbers("unordered", 3_000).await;
    // The ORDER BY column is not written.
    let insert = "INSERT INTO ordered (partitionKey, data)
        SELECT 'k' || (CAST(CAST(data AS VARCHAR) AS INT) % 5), data FROM unordered
        ORDER BY CAST(partitionKey AS INT)";
    let plan = world.run(&format!("EXPLAIN FORMAT INDENT {insert}")).await;
    assert!(
        plan.contains("SortPreservingMergeExec") || plan.contains("SortExec"),
        "{plan}"
    );
    assert_eq!(world.number(insert).await, 3_000);
    for key in 0..5 {
        let query =
            format!("SELECT CAST(data AS VARCHAR) FROM ordered WHERE partitionKey = 'k{key}'");
        let numbers = world.lines(&query).await;
        let numbers: Vec<u64> = numbers.iter().map(|n| n.parse().unwrap()).collect();
        assert_eq!(numbers.len(), 600);
        assert!(numbers.is_sorted(), "key {key}");
    }
}

/// The target is four partitions and 32 shards are read, so each writer takes several shards.
#[tokio::test(start_paused = true)]
async fn a_copy_has_at_most_one_writer_per_partition_and_keeps_the_order_of_each_key() {
    let world = World::new();
    world
        .run("SET datafusion.execution.target_partitions = 4")
        .await;
    world.table("original", 32, "").await;
    world.table("copy", 32, "").await;
    for n in 0..2_000_u64 {
        world
            .put("original", &format!("k{}", n % 50), n.to_string())
            .await;
    }
    let insert = "INSERT INTO copy (partitionKey, data) SELECT partitionKey, data FROM original";
    let plan = world.run(&format!("EXPLAIN FORMAT INDENT {insert}")).await;
    assert!(plan.contains("writers=4"), "{plan}");
    assert_eq!(world.number(insert).await, 2_000);
    for key in 0..50 {
        let query = format!("SELECT CAST(data AS VARCHAR) FROM copy WHERE partitionKey = 'k{key}'");
        let numbers = world.lines(&query).await;
        let expected: Vec<_> = (0..2_000).filter(|n| n % 50 == key).collect();
        let numbers: Vec<u64> = numbers.iter().map(|n| n.parse().unwrap()).collect();
        assert_eq!(numbers, expected, "key {key}");
    }
}

#[tokio::test(start_paused = true)]
async fn fewer_partitions_than_the_target_have_one_writer_each() {
    let world = World::new();
    world
        .run("SET datafusion.execution.target_partitions = 4")
        .await;
    world.table("original", 2, "").await;
    world.table("copy", 1, "").await;
    let insert = "INSERT INTO copy (partitionKey, data) SELECT partitionKey, data FROM original";
    let plan = world.run(&format!("EXPLAIN FORMAT INDENT {insert}")).await;
    assert!(plan.contains("writers=2"), "{plan}");
}

#[tokio::test(start_paused = true)]
async fn data_that_is_neither_text_nor_binary_is_refused() {
    let world = World::new();
    world.table("words", 1, "").await;
    for value in ["count(*)", "max(value) + 1"] {
        let insert = format!(
            "INSERT INTO words (partitionKey, data) SELECT 'k', {value} FROM generate_series(1, 3)"
        );
        let (kind, message) = world.refusal(&insert).await;
        assert_eq!(kind, ErrorKind::InvalidRow, "{message}");
        assert!(message.contains("CAST(… AS VARCHAR)"), "{message}");
    }
    for values in ["('k', 5)", "('k', 'fine'), ('k', 5)"] {
        let insert = format!("INSERT INTO words (partitionKey, data) VALUES {values}");
        let (kind, message) = world.refusal(&insert).await;
        assert_eq!(kind, ErrorKind::InvalidRow, "{message}");
    }
    assert_eq!(world.number("SELECT count(*) FROM words").await, 0);
}

#[tokio::test(start_paused = true)]
async fn throttles_partial_failures_and_lost_acknowledgements_lose_no_row() {
    for seed in 0..10 {
        let world = World::with_options(InMemoryOptions::default().with_seed(seed));
        let aggregation = seed % 2 == 0;
        let option = format!(
            "'kinesis.sink.aggregationEnabled' '{aggregation}', 'kinesis.sink.maxConnections' '3', 'kinesis.sink.recordTtl' '3600000'"
        );
        world.table("words", 3, &option).await;
        world.kinesis.set_faults(
            FaultPlan::default().with(
                Operation::PutRecords,
                FaultRates::default()
                    .with_throttled(0.1)
                    .with_internal_failure(0.1)
                    .with_connection_lost(0.1)
                    .with_answer_lost(0.1)
                    .with_failed_entry(0.2),
            ),
        );
        let written = world
            .number(&format!("INSERT INTO words (partitionKey, data) {NUMBERS}"))
            .await;
        assert_eq!(written, 5_000, "seed {seed}");
        assert_eq!(
            world.number("SELECT count(DISTINCT data) FROM words").await,
            5_000,
            "seed {seed}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_reshard_during_an_insert_loses_no_row() {
    let world = World::with_options(InMemoryOptions::default().with_enforce_limits(true));
    world.table("words", 1, "").await;
    let kinesis = Arc::clone(&world.kinesis);
    let reshard = tokio::spawn(async move {
        let stream = StreamIdentity::parse("words").unwrap();
        let shard = |n: u32| ShardId::new(format!("shardId-{n:012}"));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        kinesis
            .split_shard(&stream, &shard(0), HashKey(1 << 127))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        kinesis
            .split_shard(&stream, &shard(1), HashKey(1 << 126))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        kinesis
            .merge_shards(&stream, &shard(3), &shard(4))
            .await
            .unwrap();
    });
    let rows =
        "SELECT CAST(value AS VARCHAR), repeat('x', 1000) || value FROM generate_series(1, 8000)";
    let written = world
        .number(&format!("INSERT INTO words (partitionKey, data) {rows}"))
        .await;
    reshard.await.unwrap();
    assert_eq!(written, 8_000);
    assert_eq!(
        world
            .number("SELECT count(DISTINCT partitionKey) FROM words")
            .await,
        8_000
    );
}

#[tokio::test(start_paused = true)]
async fn an_invalid_row_is_reported_and_its_batch_is_not_written() {
    let world = World::new();
    world
        .table("words", 1, "'kinesis.extraColumns' 'explicitHashKey'")
        .await;
    for (row, expected) in [
        ("(NULL, 'x', NULL)", "partitionKey is NULL"),
        ("('', 'x', NULL)", "partitionKey is empty"),
        ("(repeat('é', 257), 'x', NULL)", "has 257 characters"),
        (
            "('bad one', NULL, NULL)",
            "(partitionKey 'bad one'): data is NULL",
        ),
        (
            "('big', repeat('x', 1048576), NULL)",
            "(partitionKey 'big'): data of 1048576 bytes",
        ),
        (
            "('far', 'x', '340282366920938463463374607431768211456')",
            "expected a decimal number",
        ),
    ] {
        let insert = format!(
            "INSERT INTO words (partitionKey, data, explicitHashKey) VALUES ('ok', 'fine', '0'), {row}"
        );
        let (kind, message) = world.refusal(&insert).await;
        assert_eq!(kind, ErrorKind::InvalidRow, "{message}");
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(world.number("SELECT count(*) FROM words").await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_explicit_hash_key_selects_the_shard() {
    let world = World::new();
    world
        .table(
            "words",
            2,
            "'kinesis.extraColumns' 'shardId,explicitHashKey'",
        )
        .await;
    world
        .run("INSERT INTO words (partitionKey, data, explicitHashKey) VALUES ('a', '1', '0'), ('a', '2', '340282366920938463463374607431768211455'), ('a', '3', '5')")
        .await;
    let shards = world.lines("SELECT shardId || ' ' || coalesce(explicitHashKey, '') FROM words ORDER BY CAST(data AS VARCHAR)").await;
    assert_eq!(shards[0], "shardId-000000000000 0");
    assert!(shards[1].starts_with("shardId-000000000001"), "{shards:?}");
    assert_eq!(shards[2], "shardId-000000000000 5");
}

#[tokio::test(start_paused = true)]
async fn a_stream_can_be_copied_with_select_star() {
    let world = World::new();
    world.table("a", 2, "").await;
    world.table("b", 3, "").await;
    world.put_numbers("a", 300).await;
    assert_eq!(world.number("INSERT INTO b SELECT * FROM a").await, 300);
    let differing = "SELECT count(*) FROM a FULL JOIN b USING (partitionKey) WHERE (a.data IS DISTINCT FROM b.data) OR b.streamName <> 'b'";
    assert_eq!(world.number(differing).await, 0);
}

#[tokio::test(start_paused = true)]
async fn explain_analyze_shows_what_was_written() {
    let world = World::new();
    world.table("words", 2, "").await;
    let plan = world
        .run(&format!(
            "EXPLAIN ANALYZE INSERT INTO words (partitionKey, data) {NUMBERS}"
        ))
        .await;
    assert!(
        plan.contains("KinesisSinkExec") && plan.contains("rows=5.00 K"),
        "{plan}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_permanently_rejected_record_fails_the_statement_in_time() {
    let world = World::new();
    world
        .table("words", 1, "'kinesis.sink.recordTtl' '5000'")
        .await;
    world.kinesis.set_faults(FaultPlan::default().with(
        Operation::PutRecords,
        FaultRates::default().with_failed_entry(1.0),
    ));
    let insert = "INSERT INTO words (partitionKey, data) VALUES ('stuck', 'x')";
    let (kind, message) = world.refusal(insert).await;
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(
        message.contains("'stuck'") && message.contains("kinesis.sink.recordTtl"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn overwrite_and_missing_columns_are_refused() {
    let world = World::new();
    world.table("words", 1, "").await;
    let (kind, message) = world
        .refusal("INSERT OVERWRITE words (partitionKey, data) VALUES ('a', 'b')")
        .await;
    assert_eq!(kind, ErrorKind::Unsupported, "{message}");
    let error = world.try_run("INSERT INTO words VALUES ('a', 'b')").await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("INSERT INTO words (partitionKey, data)"),
        "{error}"
    );
    let error = world
        .try_run("INSERT INTO words SELECT * FROM nowhere")
        .await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("nowhere") && !error.contains("name the columns"),
        "{error}"
    );
    let (_, message) = world
        .refusal("INSERT INTO words (partitionKey, data, explicitHashKey) VALUES ('a', 'b', '0')")
        .await;
    assert!(
        message.contains("'kinesis.extraColumns' = 'explicitHashKey'"),
        "{message}"
    );
}
