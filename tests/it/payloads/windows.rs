//! A declared column as event time of a streaming query.

use datafusion_kinesis::model::{OutputMode, Trigger};
use datafusion_kinesis::query::StreamingQuery;

use crate::support::World;

const CLICKS: &str = "CREATE UNBOUNDED EXTERNAL TABLE clicks
    (url VARCHAR, ts TIMESTAMP, geo STRUCT<country VARCHAR>) STORED AS \"aws-kinesis\" LOCATION 'raw'
    OPTIONS ('kinesis.format' 'json', 'kinesis.startingPosition' 'TRIM_HORIZON',
             'kinesis.format.onError' 'skip')";

#[tokio::test(start_paused = true)]
async fn windows_and_watermarks_follow_a_declared_timestamp() {
    let world = World::new();
    world.table("raw", 2, "").await;
    world.table("out", 1, "").await;
    world.run(CLICKS).await;
    world
        .run("SET streaming.watermark_delay = '10 seconds'")
        .await;
    let statement = "INSERT INTO out (partitionKey, data)
        SELECT url, CAST(window_start AS VARCHAR) || '=' || CAST(count(*) AS VARCHAR) FROM clicks
        WHERE geo['country'] = 'DE' GROUP BY tumble(ts, INTERVAL '1 minute'), url";
    let start = || {
        let query = StreamingQuery::builder(&world.ctx, statement);
        let query = query.with_checkpoint_location("memory://windows");
        let query = query.with_output_mode(OutputMode::Append);
        query.with_trigger(Trigger::AvailableNow)
    };
    for (key, minute, second, country) in [
        ("1", 0, 5, "DE"),
        ("2", 0, 50, "DE"),
        ("3", 0, 55, "FR"),
        ("4", 1, 1, "DE"),
    ] {
        let click = format!(
            r#"{{"url":"/a","ts":"2026-11-30T08:0{minute}:{second:02}Z","geo":{{"country":"{country}"}}}}"#
        );
        world.put("raw", key, click).await;
        world.put("raw", key, "not JSON").await;
    }
    let query = start().start().await.unwrap();
    query.await_termination().await.unwrap();
    let progress = query.last_progress().unwrap();
    let payload = progress.sources[0].payload.clone();
    assert!(payload.is_some(), "{progress}");
    let skipped: u64 = query
        .recent_progress()
        .iter()
        .flat_map(|batch| batch.sources[0].payload.clone())
        .map(|payload| payload.skipped_documents)
        .sum();
    assert_eq!(skipped, 4);
    // Rows of both shards move the watermark beyond the first window.
    for key in ["1", "2", "3", "4"] {
        let click = r#"{"url":"/late","ts":"2026-11-30T08:10:00Z","geo":{"country":"DE"}}"#;
        world.put("raw", key, click).await;
    }
    start()
        .start()
        .await
        .unwrap()
        .await_termination()
        .await
        .unwrap();
    let rows = world
        .lines("SELECT CAST(data AS VARCHAR) FROM out ORDER BY 1")
        .await;
    assert_eq!(rows, ["2026-11-30T08:00:00=2", "2026-11-30T08:01:00=1"]);
}

#[tokio::test(start_paused = true)]
async fn windows_hold_times_that_nanoseconds_do_not_reach() {
    for window in [
        "tumble(ts, INTERVAL '1 minute')",
        "hop(ts, INTERVAL '1 minute', INTERVAL '1 minute')",
        "date_bin(INTERVAL '1 minute', ts)",
    ] {
        let world = World::new();
        world.table("raw", 1, "").await;
        world.table("out", 1, "").await;
        world
            .run(
                "CREATE UNBOUNDED EXTERNAL TABLE clicks (ts TIMESTAMP(3)) STORED AS \"aws-kinesis\"
                 LOCATION 'raw' OPTIONS ('kinesis.format' 'json', 'kinesis.startingPosition' 'TRIM_HORIZON')",
            )
            .await;
        world.run("SET streaming.watermark_delay = '1 hour'").await;
        let start = match window.starts_with("date_bin") {
            true => window,
            false => "window_start",
        };
        let statement = format!(
            "INSERT INTO out (partitionKey, data)
             SELECT 'k', CAST({start} AS VARCHAR) || '=' || CAST(count(*) AS VARCHAR) FROM clicks GROUP BY {window}"
        );
        // Each run moves the watermark beyond the windows of the run before.
        for times in [
            ["1600-02-29T08:00:05Z", "1600-02-29T08:00:55Z"],
            ["2026-11-30T08:00:05Z", "2026-11-30T08:00:55Z"],
            ["2300-01-01T00:00:05Z", "2300-01-01T00:00:55Z"],
            ["2400-01-01T00:00:05Z", "2400-01-01T00:00:55Z"],
        ] {
            for ts in times {
                world.put("raw", "k", format!(r#"{{"ts":"{ts}"}}"#)).await;
            }
            let query = StreamingQuery::builder(&world.ctx, &statement)
                .with_checkpoint_location(format!("memory://all-years/{}", &window[..3]))
                .with_output_mode(OutputMode::Append)
                .with_trigger(Trigger::AvailableNow);
            let query = query.start().await.unwrap();
            query.await_termination().await.unwrap();
        }
        let rows = world
            .lines("SELECT CAST(data AS VARCHAR) FROM out ORDER BY 1")
            .await;
        let expected = [
            "1600-02-29T08:00:00=2",
            "2026-11-30T08:00:00=2",
            "2300-01-01T00:00:00=2",
        ];
        assert_eq!(rows, expected, "{window}");
    }
}
