//! Shards that are split and merged while the query lags, before it starts, or while it is down.

use std::time::Duration;

use datafusion_kinesis::model::Trigger;

use super::trial::{Trial, hours};
use crate::streaming::FROM_THE_START;

/// A hundred rows of a shard per batch, so a thousand records take ten batches.
const CAPPED: &str =
    "'kinesis.startingPosition' 'TRIM_HORIZON', 'kinesis.maxFetchRecordsPerShard' '100'";

/// A closed shard is not a fully read shard.
#[tokio::test(start_paused = true)]
async fn d01_a_shard_split_while_the_query_lags_is_read_completely_before_its_children() {
    let mut trial = Trial::new("d01-split", 1, CAPPED).await;
    trial.put(10).await;
    trial.run().await;
    trial.put(1_000).await;
    trial.split(0).await;
    trial.put(200).await;
    trial.run().await;
    trial.expect_all();
    trial.expect_before(0, 1);
    trial.expect_before(0, 2);
}

#[tokio::test(start_paused = true)]
async fn d01_a_split_under_a_lagging_query_loses_nothing() {
    let tick = Trigger::ProcessingTime(Duration::from_secs(10));
    let trial = Trial::new("d01-running", 1, CAPPED).await;
    let mut trial = trial.with_trigger(tick);
    let query = trial.start().await;
    trial.put(1_000).await;
    trial.split(0).await;
    trial.put(200).await;
    query.process_all_available().await.unwrap();
    assert!(trial.journal.runs().len() >= 10);
    trial.expect_all();
    trial.expect_before(0, 1);
    trial.expect_before(0, 2);
}

/// The child of a merge waits for both parents.
#[tokio::test(start_paused = true)]
async fn d01_two_shards_merged_while_the_query_lags_are_read_completely_before_their_child() {
    let mut trial = Trial::new("d01-merge", 2, CAPPED).await;
    trial.put(10).await;
    trial.run().await;
    trial.put(1_000).await;
    trial.merge(0, 1).await;
    trial.put(200).await;
    trial.run().await;
    trial.expect_all();
    trial.expect_before(0, 2);
    trial.expect_before(1, 2);
}

#[tokio::test(start_paused = true)]
async fn d01_a_bounded_read_reads_closed_shards_to_their_end() {
    let mut trial = Trial::new("d01-bounded", 1, FROM_THE_START).await;
    trial.put(1_000).await;
    trial.split(0).await;
    trial.put(200).await;
    trial.world.table_again("history", "words", "").await;
    let count = "SELECT count(DISTINCT data) FROM history";
    assert_eq!(trial.world.number(count).await, 1_200);
}

/// Splits two shards into four, and merges the middle two.
async fn resharded_twice(name: &str, options: &str) -> Trial {
    let mut trial = Trial::new(name, 2, options).await;
    trial.put(100).await;
    trial.split(0).await;
    trial.split(1).await;
    trial.put(100).await;
    trial.merge(3, 4).await;
    trial.put(100).await;
    trial
}

#[tokio::test(start_paused = true)]
async fn d02_a_stream_resharded_twice_before_the_first_start_is_read_completely() {
    let trial = resharded_twice("d02", FROM_THE_START).await;
    trial.run().await;
    trial.expect_all();
    for (parent, child) in [(0, 2), (0, 3), (1, 4), (1, 5), (3, 6), (4, 6)] {
        trial.expect_before(parent, child);
    }
}

#[tokio::test(start_paused = true)]
async fn d02_a_self_ending_run_reads_all_generations() {
    for trigger in [Trigger::AvailableNow, Trigger::Once] {
        let name = format!("d02-{trigger}").replace(' ', "-");
        let trial = resharded_twice(&name, FROM_THE_START).await;
        let trial = trial.with_trigger(trigger);
        // A batch holds at most one generation.
        for _generation in 0..3 {
            trial.start().await.await_termination().await.unwrap();
        }
        trial.expect_all();
    }
}

#[tokio::test(start_paused = true)]
async fn d02_a_bounded_read_returns_the_whole_history() {
    let trial = resharded_twice("d02-bounded", FROM_THE_START).await;
    trial.world.table_again("history", "words", "").await;
    let count = "SELECT count(DISTINCT data) FROM history";
    assert_eq!(trial.world.number(count).await, 300);
}

