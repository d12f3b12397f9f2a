//! `kinesis.sink.partitionKey` and `kinesis.sink.explicitHashKey`: what is refused, when, and with which words.

use datafusion_kinesis::ErrorKind;

use crate::support::World;

fn statement(option: &str, value: &str) -> String {
    let value = value.replace('\'', "''");
    format!(
        "CREATE EXTERNAL TABLE out (id BIGINT, a VARCHAR) STORED AS \"aws-kinesis\" LOCATION 'raw'
         OPTIONS ('kinesis.format' 'json', '{option}' '{value}')"
    )
}

#[tokio::test(start_paused = true)]
async fn an_expression_that_gives_no_key_is_refused_when_the_table_is_made() {
    let world = World::new();
    world.table("raw", 1, "").await;
    for (value, reason) in [
        ("count(*)", "has an aggregate function: "),
        ("max(id) + 1", "has an aggregate function: "),
        ("row_number() OVER ()", "has a window function: "),
        ("(SELECT 1)", "has a subquery: "),
        ("EXISTS (SELECT 1)", "has a subquery: "),
        ("id IN (SELECT 1)", "has a subquery: "),
        ("unnest([1])", "has unnest"),
        ("$1", "has a placeholder"),
        ("1/0", "Divide by zero"),
        ("CAST('a' AS INT)", "Cast error: Cannot cast string 'a'"),
        ("nope", "the table has no column 'nope', only id, a: "),
        ("out.id", "the table has no column 'out.id', only id, a: "),
        (
            "id +",
            "syntax error: Expected: an expression, found: EOF: ",
        ),
        ("*", "syntax error: "),
        ("id; SELECT 1", "syntax error: "),
        ("no_function(id)", "Invalid function 'no_function'"),
    ] {
        for (option, expected) in [
            (
                "kinesis.sink.partitionKey",
                "expected 'random', a column of the table",
            ),
            (
                "kinesis.sink.explicitHashKey",
                "expected a column of the table",
            ),
        ] {
            let (kind, message) = world.refusal(&statement(option, value)).await;
            assert_eq!(kind, ErrorKind::InvalidOption, "{value}: {message}");
            let start = format!("option '{option}' = '{value}': {reason}");
            assert!(
                message.starts_with(&start) && message.contains(expected),
                "{value}: {message}"
            );
            for raw in ["Signature", "planning:", "SQL error", "Schema error", "\n"] {
                assert!(!message.contains(raw), "{raw}: {message}");
            }
        }
    }
    for value in ["''", "NULL", "CAST(NULL AS VARCHAR)"] {
        let option = "kinesis.sink.partitionKey";
        let (_, message) = world.refusal(&statement(option, value)).await;
        assert!(
            message.contains("is NULL or empty in each row"),
            "{message}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_expression_that_fails_for_a_row_names_the_row() {
    let world = World::new();
    world.table("raw", 1, "").await;
    for option in ["kinesis.sink.partitionKey", "kinesis.sink.explicitHashKey"] {
        world.run(&statement(option, "10 / id")).await;
        let (kind, message) = world
            .refusal("INSERT INTO out VALUES (1, 'a'), (0, 'b')")
            .await;
        assert_eq!(kind, ErrorKind::InvalidRow);
        let expected = format!(
            "row 2 of 2 in its batch: the expression '10 / id' of option '{option}' fails: "
        );
        assert!(message.starts_with(&expected), "{message}");
        world.run("DROP TABLE out").await;
    }
    assert_eq!(world.number("SELECT count(*) FROM raw").await, 0);
}

#[tokio::test(start_paused = true)]
async fn constants_and_functions_are_keys() {
    let world = World::new();
    world.table("raw", 1, "").await;
    for value in ["'x'", "now()", "random()", "concat(a, '-', id)", "A"] {
        world
            .run(&statement("kinesis.sink.partitionKey", value))
            .await;
        world.run("INSERT INTO out VALUES (1, 'a')").await;
        world.run("DROP TABLE out").await;
    }
    assert_eq!(world.number("SELECT count(*) FROM raw").await, 5);
}

#[tokio::test(start_paused = true)]
async fn random_is_a_column_only_in_quotes() {
    let world = World::new();
    world.table("raw", 1, "").await;
    for (value, is_column) in [("random", false), ("RANDOM", false), ("\"random\"", true)] {
        world
            .run(&format!(
                "CREATE EXTERNAL TABLE out (random VARCHAR) STORED AS \"aws-kinesis\" LOCATION 'raw'
                 OPTIONS ('kinesis.format' 'json', 'kinesis.sink.partitionKey' '{value}')"
            ))
            .await;
        world.run("INSERT INTO out VALUES ('mine')").await;
        let mine = "SELECT count(*) FROM raw WHERE partitionKey = 'mine'";
        assert_eq!(world.number(mine).await, u64::from(is_column), "{value}");
        world.run("DROP TABLE out").await;
    }
}
