//! Log entries of an idle query: it records how far it has read a few times a day.

use chrono::DateTime;
use datafusion_kinesis::model::{HashKey, ShardId, StreamIdentity, Trigger};
use datafusion_kinesis::query::QueryEnd;
use tokio::time::sleep;

use super::checkpoint_log::CheckpointLog;
use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

/// Polls once a minute, which is enough for days.
const SELDOM: &str = "'kinesis.getRecords.fetchIntervalMs' '60000',
    'kinesis.describeShardInterval' '1 hour'";

fn millis(entry: &serde_json::Value) -> i64 {
    let time = DateTime::parse_from_rfc3339(entry.as_str().unwrap());
    time.unwrap().timestamp_millis()
}

#[tokio::test(start_paused = true)]
async fn an_idle_query_logs_its_progress_four_times_a_day() {
    let world = World::new();
    world.unbounded_table("words", 3, SELDOM).await;
    let place = "memory://idle-for-days";
    let sink = Sink::default();
    let start = || {
        let query = sink.of(words(&world)).with_checkpoint_location(place);
        query.start()
    };
    let query = start().await.unwrap();
    sleep(6 * HOUR - Duration::from_secs(120)).await;
    assert_eq!(
        query.last_progress(),
        None,
        "nothing in the first six hours"
    );
    sleep(42 * HOUR + Duration::from_secs(600)).await;
    let told = query.recent_progress();
    assert_eq!(told.len(), 8, "one per six hours");
    for progress in &told {
        assert_eq!(progress.num_input_rows, 0, "{progress}");
        let source = &progress.sources[0];
        assert_eq!(source.start_offset, source.end_offset);
    }
    let ledger = CheckpointLog::of(place).await;
    assert!(ledger.commits.keys().eq(&[0, 1, 2, 3, 4, 5, 6, 7]));
    let mut before = 0;
    for entry in ledger.offsets.values() {
        let read_to = millis(&entry["sources"][0]["read_to"]);
        let age = millis(&entry["time"]) - read_to;
        assert!((0..=60_000).contains(&age), "{age} ms: {entry}");
        assert!(read_to > before, "{entry}");
        before = read_to;
    }
    world.put("words", "k", "1").await;
    query.process_all_available().await.unwrap();
    assert_eq!(
        (sink.numbers(), query.recent_progress().len()),
        (vec![1], 9)
    );
    query.stop().await.unwrap();
    // A start does not repeat what the log already has.
    let query = start().await.unwrap();
    sleep(HOUR).await;
    assert_eq!(query.last_progress(), None);
}

#[tokio::test(start_paused = true)]
async fn a_query_that_ends_by_itself_logs_its_progress_once() {
    for trigger in [Trigger::AvailableNow, Trigger::Once] {
        let world = world(2).await;
        let place = format!("memory://idle-{trigger}").replace(' ', "-");
        let run = async || {
            let sink = Sink::default();
            let query = sink.of(words(&world)).with_trigger(trigger);
            let query = query.with_checkpoint_location(&place);
            let query = query.start().await.unwrap();
            query.await_termination().await.unwrap();
            assert_eq!(query.end(), Some(QueryEnd::Finished));
            sink.batches()
        };
        assert!(run().await.is_empty(), "{trigger}: nothing to log yet");
        sleep(7 * HOUR).await;
        assert_eq!(run().await, [0], "{trigger}");
        assert!(run().await.is_empty(), "{trigger}: already logged");
        world.put("words", "k", "1").await;
        sleep(7 * HOUR).await;
        assert_eq!(
            run().await,
            [1],
            "{trigger}: batches with rows record it, too"
        );
        let ledger = CheckpointLog::of(&place).await;
        let entry = &ledger.offsets[&1];
        // Records that arrived after the run began are not recorded as read.
        assert!(millis(&entry["sources"][0]["read_to"]) <= millis(&entry["time"]));
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_shard_without_further_rows_is_logged_within_minutes() {
    let world = world(1).await;
    let place = "memory://idle-behind-a-reshard";
    let sink = Sink::default();
    let query = sink.of(words(&world)).with_checkpoint_location(place);
    let query = query.start().await.unwrap();
    world.put("words", "k", "1").await;
    query.process_all_available().await.unwrap();
    let stream = StreamIdentity::parse("words").unwrap();
    let parent = ShardId::new("shardId-000000000000");
    let split = world
        .kinesis
        .split_shard(&stream, &parent, HashKey(1 << 127));
    split.await.unwrap();
    query.process_all_available().await.unwrap();
    sleep(Duration::from_secs(55)).await;
    assert_eq!(sink.batches(), [0], "rows may still arrive");
    sleep(Duration::from_secs(65)).await;
    assert_eq!(sink.batches(), [0, 1]);
    let entry = &CheckpointLog::of(place).await.offsets[&1];
    let shards = entry["sources"][0]["shards"].to_string();
    assert!(shards.contains("SHARD_END"), "{entry}");
    sleep(HOUR).await;
    assert_eq!(sink.batches(), [0, 1], "already logged");
    query.stop().await.unwrap();
}
