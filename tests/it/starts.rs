//! Starting positions: timestamps, checkpoints of this crate, and checkpoints of Spark.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::kinesis::Operation;
use datafusion_kinesis::model::{HashKey, ShardId, StreamIdentity, Trigger};
use datafusion_kinesis::query::StreamingQuery;
use serde_json::Value;

use crate::support::{World, folder};

/// All rows of a table as text.
async fn rows(world: &World, table: &str) -> BTreeSet<String> {
    let text = format!("SELECT CAST(data AS VARCHAR) FROM {table}");
    let lines = world.lines(&text).await;
    let rows: BTreeSet<String> = lines.iter().cloned().collect();
    assert_eq!(rows.len(), lines.len(), "{table} has duplicate rows");
    rows
}

async fn split_first(world: &World, stream: &str) {
    let stream = StreamIdentity::parse(stream).unwrap();
    let shard = ShardId::new("shardId-000000000000");
    let middle = HashKey(1 << 126);
    world
        .kinesis
        .split_shard(&stream, &shard, middle)
        .await
        .unwrap();
}

fn quoted(position: &str) -> String {
    format!("'kinesis.startingPosition' '{position}'")
}

#[tokio::test(start_paused = true)]
async fn a_start_in_the_future_is_refused_without_a_request() {
    let world = World::new();
    world.table("words", 1, "").await;
    let shard = "shardId-000000000000";
    let connector = r#"{"iteratorType": "AT_TIMESTAMP", "iteratorPosition": "1700000006000"}"#;
    let before = world.kinesis.calls(Operation::DescribeStreamSummary);
    for kind in ["EXTERNAL", "UNBOUNDED EXTERNAL"] {
        for position in [
            "AT_TIMESTAMP 2023-11-14T22:13:26Z",
            "AT_TIMESTAMP 2023-11-15 00:13:26+02:00",
            "AT_TIMESTAMP 1700000006",
            &format!(r#"{{"{shard}": "AT_TIMESTAMP 2023-11-14T22:13:26Z"}}"#),
            &format!(r#"{{"{shard}": {connector}}}"#),
        ] {
            let (kind, message) = world
                .refusal(&format!(
                    "CREATE {kind} TABLE t STORED AS \"aws-kinesis\" LOCATION 'words' OPTIONS ({})",
                    quoted(position)
                ))
                .await;
            assert_eq!(kind, ErrorKind::InvalidOption);
            for part in [
                "22:13:26Z' is in the future",
                "clock shows 2023-11-14T22:13:20Z): expected a time in the past",
            ] {
                assert!(message.contains(part), "{message}");
            }
        }
    }
    assert_eq!(
        world.kinesis.calls(Operation::DescribeStreamSummary),
        before
    );
    // The tolerance for clock differences.
    world
        .table_again(
            "soon",
            "words",
            &quoted("AT_TIMESTAMP 2023-11-14T22:13:25Z"),
        )
        .await;
    assert_eq!(world.number("SELECT count(*) FROM soon").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_where_clause_may_refer_to_the_future() {
    let world = World::new();
    world.table("words", 2, "").await;
    world
        .table_again("kept", "words", "'kinesis.ordered' 'true'")
        .await;
    world.put_numbers("words", 10).await;
    for table in ["words", "kept"] {
        for time in [
            "2023-11-14T22:14:20Z",
            "2023-11-14T23:00:00Z",
            "2199-01-01T00:00:00Z",
        ] {
            let count = format!(
                "SELECT count(*) FROM {table} WHERE approximateArrivalTimestamp >= TIMESTAMP '{time}'"
            );
            assert_eq!(world.number(&count).await, 0, "{time}");
        }
    }
}

/// Runs a query over two streams until it ends, then reshards and adds rows. Returns the end
/// offsets of the last progress, and the rows of `words` that the query has not read.
async fn stopped_query_with_backlog(
    world: &World,
    folder: &std::path::Path,
) -> (String, BTreeSet<String>) {
    let start = quoted("TRIM_HORIZON");
    world.unbounded_table("clicks", 1, &start).await;
    world.unbounded_table("words", 2, &start).await;
    world.put_numbers("clicks", 5).await;
    world.put_numbers("words", 40).await;
    split_first(world, "words").await;
    let text = "SELECT data FROM clicks UNION ALL SELECT data FROM words";
    let query = StreamingQuery::builder(&world.ctx, text)
        .foreach_batch(|_, _| async { Ok(()) })
        .with_checkpoint_location(folder.to_str().unwrap())
        .with_trigger(Trigger::AvailableNow);
    let query = query.start().await.unwrap();
    query.await_termination().await.unwrap();
    let progress = query.last_progress().unwrap().to_json();
    let progress: Value = serde_json::from_str(&progress).unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    for n in 40..90 {
        world.put("words", &n.to_string(), n.to_string()).await;
    }
    let stream = StreamIdentity::parse("words").unwrap();
    world.kinesis.update_shard_count(&stream, 2).await.unwrap();
    for n in 90..120 {
        world.put("words", &n.to_string(), n.to_string()).await;
    }
    let left = (40..120).map(|n| n.to_string());
    (
        progress["sources"][1]["endOffset"].to_string(),
        left.collect(),
    )
}

#[tokio::test(start_paused = true)]
async fn end_offsets_of_a_query_are_valid_starting_positions() {
    let world = World::new();
    let folder = folder("starts-at-ends");
    let (ends, left) = stopped_query_with_backlog(&world, &folder).await;
    let commits = fs::read_dir(folder.join("commits")).unwrap();
    let newest = commits.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let newest = newest
        .filter_map(|name| name.parse::<u64>().ok())
        .max()
        .unwrap();
    let entry = fs::read_to_string(folder.join(format!("offsets/{newest}"))).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    for (name, position) in [("of_progress", ends), ("of_entry", entry)] {
        world.table_again(name, "words", &quoted(&position)).await;
        assert_eq!(rows(&world, name).await, left, "{position}");
        let other = format!(
            "CREATE EXTERNAL TABLE other STORED AS \"aws-kinesis\" LOCATION 'nouns' OPTIONS ({})",
            quoted(&position)
        );
        if name == "of_entry" {
            let (_, message) = world.refusal(&other).await;
            assert!(
                message.contains("expected positions for 'nouns'"),
                "{message}"
            );
        }
    }
}

/// Follows the README: the newest file of Spark's `offsets` is the starting position.
#[tokio::test(start_paused = true)]
async fn a_spark_job_continues_where_its_last_batch_began() {
    let file = include_str!("../data/spark_offsets.txt");
    let world = World::new();
    let extra = "'kinesis.extraColumns' 'shardId,subSequenceNumber'";
    world.table("words", 2, extra).await;
    let numbers = |from: u32, to: u32| {
        let rows: Vec<String> = (from..to).map(|n| format!("('{n}', '{n}')")).collect();
        format!(
            "INSERT INTO words (partitionKey, data) VALUES {}",
            rows.join(", ")
        )
    };
    // Shard 0 was read before it was split into 2 and 3; shard 3 was not read.
    world.run(&numbers(0, 50)).await;
    split_first(&world, "words").await;
    world.run(&numbers(50, 150)).await;
    world.run(&numbers(150, 250)).await;
    let sequence = async |shard: u32| {
        let text = format!(
            "SELECT min(sequenceNumber) FROM words WHERE shardId = 'shardId-{shard:012}'
             AND CAST(partitionKey AS INT) >= 50"
        );
        world.lines(&text).await.remove(0)
    };
    let (first, second) = (sequence(1).await, sequence(2).await);
    let file = file
        .replace(
            "49645911022375268414723105361023041936174830512379625490",
            &first,
        )
        .replace(
            "49645911022397569159921635984164577654447478873885605922",
            &second,
        );
    let left = format!(
        "SELECT CAST(data AS VARCHAR) FROM words WHERE CASE shardId
           WHEN 'shardId-000000000001'
             THEN sequenceNumber > '{first}' OR (sequenceNumber = '{first}' AND subSequenceNumber > 2)
           WHEN 'shardId-000000000002' THEN sequenceNumber > '{second}'
           ELSE shardId = 'shardId-000000000003' END"
    );
    let left: BTreeSet<String> = world.lines(&left).await.into_iter().collect();
    assert!(left.len() > 100 && left.len() < 200, "{}", left.len());

    world.table_again("bounded", "words", &quoted(&file)).await;
    assert_eq!(rows(&world, "bounded").await, left);

    world
        .unbounded_table_again("moved", "words", &quoted(&file))
        .await;
    world.table("out", 1, "").await;
    let insert = "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM moved";
    let run = async || {
        let query = StreamingQuery::builder(&world.ctx, insert)
            .with_checkpoint_location("memory://moved-from-spark")
            .with_trigger(Trigger::AvailableNow);
        let query = query.start().await.unwrap();
        query.await_termination().await.unwrap();
    };
    run().await;
    assert_eq!(rows(&world, "out").await, left);
    world.put("words", "new", "new").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    run().await;
    let and_new = left.into_iter().chain(["new".to_owned()]);
    assert_eq!(rows(&world, "out").await, and_new.collect::<BTreeSet<_>>());
}
