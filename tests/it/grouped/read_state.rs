//! The table function `read_state`.

use datafusion_kinesis::{ErrorKind, sql};

use super::*;

/// The rows of a statement as sorted lines.
async fn rows(world: &World, statement: &str) -> Vec<String> {
    let frame = sql(&world.ctx, statement).await.unwrap();
    let found = frame.collect().await.unwrap();
    let mut lines: Vec<String> = found.iter().flat_map(text).collect();
    lines.sort();
    lines
}

/// The groups of the newest batch at `checkpoint`.
async fn groups(world: &World, checkpoint: &str) -> Vec<String> {
    let statement = format!("SELECT * EXCEPT (batch) FROM read_state('{checkpoint}')");
    rows(world, &statement).await
}

/// The columns of the state at `checkpoint`.
async fn columns(world: &World, checkpoint: &str) -> Vec<String> {
    let statement = format!("SELECT * FROM read_state('{checkpoint}')");
    let frame = sql(&world.ctx, &statement).await.unwrap();
    let fields = frame.schema().fields().iter();
    fields.map(|field| field.name().clone()).collect()
}

/// Runs a query that reads one word after the other, with time to close windows.
async fn ran(
    world: &World,
    checkpoint: &str,
    query: StreamingQueryBuilder,
    words: &[&str],
) -> Lines {
    let lines = Lines::default();
    let query = query.with_checkpoint_location(checkpoint);
    let query = lines.of(query).start().await.unwrap();
    for word in words {
        world.put("words", word, (*word).to_owned()).await;
        query.process_all_available().await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    query.stop().await.unwrap();
    lines
}

/// A statement whose rows have the time in their data, in milliseconds.
fn timed(select: &str, window: &str) -> String {
    format!(
        "SELECT {select} FROM
        (SELECT to_timestamp_millis(CAST(CAST(data AS VARCHAR) AS BIGINT)) AS ts FROM words)
        GROUP BY {window}"
    )
}

#[tokio::test(start_paused = true)]
async fn it_returns_the_groups_after_each_batch_of_the_log() {
    let world = world(1).await;
    let at = "memory://read-state-counts/q";
    let words = ["a", "b", "a", "c", "a", "d", "b"].repeat(4);
    let lines = ran(
        &world,
        at,
        grouped(&world, COUNTS, OutputMode::Update),
        &words,
    )
    .await;
    assert_eq!(groups(&world, at).await, ["a 12", "b 8", "c 4", "d 4"]);
    let mut counts = BTreeMap::new();
    for batch in 0..words.len() as u64 {
        for line in lines.batch(batch) {
            let (word, count) = line.split_once(' ').unwrap();
            counts.insert(word.to_owned(), count.to_owned());
        }
        let expected = counts.iter();
        let expected: Vec<String> = expected
            .map(|(word, count)| format!("{word} {count} {batch}"))
            .collect();
        let found = rows(
            &world,
            &format!("SELECT * FROM read_state('{at}', {batch})"),
        )
        .await;
        assert_eq!(found, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn its_columns_are_the_group_keys_and_the_aggregate_state() {
    let numbers = "(SELECT CAST(CAST(data AS VARCHAR) AS BIGINT) AS n, 'k' || partitionKey AS batch FROM words)";
    for (name, statement, expected, found) in [
        (
            "aggregates",
            format!("SELECT batch, sum(n), avg(n) FROM {numbers} GROUP BY batch"),
            vec![
                "batch",
                "sum(n)[sum]",
                "avg(n)[count]",
                "avg(n)[sum]",
                "batch_2",
            ],
            vec![
                "k1 2 2 2.0 4",
                "k2 2 1 2.0 4",
                "k3 3 1 3.0 4",
                "k4 4 1 4.0 4",
            ],
        ),
        (
            "all",
            "SELECT count(*) FROM words".to_owned(),
            vec!["count(Int64(1))[count]", "batch"],
            vec!["5 4"],
        ),
        (
            "distinct",
            format!("SELECT DISTINCT n FROM {numbers}"),
            vec!["n", "batch"],
            vec!["1 4", "2 4", "3 4", "4 4"],
        ),
    ] {
        let world = world(1).await;
        let at = format!("memory://read-state-columns/{name}");
        let query = grouped(&world, &statement, OutputMode::Update);
        ran(&world, &at, query, &["1", "2", "3", "1", "4"]).await;
        assert_eq!(columns(&world, &at).await, expected, "{name}");
        let all = rows(&world, &format!("SELECT * FROM read_state('{at}')")).await;
        assert_eq!(all, found, "{name}");
        let count = format!("SELECT count(*) FROM read_state('{at}') WHERE 1 = 1");
        assert_eq!(world.number(&count).await, found.len() as u64, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn closed_windows_are_omitted_except_in_complete_mode() {
    let statement = timed(
        "window_start, count(*)",
        "tumble(ts, INTERVAL '10 milliseconds')",
    );
    let both = vec!["1970-01-01T00:00:00 2", "1970-01-01T00:00:00.010 2"];
    for (mode, expected) in [
        (OutputMode::Append, vec![both[1]]),
        (OutputMode::Update, vec![both[1]]),
        (OutputMode::Complete, both.clone()),
    ] {
        let world = world(1).await;
        let at = format!("memory://read-state-windows/{mode}");
        let query = grouped(&world, &statement, mode);
        let query = query.with_watermark(Duration::from_millis(5), None);
        ran(&world, &at, query, &["1", "9", "12", "16"]).await;
        assert_eq!(groups(&world, &at).await, expected, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn calendar_windows_end_by_the_calendar() {
    let world = world(1).await;
    let at = "memory://read-state-months/q";
    let statement = timed("count(*)", "date_trunc('month', ts)");
    let query = grouped(&world, &statement, OutputMode::Append);
    let query = query.with_watermark(Duration::from_secs(1), None);
    // January 31st, February 1st and 28th, and the last millisecond of February.
    let times = ["2592000000", "2678400000", "5011200000", "5097599999"];
    ran(&world, at, query, &times).await;
    assert_eq!(groups(&world, at).await, ["1970-02-01T00:00:00 3"]);
}

#[tokio::test(start_paused = true)]
async fn sessions_are_merged_across_batches() {
    let world = world(1).await;
    let at = "memory://read-state-sessions/q";
    let statement = timed("count(*)", "session(ts, INTERVAL '10 milliseconds')");
    let query = || grouped(&world, &statement, OutputMode::Update);
    ran(&world, at, query(), &["1", "40", "15"]).await;
    let time = |millis: u32| format!("1970-01-01T00:00:00.{millis:03}");
    let session = |start, end, count| format!("{} {} {count}", time(start), time(end));
    let apart = [session(1, 11, 1), session(15, 25, 1), session(40, 50, 1)];
    assert_eq!(groups(&world, at).await, apart);
    ran(&world, at, query(), &["8"]).await;
    let merged = [session(1, 25, 3), session(40, 50, 1)];
    assert_eq!(groups(&world, at).await, merged);
    // A row exactly one gap later belongs to the session, in any batch.
    ran(&world, at, query(), &["25"]).await;
    let touching = [session(1, 35, 4), session(40, 50, 1)];
    assert_eq!(groups(&world, at).await, touching);
}

#[tokio::test(start_paused = true)]
async fn hopping_windows_are_shown_as_panes_until_their_last_window_ends() {
    let world = world(1).await;
    let at = "memory://read-state-panes/q";
    let window = "hop(ts, INTERVAL '5 milliseconds', INTERVAL '10 milliseconds')";
    let query = grouped(&world, &timed("count(*)", window), OutputMode::Update);
    let query = query.with_watermark(Duration::from_millis(5), None);
    ran(&world, at, query, &["1", "7", "12", "13", "22"]).await;
    let panes = ["1970-01-01T00:00:00.010 2", "1970-01-01T00:00:00.020 1"];
    assert_eq!(groups(&world, at).await, panes);
}

#[tokio::test(start_paused = true)]
async fn columns_are_known_even_if_all_groups_are_closed() {
    let world = world(1).await;
    let at = "memory://read-state-closed/q";
    let query = grouped(&world, &timed("ts, count(*)", "ts"), OutputMode::Append);
    let query = query.with_watermark(Duration::ZERO, Some("ts"));
    let times: Vec<String> = (0..30).map(|time| (time * 10).to_string()).collect();
    let times: Vec<&str> = times.iter().map(String::as_str).collect();
    ran(&world, at, query, &times).await;
    assert!(groups(&world, at).await.is_empty());
    assert_eq!(columns(&world, at).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn it_works_in_any_session_and_with_file_urls() {
    let world = world(2).await;
    let folder = crate::support::folder("read-state");
    let at = format!("file://{}", folder.display());
    let query = grouped(&world, COUNTS, OutputMode::Update);
    ran(&world, &at, query, &["a", "b", "a"]).await;
    let statement = format!(
        "SELECT \"count(Int64(1))[count]\" AS n FROM read_state('{}', 2) ORDER BY n",
        folder.display()
    );
    let frame = world.ctx.sql(&statement).await.unwrap();
    let found = frame.collect().await.unwrap();
    let lines: Vec<String> = found.iter().flat_map(text).collect();
    assert_eq!(lines, ["1", "2"]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn invalid_arguments_and_missing_state_are_errors() {
    let world = World::new();
    let options = format!("{FROM_THE_START}, 'kinesis.minBatchesToRetain' '2'");
    world.unbounded_table("words", 1, &options).await;
    let at = |name: &str| format!("memory://read-state-errors/{name}");
    let query = grouped(&world, COUNTS, OutputMode::Update);
    ran(&world, &at("counts"), query, &["a", "b", "c", "d"]).await;
    let plain = grouped(&world, "SELECT data FROM words", OutputMode::Append);
    ran(&world, &at("plain"), plain, &["e"]).await;
    let none = "SELECT data, count(*) FROM words WHERE partitionKey = 'z' GROUP BY data";
    let none = grouped(&world, none, OutputMode::Update);
    ran(&world, &at("none"), none, &["f"]).await;
    for (arguments, expected) in [
        (
            format!("'{}'", at("nothing")),
            "no batch of a streaming query has been committed here",
        ),
        (format!("'{}'", at("plain")), "has no state"),
        (
            format!("'{}'", at("none")),
            "there are no groups up to batch",
        ),
        (
            format!("'{}', 0", at("counts")),
            "batch 0 is not in the log: expected one from 2 to 3",
        ),
        (
            format!("'{}', 9", at("counts")),
            "batch 9 is not in the log",
        ),
        (
            format!("'{}', -1", at("counts")),
            "as the number of a batch",
        ),
        (
            format!("'{}', 'a'", at("counts")),
            "is of a query of one statement",
        ),
        (
            format!("'{}', 3, 2", at("counts")),
            "as the name of an output",
        ),
        (format!("'{}', 1, 'a', 2", at("counts")), "4 arguments"),
        ("7".to_owned(), "as its location"),
        ("'ftp://x/y'".to_owned(), "expected file:///path"),
        (String::new(), "0 arguments"),
    ] {
        let statement = format!("SELECT * FROM read_state({arguments})");
        let (kind, message) = world.refusal(&statement).await;
        assert_eq!(kind, ErrorKind::InvalidOption, "{arguments}: {message}");
        assert!(message.contains(expected), "{arguments}: {message}");
    }
}

/// The engine calls table functions synchronously during planning, so they must not block the
/// runtime's threads.
#[tokio::test(start_paused = true)]
async fn it_is_planned_off_the_runtime_threads() {
    use std::thread::{self, ThreadId};

    use datafusion::arrow::datatypes::Schema;
    use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
    use datafusion::datasource::empty::EmptyTable;

    #[derive(Debug, Default)]
    struct Called(Mutex<Vec<ThreadId>>);

    impl TableFunctionImpl for Called {
        fn call_with_args(
            &self,
            _args: TableFunctionArgs,
        ) -> datafusion::common::Result<Arc<dyn TableProvider>> {
            self.0.lock().unwrap().push(thread::current().id());
            Ok(Arc::new(EmptyTable::new(Arc::new(Schema::empty()))))
        }
    }

    let world = world(1).await;
    let called = Arc::new(Called::default());
    world
        .ctx
        .register_udtf("read_state", Arc::clone(&called) as _);
    for statement in [
        "SELECT count(*) FROM read_state('a')",
        "EXPLAIN SELECT 1 WHERE EXISTS (SELECT 1 FROM read_state('a', 1))",
        "INSERT INTO out (partitionKey, data) SELECT 'k', 'd' FROM read_state('a')",
    ] {
        sql(&world.ctx, statement).await.unwrap();
    }
    let threads = called.0.lock().unwrap();
    assert!(threads.len() >= 3);
    assert!(!threads.contains(&thread::current().id()), "{threads:?}");
}
