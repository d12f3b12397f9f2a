//! Unsupported statements are refused with advice in this crate's words.

use std::sync::Arc;

use datafusion_kinesis::{ErrorKind, sql};

use crate::support::World;

async fn world() -> World {
    let world = World::new();
    world.table("words", 1, "").await;
    world.put("words", "a", "12").await;
    world
}

/// Error kind and message for `statement`.
async fn refused(world: &World, statement: &str) -> (ErrorKind, String) {
    let (kind, message) = world.refusal(statement).await;
    for engine in ["Internal error", "bug", "filing", "RuntimeEnv"] {
        assert!(!message.contains(engine), "{statement}: {message}");
    }
    (kind, message)
}

#[tokio::test(start_paused = true)]
async fn functions_on_data_explain_that_it_is_binary() {
    let world = world().await;
    for call in [
        "sum(data)",
        "avg(data)",
        "median(data)",
        "substr(data, 1, 1)",
        "upper(data)",
        "split_part(data, ',', 1)",
        "date_trunc('hour', data)",
        "approx_percentile_cont(data, 0.5)",
        "stddev(data)",
        "data + 1",
        "data > 5",
    ] {
        let (kind, message) = refused(&world, &format!("SELECT {call} FROM words")).await;
        assert_eq!(kind, ErrorKind::InvalidOption, "{call}");
        assert!(
            message.contains("CAST(data AS VARCHAR)"),
            "{call}: {message}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_cast_of_bytes_to_a_number_suggests_a_working_cast() {
    let world = world().await;
    for (written, wanted) in [
        ("CAST(data AS INT)", "CAST(CAST(data AS VARCHAR) AS INT)"),
        ("data::bigint", "CAST(CAST(data AS VARCHAR) AS BIGINT)"),
        (
            "TRY_CAST(data AS DOUBLE)",
            "CAST(CAST(data AS VARCHAR) AS DOUBLE)",
        ),
        (
            "CAST(data AS TIMESTAMP)",
            "CAST(CAST(data AS VARCHAR) AS TIMESTAMP)",
        ),
    ] {
        for statement in [
            format!("SELECT {written} FROM words"),
            format!("SELECT 1 FROM words WHERE {written} IS NULL"),
            format!("SELECT * FROM (SELECT max({written}) FROM words)"),
        ] {
            let (kind, message) = refused(&world, &statement).await;
            assert_eq!(kind, ErrorKind::InvalidOption, "{statement}");
            assert!(message.contains(wanted), "{statement}: {message}");
        }
    }
    let cast = "SELECT CAST(CAST(data AS VARCHAR) AS INT) AS n FROM words";
    assert_eq!(world.lines(cast).await, ["12"]);
}

#[tokio::test(start_paused = true)]
async fn octet_length_accepts_bytes_and_text() {
    let world = world().await;
    world
        .run("INSERT INTO words (partitionKey, data) VALUES ('b', X'ff00ff')")
        .await;
    let lengths = "SELECT octet_length(data) AS n FROM words ORDER BY n";
    assert_eq!(world.lines(lengths).await, ["2", "3"]);
    for (expr, length) in [
        ("'Ångström'", "10"),
        ("X'ff'", "1"),
        ("CAST(NULL AS BYTEA)", ""),
        ("encode(X'ff', 'hex')", "2"),
    ] {
        let sql = format!("SELECT octet_length({expr})");
        assert_eq!(world.lines(&sql).await, [length], "{sql}");
    }
}

#[tokio::test(start_paused = true)]
async fn functions_of_other_systems_get_an_alternative() {
    let world = world().await;
    let text = "CAST(data AS VARCHAR)";
    for call in [
        format!("from_json({text})"),
        format!("get_json_object({text}, '$.a')"),
        format!("json_value({text}, '$.a')"),
        format!("json_extract({text}, '$.a')"),
        format!("json_query({text}, '$.a')"),
        format!("CAST({text} AS JSON)"),
        "data['a']".to_owned(),
    ] {
        let (kind, message) = refused(&world, &format!("SELECT {call} FROM words")).await;
        assert_eq!(kind, ErrorKind::Unsupported, "{call}");
        assert!(message.contains("json_get_int"), "{call}: {message}");
    }
    for call in [
        "gunzip(data)",
        "decompress(data, 'gzip')",
        "zip_decompress(data)",
    ] {
        let (_, message) = refused(&world, &format!("SELECT {call} FROM words")).await;
        assert!(message.contains("register_udf"), "{call}: {message}");
    }
    let ts = "approximateArrivalTimestamp";
    for statement in [
        format!("SELECT count(*) FROM words GROUP BY window({ts}, '1 minute')"),
        format!(
            "SELECT count(*) FROM TABLE(TUMBLE(TABLE words, DESCRIPTOR({ts}), INTERVAL '1' MINUTE))"
        ),
        format!("SELECT count(*) FROM tumble(words, {ts}, INTERVAL '1 minute')"),
        format!("SELECT tumble({ts}, INTERVAL '1 minute'), count(*) FROM words GROUP BY 1"),
        "SELECT window_start, count(*) FROM words GROUP BY 1".to_owned(),
        "SELECT window_end, count(*) FROM words GROUP BY window_end".to_owned(),
    ] {
        let (_, message) = refused(&world, &statement).await;
        assert!(
            message.contains("GROUP BY tumble("),
            "{statement}: {message}"
        );
    }
}

/// The JSON advice must work as written.
#[tokio::test(start_paused = true)]
async fn the_suggested_operators_and_functions_work() {
    let world = world().await;
    let (_, message) = refused(&world, "SELECT from_json(data) FROM words").await;
    let json = r#"{"name": "Ada", "a": {"b": 36}}"#;
    world.put("words", "j", json).await;
    for (expression, value) in [
        ("data->>'name'", "Ada"),
        ("data->'a'->'b'", "36"),
        ("data ? 'name'", "true"),
        ("json_get_int(data, 'a', 'b')", "36"),
    ] {
        assert!(message.contains(expression), "{expression}: {message}");
        let sql = format!("SELECT {expression} AS v FROM words WHERE partitionKey = 'j'");
        assert_eq!(world.lines(&sql).await, [value], "{expression}");
    }
}

#[tokio::test(start_paused = true)]
async fn unsupported_file_formats_and_stores_list_the_supported_ones() {
    let world = world().await;
    for format in ["ORC", "KAFKA"] {
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
}

#[tokio::test(start_paused = true)]
async fn a_registered_object_store_is_used() {
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
async fn duplicate_column_names_are_made_unique() {
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
    // Distinct names are kept as DataFusion made them.
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
