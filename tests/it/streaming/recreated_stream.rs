//! A stream that was deleted and recreated under the same name: old positions do not apply to the
//! new stream.

use std::fs;

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::kinesis::Kinesis;
use datafusion_kinesis::model::{StreamIdentity, StreamName, Trigger};
use tokio::time::sleep;

use super::checkpoint_log::CheckpointLog;
use super::*;

const FAILS: &str = "'kinesis.startingPosition' 'TRIM_HORIZON', 'kinesis.failOnDataLoss' 'true'";

/// Deletes a stream and creates another one with its name.
pub(super) async fn remake(world: &World, name: &str, shards: u32) {
    let stream = StreamIdentity::parse(name).unwrap();
    world.kinesis.delete_stream(&stream).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    let name = StreamName::new(name).unwrap();
    world.kinesis.create_stream(&name, shards).await.unwrap();
    sleep(Duration::from_secs(2)).await;
}

/// Deletes a stream and its consumers, and creates another one with its name before a query lists its shards.
pub(super) async fn remake_subscribed(world: &World, name: &str, shards: u32) {
    let stream = StreamIdentity::parse(name).unwrap();
    let deleted = world.kinesis.delete_stream_and_consumers(&stream);
    deleted.await.unwrap();
    let name = StreamName::new(name).unwrap();
    world.kinesis.create_stream(&name, shards).await.unwrap();
    sleep(Duration::from_secs(2)).await;
}

pub(super) async fn put(world: &World, numbers: std::ops::Range<u64>) {
    for n in numbers {
        world.put("words", &n.to_string(), n.to_string()).await;
    }
}

pub(super) fn losses(query: &StreamingQuery) -> u64 {
    let progress = query.last_progress().unwrap();
    progress
        .sources
        .iter()
        .map(|source| source.metrics.losses)
        .sum()
}

