//! Spark has one watermark over all partitions; here each shard has its own, and the minimum
//! applies.
//!
//! | Case | Rule |
//! |---|---|
//! | one shard is far behind | its rows are kept, however far ahead the other one is |
//! | one shard is idle | it does not hold back the watermark |
//! | a shard is split | its children start at its watermark |

use datafusion_kinesis::model::{HashKey, ShardId, Trigger};

use super::*;
use crate::streaming::fault_proxy::FaultProxy;

async fn put_into(world: &World, second: bool, time: &str) {
    let hash_key = HashKey(if second { u128::MAX } else { 0 });
    let stream = StreamIdentity::parse("words").unwrap();
    let entries = [entry("k", time.to_owned(), Some(hash_key))];
    let outcomes = world.kinesis.put_records(&stream, &entries).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok));
}

async fn start(world: &World, lines: &Lines) -> StreamingQuery {
    let sql = TUMBLE.replace("{}", TIMES);
    let query = grouped(world, &sql, OutputMode::Append).with_watermark(DELAY, None);
    lines.of(query).start().await.unwrap()
}

async fn pause() {
    tokio::time::sleep(Duration::from_secs(5)).await;
}

fn shard(number: u32) -> ShardId {
    ShardId::new(format!("shardId-{number:012}"))
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_shard_that_is_far_behind_are_kept() {
    for known in [false, true] {
        let (world, front) = FaultProxy::world();
        world.unbounded_table("words", 2, FROM_THE_START).await;
        let lines = Lines::default();
        let query = start(&world, &lines).await;
        if known {
            put_into(&world, false, "1").await;
            put_into(&world, true, "3").await;
            settle(&query).await;
        }
        front.throttle(Some(shard(0)));
        put_into(&world, false, "5").await;
        for time in 0..10 {
            put_into(&world, true, &(100 + 10 * time).to_string()).await;
            pause().await;
        }
        assert_eq!(lines.given().concat(), [""; 0], "{known}");
        front.throttle(None);
        settle(&query).await;
        pause().await;
        let first = lines.given().concat().into_iter().next().unwrap();
        assert_eq!(first, if known { "0 3" } else { "0 1" });
        assert_eq!(dropped(&query.recent_progress()), 0);
        assert_eq!(watermark(&query), Some(185));
        query.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_shard_does_not_hold_back_the_watermark() {
    let (world, lines) = (world(2).await, Lines::default());
    let query = start(&world, &lines).await;
    put_into(&world, false, "1").await;
    settle(&query).await;
    for time in ["100", "120", "140"] {
        put_into(&world, true, time).await;
        settle(&query).await;
        pause().await;
    }
    assert_eq!(lines.given().concat(), ["0 1", "100 1", "120 1"]);
    assert_eq!(watermark(&query), Some(135));
    query.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn children_of_a_split_start_at_the_parents_watermark() {
    let (world, lines) = (world(1).await, Lines::default());
    let query = start(&world, &lines).await;
    put_into(&world, false, "30").await;
    settle(&query).await;
    let stream = StreamIdentity::parse("words").unwrap();
    let middle = HashKey(u128::MAX / 2);
    world
        .kinesis
        .split_shard(&stream, &shard(0), middle)
        .await
        .unwrap();
    // No batch was planned after the row, so the log has no watermark yet.
    put_into(&world, false, "12").await;
    put_into(&world, false, "26").await;
    settle(&query).await;
    pause().await;
    assert_eq!(dropped(&query.recent_progress()), 1);
    assert_eq!(watermark(&query), Some(25));
    put_into(&world, true, "60").await;
    put_into(&world, false, "61").await;
    settle(&query).await;
    pause().await;
    assert_eq!(lines.given().concat(), ["20 1", "30 1"]);
    query.stop().await.unwrap();
}

/// Shard 0 has a row after the frozen tip, so it also holds back the watermark at the end.
#[tokio::test(start_paused = true)]
async fn rows_left_for_the_next_start_are_not_late() {
    let (world, front) = FaultProxy::world();
    world.unbounded_table("words", 2, FROM_THE_START).await;
    let lines = Lines::default();
    let available_now = || {
        let sql = TUMBLE.replace("{}", TIMES);
        let query = grouped(&world, &sql, OutputMode::Append)
            .with_watermark(DELAY, None)
            .with_trigger(Trigger::AvailableNow)
            .with_checkpoint_location("memory://watermark-behind-the-tip");
        lines.of(query).start()
    };
    put_into(&world, false, "1").await;
    put_into(&world, true, "100").await;
    front.throttle(Some(shard(0)));
    let query = available_now().await.unwrap();
    pause().await;
    put_into(&world, false, "12").await;
    front.throttle(None);
    query.await_termination().await.unwrap();
    assert_eq!(
        watermark(&query),
        None,
        "both rows are unknown before their batch"
    );
    assert_eq!(lines.given().concat(), [""; 0]);

    let query = available_now().await.unwrap();
    query.await_termination().await.unwrap();
    assert_eq!(dropped(&query.recent_progress()), 0);
    assert_eq!(watermark(&query), Some(95));
    assert_eq!(lines.given().concat(), ["0 1", "10 1"]);
}
