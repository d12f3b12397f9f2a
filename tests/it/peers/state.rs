//! `GROUP BY` state is restored completely or not at all: no groups without keys, no windows
//! without rows. Statements that would need unsupported state are refused by name when the query
//! starts, before it writes anything that a later start could take for a checkpoint.

use std::time::Duration;

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::model::OutputMode;
use datafusion_kinesis::query::{Step, StreamingQuery};

use crate::grouped::Lines;
use crate::streaming::{FROM_THE_START, Freeze};
use crate::support::{World, folder};

const REFUSED: &[(&str, OutputMode, &str)] = &[
    (
        "SELECT row_number() OVER (PARTITION BY partitionKey) FROM words",
        OutputMode::Append,
        "OVER",
    ),
    (
        "SELECT max(n) FROM (SELECT partitionKey, count(*) AS n FROM words GROUP BY partitionKey)",
        OutputMode::Update,
        "GROUP BY",
    ),
    (
        "SELECT DISTINCT n FROM
         (SELECT partitionKey, count(*) AS n FROM words GROUP BY partitionKey)",
        OutputMode::Update,
        "DISTINCT",
    ),
    (
        "SELECT data FROM words LIMIT 5",
        OutputMode::Append,
        "LIMIT",
    ),
    (
        "SELECT partitionKey, count(*) FROM words GROUP BY partitionKey LIMIT 5",
        OutputMode::Update,
        "LIMIT",
    ),
    (
        "SELECT data FROM words ORDER BY data",
        OutputMode::Append,
        "ORDER BY",
    ),
    (
        "SELECT partitionKey, count(*) FROM words GROUP BY partitionKey ORDER BY 2",
        OutputMode::Update,
        "ORDER BY",
    ),
    (
        "SELECT partitionKey, count(*) FROM words GROUP BY partitionKey",
        OutputMode::Append,
        "output mode 'append'",
    ),
    (
        "SELECT a.data FROM words a JOIN more b ON a.partitionKey = b.partitionKey",
        OutputMode::Append,
        "join",
    ),
    (
        "SELECT data FROM words WHERE data = (SELECT max(data) FROM words)",
        OutputMode::Append,
        "scalar subquery",
    ),
];

#[tokio::test(start_paused = true)]
async fn d12_a_statement_with_unsupported_state_is_refused_and_leaves_no_checkpoint() {
    let world = World::new();
    world.unbounded_table("words", 1, FROM_THE_START).await;
    world.unbounded_table("more", 1, FROM_THE_START).await;
    world.put_numbers("words", 10).await;
    let place = folder("d12");
    for (sql, mode, named) in REFUSED {
        let query = StreamingQuery::builder(&world.ctx, *sql)
            .with_output_mode(*mode)
            .with_checkpoint_location(place.to_str().unwrap())
            .console();
        let error = query.start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{sql}: {error}");
        let message = error.to_string().to_lowercase();
        assert!(message.contains(&named.to_lowercase()), "{sql}: {message}");
        assert!(!place.exists(), "{sql} has written to its checkpoint");
    }
}

#[tokio::test(start_paused = true)]
async fn d12_a_running_query_cannot_be_started_again_with_state() {
    let world = World::new();
    world.unbounded_table("words", 1, FROM_THE_START).await;
    world.put_numbers("words", 10).await;
    let sink = crate::streaming::Sink::default();
    let place = folder("d12-again");
    let start = |sql: &str, mode| {
        let query = StreamingQuery::builder(&world.ctx, sql).with_output_mode(mode);
        let query = query.with_checkpoint_location(place.to_str().unwrap());
        sink.of(query).start()
    };
    let plain = "SELECT partitionKey, CAST(data AS VARCHAR) FROM words";
    let query = start(plain, OutputMode::Append).await.unwrap();
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    let counting = "SELECT partitionKey, count(*) FROM words GROUP BY partitionKey";
    let error = start(counting, OutputMode::Update).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
    assert!(!place.join("state").exists());
    world.put("words", "k", "10").await;
    let query = start(plain, OutputMode::Append).await.unwrap();
    query.process_all_available().await.unwrap();
    assert_eq!(sink.numbers(), (0..=10).collect::<Vec<_>>());
    assert_eq!(sink.batches(), [0, 1]);
    std::fs::remove_dir_all(place).unwrap();
}

/// Killed at each step of a batch that adds to open windows: once closed, they have all their rows,
/// under their original keys.
#[tokio::test(start_paused = true)]
async fn d12_state_restored_within_a_window_has_its_keys_and_all_rows() {
    const WINDOWS: &str = "SELECT partitionKey, window_start, count(*), min(n), max(n) FROM
        (SELECT partitionKey, CAST(CAST(data AS VARCHAR) AS BIGINT) AS n FROM words)
        GROUP BY partitionKey, tumble(to_timestamp_millis(n), INTERVAL '100 milliseconds')";
    for step in Step::ALL {
        let world = World::new();
        world.unbounded_table("words", 1, FROM_THE_START).await;
        let lines = Lines::default();
        let place = format!("memory://d12-window-{step:?}");
        let builder = || {
            let query = StreamingQuery::builder(&world.ctx, WINDOWS);
            let query = query.with_output_mode(OutputMode::Append);
            let query = query.with_watermark(Duration::from_millis(20), None);
            lines.of(query).with_checkpoint_location(&place)
        };
        let put = async |range: std::ops::Range<u64>| {
            for n in range {
                let key = ["a", "b", ""][(n % 3) as usize];
                let key = if key.is_empty() { "c c" } else { key };
                world.put("words", key, n.to_string()).await;
            }
        };
        for nth in 1..3 {
            put(30 * (nth - 1)..30 * nth).await;
            let freeze = Freeze::at(step, nth as usize);
            let query = builder().with_step_hook(freeze.hook.clone());
            let query = query.start().await.unwrap();
            // The second run may not get that far.
            let _ = tokio::time::timeout(Duration::from_secs(30), freeze.reached()).await;
            drop(query);
        }
        put(60..130).await;
        let query = builder().start().await.unwrap();
        query.process_all_available().await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        query.stop().await.unwrap();
        let time = "1970-01-01T00:00:00";
        let expected = [("a", 34, 0, 99), ("b", 33, 1, 97), ("c c", 33, 2, 98)];
        let expected = expected
            .map(|(key, count, least, most)| format!("{key} {time} {count} {least} {most}"));
        let mut given = lines.given().concat();
        given.sort();
        assert_eq!(given, expected, "{step:?}");
    }
}
