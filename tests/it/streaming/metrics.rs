//! Metrics of queries, as Prometheus reads them.

mod dashboard;
pub(crate) mod exposition;

use self::exposition::{Exposition, promtool};
use super::*;
use datafusion_kinesis::model::Trigger;
use datafusion_kinesis::monitor::{Metrics, ShardMetrics};
use datafusion_kinesis::query::StreamingQueryProgress;

fn scrape(metrics: &Metrics) -> Exposition {
    Exposition::of(&metrics.prometheus_text(ShardMetrics::UpTo100))
}

/// Waits until the listener, which has a thread of its own, has received the batches of `query`.
async fn scrape_after_batches(metrics: &Metrics, query: &StreamingQuery) -> Exposition {
    let label = query.name().unwrap_or(query.id());
    let series = format!(r#"batches_total{{query="{label}"}}"#);
    loop {
        let exposition = scrape(metrics);
        if exposition.value(&series) == Some(query.recent_progress().len() as f64) {
            return exposition;
        }
        tokio::task::yield_now().await;
    }
}

fn sum(
    progress: &[Arc<StreamingQueryProgress>],
    of: impl Fn(&StreamingQueryProgress) -> u64,
) -> f64 {
    progress.iter().map(|progress| of(progress)).sum::<u64>() as f64
}

#[tokio::test(start_paused = true)]
async fn counters_and_gauges_agree_with_progress() {
    let world = world(2).await;
    let metrics = Metrics::of(&world.ctx);
    let query = Sink::default().of(words(&world)).with_name("seen").start();
    let query = query.await.unwrap();
    for _ in 0..3 {
        world.put_numbers("words", 10).await;
        query.process_all_available().await.unwrap();
    }
    let exposition = scrape_after_batches(&metrics, &query).await;
    let progress = query.recent_progress();
    let value = |series: &str| {
        exposition
            .value(series)
            .unwrap_or_else(|| panic!("{series}"))
    };
    let words = r#"{query="seen",stream="words"}"#;
    assert_eq!(value(&format!("input_rows_total{words}")), 30.0);
    let bytes = sum(&progress, |progress| progress.sources[0].num_input_bytes);
    assert!(bytes > 30.0);
    assert_eq!(value(&format!("input_bytes_total{words}")), bytes);
    assert_eq!(value(&format!("record_age_seconds_count{words}")), 30.0);
    assert_eq!(value(&format!("lag_seconds{words}")), 0.0);
    assert_eq!(value(&format!("open_shards{words}")), 2.0);
    assert_eq!(value(&format!("throttled_calls_total{words}")), 0.0);
    assert_eq!(value(&format!("fan_out_active{words}")), 0.0);
    assert_eq!(value(r#"query_active{query="seen"}"#), 1.0);
    assert_eq!(value(r#"query_healthy{query="seen"}"#), 1.0);
    assert_eq!(value(r#"alarm_raised{query="seen",alarm="stuck"}"#), 0.0);
    let batches = progress.len() as f64;
    for phase in progress[0].durations.keys() {
        let series =
            format!(r#"batch_phase_duration_seconds_count{{query="seen",phase="{phase}"}}"#);
        match *phase {
            "triggerExecution" => assert_eq!(exposition.value(&series), None),
            _ => assert_eq!(value(&series), batches, "{phase}"),
        }
    }
    let duration: Duration = progress
        .iter()
        .map(|progress| progress.batch_duration)
        .sum();
    let counted = value(r#"batch_duration_seconds_sum{query="seen"}"#);
    assert!((counted - duration.as_secs_f64()).abs() < 1e-6, "{counted}");
    let shard = r#"{query="seen",stream="words",shard="shardId-000000000001"}"#;
    assert_eq!(value(&format!("shard_lag_seconds{shard}")), 0.0);
    query.stop().await.unwrap();

    let exposition = scrape(&metrics);
    let value = |series: &str| exposition.value(series);
    assert_eq!(value(r#"query_active{query="seen"}"#), Some(0.0));
    assert_eq!(
        value(r#"query_ends_total{query="seen",end="stopped"}"#),
        Some(1.0)
    );
    assert_eq!(
        value(r#"query_ends_total{query="seen",end="failed"}"#),
        Some(0.0)
    );
    assert_eq!(
        value(&format!("lag_seconds{words}")),
        None,
        "nobody knows any more"
    );
    assert_eq!(
        value(&format!("input_rows_total{words}")),
        Some(30.0),
        "counters stay"
    );
}

#[tokio::test(start_paused = true)]
async fn a_query_that_has_failed_is_unhealthy() {
    let world = world(1).await;
    let metrics = Metrics::of(&world.ctx);
    let failing = "SELECT 1 / (CAST(CAST(data AS VARCHAR) AS BIGINT) - 3) FROM words";
    let failing = StreamingQuery::builder(&world.ctx, failing).with_name("failing");
    let failing =
        failing.foreach_batch(|_, rows| async { rows.try_for_each(|_| async { Ok(()) }).await });
    let query = failing.start().await.unwrap();
    world.put_numbers("words", 5).await;
    query.await_termination().await.unwrap_err();
    let exposition = scrape(&metrics);
    for (series, expected) in [
        (r#"query_active{query="failing"}"#, 0.0),
        (r#"query_healthy{query="failing"}"#, 0.0),
        (r#"alarm_raised{query="failing",alarm="failed"}"#, 1.0),
        (r#"alarm_raised{query="failing",alarm="lag"}"#, 0.0),
        (r#"query_ends_total{query="failing",end="failed"}"#, 1.0),
    ] {
        assert_eq!(exposition.value(series), Some(expected), "{series}");
    }
}

#[tokio::test(start_paused = true)]
async fn counters_go_on_over_restarts() {
    let world = world(1).await;
    let metrics = Metrics::of(&world.ctx);
    for run in 1..=3 {
        world.put_numbers("words", 5).await;
        let query = Sink::default().of(words(&world)).with_name("again");
        let query = query.with_checkpoint_location("memory://metrics/again");
        let query = query
            .with_trigger(Trigger::AvailableNow)
            .start()
            .await
            .unwrap();
        query.await_termination().await.unwrap();
        let exposition = scrape(&metrics);
        let value = |series: &str| exposition.value(series);
        let runs = f64::from(run);
        assert_eq!(value(r#"query_starts_total{query="again"}"#), Some(runs));
        assert_eq!(
            value(r#"query_ends_total{query="again",end="finished"}"#),
            Some(runs)
        );
        let rows = value(r#"input_rows_total{query="again",stream="words"}"#);
        assert_eq!(rows, Some(runs * 5.0));
        assert_eq!(exposition.count("query_info"), 1, "of the newest run");
    }
}

#[tokio::test(start_paused = true)]
async fn shards_have_metrics_unless_there_are_many() {
    let world = world(101).await;
    let metrics = Metrics::of(&world.ctx);
    let query = Sink::default().of(words(&world)).start().await.unwrap();
    query.process_all_available().await.unwrap();
    let few = scrape(&metrics);
    assert_eq!(few.count("shard_lag_seconds"), 0);
    assert_eq!(few.count("lag_seconds"), 1);
    let all = Exposition::of(&metrics.prometheus_text(ShardMetrics::All));
    assert_eq!(all.count("shard_lag_seconds"), 101);
    query.stop().await.unwrap();
}

/// A session with a GROUP BY, a query whose name needs escapes, and one that decodes documents. All have read
/// something. `test` is where the checkpoint is.
async fn some_queries(test: &str) -> (World, Metrics, [StreamingQuery; 3]) {
    let world = world(2).await;
    let metrics = Metrics::of(&world.ctx);
    let name = "a \"quoted\" \\ <b>name</b>\nof two lines";
    let plain = StreamingQuery::builder(
        &world.ctx,
        "INSERT INTO out (\"partitionKey\", data) SELECT \"partitionKey\", data FROM words",
    );
    let plain = plain.with_checkpoint_location(format!("memory://metrics/{test}"));
    let plain = plain.with_name(name).start().await.unwrap();
    let grouped = StreamingQuery::builder(
        &world.ctx,
        "SELECT \"partitionKey\", CAST(count(*) AS VARCHAR) FROM words \
         GROUP BY \"partitionKey\", tumble(\"approximateArrivalTimestamp\", INTERVAL '1 minute')",
    );
    let grouped = Sink::default().of(grouped).with_name("grouped");
    let grouped = grouped.with_watermark(Duration::from_secs(10), None);
    let grouped = grouped.start().await.unwrap();
    world
        .run(&format!(
            "CREATE UNBOUNDED EXTERNAL TABLE documents (a BIGINT) STORED AS \"aws-kinesis\" LOCATION 'words' \
             OPTIONS ({FROM_THE_START}, 'kinesis.format' 'json', 'kinesis.format.onError' 'skip')"
        ))
        .await;
    let decoding = "SELECT a, CAST(a AS VARCHAR) FROM documents";
    let decoding = StreamingQuery::builder(&world.ctx, decoding);
    let decoding = Sink::default().of(decoding).start().await.unwrap();
    world.put_numbers("words", 20).await;
    let queries = [plain, grouped, decoding];
    for query in &queries {
        // Rates need a second batch.
        query.process_all_available().await.unwrap();
        world.put_numbers("words", 1).await;
        query.process_all_available().await.unwrap();
    }
    for query in &queries[1..] {
        scrape_after_batches(&metrics, query).await;
    }
    (world, metrics, queries)
}

#[tokio::test(start_paused = true)]
async fn the_text_is_what_prometheus_expects() {
    let (_world, metrics, queries) = some_queries("text").await;
    let text = metrics.prometheus_text(ShardMetrics::All);
    let exposition = Exposition::of(&text);
    assert_eq!(
        exposition.value(r#"state_rows{query="grouped"}"#),
        Some(20.0)
    );
    assert!(exposition.value(r#"state_bytes{query="grouped"}"#) > Some(0.0));
    assert_eq!(
        exposition.value(r#"late_rows_total{query="grouped"}"#),
        Some(0.0)
    );
    let escaped = r#"query_active{query="a \"quoted\" \\ <b>name</b>\nof two lines"}"#;
    assert_eq!(exposition.value(escaped), Some(1.0));
    match promtool(&["check", "metrics"], &text) {
        Some((true, complaints)) if complaints.is_empty() => {}
        Some((_, complaints)) => panic!("promtool: {complaints}"),
        None => crate::support::skipped("the text is what prometheus expects", "no promtool"),
    }
    for query in queries {
        query.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_dashboard_finds_what_the_exporter_shows() {
    let (_world, metrics, queries) = some_queries("dashboard").await;
    let text = metrics.prometheus_text(ShardMetrics::All);
    dashboard::check_names(&text);
    dashboard::evaluate(&text);
    for query in queries {
        query.stop().await.unwrap();
    }
}
