//! Starting another statement, or the same one with another target, on an existing checkpoint.

use super::*;
use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::model::Trigger;
use std::fs;

/// Copies all rows of `words` to `out`.
const COPY: &str = "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words";

/// Copies only some rows.
const SOME: &str = "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words \
                    WHERE partitionKey <> 'x'";

fn insert(world: &World, sql: &str, place: &str) -> StreamingQueryBuilder {
    StreamingQuery::builder(&world.ctx, sql)
        .with_trigger(Trigger::AvailableNow)
        .with_checkpoint_location(place)
}

async fn run(query: StreamingQueryBuilder) {
    let query = query.start().await.unwrap();
    query.await_termination().await.unwrap();
}

/// Asserts that a start is refused, with a message that contains `parts` and advice.
async fn refused(query: StreamingQueryBuilder, parts: &[&str]) {
    let error = query.start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
    for part in parts.iter().chain(&["checkpoint location of its own"]) {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

/// The row count of a stream.
async fn rows(world: &World, table: &str) -> String {
    let sql = format!("SELECT count(*) AS rows FROM {table}");
    world.run(&sql).await
}

#[tokio::test(start_paused = true)]
async fn two_inserts_after_one_checkpoint_location_both_complete() {
    let world = world(1).await;
    world.table("other", 1, "").await;
    let place = "memory://two-inserts";
    let second = COPY.replace("out", "other");
    for round in 1..=3 {
        world.put("words", "k", round.to_string()).await;
        run(insert(&world, COPY, place)).await;
        // From the second round on it goes on where it was, also in another process, and before the first one.
        let other = insert(&world, &second, place);
        match round {
            1 => run(other).await,
            _ => run(other.as_in_another_process()).await,
        }
        for target in ["out", "other"] {
            let rows = rows(&world, target).await;
            assert!(rows.contains(&format!("| {round} ")), "{target}: {rows}");
        }
    }
    // The same target with another statement is a changed query.
    let parts = [
        COPY,
        SOME,
        "KinesisSink[out]",
        "of this session",
        "streaming.query_name",
    ];
    refused(insert(&world, SOME, place), &parts).await;
    world
        .run("SET streaming.accept_changed_query = 'true'")
        .await;
    refused(insert(&world, SOME, place), &parts).await;
    // With a name of its own it is another query.
    run(insert(&world, SOME, place).with_name("some")).await;
    let text = rows(&world, "out").await;
    assert!(text.contains("| 6 "), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_query_stays_at_its_location_although_a_folder_below_it_has_the_name_of_its_target() {
    let world = world(1).await;
    let place = "memory://nested-locations";
    let start = |sql: &str, place: &str| insert(&world, sql, place).as_in_another_process();
    world.put("words", "k", "1").await;
    run(start(COPY, place)).await;
    run(start(SOME, &format!("{place}/out"))).await;
    world.put("words", "k", "2").await;
    run(start(COPY, place)).await;
    run(start(SOME, &format!("{place}/out"))).await;
    let text = rows(&world, "out").await;
    assert!(text.contains("| 4 "), "{text}");
}

#[tokio::test(start_paused = true)]
async fn two_queries_of_one_location_run_at_the_same_time() {
    let world = world(1).await;
    world.table("other", 1, "").await;
    let place = "memory://two-running";
    let start = |sql: String| {
        let query = StreamingQuery::builder(&world.ctx, sql);
        query.with_checkpoint_location(place).start()
    };
    let first = start(COPY.to_owned()).await.unwrap();
    let second = start(COPY.replace("out", "other")).await.unwrap();
    world.put("words", "k", "1").await;
    for query in [first, second] {
        query.process_all_available().await.unwrap();
        query.stop().await.unwrap();
    }
    for target in ["out", "other"] {
        assert!(rows(&world, target).await.contains("| 1 "), "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_statement_is_refused_until_accepted_and_replaces_the_old_one() {
    let (world, folder) = (world(1).await, crate::support::folder("changed-statement"));
    let place = folder.to_str().unwrap();
    let start = |sql: &str| insert(&world, sql, place).as_in_another_process();
    world.put("words", "k", "1").await;
    run(start(COPY)).await;
    world.put("words", "k", "2").await;
    let parts = [
        COPY,
        SOME,
        "KinesisSink[out]",
        "streaming.accept_changed_query",
    ];
    let before = fs::read_dir(folder.join("offsets")).unwrap().count();
    refused(start(SOME), &parts).await;
    let after = fs::read_dir(folder.join("offsets")).unwrap().count();
    assert_eq!(before, after, "a refused start writes nothing");
    assert!(!folder.join("epochs/2").exists(), "and takes no epoch");
    run(start(SOME).accept_changed_query()).await;
    assert!(rows(&world, "out").await.contains("| 2 "));
    // Accepting once is enough, and the old statement is the changed one now.
    world.put("words", "k", "3").await;
    run(start(SOME)).await;
    refused(start(COPY), &parts).await;
    world
        .run("SET streaming.accept_changed_query = 'true'")
        .await;
    run(start(COPY)).await;
    assert!(rows(&world, "out").await.contains("| 3 "));
    world.run("RESET streaming.accept_changed_query").await;
    refused(start(SOME), &parts).await;
    run(start(COPY)).await;
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn renamed_aliases_do_not_make_another_statement() {
    let world = world(1).await;
    let place = "memory://renamed-aliases";
    let start = |sql: &str| insert(&world, sql, place).as_in_another_process();
    let same = [
        "INSERT INTO out (partitionKey, data) SELECT k, d FROM \
         (SELECT partitionKey AS k, data AS d FROM words WHERE data <> 'z') WHERE k <> 'x'",
        "INSERT INTO out (partitionKey, data) SELECT w.id, w.body FROM \
         (SELECT o.partitionKey AS id, o.data AS body FROM words o WHERE o.data <> 'z') AS w WHERE w.id <> 'x'",
        "INSERT INTO out (partitionKey, data) WITH c (a, b) AS \
         (SELECT partitionKey, data FROM words WHERE data <> 'z') SELECT a AS b, b AS a FROM c WHERE a <> 'x'",
    ];
    for (number, sql) in same.iter().enumerate() {
        world.put("words", "k", "1").await;
        run(start(sql)).await;
        let copied = rows(&world, "out").await;
        assert!(copied.contains(&format!("| {} ", number + 1)), "{copied}");
    }
    // The columns are swapped, although the names are the same; and another filter.
    for other in [
        "INSERT INTO out (partitionKey, data) WITH c (a, b) AS \
         (SELECT partitionKey, data FROM words WHERE data <> 'z') SELECT b, a FROM c WHERE a <> 'x'",
        "INSERT INTO out (partitionKey, data) WITH c (a, b) AS \
         (SELECT partitionKey, data FROM words WHERE data <> 'y') SELECT a, b FROM c WHERE a <> 'x'",
    ] {
        refused(start(other), &[other, "KinesisSink[out]"]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn renamed_output_columns_make_another_statement() {
    let world = world(1).await;
    world.put("words", "k", "1").await;
    let sink = Sink::default();
    let start = |sql: &str| {
        let query = sink.of(StreamingQuery::builder(&world.ctx, sql));
        let query = query.with_trigger(Trigger::AvailableNow);
        query
            .with_checkpoint_location("memory://renamed-output")
            .as_in_another_process()
    };
    run(start("SELECT w.partitionKey, w.data AS body FROM words w")).await;
    run(start("SELECT partitionKey, data AS body FROM words")).await;
    refused(
        start("SELECT partitionKey, data AS payload FROM words"),
        &["AS payload"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_deleted_checkpoint_accepts_another_statement() {
    let (world, folder) = (world(1).await, crate::support::folder("changed-deleted"));
    let place = folder.to_str().unwrap();
    run(insert(&world, COPY, place)).await;
    refused(insert(&world, SOME, place), &["of this session"]).await;
    fs::remove_dir_all(&folder).unwrap();
    run(insert(&world, SOME, place)).await;
    refused(insert(&world, COPY, place), &["of this session"]).await;
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_changed_statement_is_recorded_before_any_row() {
    let world = world(1).await;
    let place = "memory://changed-quiet";
    let start = |sql: &str| insert(&world, sql, place).as_in_another_process();
    world.put("words", "k", "1").await;
    run(start(COPY)).await;
    run(start(SOME).accept_changed_query()).await;
    run(start(SOME)).await;
    refused(start(COPY), &[COPY, SOME]).await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_statement_with_trigger_once_is_one_batch() {
    let world = world(3).await;
    let sink = Sink::default();
    let start = |sql: &str| {
        let query = sink.of(StreamingQuery::builder(&world.ctx, sql));
        let query = query.with_trigger(Trigger::Once).accept_changed_query();
        query.with_checkpoint_location("memory://changed-once")
    };
    let all = "SELECT partitionKey, CAST(data AS VARCHAR) FROM words";
    world.put_numbers("words", 30).await;
    run(start(all)).await;
    for n in 30..60 {
        world.put("words", &n.to_string(), n.to_string()).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    run(start(&format!("{all} WHERE partitionKey <> 'x'"))).await;
    assert_eq!(sink.numbers(), (0..60).collect::<Vec<_>>());
    assert_eq!(sink.batches(), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn layout_and_comments_are_not_a_change() {
    let world = world(1).await;
    let place = "memory://changed-layout";
    run(insert(&world, COPY, place)).await;
    let same = "-- a copy\ninsert into out (partitionKey, data)\n  select partitionKey, data\n  from words;";
    run(insert(&world, same, place)).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_statement_with_another_target_is_refused() {
    let world = world(1).await;
    let place = "memory://changed-target";
    run(insert(&world, COPY, place).as_in_another_process()).await;
    world.run("DROP TABLE out").await;
    world.table("elsewhere", 1, "").await;
    world.table_again("out", "elsewhere", "").await;
    let start = || insert(&world, COPY, place).as_in_another_process();
    let parts = [COPY, "KinesisSink[out]", "KinesisSink[elsewhere]"];
    refused(start(), &parts).await;
    run(start().accept_changed_query()).await;
    run(start()).await;
}

#[tokio::test(start_paused = true)]
async fn a_name_identifies_one_running_query_of_a_session() {
    let (one, other) = (world(1).await, world(1).await);
    let start = |world: &World, place: &str| {
        let query = Sink::default().of(words(world)).with_name("copies");
        query.with_checkpoint_location(place).start()
    };
    let first = start(&one, "memory://named-one").await.unwrap();
    let second = start(&other, "memory://named-other").await.unwrap();
    let error = start(&one, "memory://named-again").await.unwrap_err();
    assert!(error.to_string().contains("'copies'"), "{error}");
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}
