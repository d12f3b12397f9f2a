//! Fewer shards than readers, down to none.

use std::time::Duration;

use datafusion_kinesis::model::Trigger;

use super::gate::Gate;
use super::trial::{Trial, shard};
use crate::streaming::FROM_THE_START;

#[tokio::test(start_paused = true)]
async fn d06_with_more_partitions_than_shards_each_shard_is_read_once() {
    let mut trial = Trial::new("d06-partitions", 2, FROM_THE_START).await;
    trial
        .world
        .run("SET datafusion.execution.target_partitions = 16")
        .await;
    trial.put(100).await;
    trial.run().await;
    trial.put(100).await;
    trial.run().await;
    trial.expect_all();
    trial.world.table_again("history", "words", "").await;
    let count = "SELECT count(*) FROM history";
    assert_eq!(trial.world.number(count).await, 200);
    let keys = "SELECT count(*) FROM (SELECT partitionKey FROM history GROUP BY partitionKey)";
    assert_eq!(trial.world.number(keys).await, 16);
}

/// All known shards are closed and read: the query waits for new ones, across restarts, too.
#[tokio::test(start_paused = true)]
async fn d06_a_query_whose_shards_are_all_closed_waits_for_new_ones() {
    let (world, gate) = Gate::world();
    let mut trial = Trial::of(world, "d06-closed", 1, FROM_THE_START).await;
    gate.hide([shard(1), shard(2)]);
    trial.put(50).await;
    trial.split(0).await;
    let query = trial.start().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(trial.journal.rows().len(), 50);
    let ends = query.last_progress().unwrap().sources[0].end_offset.clone();
    assert_eq!(ends.unwrap()[&shard(0)].to_string(), "SHARD_END");
    query.stop().await.unwrap();
    let query = trial.start().await;
    trial.put(50).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(query.is_active() && trial.journal.rows().len() == 50);
    gate.hide([]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    trial.expect_all();
}

#[tokio::test(start_paused = true)]
async fn d06_self_ending_runs_end_if_all_shards_are_closed() {
    for trigger in [Trigger::AvailableNow, Trigger::Once] {
        let (world, gate) = Gate::world();
        let name = format!("d06-ends-{trigger}").replace(' ', "-");
        let trial = Trial::of(world, &name, 1, FROM_THE_START).await;
        let mut trial = trial.with_trigger(trigger);
        gate.hide([shard(1), shard(2)]);
        trial.put(50).await;
        trial.split(0).await;
        for _run in 0..3 {
            let run = trial.start().await;
            let ended = tokio::time::timeout(Duration::from_secs(60), run.await_termination());
            ended.await.unwrap().unwrap();
        }
        trial.expect_all();
    }
}

/// An empty listing is neither an error nor a reason to poll in a tight loop.
#[tokio::test(start_paused = true)]
async fn d06_an_empty_shard_listing_is_retried() {
    for start in [
        "TRIM_HORIZON",
        "LATEST",
        "AT_TIMESTAMP 2023-11-14T22:13:20Z",
    ] {
        let (world, gate) = Gate::world();
        let options = format!("'kinesis.startingPosition' '{start}'");
        let name = format!("d06-none-{}", start.len());
        let mut trial = Trial::of(world, &name, 2, &options).await;
        gate.hide([shard(0), shard(1)]);
        let query = trial.start().await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(query.is_active());
        query.stop().await.unwrap();
        let query = trial.start().await;
        trial.put(50).await;
        gate.hide([]);
        tokio::time::sleep(Duration::from_secs(60)).await;
        query.process_all_available().await.unwrap();
        trial.expect_all();
    }
}

#[tokio::test(start_paused = true)]
async fn d06_a_bounded_read_of_no_shard_is_empty() {
    let (world, gate) = Gate::world();
    world.table("words", 2, "").await;
    gate.hide([shard(0), shard(1)]);
    for options in ["", "'kinesis.startingPosition' 'LATEST'"] {
        let name = format!("words_{}", options.len());
        world.table_again(&name, "words", options).await;
        let count = format!("SELECT count(*) FROM {name}");
        assert_eq!(world.number(&count).await, 0);
        let rows = format!("SELECT partitionKey FROM {name} ORDER BY 1");
        assert_eq!(world.lines(&rows).await, [""; 0]);
    }
}
