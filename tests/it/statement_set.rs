//! Statement sets: several INSERTs that run as one query, with paused time.

mod changed;
mod command;
mod crashes;
mod watched;

use std::collections::BTreeMap;

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::model::Trigger;
use datafusion_kinesis::query::{StreamingQuery, StreamingQueryBuilder};

use crate::grouped::fails;
use crate::streaming::FROM_THE_START;
use crate::support::World;

/// All words to `out`, those that are even to `even`, and how often each remainder was seen to `counts`.
const THREE: &str = "EXECUTE STATEMENT SET BEGIN
    INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words;
    INSERT INTO even (partitionKey, data) SELECT partitionKey, data FROM words
        WHERE CAST(CAST(data AS VARCHAR) AS INT) % 2 = 0;
    SET streaming.output_mode = 'update';
    INSERT INTO counts (partitionKey, data)
        SELECT CAST(rest AS VARCHAR), CAST(count(*) AS VARCHAR) FROM
        (SELECT CAST(CAST(data AS VARCHAR) AS INT) % 3 AS rest FROM words) GROUP BY rest;
END";

/// A world with a source stream `words`, and target streams `out`, `even` and `counts`.
async fn world(shards: u32) -> World {
    let world = World::new();
    world.unbounded_table("words", shards, FROM_THE_START).await;
    for target in ["out", "even", "counts"] {
        world.table(target, 2, "").await;
    }
    world
}

fn set(world: &World, sql: &str, place: &str) -> StreamingQueryBuilder {
    StreamingQuery::builder(&world.ctx, sql)
        .with_trigger(Trigger::AvailableNow)
        .with_checkpoint_location(place)
        .as_in_another_process()
}

/// Runs a query that ends by itself.
async fn run(query: StreamingQueryBuilder) -> StreamingQuery {
    let query = query.start().await.unwrap();
    query.await_termination().await.unwrap();
    query
}

