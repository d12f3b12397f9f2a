//! Ordered reads keep the order of each partition key across splits and merges.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion_kinesis::kinesis::{FaultPlan, FaultRates, InMemoryOptions, Operation};
use datafusion_kinesis::model::{HashKey, ShardId, StreamIdentity};
use datafusion_kinesis::query::StreamingQuery;
use datafusion_kinesis::sql;
use futures::TryStreamExt;

use crate::support::World;

const ORDERED: &str = "'kinesis.ordered' 'true', 'kinesis.extraColumns' 'shardId',
    'kinesis.getRecords.numberOfRecordsPerFetch' '10'";

/// Has a computing node above the read, for which the optimizer would like more partitions.
const NUMBERS: &str =
    "SELECT partitionKey, CAST(CAST(data AS VARCHAR) AS BIGINT) AS number FROM words";

const KEYS: u64 = 7;

fn words() -> StreamIdentity {
    StreamIdentity::parse("words").unwrap()
}

fn shard(n: u32) -> ShardId {
    ShardId::new(format!("shardId-{n:012}"))
}

async fn want_partitions(world: &World, partitions: u32) {
    let set = format!("SET datafusion.execution.target_partitions = {partitions}");
    sql(&world.ctx, &set).await.unwrap();
}

/// Puts `rounds` numbers for each key, starting at `first`.
async fn put(world: &World, first: u64, rounds: u64) {
    for number in first..first + rounds {
        for key in 0..KEYS {
            world
                .put("words", &format!("key {key}"), number.to_string())
                .await;
        }
    }
}

/// Splits, merges and scales the stream, with 40 numbers of each key in between. Returns how many
/// numbers each key has.
async fn put_over_reshards(world: &World) -> u64 {
    let (stream, kinesis) = (words(), &world.kinesis);
    put(world, 0, 40).await;
    kinesis
        .split_shard(&stream, &shard(0), HashKey(1 << 126))
        .await
        .unwrap();
    put(world, 40, 40).await;
    kinesis
        .merge_shards(&stream, &shard(3), &shard(1))
        .await
        .unwrap();
    put(world, 80, 40).await;
    for (round, shards) in (3..).zip([4, 7, 4]) {
        tokio::time::sleep(Duration::from_secs(60)).await;
        kinesis.update_shard_count(&stream, shards).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        put(world, round * 40, 40).await;
    }
    240
}

/// The numbers of each key, in row order.
fn by_key<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>) -> BTreeMap<String, Vec<i64>> {
    let mut numbers: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for batch in batches {
        let keys = cast(batch.column(0), &DataType::Utf8).unwrap();
        let values = batch.column(1).as_primitive::<Int64Type>();
        for (key, number) in keys.as_string::<i32>().iter().zip(values) {
            let numbers = numbers.entry(key.unwrap().to_owned()).or_default();
            numbers.push(number.unwrap());
        }
    }
    numbers
}

