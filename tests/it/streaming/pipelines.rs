//! Pipelines from stream to sink.

use super::*;
use datafusion_kinesis::model::{StreamIdentity, Trigger};

const EVEN: &str = "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words
    WHERE CAST(CAST(data AS VARCHAR) AS INT) % 2 = 0";

#[tokio::test(start_paused = true)]
async fn a_filter_runs_from_stream_to_stream() {
    let world = world(3).await;
    let query = StreamingQuery::builder(&world.ctx, EVEN)
        .with_checkpoint_location("memory://pipeline")
        .start()
        .await
        .unwrap();
    world.put_numbers("words", 100).await;
    query.process_all_available().await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM out").await, 50);
    world.put("words", "k", "1000").await;
    world.put("words", "k", "1001").await;
    query.process_all_available().await.unwrap();
    let written = world.lines("SELECT CAST(data AS VARCHAR) FROM out WHERE partitionKey = 'k'");
    assert_eq!(written.await, ["1000"]);
    query.stop().await.unwrap();
    assert!(!query.is_active());
    let read: u64 = query
        .recent_progress()
        .iter()
        .map(|batch| batch.num_input_rows)
        .sum();
    assert_eq!(read, 102);
}

#[tokio::test(start_paused = true)]
async fn available_now_reads_existing_records_and_the_next_run_newer_ones() {
    let world = world(4).await;
    let run = |sink: Sink| {
        let query = sink
            .of(words(&world))
            .with_checkpoint_location("memory://available");
        async move {
            let query = query
                .with_trigger(Trigger::AvailableNow)
                .start()
                .await
                .unwrap();
            query.await_termination().await.unwrap();
            query
                .recent_progress()
                .iter()
                .map(|batch| batch.num_input_rows)
                .sum::<u64>()
        }
    };
    let sink = Sink::default();
    world.put_numbers("words", 100).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(run(sink.clone()).await, 100);
    assert_eq!(run(sink.clone()).await, 0);
    for n in 100..120 {
        world.put("words", &n.to_string(), n.to_string()).await;
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(run(sink.clone()).await, 20);
    assert_eq!(sink.numbers(), (0..120).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn available_now_respects_the_batch_cap_and_once_does_not() {
    let world = World::new();
    let options = format!("{FROM_THE_START}, 'kinesis.maxFetchRecordsPerShard' '30'");
    world.unbounded_table("words", 2, &options).await;
    world.put_numbers("words", 200).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    for trigger in [Trigger::AvailableNow, Trigger::Once] {
        let sink = Sink::default();
        let query = sink
            .of(words(&world))
            .with_trigger(trigger)
            .start()
            .await
            .unwrap();
        query.await_termination().await.unwrap();
        assert_eq!(sink.numbers(), (0..200).collect::<Vec<_>>(), "{trigger}");
        let taken = sink.0.lock().unwrap();
        let largest = taken.values().map(Vec::len).max();
        match trigger {
            Trigger::Once => assert_eq!(largest, Some(200)),
            _ => assert!(largest <= Some(60) && taken.len() >= 4, "{taken:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn once_runs_one_batch_per_generation_of_shards() {
    let world = world(1).await;
    let stream = StreamIdentity::parse("words").unwrap();
    for shards in [2, 1] {
        world.put_numbers("words", 20).await;
        let scaled = world.kinesis.update_shard_count(&stream, shards).await;
        scaled.unwrap();
    }
    world.put_numbers("words", 20).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let sink = Sink::default();
    let query = sink.of(words(&world)).with_trigger(Trigger::Once);
    let query = query.start().await.unwrap();
    query.await_termination().await.unwrap();
    let batches: Vec<_> = sink.0.lock().unwrap().values().map(Vec::len).collect();
    assert_eq!(batches, [20, 20, 20]);
}

#[tokio::test(start_paused = true)]
async fn a_periodic_trigger_collects_records_between_ticks() {
    let world = world(1).await;
    let sink = Sink::default();
    let trigger = Trigger::ProcessingTime(Duration::from_secs(10));
    let query = sink
        .of(words(&world))
        .with_trigger(trigger)
        .start()
        .await
        .unwrap();
    for n in 0..40 {
        world.put("words", "k", n.to_string()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    assert_eq!(sink.numbers(), (0..40).collect::<Vec<_>>());
    let progress = query.recent_progress();
    assert!(
        (4..=6).contains(&progress.len()),
        "{} batches",
        progress.len()
    );
    for batch in progress.iter().skip(1) {
        assert_eq!(batch.timestamp.0 % 10_000, 0, "a batch ran between ticks");
    }
}

#[tokio::test(start_paused = true)]
async fn a_trickle_is_written_as_it_arrives() {
    let world = world(2).await;
    let sink = Sink::default();
    let query = sink.of(words(&world)).start().await.unwrap();
    for n in 0..20 {
        world.put("words", &n.to_string(), n.to_string()).await;
        let put = tokio::time::Instant::now();
        query.process_all_available().await.unwrap();
        assert_eq!(sink.numbers().len(), n + 1);
        assert!(
            put.elapsed() < Duration::from_secs(3),
            "{:?}",
            put.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn now_is_the_time_of_the_batch() {
    let world = world(1).await;
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&times);
    let query = StreamingQuery::builder(&world.ctx, "SELECT now(), data FROM words")
        .foreach_batch(move |_batch, rows| {
            let seen = Arc::clone(&seen);
            async move {
                let batches: Vec<_> = rows.try_collect().await?;
                for batch in batches {
                    let times = batch.column(0);
                    let times = datafusion::common::cast::as_timestamp_nanosecond_array(times)?;
                    seen.lock().unwrap().extend(times.iter().flatten());
                }
                Ok(())
            }
        })
        .start()
        .await
        .unwrap();
    for n in 0..3 {
        world.put("words", "k", n.to_string()).await;
        query.process_all_available().await.unwrap();
        tokio::time::sleep(Duration::from_secs(7)).await;
    }
    let progress = query.recent_progress();
    let expected: Vec<i64> = progress
        .iter()
        .map(|batch| batch.timestamp.0 * 1_000_000)
        .collect();
    assert_eq!(*times.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn several_queries_run_in_parallel() {
    let world = world(2).await;
    world.unbounded_table("clicks", 2, FROM_THE_START).await;
    let sinks = [Sink::default(), Sink::default(), Sink::default()];
    let clicks = "SELECT partitionKey, CAST(data AS VARCHAR) FROM clicks";
    let both = "SELECT partitionKey, CAST(data AS VARCHAR) FROM clicks
        UNION ALL SELECT partitionKey, CAST(data AS VARCHAR) FROM words";
    let queries = [
        sinks[0].of(words(&world)),
        sinks[1].of(StreamingQuery::builder(&world.ctx, clicks)),
        sinks[2].of(StreamingQuery::builder(&world.ctx, both)),
    ];
    let starts = queries.into_iter().map(StreamingQueryBuilder::start);
    let queries = futures::future::try_join_all(starts).await.unwrap();
    world.put_numbers("words", 50).await;
    world.put_numbers("clicks", 80).await;
    for query in &queries {
        query.process_all_available().await.unwrap();
    }
    assert_eq!(
        sinks.each_ref().map(|sink| sink.numbers().len()),
        [50, 80, 130]
    );
    queries[0].stop().await.unwrap();
    assert!(queries[1].is_active() && queries[2].is_active());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_threads_and_files_give_the_same_result() {
    let world = world(4).await;
    let folder = crate::support::folder("real-threads");
    let query = StreamingQuery::builder(&world.ctx, EVEN)
        .with_checkpoint_location(folder.to_str().unwrap())
        .start()
        .await
        .unwrap();
    for round in 1..=3 {
        world.put_numbers("words", 100).await;
        query.process_all_available().await.unwrap();
        let written = world.number("SELECT count(*) FROM out").await;
        assert_eq!(written, 50 * round);
    }
    query.stop().await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}
