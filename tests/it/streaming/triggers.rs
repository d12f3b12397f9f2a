//! When batches are triggered, and where a self-ending run ends.

use datafusion_kinesis::kinesis::{FaultPlan, FaultRates, Operation};
use datafusion_kinesis::model::{HashKey, ShardId, StreamIdentity, Trigger};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::*;
use crate::support::EPOCH;

/// When batches were triggered, in milliseconds since the epoch of the world.
fn fired(query: &StreamingQuery) -> Vec<i64> {
    let progress = query.recent_progress();
    progress
        .iter()
        .map(|batch| batch.timestamp.0 - EPOCH.0)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn ticks_are_aligned_late_batches_run_at_once_and_missed_ticks_are_skipped() {
    let began = Instant::now();
    let world = world(2).await;
    let sink = Sink::default();
    let inner = sink.clone();
    let slow = words(&world).foreach_batch(move |batch, rows| {
        let sink = inner.clone();
        async move {
            // One takes two and a half ticks, one a little longer than a tick, one ends before the
            // next tick.
            let millis = [3, 25_000, 4, 9_000, 12_000];
            let millis = millis.get(batch.0 as usize).copied().unwrap_or(1);
            sleep(Duration::from_millis(millis)).await;
            sink.take(batch, rows).await
        }
    });
    sleep(Duration::from_millis(2_300)).await;
    let tick = Trigger::ProcessingTime(Duration::from_secs(10));
    let query = slow.with_trigger(tick).start().await.unwrap();
    let mut number = 0;
    while began.elapsed() < Duration::from_secs(95) {
        world
            .put("words", &number.to_string(), number.to_string())
            .await;
        number += 1;
        sleep(Duration::from_millis(700)).await;
    }
    // Nothing arrives for half a minute: no batch.
    sleep_until(began + Duration::from_millis(133_500)).await;
    let last = number;
    world.put("words", "k", last.to_string()).await;
    sleep_until(began + Duration::from_millis(145_000)).await;
    // The first batch is that of the start.
    let expected = [
        2_300, 10_000, 35_000, 40_000, 50_000, 62_000, 70_000, 80_000, 90_000, 100_000, 140_000,
    ];
    assert_eq!(fired(&query), expected);
    assert_eq!(sink.numbers(), (0..=last).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn available_now_reads_the_shards_and_rows_present_at_its_start() {
    let world = World::new();
    let options = format!("{FROM_THE_START}, 'kinesis.maxFetchRecordsPerShard' '10'");
    world.unbounded_table("words", 2, &options).await;
    let stream = StreamIdentity::parse("words").unwrap();
    let place = "memory://frozen-world";
    world.put_numbers("words", 100).await;
    sleep(Duration::from_millis(5)).await;
    let sink = Sink::default();
    let freeze = Arc::new(Notify::new());
    let (go, inner) = (Arc::clone(&freeze), sink.clone());
    let begun = Arc::new(Notify::new());
    let first = Arc::clone(&begun);
    let query = words(&world)
        .with_checkpoint_location(place)
        .with_trigger(Trigger::AvailableNow)
        .foreach_batch(move |batch, rows| {
            let (go, sink, first) = (Arc::clone(&go), inner.clone(), Arc::clone(&first));
            async move {
                if batch.0 == 0 {
                    first.notify_one();
                    go.notified().await;
                }
                sink.take(batch, rows).await
            }
        });
    let query = query.start().await.unwrap();
    begun.notified().await;
    // Rows and shards from now on belong to the next run.
    sleep(Duration::from_secs(1)).await;
    let late = async |numbers: std::ops::Range<u64>| {
        for number in numbers {
            world
                .put("words", &number.to_string(), number.to_string())
                .await;
        }
    };
    late(100..140).await;
    let (shard, at) = (ShardId::new("shardId-000000000000"), HashKey(u128::MAX / 4));
    world
        .kinesis
        .split_shard(&stream, &shard, at)
        .await
        .unwrap();
    late(140..180).await;
    sleep(Duration::from_secs(30)).await;
    freeze.notify_one();
    let ended = timeout(Duration::from_secs(60), query.await_termination());
    ended.await.expect("the query ends").unwrap();
    assert_eq!(sink.numbers(), (0..100).collect::<Vec<_>>());
    let progress = query.recent_progress();
    assert!(progress.len() >= 5, "{} batches", progress.len());
    assert!(
        progress
            .iter()
            .all(|batch| (1..=20).contains(&batch.num_input_rows))
    );
    for batch in &progress {
        let shards = batch.sources[0].end_offset.as_ref().unwrap();
        assert_eq!(shards.len(), 2, "a shard was added");
    }
    let next = sink.of(words(&world)).with_checkpoint_location(place);
    let next = next
        .with_trigger(Trigger::AvailableNow)
        .start()
        .await
        .unwrap();
    next.await_termination().await.unwrap();
    assert_eq!(sink.numbers(), (0..180).collect::<Vec<_>>());
    let last = next.last_progress().unwrap();
    assert_eq!(last.sources[0].end_offset.as_ref().unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn process_all_available_waits_for_all_earlier_records() {
    let world = world(4).await;
    let rates = FaultRates::default()
        .with_throttled(0.2)
        .with_internal_failure(0.1)
        .with_expired_iterator(0.1)
        .with_empty_page(0.2)
        .with_max_latency(Duration::from_millis(150));
    let sink = Sink::default();
    let tick = Trigger::ProcessingTime(Duration::from_secs(2));
    let mut written = 0;
    for trigger in [Trigger::AsFastAsPossible, tick] {
        let query = sink.of(words(&world)).with_trigger(trigger);
        let query = query.with_checkpoint_location("memory://caught-up");
        let query = query.start().await.unwrap();
        world
            .kinesis
            .set_faults(FaultPlan::default().with(Operation::GetRecords, rates));
        for round in 0..12 {
            for _ in 0..25 {
                world
                    .put("words", &written.to_string(), written.to_string())
                    .await;
                written += 1;
            }
            if round == 5 {
                let stream = StreamIdentity::parse("words").unwrap();
                let shards = if trigger == tick { 4 } else { 6 };
                let update = world.kinesis.update_shard_count(&stream, shards);
                update.await.unwrap();
                world.put("words", "k", written.to_string()).await;
                written += 1;
            }
            // More records arrive meanwhile.
            let before = written;
            let writer = async {
                for _ in 0..10 {
                    sleep(Duration::from_millis(37)).await;
                    world
                        .put("words", &written.to_string(), written.to_string())
                        .await;
                    written += 1;
                }
            };
            let waited = async {
                let (first, second) =
                    tokio::join!(query.process_all_available(), query.process_all_available());
                first.and(second).unwrap();
                sink.numbers()
            };
            let ((), there) = tokio::join!(writer, waited);
            let there: std::collections::BTreeSet<_> = there.into_iter().collect();
            let missing: Vec<_> = (0..before).filter(|n| !there.contains(n)).collect();
            assert!(missing.is_empty(), "{trigger} {round}: {missing:?}");
        }
        query.stop().await.unwrap();
    }
}
