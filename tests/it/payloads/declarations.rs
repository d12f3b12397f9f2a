//! Column lists: parts that would have no effect are refused, and names that differ only in case are kept apart.

use datafusion::prelude::SessionContext;
use datafusion_kinesis::{Error, ErrorKind, Services, register_with};

use super::{clicks, decoded};
use crate::support::World;

/// The refusal of a JSON table with these columns.
async fn refusal(world: &World, columns: &str, options: &str) -> (ErrorKind, String) {
    let statement = format!(
        "CREATE EXTERNAL TABLE t ({columns}) STORED AS \"aws-kinesis\" LOCATION 'raw' OPTIONS ({options})"
    );
    world.refusal(&statement).await
}

const JSON: &str = "'kinesis.format' 'json'";

#[tokio::test(start_paused = true)]
async fn constraints_and_defaults_are_refused() {
    let world = clicks(&[]).await;
    for (columns, part) in [
        (
            "id BIGINT, n INT DEFAULT 5",
            "DEFAULT 5 for column 'n': a field that a document lacks is NULL; remove DEFAULT, and read \
             coalesce(\"n\", 5)",
        ),
        ("id BIGINT PRIMARY KEY", "PRIMARY KEY (id): "),
        ("id BIGINT CONSTRAINT x PRIMARY KEY", "PRIMARY KEY (id): "),
        (
            "id BIGINT, n INT, PRIMARY KEY (id, n)",
            "PRIMARY KEY (id, n): nothing checks the records of a stream",
        ),
        ("id BIGINT UNIQUE", "UNIQUE (id): "),
        ("id BIGINT, UNIQUE (id)", "UNIQUE (id): "),
        ("id BIGINT CHECK (id > 0)", "CHECK (id > 0)"),
        ("id BIGINT, CHECK (id > 0)", "CHECK (id > 0)"),
        ("id BIGINT REFERENCES x(id)", "REFERENCES x (id)"),
        (
            "id BIGINT, FOREIGN KEY (id) REFERENCES x(id)",
            "FOREIGN KEY (id) REFERENCES x(id)",
        ),
        ("id VARCHAR COLLATE de", "COLLATE de"),
        (
            "id BIGINT, c CHAR(3)",
            "CHAR(3) for column 'c': its length would have no effect; expected VARCHAR",
        ),
        ("c CHAR", "CHAR for column 'c'"),
        ("c VARCHAR(10)", "VARCHAR(10) for column 'c'"),
        ("c VARCHAR(10)[]", "VARCHAR(10) for column 'c'"),
        (
            "c STRUCT<a INT, b VARCHAR(10)>",
            "VARCHAR(10) for column 'c'",
        ),
        (
            "c FLOAT(53)",
            "FLOAT(53) for column 'c': its length would have no effect; expected REAL or DOUBLE PRECISION",
        ),
        ("id BIGINT GENERATED ALWAYS AS IDENTITY", "GENERATED ALWAYS"),
    ] {
        let (kind, message) = refusal(&world, columns, JSON).await;
        assert_eq!(kind, ErrorKind::Unsupported, "{columns}: {message}");
        assert!(
            message.starts_with("table 't' does not support ") && message.contains(part),
            "{columns}: {message}"
        );
    }
    decoded(
        &world,
        "t",
        "(id BIGINT NULL COMMENT 'the number', f FLOAT, v VARCHAR)",
        "",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn plain_datafusion_refuses_them_too() {
    let world = clicks(&[]).await;
    let ctx = SessionContext::new();
    register_with(&ctx, Services::fixed(world.kinesis));
    for column in [
        "id BIGINT DEFAULT 5",
        "id BIGINT PRIMARY KEY",
        "id BIGINT UNIQUE",
    ] {
        let statement = format!(
            "CREATE EXTERNAL TABLE t ({column}) STORED AS \"aws-kinesis\" LOCATION 'raw' OPTIONS ({JSON})"
        );
        let error = ctx.sql(&statement).await.map(drop).unwrap_err();
        let ours = Error::find_in(&error).unwrap();
        assert_eq!(ours.kind(), ErrorKind::Unsupported, "{column}: {ours}");
    }
}

#[tokio::test(start_paused = true)]
async fn fields_of_a_struct_have_different_names() {
    let world = clicks(&[]).await;
    for (columns, path) in [
        ("s STRUCT<x INT, X INT>", "s.x"),
        ("s STRUCT<x INT, y INT, \"x\" VARCHAR>", "s.x"),
        ("s STRUCT<t STRUCT<x INT, x INT>[]>[]", "s.t.x"),
    ] {
        for options in [JSON, "'kinesis.format' 'avro'"] {
            let (kind, message) = refusal(&world, columns, options).await;
            assert_eq!(kind, ErrorKind::InvalidOption, "{columns}: {message}");
            let expected = format!("duplicate field '{path}'");
            assert!(message.starts_with(&expected), "{columns}: {message}");
        }
    }
    // The fields of these schemas are found in any case, so two columns would share one.
    let avro = "'kinesis.format' 'avro'";
    for (columns, path) in [
        ("\"x\" INT, \"X\" INT", "column 'X'"),
        ("s STRUCT<\"x\" INT, \"X\" INT>", "field 's.X'"),
    ] {
        let (_, message) = refusal(&world, columns, avro).await;
        let expected = format!("{path} differs from ");
        assert!(message.starts_with(&expected), "{columns}: {message}");
    }
}

#[tokio::test(start_paused = true)]
async fn names_that_differ_only_in_case_take_only_their_own_fields() {
    let world = clicks(&[
        r#"{"x":1,"X":2,"s":{"x":1,"X":2}}"#,
        r#"{"x":1,"s":{"x":1}}"#,
        r#"{"X":2,"s":{"X":2}}"#,
    ])
    .await;
    let columns = "(\"x\" INT, \"X\" INT, s STRUCT<\"x\" INT, \"X\" INT>)";
    decoded(
        &world,
        "t",
        columns,
        ", 'kinesis.extraColumns' 'partitionKey AS pk'",
    )
    .await;
    for (column, expected) in [
        ("\"x\"", ["1", "1", ""]),
        ("\"X\"", ["2", "", "2"]),
        ("s['x']", ["1", "1", ""]),
        ("s['X']", ["2", "", "2"]),
    ] {
        // Whatever columns are read.
        for more in ["pk", "\"x\"", "\"X\"", "\"x\", \"X\", s"] {
            let rows = world
                .lines(&format!(
                    "SELECT {column} AS v, {more} FROM (SELECT * FROM t ORDER BY pk)"
                ))
                .await;
            assert_eq!(rows, expected, "{column}, {more}");
        }
    }
}
