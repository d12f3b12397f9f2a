//! Bounded scans of a simulated stream.

use std::sync::Arc;
use std::time::Duration;

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::kinesis::{
    ApiError, FaultPlan, FaultRates, InMemoryOptions, Kinesis, Operation,
};
use datafusion_kinesis::model::{HashKey, ShardId, StreamIdentity};

use crate::support::World;

#[tokio::test(start_paused = true)]
async fn a_row_has_the_columns_of_the_connector() {
    let world = World::new();
    let extra = "'kinesis.extraColumns' 'shardId,subSequenceNumber,explicitHashKey'";
    world.table("words", 1, extra).await;
    world.put("words", "k", "hello").await;
    let description = world.run("DESCRIBE words").await;
    let columns: Vec<String> = description
        .lines()
        .skip(3)
        .filter(|line| line.starts_with('|'))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        columns,
        [
            "| data | Binary | YES | payload |",
            "| streamName | Utf8 | YES | metadata 'streamName' |",
            "| partitionKey | Utf8 | YES | metadata 'partitionKey' |",
            "| sequenceNumber | Utf8 | YES | metadata 'sequenceNumber' |",
            "| approximateArrivalTimestamp | Timestamp(µs, \"UTC\") | YES | metadata 'approximateArrivalTimestamp' |",
            "| shardId | Utf8 | YES | metadata 'shardId' |",
            "| subSequenceNumber | Int64 | YES | metadata 'subSequenceNumber' |",
            "| explicitHashKey | Utf8 | YES | metadata 'explicitHashKey' |",
        ]
    );
    let row = world
        .run("SELECT CAST(data AS VARCHAR) AS data, streamName, partitionKey, length(sequenceNumber) AS digits, approximateArrivalTimestamp AS at, shardId, subSequenceNumber, explicitHashKey FROM words")
        .await;
    assert_eq!(
        row.lines().nth(3).unwrap(),
        "| hello | words      | k            | 56     | 2023-11-14T22:13:20Z | shardId-000000000000 | 0                 |                 |"
    );
}

