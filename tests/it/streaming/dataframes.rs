//! Queries that are defined by a DataFrame or a logical plan, and resume after a restart.

use super::recreated_stream::put;
use super::*;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{cast, ident};
use datafusion::prelude::{DataFrame, lit};
use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::model::{OutputMode, Trigger};

/// Keys and numbers of `words`, without the key 'x'.
async fn frame(world: &World) -> DataFrame {
    let words = world.ctx.table("words").await.unwrap();
    let rows = words.filter(ident("partitionKey").not_eq(lit("x")));
    let number = cast(ident("data"), DataType::Utf8).alias("number");
    let columns = vec![ident("partitionKey"), number];
    rows.unwrap().select(columns).unwrap()
}

async fn run(builder: StreamingQueryBuilder, place: &str) {
    let query = available(builder, place).start().await.unwrap();
    query.await_termination().await.unwrap();
}

fn available(builder: StreamingQueryBuilder, place: &str) -> StreamingQueryBuilder {
    builder
        .with_trigger(Trigger::AvailableNow)
        .with_checkpoint_location(place)
        .as_in_another_process()
}

#[tokio::test(start_paused = true)]
async fn a_dataframe_resumes_after_a_restart() {
    let (world, sink) = (world(2).await, Sink::default());
    let place = "memory://dataframe-resumes";
    for numbers in [0..10, 10..20, 20..25] {
        put(&world, numbers).await;
        world.put("words", "x", "1000").await;
        let query = StreamingQuery::builder_from_dataframe(&world.ctx, frame(&world).await);
        run(sink.of(query), place).await;
    }
    assert_eq!(sink.numbers(), (0..25).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_grouped_dataframe_keeps_its_counts_over_a_restart() {
    let (world, sink) = (world(1).await, Sink::default());
    let place = "memory://dataframe-counts";
    for _ in 0..2 {
        put(&world, 0..10).await;
        let counts = frame(&world)
            .await
            .aggregate(
                vec![lit("all").alias("key")],
                vec![count(lit(1)).alias("n")],
            )
            .unwrap();
        let query = StreamingQuery::builder_from_dataframe(&world.ctx, counts)
            .with_output_mode(OutputMode::Update);
        run(sink.of(query), place).await;
    }
    assert_eq!(sink.numbers(), [10, 20]);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_inserts_into_a_stream_resumes_after_a_restart() {
    let world = world(1).await;
    for _ in 0..2 {
        put(&world, 0..10).await;
        let insert =
            "INSERT INTO out (\"partitionKey\", data) SELECT \"partitionKey\", data FROM words";
        let state = world.ctx.state();
        let insert = state.create_logical_plan(insert).await.unwrap();
        let query = StreamingQuery::builder_from_plan(&world.ctx, insert);
        run(query, "memory://plan-inserts").await;
    }
    let count = world.run("SELECT count(*) AS rows FROM out").await;
    assert!(count.contains("| 20 "), "{count}");
}

#[tokio::test(start_paused = true)]
async fn another_plan_is_refused_until_it_is_accepted() {
    let (world, sink) = (world(1).await, Sink::default());
    let place = "memory://dataframe-changes";
    put(&world, 0..10).await;
    let query = |frame| StreamingQuery::builder_from_dataframe(&world.ctx, frame);
    run(sink.of(query(frame(&world).await)), place).await;
    put(&world, 10..20).await;
    let changed = || async {
        let condition = ident("partitionKey").not_eq(lit("y"));
        frame(&world).await.filter(condition).unwrap()
    };
    let by_sql = words(&world);
    for refused in [query(changed().await), by_sql] {
        let start = available(sink.of(refused), place).start().await;
        let error = start.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
        assert!(error.to_string().contains("LogicalPlan: "), "{error}");
    }
    let accepted = query(changed().await).accept_changed_query();
    run(sink.of(accepted), place).await;
    assert_eq!(sink.numbers(), (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_plain_statement_grouped_by_tumble_emits_closed_windows() {
    let (world, sink) = (world(1).await, Sink::default());
    world
        .run("SET streaming.watermark_delay = '0 seconds'")
        .await;
    let tumble = "tumble(\"approximateArrivalTimestamp\", INTERVAL '1 minute')";
    let statement = format!("SELECT {tumble} AS start, count(*) AS n FROM words GROUP BY {tumble}");
    for numbers in [0..10, 10..11, 11..12] {
        put(&world, numbers).await;
        let counts = world.ctx.sql(&statement).await.unwrap();
        let query = StreamingQuery::builder_from_dataframe(&world.ctx, counts);
        run(sink.of(query), "memory://dataframe-tumble").await;
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }
    assert!(sink.numbers().contains(&10), "{:?}", sink.numbers());
}