/// The numbers in a stream, in order.
async fn numbers(world: &World, stream: &str) -> Vec<u64> {
    let rows = format!("SELECT CAST(data AS VARCHAR) FROM {stream}");
    let rows = world.lines(&rows).await;
    let mut numbers: Vec<u64> = rows.iter().map(|row| row.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// The newest count of each remainder: the largest one, because counts only grow.
async fn counts(world: &World) -> BTreeMap<String, u64> {
    let rows = "SELECT concat(partitionKey, ' ', CAST(data AS VARCHAR)) FROM counts";
    let mut newest = BTreeMap::new();
    for row in world.lines(rows).await {
        let (rest, count) = row.split_once(' ').unwrap();
        let newest: &mut u64 = newest.entry(rest.to_owned()).or_default();
        *newest = count.parse::<u64>().unwrap().max(*newest);
    }
    newest
}

fn three_counts(numbers: std::ops::Range<u64>) -> BTreeMap<String, u64> {
    let rests = numbers.map(|number| (number % 3).to_string());
    rests.fold(BTreeMap::new(), |mut counts, rest| {
        *counts.entry(rest).or_default() += 1;
        counts
    })
}

#[tokio::test(start_paused = true)]
async fn all_outputs_are_of_the_same_batches() {
    let world = world(3).await;
    let place = "memory://statement-set";
    world.put_numbers("words", 60).await;
    run(set(&world, THREE, place)).await;
    assert_eq!(numbers(&world, "out").await, (0..60).collect::<Vec<_>>());
    let even: Vec<u64> = (0..60).filter(|number| number % 2 == 0).collect();
    assert_eq!(numbers(&world, "even").await, even);
    assert_eq!(counts(&world).await, three_counts(0..60));
    // The next run goes on with offsets and state.
    for number in 60..90 {
        world.put("words", "k", number.to_string()).await;
    }
    let query = run(set(&world, THREE, place)).await;
    let read: u64 = query
        .recent_progress()
        .iter()
        .map(|batch| batch.num_input_rows)
        .sum();
    assert_eq!(read, 30, "each row is read once");
    assert_eq!(numbers(&world, "out").await, (0..90).collect::<Vec<_>>());
    assert_eq!(counts(&world).await, three_counts(0..90));
}

#[tokio::test(start_paused = true)]
async fn outputs_of_a_builder_are_the_same_query_as_a_statement_set() {
    let world = world(2).await;
    let place = "memory://statement-set-builder";
    let copy = |target: &str| {
        format!("INSERT INTO {target} (partitionKey, data) SELECT partitionKey, data FROM words")
    };
    world.put_numbers("words", 20).await;
    run(set(&world, &copy("out"), place).output(copy("even"))).await;
    let text = format!(
        "BEGIN STATEMENT SET; {}; {}; END;",
        copy("out"),
        copy("even")
    );
    let other_spelling = set(&world, &text, place).start().await.unwrap_err();
    assert_eq!(other_spelling.kind(), ErrorKind::Checkpoint);
    let text = format!(
        "execute statement set begin -- twice\n{}; {}; end;",
        copy("out"),
        copy("even")
    );
    let query = run(set(&world, &text, place)).await;
    assert_eq!(query.recent_progress().len(), 0, "everything was read");
    for target in ["out", "even"] {
        assert_eq!(numbers(&world, target).await, (0..20).collect::<Vec<_>>());
    }
    let more = set(&world, &text, place).output(copy("counts"));
    let error = fails(more).await;
    assert!(error.to_string().contains("into the set"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn statements_of_a_set_may_read_different_streams_views_and_files() {
    let world = world(2).await;
    world.unbounded_table("more", 1, FROM_THE_START).await;
    world
        .run("CREATE VIEW small AS SELECT * FROM words WHERE length(data) = 1")
        .await;
    world.put_numbers("words", 20).await;
    world.put("more", "k", "1000").await;
    let text = "EXECUTE STATEMENT SET BEGIN
        INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM small;
        INSERT INTO even (partitionKey, data) SELECT partitionKey, data FROM more
            UNION ALL SELECT partitionKey, data FROM words;
    END;";
    let query = run(set(&world, text, "memory://statement-set-streams")).await;
    assert_eq!(numbers(&world, "out").await, (0..10).collect::<Vec<_>>());
    let all: Vec<u64> = (0..20).chain([1000]).collect();
    assert_eq!(numbers(&world, "even").await, all);
    let read: Vec<u64> = query.recent_progress()[0]
        .sources
        .iter()
        .map(|source| source.num_input_rows)
        .collect();
    assert_eq!(read, [20, 1], "a stream of two statements is one source");
}

#[tokio::test(start_paused = true)]
async fn a_document_that_cannot_be_parsed_is_one_dead_letter() {
    let world = world(1).await;
    world.table("dead", 1, "").await;
    let options = format!(
        "{FROM_THE_START}, 'kinesis.format' 'json', 'kinesis.format.onError' 'dead_letter',
         'kinesis.format.deadLetterStream' 'dead'"
    );
    world
        .run(&format!(
            "CREATE UNBOUNDED EXTERNAL TABLE documents (n BIGINT) STORED AS \"aws-kinesis\" LOCATION 'words'
             OPTIONS ({options})"
        ))
        .await;
    world.put("words", "k", r#"{"n": 7}"#).await;
    world.put("words", "k", "{").await;
    let copy = |target: &str| {
        format!(
            "INSERT INTO {target} (partitionKey, data) SELECT 'k', CAST(n AS VARCHAR) FROM documents;"
        )
    };
    let text = format!("BEGIN STATEMENT SET; {} {} END", copy("out"), copy("even"));
    run(set(&world, &text, "memory://statement-set-dead")).await;
    for target in ["out", "even"] {
        assert_eq!(numbers(&world, target).await, [7]);
    }
    assert_eq!(world.number("SELECT count(*) FROM dead").await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_set_cannot_contain_is_refused_with_the_number_of_the_statement() {
    let world = world(1).await;
    let insert = "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words";
    let cases = [
        (
            "SELECT data FROM words;",
            "statement 2 of the statement set: a statement set consists of INSERT",
        ),
        (
            "SET streaming.trigger = 'once';",
            "streaming.output_mode, streaming.watermark_delay",
        ),
        (
            "SET streaming.output_mode = 'all';",
            "statement 2 of the statement set: setting 'streaming.output_mode' = 'all'",
        ),
        (
            "SET datafusion.execution.batch_size = 1;",
            "put SET of other settings before the set",
        ),
        ("INSERT INTO absent SELECT data FROM words;", "absent"),
        (
            "INSERT INTO even (partitionKey, data) VALUES ('k', 'v');",
            "statement 2 of the statement set: the statement reads no unbounded table",
        ),
        (
            "CREATE VIEW v AS SELECT 1;",
            "put other statements before the set",
        ),
    ];
    for (statement, part) in cases {
        let text = format!("EXECUTE STATEMENT SET BEGIN {insert}; {statement} END");
        let error = fails(set(&world, &text, "memory://statement-set-refused")).await;
        assert!(error.to_string().contains(part), "{statement}: {error}");
    }
    let only_set = "BEGIN STATEMENT SET; SET streaming.output_mode = 'update'; END";
    let error = fails(set(&world, only_set, "memory://statement-set-refused")).await;
    assert!(error.to_string().contains("consists of INSERT"), "{error}");
    let (kind, message) = world.refusal(THREE).await;
    assert_eq!(kind, ErrorKind::Unsupported);
    assert!(message.contains("StreamingQuery::builder"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn an_error_names_the_output() {
    let world = world(1).await;
    world.put("words", "k", "1").await;
    world.put("words", "k", "x").await;
    let query = set(&world, THREE, "memory://statement-set-error");
    let query = query.start().await.unwrap();
    let error = query.await_termination().await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("output 'even'") || text.contains("output 'counts'"),
        "{text}"
    );
    assert!(text.contains("batch 0"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn each_statement_has_a_watermark_of_its_own() {
    let world = world(1).await;
    // Its rows wait in the shard, one for each batch. That must not hold back the windows over `words`.
    let slow = format!("{FROM_THE_START}, 'kinesis.maxFetchRecordsPerShard' '1'");
    world.unbounded_table("slow", 1, &slow).await;
    for _ in 0..20 {
        world.put("slow", "k", "1").await;
    }
    for second in [1, 5, 12, 13, 25] {
        world.put("words", "k", second.to_string()).await;
    }
    let windows = |table: &str, target: &str| {
        format!(
            "INSERT INTO {target} (partitionKey, data)
             SELECT CAST(to_unixtime(window_end) AS VARCHAR), CAST(count(*) AS VARCHAR) FROM
             (SELECT to_timestamp(CAST(CAST(data AS VARCHAR) AS BIGINT)) AS ts FROM {table})
             GROUP BY tumble(ts, INTERVAL '10 seconds');"
        )
    };
    let text = format!(
        "EXECUTE STATEMENT SET BEGIN
           SET streaming.watermark_delay = '0 seconds';
           {} {}
         END",
        windows("words", "out"),
        windows("slow", "even")
    );
    let query = run(set(&world, &text, "memory://statement-set-watermarks")).await;
    let rows = "SELECT concat(partitionKey, ' ', CAST(data AS VARCHAR)) FROM out";
    let mut closed = world.lines(rows).await;
    closed.sort();
    assert_eq!(closed, ["10 2", "20 2"]);
    let batches = query.recent_progress();
    let watermarks = |output: usize| {
        let batches = batches.iter();
        let times = batches.map(|batch| batch.outputs[output].event_time.as_ref().unwrap());
        times
            .map(|times| times.watermark.map(|time| time.0))
            .collect::<Vec<_>>()
    };
    assert!(batches.len() >= 20, "{}", batches.len());
    let reached = watermarks(0).iter().position(|time| *time == Some(25_000));
    assert!(
        reached.is_some_and(|batch| batch < 10),
        "{:?}",
        watermarks(0)
    );
    assert_eq!(watermarks(1).last(), Some(&Some(1_000)));
}
