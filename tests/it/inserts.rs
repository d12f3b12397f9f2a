//! Consecutive INSERTs into one table share what is known about the stream, and it does not become
//! stale.

use std::sync::Arc;
use std::time::Duration;

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::kinesis::{Kinesis, Operation};
use datafusion_kinesis::model::{HashKey, ShardId, StreamIdentity, StreamName};

use crate::support::World;

fn words() -> StreamIdentity {
    StreamIdentity::parse("words").unwrap()
}

fn shard(n: u32) -> ShardId {
    ShardId::new(format!("shardId-{n:012}"))
}

/// A table `words`, and `strict`, which reads the same stream like the Kinesis Client Library: it
/// ignores aggregated records on the wrong shard.
async fn world(shards: u32) -> World {
    let world = World::new();
    world.table("words", shards, "").await;
    world
        .table_again("strict", "words", "'kinesis.aggregation.hashFilter' 'kcl'")
        .await;
    world
}

/// Writes rows `from` to `to`. Returns the numbers of DescribeStreamSummary and ListShards calls.
async fn insert(world: &World, from: u32, to: u32) -> (u64, u64) {
    let calls = || {
        let kinesis = &world.kinesis;
        (
            kinesis.calls(Operation::DescribeStreamSummary),
            kinesis.calls(Operation::ListShards),
        )
    };
    let before = calls();
    let written = world
        .number(&format!(
            "INSERT INTO words (partitionKey, data) SELECT CAST(value AS VARCHAR), 'x' || value FROM generate_series({from}, {to})"
        ))
        .await;
    assert_eq!(written, u64::from(to - from + 1));
    let after = calls();
    (after.0 - before.0, after.1 - before.1)
}

async fn strictly_read(world: &World) -> u64 {
    world
        .number("SELECT count(DISTINCT partitionKey) FROM strict")
        .await
}

async fn remake(world: &World, shards: u32) {
    world.kinesis.delete_stream(&words()).await.unwrap();
    let name = StreamName::new("words").unwrap();
    world.kinesis.create_stream(&name, shards).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn fifty_inserts_describe_the_stream_once() {
    let world = world(4).await;
    assert_eq!(insert(&world, 1, 10).await, (1, 1));
    for n in 1..50 {
        assert_eq!(insert(&world, n * 10 + 1, n * 10 + 10).await, (0, 0));
    }
    assert_eq!(strictly_read(&world).await, 500);
}

#[tokio::test(start_paused = true)]
async fn parallel_inserts_describe_the_stream_once() {
    let world = Arc::new(world(4).await);
    let before = world.kinesis.calls(Operation::ListShards);
    let inserts = (0..20).map(|n| {
        let world = Arc::clone(&world);
        async move { insert(&world, n * 100 + 1, n * 100 + 100).await }
    });
    futures::future::join_all(inserts).await;
    assert_eq!(world.kinesis.calls(Operation::ListShards) - before, 1);
    assert_eq!(strictly_read(&world).await, 2_000);
}

#[tokio::test(start_paused = true)]
async fn stream_descriptions_are_cached_for_five_minutes() {
    let world = world(1).await;
    let mut described = 0;
    for n in 0..36 {
        described += insert(&world, n + 1, n + 1).await.0;
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    // At 0, 5 and 10 of 12 minutes.
    assert_eq!(described, 3);
}

#[tokio::test(start_paused = true)]
async fn a_reshard_between_inserts_is_detected_once_and_loses_no_row() {
    let world = world(2).await;
    assert_eq!(insert(&world, 1, 1_000).await, (1, 1));
    let kinesis = &world.kinesis;
    kinesis
        .split_shard(&words(), &shard(0), HashKey(1 << 126))
        .await
        .unwrap();
    assert_eq!(insert(&world, 1_001, 2_000).await, (1, 1));
    assert_eq!(insert(&world, 2_001, 3_000).await, (0, 0));
    kinesis
        .merge_shards(&words(), &shard(2), &shard(3))
        .await
        .unwrap();
    assert_eq!(insert(&world, 3_001, 4_000).await, (1, 1));
    assert_eq!(insert(&world, 4_001, 5_000).await, (0, 0));
    assert_eq!(strictly_read(&world).await, 5_000);
}

#[tokio::test(start_paused = true)]
async fn an_insert_into_a_deleted_stream_fails_and_the_next_sees_the_recreated_one() {
    let world = world(2).await;
    insert(&world, 1, 1_000).await;
    world.kinesis.delete_stream(&words()).await.unwrap();
    let insert_one = "INSERT INTO words (partitionKey, data) VALUES ('a', 'b')";
    let (kind, message) = world.refusal(insert_one).await;
    assert_eq!(kind, ErrorKind::NotFound, "{message}");
    let name = StreamName::new("words").unwrap();
    world.kinesis.create_stream(&name, 4).await.unwrap();
    assert_eq!(insert(&world, 1, 2_000).await, (1, 1));
    assert_eq!(strictly_read(&world).await, 2_000);
}

#[tokio::test(start_paused = true)]
async fn a_stream_recreated_between_inserts_is_described_again() {
    let world = world(2).await;
    insert(&world, 1, 1_000).await;
    remake(&world, 4).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(insert(&world, 1, 2_000).await, (1, 1));
    assert_eq!(strictly_read(&world).await, 2_000);
}

#[tokio::test(start_paused = true)]
async fn a_larger_record_is_accepted_as_soon_as_the_stream_allows_it() {
    let world = world(1).await;
    let large = "INSERT INTO words (partitionKey, data) SELECT 'a', repeat('x', 2000000)";
    let (kind, message) = world.refusal(large).await;
    assert_eq!(kind, ErrorKind::InvalidRow, "{message}");
    let kinesis = &world.kinesis;
    kinesis
        .update_max_record_size(&words(), 4 * 1024 * 1024)
        .await
        .unwrap();
    assert_eq!(world.number(large).await, 1);
}
