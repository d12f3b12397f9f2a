mod allowed;
mod refused;
pub(in crate::query) mod world;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::DataType;

use self::world::World;
use super::*;
use crate::error::ErrorKind;

/// The first column of the result of a plan, as sorted text.
async fn rows(state: &SessionState, plan: &LogicalPlan) -> Vec<String> {
    let plan = state.create_physical_plan(plan).await.unwrap();
    let batches = datafusion::physical_plan::collect(plan, state.task_ctx());
    let texts = |batch: &RecordBatch| {
        let column = datafusion::arrow::compute::cast(batch.column(0), &DataType::Utf8).unwrap();
        let texts = column.as_string::<i32>().iter();
        let texts = texts.map(|text| text.unwrap_or("null").to_owned());
        texts.collect::<Vec<_>>()
    };
    let mut rows: Vec<String> = batches.await.unwrap().iter().flat_map(texts).collect();
    rows.sort();
    rows
}

#[tokio::test(start_paused = true)]
async fn a_batch_reads_only_its_ranges() {
    let world = World::new().await;
    world.put("words", "a").await;
    let plan = world.streaming("SELECT data FROM words").await.unwrap();
    let read = |reads| {
        let batch = plan.for_batch(&[reads]).unwrap();
        let state = world.ctx.state();
        async move { rows(&state, &batch.plan).await }
    };
    assert_eq!(read(world.all()).await, ["a"]);
    assert!(read(Arc::default()).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_unbounded_table_is_one_source() {
    let world = World::new().await;
    let sql = "SELECT data FROM words UNION ALL SELECT data FROM clicks AS c UNION ALL
         SELECT data FROM words AS again";
    let plan = world.streaming(sql).await.unwrap();
    let names: Vec<_> = plan
        .sources
        .iter()
        .map(|source| source.name.as_str())
        .collect();
    assert_eq!(names, ["words", "clicks"]);
    let streams = plan
        .sources
        .iter()
        .map(|source| source.table().options().stream.to_string());
    assert_eq!(streams.collect::<Vec<_>>(), ["words", "clicks"]);

    world.put("words", "a").await;
    world.put("clicks", "b").await;
    let batch = plan.for_batch(&[world.all(), world.all()]).unwrap();
    assert_eq!(rows(&world.ctx.state(), &batch.plan).await, ["a", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn only_used_columns_are_fetched() {
    let world = World::new().await;
    let none = RecordColumns::DATA_ONLY;
    let (key, number) = (
        RecordColumns {
            partition_key: true,
            ..none
        },
        RecordColumns {
            sequence_number: true,
            ..none
        },
    );
    for (sql, expected) in [
        ("SELECT * FROM words", RecordColumns::ALL),
        ("SELECT data FROM words", none),
        ("SELECT shardId, streamName FROM words", none),
        ("SELECT data FROM words WHERE partitionKey = 'x'", key),
        (
            "SELECT data FROM words WHERE false OR sequenceNumber > '1'",
            number,
        ),
        (
            "SELECT data FROM words WHERE approximateArrivalTimestamp > '2023-01-01T00:00:00Z'",
            RecordColumns {
                arrival: true,
                ..none
            },
        ),
        // A condition on the time may become true later.
        (
            "SELECT data FROM words WHERE now() < '2000-01-01' AND partitionKey = 'x'",
            key,
        ),
        (
            "SELECT partitionKey FROM words UNION ALL SELECT sequenceNumber FROM words",
            RecordColumns {
                partition_key: true,
                ..number
            },
        ),
        (
            "INSERT INTO sink (partitionKey, data) SELECT 'k', data FROM words",
            none,
        ),
    ] {
        let plan = world.streaming(sql).await.unwrap();
        assert_eq!(plan.sources[0].columns, expected, "{sql}");
    }
}

#[tokio::test(start_paused = true)]
async fn now_returns_the_time_of_the_batch() {
    let world = World::new().await;
    world.put("words", "a").await;
    let plan = world
        .streaming("SELECT CAST(now() AS VARCHAR) FROM words")
        .await
        .unwrap();
    let batch = plan.for_batch(&[world.all()]).unwrap();
    for (time, expected) in [
        (0, "1970-01-01T00:00:00"),
        (1_700_000_000_120, "2023-11-14T22:13:20.12"),
    ] {
        let state = state_at(&world.ctx.state(), UnixMillis(time));
        let given = rows(&state, &batch.plan).await;
        assert!(given[0].starts_with(expected), "{given:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_describes_its_target_and_schema() {
    let world = World::new().await;
    let columns = |plan: &StreamingPlan| {
        let schema = plan.schema();
        let names = schema.fields().iter().map(|field| field.name().clone());
        names.collect::<Vec<_>>()
    };
    let select = world
        .streaming("SELECT data, 1 AS one FROM words")
        .await
        .unwrap();
    assert!(!select.inserts());
    assert_eq!(select.sink(), "Rows");
    assert_eq!(columns(&select), ["data", "one"]);
    let insert = "INSERT INTO sink (partitionKey, data) SELECT 'k', data FROM words";
    let insert = world.streaming(insert).await.unwrap();
    assert!(insert.inserts());
    assert_eq!(insert.sink(), "KinesisSink[sink]");
    assert!(columns(&insert).contains(&"partitionKey".to_owned()));
    let insert = "INSERT INTO names SELECT partitionKey, data FROM words";
    assert_eq!(
        world.streaming(insert).await.unwrap().sink(),
        "Table[names]"
    );
}

#[tokio::test(start_paused = true)]
async fn a_statement_streams_if_running_it_reads_an_unbounded_table() {
    let world = World::new().await;
    for (sql, expected) in [
        ("SELECT * FROM words", true),
        (
            "SELECT count(*) FROM names WHERE key IN (SELECT partitionKey FROM words)",
            true,
        ),
        ("INSERT INTO sink (data) SELECT data FROM w", true),
        ("CREATE TABLE t AS SELECT * FROM words", true),
        ("SELECT * FROM names", false),
        ("SELECT * FROM bounded", false),
        ("INSERT INTO sink (data) SELECT data FROM bounded", false),
        ("INSERT INTO words (data) VALUES ('a')", false),
        ("EXPLAIN SELECT * FROM words", false),
        ("EXPLAIN ANALYZE SELECT * FROM words", false),
        ("CREATE VIEW v AS SELECT * FROM words", false),
        ("DESCRIBE words", false),
        ("SET datafusion.execution.batch_size = 10", false),
        ("DROP TABLE words", false),
    ] {
        assert_eq!(
            is_streaming(&world.ctx, sql).await.unwrap(),
            expected,
            "{sql}"
        );
    }
    let error = is_streaming(&world.ctx, "SELECT nothing FROM words")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.to_string().contains("nothing"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_table_is_still_read_by_its_query() {
    let world = World::new().await;
    world.put("words", "a").await;
    let plan = world.streaming("SELECT data FROM words").await.unwrap();
    world.run("DROP VIEW w").await;
    world.run("DROP TABLE words").await;
    let batch = plan.for_batch(&[world.all()]).unwrap();
    assert_eq!(rows(&world.ctx.state(), &batch.plan).await, ["a"]);
}