/// Parents that were read are no longer listed, which is neither a loss nor a reason to read them
/// again.
#[tokio::test(start_paused = true)]
async fn d07_parents_that_expire_between_restarts_are_not_missed() {
    let options = format!("{FROM_THE_START}, 'kinesis.failOnDataLoss' 'true'");
    let mut trial = Trial::new("d07", 2, &options).await;
    trial.put(100).await;
    trial.run().await;
    trial.split(0).await;
    trial.merge(3, 1).await;
    assert_eq!(trial.shards().await.len(), 5);
    for _quarter_of_a_day in 0..8 {
        trial.put(100).await;
        trial.run().await;
        hours(6).await;
    }
    assert_eq!(trial.shards().await.len(), 2);
    trial.put(100).await;
    trial.run().await;
    trial.expect_all();
}

#[tokio::test(start_paused = true)]
async fn d07_parents_that_expire_under_a_running_query_are_not_missed() {
    let options = format!("{FROM_THE_START}, 'kinesis.failOnDataLoss' 'true'");
    // Days take long if a shard is polled five times a second.
    let options = format!(
        "{options}, 'kinesis.getRecords.fetchIntervalMs' '60000', 'kinesis.describeShardInterval' '60s'"
    );
    let mut trial = Trial::new("d07-running", 2, &options).await;
    let query = trial.start_for_good().await;
    for _day in 0..5 {
        trial.put(100).await;
        let [first, second] = open_pair(&trial).await;
        trial.merge(first, second).await;
        trial.put(100).await;
        trial.split(second.max(first) + 1).await;
        trial.put(100).await;
        query.process_all_available().await.unwrap();
        hours(20).await;
    }
    hours(25).await;
    assert_eq!(trial.shards().await.len(), 2);
    trial.put(100).await;
    query.process_all_available().await.unwrap();
    let ends = query.last_progress().unwrap().sources[0].end_offset.clone();
    assert_eq!(ends.unwrap().len(), 2);
    trial.expect_all();
}

/// The numbers of the two open shards.
async fn open_pair(trial: &Trial) -> [u32; 2] {
    let shards = trial.shards().await;
    let open = shards.iter().filter(|shard| !shard.is_closed());
    let number = |id: &str| id.trim_start_matches("shardId-").parse().unwrap();
    let open: Vec<u32> = open.map(|shard| number(shard.id.as_str())).collect();
    open.try_into().unwrap()
}

/// LATEST is the first start, for shards created later, too.
#[tokio::test(start_paused = true)]
async fn d13_stop_reshard_write_restart_with_latest_loses_nothing() {
    for batches_before in [false, true] {
        let name = format!("d13-{batches_before}");
        let mut trial = Trial::new(&name, 2, "'kinesis.startingPosition' 'LATEST'").await;
        trial.put(50).await;
        trial.run().await;
        trial.expect_nothing();
        if batches_before {
            trial.put(50).await;
            trial.run().await;
        }
        // Several generations of shards are created while the query is down.
        trial.put(50).await;
        trial.split(0).await;
        trial.put(50).await;
        trial.merge(3, 1).await;
        trial.put(50).await;
        trial.split(4).await;
        trial.put(50).await;
        hours(1).await;
        trial.run().await;
        trial.expect_from(50);
        for (parent, child) in [(0, 2), (0, 3), (3, 4), (1, 4), (4, 5), (4, 6)] {
            trial.expect_before(parent, child);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn d13_reshards_at_every_stop_lose_nothing() {
    let mut trial = Trial::new("d13-every-stop", 1, "'kinesis.startingPosition' 'LATEST'").await;
    trial.run().await;
    for round in 0..12 {
        trial.put(30).await;
        let shards = trial.shards().await;
        let open: Vec<_> = shards.iter().filter(|shard| !shard.is_closed()).collect();
        let number = |id: &str| id.trim_start_matches("shardId-").parse().unwrap();
        let numbers: Vec<u32> = open.iter().map(|shard| number(shard.id.as_str())).collect();
        if let &[first, second] = &*numbers {
            trial.merge(first, second).await;
        } else {
            trial.split(numbers[0]).await;
        }
        trial.put(30).await;
        hours(round % 3).await;
        if round % 2 == 1 {
            trial.run().await;
        }
    }
    trial.expect_all();
}