async fn collected(world: &World, text: &str) -> BTreeMap<String, Vec<i64>> {
    by_key(
        &sql(&world.ctx, text)
            .await
            .unwrap()
            .collect()
            .await
            .unwrap(),
    )
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_key_keep_their_order_across_reshards() {
    let world = World::new();
    world.table("words", 2, ORDERED).await;
    let last = put_over_reshards(&world).await as i64;
    for partitions in [1, 2, 8] {
        want_partitions(&world, partitions).await;
        let read = collected(&world, NUMBERS).await;
        assert_eq!(read.len() as u64, KEYS);
        for (key, numbers) in read {
            assert_eq!(
                numbers,
                (0..last).collect::<Vec<_>>(),
                "{key}, {partitions}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_key_is_in_one_partition_of_the_read() {
    let world = World::new();
    want_partitions(&world, 4).await;
    world.table("words", 2, ORDERED).await;
    put(&world, 0, 40).await;
    // Each of the two shards becomes a family of three.
    for n in 0..2_u32 {
        let middle = HashKey((u128::from(n) << 127) + (1 << 126));
        world
            .kinesis
            .split_shard(&words(), &shard(n), middle)
            .await
            .unwrap();
    }
    put(&world, 40, 40).await;
    for text in [
        NUMBERS,
        &format!("{NUMBERS} WHERE CAST(data AS VARCHAR) <> 'ninety'"),
    ] {
        let frame = sql(&world.ctx, text).await.unwrap();
        let partitions = frame.collect_partitioned().await.unwrap();
        let partitions: Vec<_> = partitions.iter().map(by_key).collect();
        let filled: Vec<_> = partitions.iter().filter(|rows| !rows.is_empty()).collect();
        assert_eq!(filled.len(), 2, "families are read in parallel");
        let keys = filled.iter().map(|rows| rows.len() as u64).sum::<u64>();
        assert_eq!(keys, KEYS, "{text}: no key is in two partitions");
        for numbers in filled.into_iter().flat_map(BTreeMap::values) {
            assert_eq!(*numbers, (0..80).collect::<Vec<_>>(), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn filters_limits_caps_and_starting_positions_apply() {
    let world = World::new();
    world.table("words", 2, ORDERED).await;
    let last = put_over_reshards(&world).await;
    let all = KEYS * last;
    assert_eq!(world.number("SELECT count(*) FROM words").await, all);
    assert_eq!(
        world.lines("SELECT data FROM words LIMIT 25").await.len(),
        25
    );
    // Shards 1 and 3 were merged into 4; shard 1 is filtered out.
    let some = "WHERE shardId IN ('shardId-000000000003', 'shardId-000000000004')";
    let numbers = collected(&world, &format!("{NUMBERS} {some}")).await;
    assert!(!numbers.is_empty());
    for (key, numbers) in numbers {
        assert!(numbers.is_sorted(), "{key}: {numbers:?}");
    }
    let none = "SELECT count(*) FROM words WHERE shardId = 'no such'";
    assert_eq!(world.number(none).await, 0);
    let shards = world
        .number("SELECT count(DISTINCT shardId) FROM words")
        .await;
    let capped = format!("{ORDERED}, 'kinesis.maxFetchRecordsPerShard' '3'");
    world.table_again("capped", "words", &capped).await;
    assert_eq!(
        world.number("SELECT count(*) FROM capped").await,
        3 * shards
    );
    let late = "'kinesis.ordered' 'true',
        'kinesis.startingPosition' '{\"shardId-000000000000\": \"SHARD_END\"}'";
    world.table_again("late", "words", late).await;
    let behind = "SELECT count(*) FROM words WHERE shardId NOT IN
        ('shardId-000000000000', 'shardId-000000000001')";
    let behind = world.number(behind).await;
    assert!(behind < all);
    assert_eq!(world.number("SELECT count(*) FROM late").await, behind);
}

#[tokio::test(start_paused = true)]
async fn explain_shows_an_ordered_read() {
    let world = World::new();
    world.table("words", 2, ORDERED).await;
    world
        .kinesis
        .split_shard(&words(), &shard(0), HashKey(1 << 126))
        .await
        .unwrap();
    want_partitions(&world, 8).await;
    let explain = format!("EXPLAIN FORMAT INDENT {NUMBERS}");
    let plan = world.run(&explain).await;
    assert!(
        plan.contains("stream=words, shards=4, families=2, ordered=true, columns"),
        "{plan}"
    );
    assert!(!plan.contains("RepartitionExec"), "{plan}");
    let plan = world.run("EXPLAIN SELECT data FROM words").await;
    assert!(plan.contains("ordered=true"), "{plan}");
    world.unbounded_table_again("live", "words", ORDERED).await;
    let plan = world
        .run("EXPLAIN FORMAT INDENT SELECT data FROM live")
        .await;
    assert!(plan.contains("batch by batch"), "{plan}");
}

/// The shards are listed after the read begins. A shard that was split in between is read to its
/// end, because its children are read as well.
#[tokio::test(start_paused = true)]
async fn a_split_during_planning_leaves_no_gap() {
    for seed in 0..20 {
        let world = World::with_options(InMemoryOptions::default().with_seed(seed));
        world.table("words", 1, ORDERED).await;
        put(&world, 0, 5).await;
        let slow = FaultRates::default()
            .with_min_latency(Duration::from_secs(2))
            .with_max_latency(Duration::from_secs(2));
        let gaps = FaultRates::default().with_empty_page(0.5);
        let faults = FaultPlan::default().with(Operation::ListShards, slow);
        world
            .kinesis
            .set_faults(faults.with(Operation::GetRecords, gaps));
        let meanwhile = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            put(&world, 5, 5).await;
            let middle = HashKey(1 << 127);
            world
                .kinesis
                .split_shard(&words(), &shard(0), middle)
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            put(&world, 10, 5).await;
        };
        let (read, ()) = tokio::join!(collected(&world, NUMBERS), meanwhile);
        for (key, numbers) in read {
            let expected: Vec<i64> = (0..numbers.len() as i64).collect();
            assert_eq!(numbers, expected, "seed {seed}, {key}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_keeps_the_order_of_its_shards() {
    let world = World::new();
    want_partitions(&world, 4).await;
    let options = format!("{ORDERED}, 'kinesis.startingPosition' 'EARLIEST'");
    world.unbounded_table("words", 2, &options).await;
    let last = put_over_reshards(&world).await as i64;
    let read = streamed(&world).await;
    assert_eq!(read.len() as u64, KEYS);
    for (key, numbers) in read {
        assert_eq!(numbers, (0..last).collect::<Vec<_>>(), "{key}");
    }
}

/// The available rows of each key, as a query passes them to its function.
async fn streamed(world: &World) -> BTreeMap<String, Vec<i64>> {
    let rows = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&rows);
    let query = StreamingQuery::builder(&world.ctx, NUMBERS).foreach_batch(move |_, rows| {
        let taken = Arc::clone(&taken);
        async move {
            let batches: Vec<RecordBatch> = rows.try_collect().await?;
            taken.lock().unwrap().extend(batches);
            Ok(())
        }
    });
    let query = query.start().await.unwrap();
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    let rows = rows.lock().unwrap();
    by_key(rows.iter())
}

/// Only real threads can reorder rows, so this test does not pause time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_keeps_its_order_on_several_threads() {
    let world = World::new();
    want_partitions(&world, 8).await;
    let options = format!(
        "{ORDERED}, 'kinesis.startingPosition' 'EARLIEST', 'kinesis.getRecords.fetchIntervalMs' '0'"
    );
    world.unbounded_table("words", 1, &options).await;
    put(&world, 0, 500).await;
    let read = streamed(&world).await;
    assert_eq!(read.len() as u64, KEYS);
    for (key, numbers) in read {
        assert!(numbers.is_sorted(), "{key}: {numbers:?}");
        assert_eq!(numbers.len(), 500, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_shard_families_are_one_query() {
    let world = World::new();
    world.table("words", 1_000, ORDERED).await;
    world.put_numbers("words", 3_000).await;
    let result = world
        .run("SELECT count(*), count(DISTINCT data) FROM words")
        .await;
    assert!(result.contains("| 3000     | 3000 "), "{result}");
}
