//! Statements that cannot run say in words of this crate what there is instead.

use std::sync::Arc;

use datafusion_kinesis::{ErrorKind, sql};

use crate::support::World;

async fn world() -> World {
    let world = World::new();
    world.table("words", 1, "").await;
    world.put("words", "a", "12").await;
    world
}

/// Why `statement` is refused.
async fn refused(world: &World, statement: &str) -> (ErrorKind, String) {
    let (kind, message) = world.refusal(statement).await;
    for engine in ["Internal error", "bug", "filing", "RuntimeEnv"] {
        assert!(!message.contains(engine), "{statement}: {message}");
    }
    (kind, message)
}

#[tokio::test(start_paused = true)]
async fn formats_and_places_of_files_that_are_not_there_say_what_is() {
    let world = world().await;
    for format in ["PARQUET", "AVRO", "KAFKA"] {
        let create =
            format!("CREATE EXTERNAL TABLE f (v VARCHAR) STORED AS {format} LOCATION '/f/'");
        let (kind, message) = refused(&world, &create).await;
        assert_eq!(kind, ErrorKind::Unsupported, "{create}");
        for part in [format, "CSV", "JSON", "aws-kinesis", "table 'f'"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
    for scheme in ["s3", "gs", "https"] {
        for statement in [
            format!(
                "CREATE EXTERNAL TABLE f (v VARCHAR) STORED AS CSV LOCATION '{scheme}://bucket/out/'"
            ),
            format!("CREATE EXTERNAL TABLE f STORED AS JSON LOCATION '{scheme}://bucket/out/'"),
            format!("COPY (SELECT 1 AS x) TO '{scheme}://bucket/x.csv'"),
        ] {
            let (kind, message) = refused(&world, &statement).await;
            assert_eq!(kind, ErrorKind::Unsupported, "{statement}");
            for part in [
                format!("{scheme}://"),
                "file:///".to_owned(),
                "register_object_store".to_owned(),
            ] {
                assert!(message.contains(&part), "{part}: {message}");
            }
        }
    }
    let (_, message) = refused(&world, "COPY (SELECT 1 AS x) TO '/tmp/x.parquet'").await;
    assert!(message.contains("parquet"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_place_that_the_program_has_given_a_store_is_taken() {
    let world = world().await;
    let url = url::Url::parse("s3://bucket").unwrap();
    let store = Arc::new(object_store::memory::InMemory::new());
    world.ctx.register_object_store(&url, store);
    world
        .run("CREATE EXTERNAL TABLE f (v VARCHAR) STORED AS CSV LOCATION 's3://bucket/out/'")
        .await;
    world.run("INSERT INTO f VALUES ('x')").await;
    assert_eq!(world.lines("SELECT v FROM f").await, ["x"]);
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