pub(super) fn everything(sink: &Sink, numbers: std::ops::Range<u64>) {
    assert_eq!(sink.numbers(), numbers.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn recreated_between_runs_a_stream_is_read_from_its_oldest_record() {
    let world = world(3).await;
    let sink = Sink::default();
    let start = || {
        let query = sink.of(words(&world));
        query
            .with_checkpoint_location("memory://remade-between")
            .start()
    };
    put(&world, 0..20).await;
    let query = start().await.unwrap();
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    remake(&world, "words", 2).await;
    put(&world, 20..40).await;
    let query = start().await.unwrap();
    query.process_all_available().await.unwrap();
    everything(&sink, 0..40);
    assert_eq!(losses(&query), 1);
    let told = query.last_progress().unwrap();
    assert!(told.to_string().ends_with(", 1 data loss"), "{told}");
    assert!(told.to_json().contains(r#""dataLosses":"1""#), "{told}");
    let status = query.status().message;
    assert!(status.ends_with("(1 data loss)"), "{status}");
    let before = &told.sources[0].start_offset;
    assert_eq!(
        before.as_ref().unwrap().len(),
        2,
        "no shard of the old stream"
    );
    query.stop().await.unwrap();
    // The log refers to the new stream from now on.
    put(&world, 40..45).await;
    let query = start().await.unwrap();
    query.process_all_available().await.unwrap();
    assert_eq!(losses(&query), 0);
    everything(&sink, 0..45);
}

#[tokio::test(start_paused = true)]
async fn with_fail_on_data_loss_a_recreated_stream_ends_the_query_before_any_write() {
    let world = World::new();
    world.unbounded_table("words", 6, FAILS).await;
    let place = "memory://remade-fails";
    let sink = Sink::default();
    let start = || {
        sink.of(words(&world))
            .with_checkpoint_location(place)
            .start()
    };
    put(&world, 0..20).await;
    let query = start().await.unwrap();
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    let before = CheckpointLog::of(place).await;
    remake(&world, "words", 1).await;
    put(&world, 20..40).await;
    for _ in 0..2 {
        let query = start().await.unwrap();
        let error = query.await_termination().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DataLoss);
        let message = error.to_string();
        for part in [
            "stream 'words' was deleted and recreated: it was created at 2023-11-14T22:13:2",
            "but the query has read the stream that was created at 2023-11-14T22:13:20Z, at shardId-000000000000 AFTER 4964",
            "shardId-000000000003",
            " and 2 more shards. The records after that position are lost",
            "new checkpoint location",
            "'kinesis.failOnDataLoss' = 'false'",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
    assert_eq!(CheckpointLog::of(place).await, before);
    everything(&sink, 0..20);
}

#[tokio::test(start_paused = true)]
async fn recreation_before_the_first_batch_is_detected_from_the_metadata() {
    for options in ["", FROM_THE_START] {
        let world = World::new();
        world.unbounded_table("words", 2, options).await;
        let place = format!("memory://remade-early-{}", options.len());
        let sink = Sink::default();
        let start = || {
            sink.of(words(&world))
                .with_checkpoint_location(&place)
                .start()
        };
        start().await.unwrap().stop().await.unwrap();
        remake(&world, "words", 2).await;
        put(&world, 0..10).await;
        let query = start().await.unwrap();
        query.process_all_available().await.unwrap();
        everything(&sink, 0..10);
        assert_eq!(losses(&query), 1, "{options}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_without_the_creation_time_adopts_the_current_stream() {
    let world = world(1).await;
    let folder = crate::support::folder("remade-unsaid");
    let sink = Sink::default();
    let run = async || {
        let query = sink.of(words(&world)).with_trigger(Trigger::AvailableNow);
        let query = query.with_checkpoint_location(folder.to_str().unwrap());
        let query = query.start().await.unwrap();
        query.await_termination().await.unwrap();
        query
    };
    put(&world, 0..3).await;
    run().await;
    let entry = folder.join("offsets/0");
    let text = fs::read_to_string(&entry).unwrap();
    let kept = |line: &&str| !line.contains("created_at") && !line.contains("read_to");
    let less = crate::support::without_checksum(&text, |text| text.lines().filter(kept).collect());
    assert!(less.len() < text.len() - 50, "{text}");
    fs::write(&entry, less).unwrap();
    put(&world, 3..5).await;
    sleep(Duration::from_millis(5)).await;
    assert_eq!(losses(&run().await), 0);
    // Now the log has the creation time.
    remake(&world, "words", 1).await;
    put(&world, 5..8).await;
    sleep(Duration::from_millis(5)).await;
    assert_eq!(losses(&run().await), 1);
    everything(&sink, 0..8);
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_rerun_batch_keeps_its_number_and_the_ranges_of_other_streams() {
    let world = world(2).await;
    world.unbounded_table("others", 2, FROM_THE_START).await;
    let sql = "SELECT partitionKey, CAST(data AS VARCHAR) FROM words
        UNION ALL SELECT partitionKey, CAST(data AS VARCHAR) FROM others";
    let sink = Sink::default();
    let query = || {
        let query = StreamingQuery::builder(&world.ctx, sql);
        sink.of(query)
            .with_checkpoint_location("memory://remade-begun")
    };
    put(&world, 0..10).await;
    world.put("others", "k", "100").await;
    let freeze = Freeze::at(Step::OffsetsLogged, 1);
    let begun = query().with_step_hook(freeze.hook.clone());
    let begun = begun.with_trigger(Trigger::Once).start().await.unwrap();
    freeze.reached().await;
    drop(begun);
    remake(&world, "words", 2).await;
    put(&world, 10..20).await;
    let again = query().start().await.unwrap();
    again.process_all_available().await.unwrap();
    {
        let taken = sink.0.lock().unwrap();
        assert_eq!(taken[&0], ["100"], "the batch without the old stream");
    }
    let expected: Vec<_> = (10..20).chain([100]).collect();
    assert_eq!(sink.numbers(), expected);
    assert_eq!(losses(&again), 1);
    assert!(again.is_active());
}

/// Kills a run at `step` of the batch that first sees the new stream, and starts again.
async fn killed_at(step: Step, committed: bool) {
    let world = world(2).await;
    let place = format!("memory://remade-killed-{step:?}-{committed}");
    let sink = Sink::default();
    let query = || sink.of(words(&world)).with_checkpoint_location(&place);
    put(&world, 0..10).await;
    let until = if committed {
        Step::Purged
    } else {
        Step::OffsetsLogged
    };
    for (until, numbers) in [(until, 10..20), (step, 20..25)] {
        let freeze = Freeze::at(until, 1);
        let killed = query().with_step_hook(freeze.hook.clone());
        let killed = killed.start().await.unwrap();
        freeze.reached().await;
        drop(killed);
        if numbers.start == 10 {
            remake(&world, "words", 3).await;
        }
        put(&world, numbers).await;
    }
    let last = query().start().await.unwrap();
    last.process_all_available().await.unwrap();
    let old: Vec<u64> = if committed { (0..10).collect() } else { vec![] };
    let expected: Vec<u64> = old.into_iter().chain(10..25).collect();
    assert_eq!(sink.numbers(), expected, "{step:?}, {committed}");
    let batches = sink.batches();
    assert_eq!(batches, (0..batches.len() as u64).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_step_after_a_recreation_it_loses_and_repeats_nothing() {
    for step in Step::ALL {
        for committed in [false, true] {
            killed_at(step, committed).await;
        }
    }
}
