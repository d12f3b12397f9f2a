//! Unbounded tables, which only streaming queries read.

use datafusion_kinesis::model::StartingPosition;
use datafusion_kinesis::query::StreamingQuery;
use datafusion_kinesis::{ErrorKind, KinesisTable};

use crate::support::World;

/// An unbounded table `words` of a stream with one record, and a bounded table `bounded` of the
/// same stream.
async fn world() -> World {
    let world = World::new();
    world.table("bounded", 1, "").await;
    world.put_numbers("bounded", 1).await;
    world
        .run("CREATE UNBOUNDED EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'bounded'")
        .await;
    world
}

#[tokio::test(start_paused = true)]
async fn a_bounded_read_is_refused_with_advice() {
    let world = world().await;
    world.table("out", 1, "").await;
    for statement in [
        "SELECT * FROM words",
        "SELECT count(*) FROM words",
        "SELECT data FROM words WHERE partitionKey = 'a' LIMIT 1",
        "SELECT b.data FROM bounded b JOIN words w ON b.data = w.data",
        "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words",
    ] {
        let (kind, message) = world.refusal(statement).await;
        assert_eq!(kind, ErrorKind::Unsupported, "{statement}");
        assert!(
            message.contains("'bounded'")
                && message.contains("StreamingQuery")
                && message.contains("INSERT INTO … SELECT"),
            "{message}"
        );
    }
    assert_eq!(world.number("SELECT count(*) FROM bounded").await, 1);
}

#[tokio::test(start_paused = true)]
async fn explain_shows_the_plan_of_its_batches() {
    let world = world().await;
    world.table("out", 1, "").await;
    world
        .run("CREATE VIEW early AS SELECT * FROM words WHERE partitionKey < 'b'")
        .await;
    for (statement, parts) in [
        (
            "SELECT data FROM words",
            &["TableScan: words projection=[data]"] as &[_],
        ),
        ("SELECT data FROM early", &["FilterExec: partitionKey"]),
        (
            "SELECT b.data FROM bounded b JOIN words w ON b.data = w.data",
            &["HashJoinExec", "stream=bounded, shards=1"],
        ),
        (
            "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words",
            &["KinesisSinkExec"],
        ),
    ] {
        let plan = world.run(&format!("EXPLAIN {statement}")).await;
        let read = "KinesisReadExec: stream=bounded, batch by batch, columns=[";
        for part in parts.iter().chain(&[read]) {
            assert!(plan.contains(part), "{statement}: {part}: {plan}");
        }
        assert!(!plan.contains("error"), "{statement}: {plan}");
    }
    let tree = world
        .run("EXPLAIN FORMAT TREE SELECT data FROM words")
        .await;
    assert!(tree.contains("batch by batch"), "{tree}");
    let (kind, _) = world.refusal("EXPLAIN ANALYZE SELECT * FROM words").await;
    assert_eq!(kind, ErrorKind::Unsupported);
}

const WINDOWS: &str = "SELECT window_start, count(*) FROM words
    GROUP BY tumble(approximateArrivalTimestamp, INTERVAL '1 minute')";

#[tokio::test(start_paused = true)]
async fn explain_shows_the_state_of_its_groups() {
    let world = world().await;
    world.run("SET streaming.output_mode = 'update'").await;
    let plan = world.run(&format!("EXPLAIN {WINDOWS}")).await;
    assert!(plan.contains("StateExec: mode=update"), "{plan}");
    assert!(!plan.contains("EventTime"), "{plan}");
    world.run("SET streaming.output_mode = 'append'").await;
    world
        .run("SET streaming.watermark_delay = '1 minute'")
        .await;
    for (format, parts) in [
        ("", ["StateExec: mode=append", "EventTimeExec"]),
        ("VERBOSE", ["kinesis_state", "EventTimeExec"]),
        ("FORMAT TREE", ["StateExec", "EventTimeExec"]),
        ("FORMAT PGJSON", ["kinesis_event_time", "Aggregate"]),
        ("FORMAT GRAPHVIZ", ["kinesis_event_time", "Aggregate"]),
    ] {
        let plan = world.run(&format!("EXPLAIN {format} {WINDOWS}")).await;
        for part in parts {
            assert!(plan.contains(part), "{format}: {part}: {plan}");
        }
        assert!(!plan.contains("error"), "{format}: {plan}");
    }
    world.run("SET streaming.output_mode = 'complete'").await;
    let sorted = format!("EXPLAIN {WINDOWS} ORDER BY 1");
    let plan = world.run(&sorted).await;
    assert!(
        plan.contains("StateExec: mode=complete") && plan.contains("SortExec"),
        "{plan}"
    );
}

#[tokio::test(start_paused = true)]
async fn explain_fails_where_a_start_would() {
    let world = world().await;
    for statement in [
        WINDOWS,
        "SELECT data FROM words ORDER BY data",
        "SELECT w.data FROM words w JOIN words v ON w.data = v.data",
        "CREATE TABLE t AS SELECT data FROM words",
    ] {
        let start = StreamingQuery::builder(&world.ctx, statement).start();
        let expected = Box::pin(start).await.unwrap_err();
        let (kind, message) = world.refusal(&format!("EXPLAIN {statement}")).await;
        assert_eq!(kind, expected.kind(), "{statement}");
        assert_eq!(message, expected.to_string(), "{statement}");
    }
    // A table that is only named is not read.
    world
        .run("EXPLAIN SELECT data FROM bounded ORDER BY data")
        .await;
}

#[tokio::test(start_paused = true)]
async fn it_can_be_written_like_any_table() {
    let world = world().await;
    let insert = "INSERT INTO words (partitionKey, data) VALUES ('a', 'b')";
    assert_eq!(world.number(insert).await, 1);
    assert_eq!(world.number("SELECT count(*) FROM bounded").await, 2);
}

#[tokio::test(start_paused = true)]
async fn it_starts_with_new_records_by_default() {
    let world = world().await;
    world
        .run("CREATE UNBOUNDED EXTERNAL TABLE early STORED AS \"aws-kinesis\" LOCATION 'bounded' OPTIONS ('kinesis.startingPosition' 'EARLIEST')")
        .await;
    for (name, unbounded, start) in [
        ("bounded", false, StartingPosition::TrimHorizon),
        ("words", true, StartingPosition::Latest),
        ("early", true, StartingPosition::TrimHorizon),
    ] {
        let provider = world.ctx.table_provider(name).await.unwrap();
        let table = provider.downcast_ref::<KinesisTable>().unwrap();
        assert_eq!(table.is_unbounded(), unbounded, "{name}");
        assert_eq!(*table.starting_position(), start, "{name}");
    }
}
