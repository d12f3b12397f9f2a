//! Documents that cannot be parsed go to another stream, before their batch is committed.

use datafusion_kinesis::model::Trigger;
use datafusion_kinesis::query::{Step, StreamingQuery};

use crate::streaming::Freeze;
use crate::support::World;

async fn world() -> World {
    let world = World::new();
    world.table("raw", 2, "").await;
    world.table("dead", 1, "").await;
    world.table("out", 1, "").await;
    for kind in ["UNBOUNDED EXTERNAL TABLE live", "EXTERNAL TABLE clicks"] {
        world
            .run(&format!(
                "CREATE {kind} (n BIGINT) STORED AS \"aws-kinesis\" LOCATION 'raw'
                 OPTIONS ('kinesis.format' 'json', 'kinesis.startingPosition' 'TRIM_HORIZON',
                          'kinesis.format.onError' 'dead_letter', 'kinesis.format.deadLetterStream' 'dead')"
            ))
            .await;
    }
    world
}

fn copy(world: &World, location: &str) -> datafusion_kinesis::query::StreamingQueryBuilder {
    let statement = "INSERT INTO out (partitionKey, data) SELECT 'k', CAST(n AS VARCHAR) FROM live";
    let query = StreamingQuery::builder(&world.ctx, statement);
    let query = query.with_checkpoint_location(location);
    query.with_trigger(Trigger::AvailableNow)
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_has_the_document_and_where_it_comes_from() {
    let world = world().await;
    world.put("raw", "key", r#"{"n":1}"#).await;
    world.put("raw", "key", r#"{"n":"#).await;
    copy(&world, "memory://letter")
        .start()
        .await
        .unwrap()
        .await_termination()
        .await
        .unwrap();
    assert_eq!(
        world.lines("SELECT CAST(data AS VARCHAR) FROM out").await,
        ["1"]
    );
    let letter = world.lines("SELECT CAST(data AS VARCHAR) FROM dead").await;
    assert_eq!(letter.len(), 1);
    let letter: serde_json::Value = serde_json::from_str(&letter[0]).unwrap();
    let located = world
        .run("SELECT \"sequenceNumber\", \"approximateArrivalTimestamp\" FROM raw WHERE data = '{\"n\":'")
        .await;
    let sequence = letter["sequenceNumber"].as_str().unwrap();
    assert!(located.contains(sequence), "{located}");
    assert_eq!(letter["streamName"], "raw");
    assert_eq!(letter["partitionKey"], "key");
    assert_eq!(letter["data"], "eyJuIjo=");
    assert_eq!(letter["dataBytes"], 5);
    assert_eq!(letter["byte"], 5);
    assert!(
        letter["shardId"].as_str().unwrap().starts_with("shardId-"),
        "{letter}"
    );
    let reason = letter["reason"].as_str().unwrap();
    assert!(reason.starts_with("is not valid JSON: EOF"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn one_statement_puts_dead_letters_back() {
    let world = world().await;
    for n in 0..5 {
        world
            .put("raw", &format!("key-{n}"), format!("{{\"n\":{n}"))
            .await;
    }
    assert_eq!(world.number("SELECT count(*) FROM clicks").await, 0);
    world.table("fixed", 1, "").await;
    world
        .run(
            "CREATE EXTERNAL TABLE letters (partitionKey VARCHAR, data BYTEA) STORED AS \"aws-kinesis\"
             LOCATION 'dead' OPTIONS ('kinesis.format' 'json')",
        )
        .await;
    // The closing brace was missing.
    world
        .run(
            "INSERT INTO raw (partitionKey, data)
             SELECT partitionKey, CAST(data AS VARCHAR) || '}' FROM letters",
        )
        .await;
    let numbers = world.lines("SELECT n FROM clicks ORDER BY n").await;
    assert_eq!(numbers, ["0", "1", "2", "3", "4"]);
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_put_back_with_compression_and_framing() {
    let world = World::new();
    world.table("raw", 1, "").await;
    world.table("dead", 1, "").await;
    let gzip = "'kinesis.format.compression' 'gzip'";
    for (table, columns, location, options) in [
        (
            "compressed",
            "document VARCHAR",
            "raw",
            format!("'kinesis.format' 'text', 'kinesis.extraColumns' 'partitionKey', {gzip}"),
        ),
        (
            "clicks",
            "n BIGINT",
            "raw",
            format!(
                "'kinesis.format' 'json', 'kinesis.format.framing' 'array', 'kinesis.extraColumns' 'partitionKey',
                 'kinesis.format.onError' 'dead_letter', 'kinesis.format.deadLetterStream' 'dead', {gzip}"
            ),
        ),
        (
            "letters",
            "partitionKey VARCHAR, data BYTEA",
            "dead",
            "'kinesis.format' 'json'".to_owned(),
        ),
    ] {
        world
            .run(&format!(
                "CREATE EXTERNAL TABLE {table} ({columns}) STORED AS \"aws-kinesis\" LOCATION '{location}'
                 OPTIONS ({options})"
            ))
            .await;
    }
    // An element that is no object, and an array that is cut off.
    world
        .run(
            "INSERT INTO compressed (partitionKey, document)
             VALUES ('a', '[{\"n\":1},2]'), ('b', '[{\"n\":3}')",
        )
        .await;
    assert_eq!(world.lines("SELECT n FROM clicks").await, ["1"]);
    world
        .run(
            "INSERT INTO compressed (partitionKey, document)
             SELECT partitionKey, CASE WHEN document LIKE '[%' THEN document || ']'
                                       ELSE '[{\"n\":' || document || '}]' END
             FROM (SELECT partitionKey, CAST(data AS VARCHAR) AS document FROM letters)",
        )
        .await;
    let rows = world
        .lines("SELECT partitionKey || '=' || n FROM clicks ORDER BY 1")
        .await;
    assert_eq!(rows, ["a=1", "a=2", "b=3"]);
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_written_before_their_batch_is_committed() {
    let world = world().await;
    world.put("raw", "a", "bad").await;
    world.put("raw", "b", r#"{"n":2}"#).await;
    let freeze = Freeze::at(Step::Ran, 1);
    let query = copy(&world, "memory://before").with_step_hook(freeze.hook.clone());
    let query = query.start().await.unwrap();
    freeze.reached().await;
    assert_eq!(world.number("SELECT count(*) FROM dead").await, 1);
    drop(query);
    // The batch runs again: at least once.
    copy(&world, "memory://before")
        .start()
        .await
        .unwrap()
        .await_termination()
        .await
        .unwrap();
    assert_eq!(world.number("SELECT count(*) FROM dead").await, 2);
    assert_eq!(
        world
            .number("SELECT count(DISTINCT CAST(data AS VARCHAR)) FROM dead")
            .await,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn the_search_for_a_failing_row_writes_no_second_dead_letter() {
    let world = world().await;
    world.put("raw", "a", "bad").await;
    world.put("raw", "b", r#"{"n":0}"#).await;
    let (_, message) = world.refusal("SELECT 1 / n FROM clicks").await;
    assert!(message.contains("sequence number"), "{message}");
    assert_eq!(world.number("SELECT count(*) FROM dead").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_too_large_for_a_dead_letter_is_named_without_its_data() {
    let world = world().await;
    // Base64 would need a third more than the largest record.
    world.put("raw", "a", "x".repeat(900 * 1_024)).await;
    world.number("SELECT count(*) FROM clicks").await;
    let letters = world.lines("SELECT CAST(data AS VARCHAR) FROM dead").await;
    let letter: serde_json::Value = serde_json::from_str(&letters[0]).unwrap();
    assert_eq!(letter["data"], serde_json::Value::Null);
    assert_eq!(letter["dataBytes"], 900 * 1_024);
}

#[tokio::test(start_paused = true)]
async fn a_record_of_many_documents_spreads_over_several_batches() {
    let world = World::new();
    world.table("raw", 1, "").await;
    world.table("dead", 1, "").await;
    let options = "'kinesis.format' 'json', 'kinesis.format.framing' 'newline', 'kinesis.extraColumns' 'partitionKey AS pk',
        'kinesis.format.onError' 'dead_letter', 'kinesis.format.deadLetterStream' 'dead'";
    world
        .run(&format!(
            "CREATE EXTERNAL TABLE clicks (n BIGINT) STORED AS \"aws-kinesis\" LOCATION 'raw' OPTIONS ({options})"
        ))
        .await;
    let lines = |range: std::ops::Range<u64>| -> String {
        let line = |n| match n % 100 {
            7 => format!("{{\"n\":{n}\n"),
            _ => format!("{{\"n\":{n}}}\n"),
        };
        range.map(line).collect()
    };
    world.put("raw", "a", lines(0..20_000)).await;
    world.put("raw", "b", lines(20_000..20_100)).await;
    let counts = "SELECT concat_ws(',', pk, count(*), count(DISTINCT n), min(n), max(n))
        FROM clicks GROUP BY pk ORDER BY pk";
    let rows = world.lines(counts).await;
    assert_eq!(
        rows,
        ["a,19800,19800,0,19999", "b,99,99,20000,20099"],
        "{rows:?}"
    );
    assert_eq!(world.number("SELECT count(*) FROM dead").await, 201);
}

#[tokio::test(start_paused = true)]
async fn the_dead_letter_stream_is_created_with_the_stream() {
    let world = World::new();
    let create = |options: &str| {
        format!(
            "CREATE EXTERNAL TABLE clicks (n BIGINT) STORED AS \"aws-kinesis\" LOCATION 'clicks'
             OPTIONS ('kinesis.format' 'json', 'kinesis.format.onError' 'dead_letter',
                      'kinesis.format.deadLetterStream' 'dead-clicks'{options})"
        )
    };
    world.table("clicks", 1, "").await;
    world.run("DROP TABLE clicks").await;
    let (_, message) = world.refusal(&create("")).await;
    assert!(
        message.starts_with("option 'kinesis.format.deadLetterStream' = 'dead-clicks': stream 'dead-clicks' does not exist"),
        "{message}"
    );
    world
        .run(&create(
            ", 'kinesis.createStream' 'true', 'kinesis.shardCount' '2'",
        ))
        .await;
    world.put("clicks", "k", r#"{"n":"#).await;
    assert_eq!(world.number("SELECT count(*) FROM clicks").await, 0);
    world.table_again("dead", "dead-clicks", "").await;
    assert_eq!(world.number("SELECT count(*) FROM dead").await, 1);
}

/// A LIMIT ends the reading as soon as it has enough rows.
#[tokio::test(start_paused = true)]
async fn what_a_limit_counts_as_skipped_is_written() {
    let world = world().await;
    for n in 0..300 {
        let document = match n % 10 {
            0 => "{".to_owned(),
            _ => format!("{{\"n\":{n}}}"),
        };
        world.put("raw", &n.to_string(), document).await;
    }
    let mut written = 0;
    for statement in [
        "SELECT n FROM clicks LIMIT 1",
        "INSERT INTO out (partitionKey, data) SELECT 'k', CAST(n AS VARCHAR) FROM clicks LIMIT 50",
        "SELECT count(*) FROM clicks",
    ] {
        let analyzed = world.run(&format!("EXPLAIN ANALYZE {statement}")).await;
        let counted: Vec<u64> = analyzed
            .split("skipped_documents=")
            .skip(1)
            .map(|rest| {
                let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
                digits.unwrap().parse().unwrap()
            })
            .collect();
        assert!(!counted.is_empty(), "{analyzed}");
        let letters = world.number("SELECT count(*) FROM dead").await;
        assert!(
            letters - written >= counted.iter().sum(),
            "{statement}: {counted:?}"
        );
        assert!(counted.iter().sum::<u64>() > 0, "{analyzed}");
        written = letters;
    }
}