#[tokio::test(start_paused = true)]
async fn every_shard_is_read_including_closed_ones() {
    let world = World::new();
    world.table("words", 2, "").await;
    world.put_numbers("words", 1_000).await;
    let stream = StreamIdentity::parse("words").unwrap();
    let first = ShardId::new("shardId-000000000000");
    let middle = HashKey(u128::MAX / 4);
    world
        .kinesis
        .split_shard(&stream, &first, middle)
        .await
        .unwrap();
    world.put_numbers("words", 500).await;
    let query = "SELECT count(*), count(DISTINCT data), count(DISTINCT sequenceNumber) FROM words";
    let result = world.run(query).await;
    assert!(result.contains("| 1500     | 1000"), "{result}");
    assert!(
        result.contains("| 1500                                 |"),
        "{result}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_scan_ends_at_the_tip_as_of_its_start() {
    let world = World::new();
    world.table("words", 1, "").await;
    world.put_numbers("words", 700).await;
    let kinesis = Arc::clone(&world.kinesis);
    let writer = tokio::spawn(async move {
        let stream = StreamIdentity::parse("words").unwrap();
        loop {
            let entry = crate::support::entry("late", "late", None);
            kinesis
                .put_records(&stream, &[entry])
                .await
                .unwrap()
                .remove(0)
                .unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let first = world.number("SELECT count(*) FROM words WHERE partitionKey <> 'late'");
    let first = tokio::time::timeout(Duration::from_secs(60), first).await;
    writer.abort();
    assert_eq!(first.expect("a busy stream does not keep a scan open"), 700);
}

#[tokio::test(start_paused = true)]
async fn throttles_failures_and_expired_iterators_lose_and_repeat_no_row() {
    for seed in 0..10 {
        let common = FaultRates::default()
            .with_throttled(0.2)
            .with_internal_failure(0.1)
            .with_connection_lost(0.1)
            .with_answer_lost(0.05);
        let rates = common.with_expired_iterator(0.2).with_empty_page(0.2);
        let world = World::with_options(InMemoryOptions::default().with_seed(seed));
        world
            .table("words", 3, "'kinesis.getRecords.numberOfRecordsPerFetch' '50', 'kinesis.clientNumRetries' '50'")
            .await;
        world.put_numbers("words", 2_000).await;
        world.kinesis.set_faults(
            FaultPlan::default()
                .with(Operation::GetRecords, rates)
                .with(Operation::GetShardIterator, common)
                .with(Operation::ListShards, common),
        );
        let result = world
            .run("SELECT count(*), count(DISTINCT data) FROM words")
            .await;
        assert!(
            result.contains("| 2000     | 2000 "),
            "seed {seed}: {result}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn repeatedly_expired_iterators_end_the_scan_with_an_error() {
    let world = World::new();
    world.table("words", 1, "").await;
    world.put_numbers("words", 10).await;
    let rates = FaultRates::default().with_expired_iterator(1.0);
    world
        .kinesis
        .set_faults(FaultPlan::default().with(Operation::GetRecords, rates));
    let (kind, message) = world.refusal("SELECT * FROM words").await;
    assert_eq!(kind, ErrorKind::Unavailable, "{message}");
    assert!(message.contains("ExpiredIteratorException"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn an_expired_iterator_is_renewed_even_without_retries() {
    let world = World::new();
    world
        .table(
            "words",
            1,
            "'kinesis.clientNumRetries' '0', 'kinesis.getRecords.numberOfRecordsPerFetch' '10'",
        )
        .await;
    world.put_numbers("words", 100).await;
    for _ in 0..3 {
        let code = "ExpiredIteratorException";
        let error = ApiError::from_code(Operation::GetRecords, code, "Iterator expired.");
        world.kinesis.fail_next(Operation::GetRecords, error);
        assert_eq!(world.number("SELECT count(*) FROM words").await, 100);
    }
}

#[tokio::test(start_paused = true)]
async fn children_of_a_shard_with_a_position_start_at_their_beginning() {
    let world = World::new();
    world.table("words", 1, "").await;
    world.put_numbers("words", 10).await;
    let last = world
        .lines("SELECT max(sequenceNumber) FROM words")
        .await
        .remove(0);
    let stream = StreamIdentity::parse("words").unwrap();
    let shard = |n: u32| ShardId::new(format!("shardId-{n:012}"));
    world
        .kinesis
        .split_shard(&stream, &shard(0), HashKey(1 << 127))
        .await
        .unwrap();
    world.put_numbers("words", 20).await;
    world
        .kinesis
        .split_shard(&stream, &shard(1), HashKey(1 << 126))
        .await
        .unwrap();
    world.put_numbers("words", 30).await;
    let after = |shard: &str| {
        format!(
            r#"'kinesis.startingPosition' '{{"{shard}": {{"iteratorType": "AFTER_SEQUENCE_NUMBER", "iteratorPosition": "{last}"}}}}'"#
        )
    };
    world
        .table_again("rest", "words", &after("shardId-000000000000"))
        .await;
    assert_eq!(world.number("SELECT count(*) FROM rest").await, 50);
    world
        .table_again("wrong", "words", &after("shardId-000000000009"))
        .await;
    let (kind, message) = world.refusal("SELECT * FROM wrong").await;
    assert_eq!(kind, ErrorKind::InvalidOption);
    assert!(message.contains("'shardId-000000000009'"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_reports_stream_shard_and_position() {
    let world = World::new();
    world
        .table("words", 1, "'kinesis.clientNumRetries' '2'")
        .await;
    for _ in 0..3 {
        let code = "ProvisionedThroughputExceededException";
        let error = ApiError::from_code(Operation::GetRecords, code, "Rate exceeded for shard.");
        world.kinesis.fail_next(Operation::GetRecords, error);
    }
    let (kind, message) = world.refusal("SELECT * FROM words").await;
    assert_eq!(kind, ErrorKind::Unavailable);
    assert_eq!(
        message,
        "stream 'words', shard 'shardId-000000000000', position TRIM_HORIZON: gave up after 3 \
         tries: GetRecords failed: ProvisionedThroughputExceededException: Rate exceeded for shard."
    );
}

#[tokio::test(start_paused = true)]
async fn a_limit_stops_reading() {
    let world = World::new();
    world
        .table(
            "words",
            1,
            "'kinesis.getRecords.numberOfRecordsPerFetch' '100'",
        )
        .await;
    world.put_numbers("words", 5_000).await;
    assert_eq!(
        world.lines("SELECT data FROM words LIMIT 150").await.len(),
        150
    );
    assert_eq!(world.kinesis.calls(Operation::GetRecords), 2);
}

#[tokio::test(start_paused = true)]
async fn a_cap_per_shard_counts_rows() {
    let world = World::new();
    world
        .table("words", 4, "'kinesis.maxFetchRecordsPerShard' '7'")
        .await;
    world.put_numbers("words", 400).await;
    assert_eq!(world.number("SELECT count(*) FROM words").await, 28);
}

#[tokio::test(start_paused = true)]
async fn a_scan_starts_at_the_configured_position() {
    let world = World::new();
    world.table("words", 2, "").await;
    world.put_numbers("words", 100).await;
    tokio::time::sleep(Duration::from_millis(5_250)).await;
    world.put_numbers("words", 30).await;
    for (position, rows) in [
        ("TRIM_HORIZON", 130),
        ("earliest", 130),
        ("LATEST", 0),
        ("AT_TIMESTAMP 2023-11-14T22:13:20Z", 130),
        ("AT_TIMESTAMP 2023-11-14T22:13:20.001Z", 30),
        ("AT_TIMESTAMP 2023-11-15T00:13:25.250+02:00", 30),
    ] {
        world.run("DROP TABLE IF EXISTS later").await;
        let option = format!("'kinesis.startingPosition' '{position}'");
        world.table_again("later", "words", &option).await;
        assert_eq!(
            world.number("SELECT count(*) FROM later").await,
            rows,
            "{position}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_scan_can_start_at_a_position_per_shard() {
    let world = World::new();
    world
        .table("words", 2, "'kinesis.extraColumns' 'shardId'")
        .await;
    world.put_numbers("words", 100).await;
    let first = "SELECT sequenceNumber FROM words WHERE shardId = 'shardId-000000000000'";
    let numbers = world.lines(first).await;
    let option = format!(
        r#"'kinesis.startingPosition' '{{
            "metadata": {{"streamName": "words", "batchId": "0"}},
            "shardId-000000000000": {{"iteratorType": "AFTER_SEQUENCE_NUMBER",
                "iteratorPosition": "{}", "subSequenceNumber": "-1", "isLast": "true"}}
        }}'"#,
        numbers[9]
    );
    world.table_again("rest", "words", &option).await;
    let read = world.lines("SELECT sequenceNumber FROM rest").await;
    assert_eq!(read, numbers[10..], "the other shard starts now");
}

#[tokio::test(start_paused = true)]
async fn only_the_selected_columns_are_read() {
    let world = World::new();
    world.table("words", 1, "").await;
    let plan = world
        .run("EXPLAIN FORMAT INDENT SELECT partitionKey FROM words LIMIT 3")
        .await;
    assert!(plan.contains("columns=[partitionKey], limit=3"), "{plan}");
    let plan = world
        .run("EXPLAIN FORMAT INDENT SELECT count(*) FROM words")
        .await;
    assert!(
        plan.contains("KinesisReadExec: stream=words, shards=1, columns=[]"),
        "{plan}"
    );
}

#[tokio::test(start_paused = true)]
async fn explain_analyze_shows_what_was_read() {
    let world = World::new();
    world
        .table(
            "words",
            1,
            "'kinesis.getRecords.numberOfRecordsPerFetch' '100'",
        )
        .await;
    world.put_numbers("words", 250).await;
    let error = ApiError::from_code(Operation::GetRecords, "LimitExceededException", "slow");
    world.kinesis.fail_next(Operation::GetRecords, error);
    let plan = world.run("EXPLAIN ANALYZE SELECT data FROM words").await;
    for metric in [
        "output_rows=250",
        "records=250",
        "calls=4",
        "throttles=1",
        "millis_behind_latest=0",
    ] {
        assert!(plan.contains(metric), "{metric} in\n{plan}");
    }
    assert!(plan.contains("bytes="), "{plan}");
}

#[tokio::test(start_paused = true)]
async fn a_where_clause_skips_old_records_and_other_shards() {
    let world = World::new();
    world
        .table("words", 4, "'kinesis.extraColumns' 'shardId'")
        .await;
    world.put_numbers("words", 1_000).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    world.put_numbers("words", 100).await;
    let recent = "FROM words WHERE approximateArrivalTimestamp >= TIMESTAMP '2023-11-14T23:00:00Z'";
    assert_eq!(
        world.number(&format!("SELECT count(*) {recent}")).await,
        100
    );
    let plan = world
        .run(&format!("EXPLAIN ANALYZE SELECT data {recent}"))
        .await;
    assert!(
        plan.contains("records=100,"),
        "old records are not read: {plan}"
    );
    let one = "SELECT count(*) FROM words WHERE shardId = 'shardId-000000000002'";
    let before = world.kinesis.calls(Operation::GetShardIterator);
    assert!(world.number(one).await > 200);
    assert_eq!(world.kinesis.calls(Operation::GetShardIterator) - before, 1);
    let none = "SELECT count(*) FROM words WHERE shardId IN ('no', 'such')";
    assert_eq!(world.number(none).await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_upper_bound_on_the_arrival_time_ends_a_scan_without_changing_the_result() {
    let world = World::new();
    world
        .table(
            "words",
            2,
            "'kinesis.getRecords.numberOfRecordsPerFetch' '50'",
        )
        .await;
    for _ in 0..10 {
        world.put_numbers("words", 300).await;
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }
    // The first put is at 22:13:20.
    let at = |time: &str| format!("TIMESTAMP '2023-11-{time}Z'");
    let (first, last) = (at("14T23:13:20"), at("15T00:13:21"));
    let column = "approximateArrivalTimestamp";
    let asked = || world.kinesis.calls(Operation::GetRecords);
    for (clause, rows, most) in [
        (format!("{column} BETWEEN {first} AND {last}"), 600, 20),
        (format!("{column} < {first}"), 300, 20),
        (format!("{column} <= {first}"), 600, 20),
        (format!("{column} < {}", at("14T22:13:20")), 0, 12),
        (format!("{column} > {last} AND {column} < {first}"), 0, 0),
    ] {
        let before = asked();
        let count = format!("SELECT count(*) FROM words WHERE {clause}");
        assert_eq!(world.number(&count).await, rows, "{clause}");
        let calls = asked() - before;
        assert!(calls <= most, "{clause}: {calls} pages");
        let clause = clause.replace(column, "t");
        let whole = format!(
            "SELECT count(*) FILTER (WHERE {clause}) FROM (SELECT {column} AS t FROM words)"
        );
        assert_eq!(world.number(&whole).await, rows, "{clause}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_a_thousand_shards_is_one_query() {
    let world = World::new();
    world.table("wide", 1_000, "").await;
    world.put_numbers("wide", 3_000).await;
    let result = world
        .run("SELECT count(*), count(DISTINCT data) FROM wide")
        .await;
    assert!(result.contains("| 3000     | 3000 "), "{result}");
}

#[tokio::test(start_paused = true)]
async fn the_largest_and_the_smallest_records_are_read() {
    let world = World::new();
    world.table("large", 1, "").await;
    let stream = StreamIdentity::parse("large").unwrap();
    world
        .kinesis
        .update_max_record_size(&stream, 10 << 20)
        .await
        .unwrap();
    for size in [0, 9 << 20, (10 << 20) - 1, 0, 5 << 20, 5 << 20, 1] {
        world.put("large", "k", vec![7_u8; size]).await;
    }
    let sizes = "SELECT length(CAST(data AS VARCHAR)) FROM large ORDER BY 1";
    assert_eq!(
        world.lines(sizes).await,
        ["0", "0", "1", "5242880", "5242880", "9437184", "10485759"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_stream_error_explains_how_to_create_it() {
    let world = World::new();
    let ddl = "CREATE EXTERNAL TABLE t STORED AS \"aws-kinesis\" LOCATION 'nowhere'";
    let (kind, message) = world.refusal(ddl).await;
    assert_eq!(kind, ErrorKind::NotFound);
    assert!(
        message.contains("'nowhere'") && message.contains("kinesis.createStream"),
        "{message}"
    );
    let options = "OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '3')";
    world.run(&format!("{ddl} {options}")).await;
    let plan = world.run("EXPLAIN FORMAT INDENT SELECT * FROM t").await;
    assert!(plan.contains("shards=3"), "{plan}");
}

/// A stream is created by name, in the account and region of the caller.
#[tokio::test(start_paused = true)]
async fn a_stream_of_another_account_or_region_fails_at_once_with_both_names() {
    let ours = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";
    for theirs in [
        "arn:aws:kinesis:us-east-1:111122223333:stream/clicks",
        "arn:aws:kinesis:eu-west-1:000000000000:stream/clicks",
    ] {
        let world = World::new();
        let create = "OPTIONS ('kinesis.createStream' 'true')";
        let ddl = |location: &str, options: &str| {
            format!(
                "CREATE EXTERNAL TABLE t STORED AS \"aws-kinesis\" LOCATION '{location}' {options}"
            )
        };
        let started = tokio::time::Instant::now();
        // The first statement creates the stream elsewhere; then it exists.
        for options in [create, create, ""] {
            let (kind, message) = world.refusal(&ddl(theirs, options)).await;
            assert_eq!(kind, ErrorKind::InvalidOption, "{message}");
            assert!(
                message.contains(theirs) && message.contains(ours),
                "{message}"
            );
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
        assert_eq!(world.kinesis.calls(Operation::CreateStream), 1);
        world.run(&ddl(ours, "")).await;
    }
    let missing = World::new();
    let ddl = format!("CREATE EXTERNAL TABLE t STORED AS \"aws-kinesis\" LOCATION '{ours}'");
    let (kind, message) = missing.refusal(&ddl).await;
    assert_eq!(kind, ErrorKind::NotFound);
    assert!(message.contains(ours), "{message}");
}
