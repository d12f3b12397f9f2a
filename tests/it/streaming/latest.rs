//! LATEST is the time when the query was created, whatever happens before its first batch.

use datafusion_kinesis::kinesis::Kinesis;
use datafusion_kinesis::model::{HashKey, ShardId, StreamIdentity};

use super::*;

fn shard(n: u32) -> ShardId {
    ShardId::new(format!("shardId-{n:012}"))
}

/// Puts a number to each quarter of the hash key range.
async fn put(world: &World, stream: &str, first: u64) {
    let stream = StreamIdentity::parse(stream).unwrap();
    let entry = |n: u64| {
        let at = HashKey((u128::from(n) << 126) + 7);
        crate::support::entry("k", (first + n).to_string(), Some(at))
    };
    let entries: Vec<_> = (0..4).map(entry).collect();
    for outcome in world.kinesis.put_records(&stream, &entries).await.unwrap() {
        outcome.unwrap();
    }
}

async fn wait() {
    tokio::time::sleep(Duration::from_secs(10)).await;
}

/// Splits the first shard and one of its children, then merges, with numbers from `first` on
/// before, between and after.
async fn reshard(world: &World, stream: &str, first: u64) {
    let name = StreamIdentity::parse(stream).unwrap();
    put(world, stream, first).await;
    wait().await;
    world
        .kinesis
        .split_shard(&name, &shard(0), HashKey(1 << 126))
        .await
        .unwrap();
    put(world, stream, first + 4).await;
    wait().await;
    world
        .kinesis
        .split_shard(&name, &shard(2), HashKey(1 << 125))
        .await
        .unwrap();
    put(world, stream, first + 8).await;
    wait().await;
    world
        .kinesis
        .merge_shards(&name, &shard(3), &shard(1))
        .await
        .unwrap();
    put(world, stream, first + 12).await;
    wait().await;
}

#[tokio::test(start_paused = true)]
async fn reshards_and_restarts_before_the_first_batch_lose_nothing() {
    for step in [
        None,
        Some(Step::Planned),
        Some(Step::OffsetsLogged),
        Some(Step::Ran),
    ] {
        let world = World::new();
        world.unbounded_table("words", 2, "").await;
        put(&world, "words", 1_000).await;
        wait().await;
        let (sink, place) = (Sink::default(), format!("memory://latest-{step:?}"));
        let query = || sink.of(words(&world)).with_checkpoint_location(&place);
        match step {
            None => drop(query().start().await.unwrap()),
            Some(step) => {
                let freeze = Freeze::at(step, 1);
                let query = query().with_step_hook(freeze.hook.clone());
                let query = query.start().await.unwrap();
                put(&world, "words", 16).await;
                freeze.reached().await;
                drop(query);
            }
        }
        reshard(&world, "words", 0).await;
        // Starts twice; only the last run continues.
        drop(query().start().await.unwrap());
        wait().await;
        let query = query().start().await.unwrap();
        query.process_all_available().await.unwrap();
        let expected = if step.is_some() { 0..20 } else { 0..16 };
        assert_eq!(sink.numbers(), expected.collect::<Vec<_>>(), "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_source_starts_at_the_query_creation() {
    let world = World::new();
    world.unbounded_table("words", 2, "").await;
    world.unbounded_table("verbs", 2, "").await;
    world
        .unbounded_table("old", 1, "'kinesis.startingPosition' 'EARLIEST'")
        .await;
    for (stream, first) in [("words", 1_000), ("verbs", 2_000), ("old", 100)] {
        put(&world, stream, first).await;
    }
    wait().await;
    let sink = Sink::default();
    let query = || {
        let select = |table| format!("SELECT partitionKey, CAST(data AS VARCHAR) FROM {table}");
        let text = ["words", "verbs", "old"].map(select).join(" UNION ALL ");
        let query = sink.of(StreamingQuery::builder(&world.ctx, text));
        query.with_checkpoint_location("memory://latest-sources")
    };
    drop(query().start().await.unwrap());
    reshard(&world, "words", 0).await;
    reshard(&world, "verbs", 16).await;
    let query = query().start().await.unwrap();
    query.process_all_available().await.unwrap();
    let expected = (0..32).chain(100..104);
    assert_eq!(sink.numbers(), expected.collect::<Vec<_>>());
}
