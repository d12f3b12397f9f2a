//! Columns of type TIMESTAMP WITH TIME ZONE.

use datafusion_kinesis::model::Trigger;
use datafusion_kinesis::query::StreamingQuery;

use crate::support::World;

/// Creates a table of the stream `raw` with these columns and options.
async fn declared(world: &World, kind: &str, columns: &str, options: &str) {
    let statement = format!(
        "CREATE {kind} ({columns}) STORED AS \"aws-kinesis\" LOCATION 'raw' OPTIONS ({options})"
    );
    world.run(&statement).await;
}

async fn world() -> World {
    let world = World::new();
    world.table("raw", 1, "").await;
    world
}

#[tokio::test(start_paused = true)]
async fn timestamps_with_a_time_zone_are_in_utc() {
    let world = world().await;
    let columns =
        "a TIMESTAMPTZ, b TIMESTAMP WITH TIME ZONE, c TIMESTAMP(3) WITH TIME ZONE, d TIMESTAMPTZ[],
        e STRUCT<at TIMESTAMPTZ>, f TIMESTAMP";
    declared(
        &world,
        "EXTERNAL TABLE t",
        columns,
        "'kinesis.format' 'json'",
    )
    .await;
    let types = "SELECT concat_ws(';', arrow_typeof(a), arrow_typeof(b), arrow_typeof(c), arrow_typeof(d[1]),
        arrow_typeof(e['at']), arrow_typeof(f)) FROM t";
    world
        .put(
            "raw",
            "k",
            r#"{"a":"2026-11-30T09:00:00.25+01:00","d":["2026-11-30T08:00:00"],"e":{"at":"2026-11-30T08:00:00Z"}}"#,
        )
        .await;
    let utc = r#"Timestamp(ns, "UTC")"#;
    let millis = r#"Timestamp(ms, "UTC")"#;
    let expected = format!("{utc};{utc};{millis};{utc};{utc};Timestamp(ns)");
    assert_eq!(world.lines(types).await, [expected]);
    let values =
        "SELECT concat_ws(';', a, d[1], e['at']) FROM t WHERE a > TIMESTAMP '2026-11-30 08:00:00'";
    assert_eq!(
        world.lines(values).await,
        ["2026-11-30T08:00:00.250Z;2026-11-30T08:00:00Z;2026-11-30T08:00:00Z"]
    );
    let described = world.run("DESCRIBE t").await;
    assert!(described.contains(r#"Timestamp(ms, "UTC")"#), "{described}");
    // Only the columns of Kinesis tables: the session is as it was.
    let cast = "SELECT arrow_typeof(CAST('2026-11-30' AS TIMESTAMPTZ))";
    assert_eq!(world.lines(cast).await, ["Timestamp(ns)"]);
}

#[tokio::test(start_paused = true)]
async fn the_time_zone_of_the_session_counts_before_utc() {
    let world = world().await;
    world
        .run("SET datafusion.execution.time_zone = 'Europe/Berlin'")
        .await;
    let options = "'kinesis.format' 'json'";
    declared(&world, "EXTERNAL TABLE t", "a TIMESTAMPTZ", options).await;
    let document = r#"{"a":"2026-11-30T08:00:00Z"}"#;
    world.put("raw", "k", document).await;
    assert_eq!(
        world
            .lines("SELECT arrow_typeof(a) || ' ' || a FROM t")
            .await,
        [r#"Timestamp(ns, "Europe/Berlin") 2026-11-30T09:00:00+01:00"#]
    );
    world.run("INSERT INTO t SELECT a FROM t").await;
    assert_eq!(
        world.lines("SELECT CAST(data AS VARCHAR) FROM raw").await,
        [document, document]
    );
}

#[tokio::test(start_paused = true)]
async fn every_format_writes_and_reads_time_zones() {
    const AVRO: &str = r#"{"type": "record", "name": "R", "fields": [
        {"name": "a", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}"#;
    let avro = format!("'kinesis.format' 'avro', 'kinesis.avro.schema' '{AVRO}'");
    for (options, written) in [
        (
            "'kinesis.format' 'json'",
            r#"{"a":"2026-11-30T08:00:00.250Z"}"#,
        ),
        (
            "'kinesis.format' 'json', 'kinesis.json.timestampFormat' 'epoch_ms'",
            r#"{"a":1796025600250}"#,
        ),
        ("'kinesis.format' 'csv'", "2026-11-30T08:00:00.250Z"),
        ("'kinesis.format' 'text'", "2026-11-30T08:00:00.250Z"),
        (&avro, ""),
    ] {
        let world = world().await;
        declared(&world, "EXTERNAL TABLE t", "a TIMESTAMPTZ", options).await;
        world
            .run("INSERT INTO t SELECT CAST('2026-11-30T09:00:00.25+01:00' AS TIMESTAMPTZ)")
            .await;
        if !written.is_empty() {
            let found = world.lines("SELECT CAST(data AS VARCHAR) FROM raw").await;
            assert_eq!(found, [written], "{options}");
        }
        let read = world
            .lines("SELECT arrow_typeof(a) || ' ' || a FROM t")
            .await;
        let expected = r#"Timestamp(ns, "UTC") 2026-11-30T08:00:00.250Z"#;
        assert_eq!(read, [expected], "{options}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timestamp_with_a_time_zone_is_event_time() {
    let world = world().await;
    world.table("out", 1, "").await;
    let options = "'kinesis.format' 'json', 'kinesis.startingPosition' 'TRIM_HORIZON'";
    declared(
        &world,
        "UNBOUNDED EXTERNAL TABLE live",
        "ts TIMESTAMPTZ",
        options,
    )
    .await;
    world
        .run("SET streaming.watermark_delay = '10 seconds'")
        .await;
    for ts in ["09:00:05+01:00", "08:00:50Z", "08:05:00Z"] {
        let document = format!(r#"{{"ts":"2026-11-30T{ts}"}}"#);
        world.put("raw", "k", document).await;
    }
    let statement = "INSERT INTO out (partitionKey, data)
        SELECT 'k', CAST(window_start AS VARCHAR) || '=' || CAST(count(*) AS VARCHAR)
        FROM live GROUP BY tumble(ts, INTERVAL '1 minute')";
    let query = StreamingQuery::builder(&world.ctx, statement)
        .with_checkpoint_location("memory://zones")
        .with_trigger(Trigger::AvailableNow);
    let query = query.start().await.unwrap();
    query.await_termination().await.unwrap();
    assert_eq!(
        world.lines("SELECT CAST(data AS VARCHAR) FROM out").await,
        ["2026-11-30T08:00:00Z=2"]
    );
}
