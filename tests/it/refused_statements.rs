//! Statements that cannot run say in words of this crate what there is instead.

use datafusion_kinesis::sql;

use crate::support::World;

async fn world() -> World {
    let world = World::new();
    world.table("words", 1, "").await;
    world.put("words", "a", "12").await;
    world
}

#[tokio::test(start_paused = true)]
async fn columns_that_would_be_called_the_same_get_names() {
    let world = world().await;
    let x = "(SELECT partitionKey AS x FROM words)";
    for (select, rows) in [
        (format!("SELECT x, x FROM {x}"), 1),
        ("SELECT 'b', 'b'".to_owned(), 1),
        (format!("SELECT x, CAST(x AS BYTEA) FROM {x}"), 3),
        (format!("SELECT x, x FROM {x} ORDER BY x"), 6),
        (
            format!("SELECT x, x FROM {x} UNION ALL SELECT 'c', 'c'"),
            13,
        ),
    ] {
        let insert = format!("INSERT INTO words (partitionKey, data) {select}");
        assert_eq!(world.number(&insert).await, rows, "{insert}");
    }
    let repeated = format!("SELECT x, x, upper(x), x FROM {x}");
    let frame = sql(&world.ctx, &repeated);
    let frame = frame.await.unwrap();
    let names: Vec<&str> = frame
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().as_str())
        .collect();
    assert_eq!(names, ["x", "x_2", "upper(x)", "x_3"]);
    let frame = sql(
        &world.ctx,
        "SELECT CAST(data AS VARCHAR), CAST(data AS BYTEA) FROM words",
    );
    let frame = frame.await.unwrap();
    assert_eq!(frame.schema().fields().len(), 2);
    // Names that tell columns apart stay those of DataFusion.
    let frame = sql(&world.ctx, "SELECT count(*), max(data) FROM words");
    let frame = frame.await.unwrap();
    let names: Vec<&str> = frame
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().as_str())
        .collect();
    assert_eq!(names, ["count(*)", "max(words.data)"]);
}
