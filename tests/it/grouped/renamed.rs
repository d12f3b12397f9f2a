//! Statements that differ from the checkpoint's only in names, and watermarks added later.

use std::fs;

use datafusion_kinesis::ErrorKind;

use super::*;
use crate::support::folder;

/// Runs `sql` at `place` over all available records, as another process.
async fn resume(world: &World, place: &str, sql: &str) -> Lines {
    let lines = Lines::default();
    let query = lines.of(grouped(world, sql, OutputMode::Update));
    let query = query.with_checkpoint_location(place).accept_changed_query();
    run(query.as_in_another_process()).await;
    lines
}

async fn renamed_world() -> World {
    let world = world(2).await;
    world
        .run("CREATE TABLE dim (k VARCHAR, w INT) AS VALUES ('a', 1), ('b', 2)")
        .await;
    world
        .unbounded_table_again("again", "words", FROM_THE_START)
        .await;
    world
}

const RENAMES: [&[&str]; 5] = [
    &[
        "SELECT partitionKey, count(*), max(data) FROM words GROUP BY partitionKey",
        "SELECT x.partitionKey, count(*), max(x.data) FROM words x GROUP BY x.partitionKey",
        "SELECT k, count(*) AS n, max(d) FROM (SELECT partitionKey AS k, data AS d FROM again) GROUP BY k",
        "WITH w(a, b) AS (SELECT data, partitionKey FROM words) SELECT b, count(*), max(a) FROM w GROUP BY b",
    ],
    &[
        "SELECT word, count(*) FROM (SELECT upper(CAST(data AS VARCHAR)) AS word FROM words) GROUP BY word",
        "SELECT upper(CAST(data AS VARCHAR)) AS w, count(*) FROM words GROUP BY w",
        "SELECT t.w, count(*) FROM (SELECT upper(CAST(x.data AS VARCHAR)) AS w FROM words x) t GROUP BY t.w",
    ],
    &[
        "SELECT d.w, count(*) FROM words u JOIN dim d ON u.partitionKey = d.k GROUP BY d.w",
        "SELECT dim.w, count(*) FROM words JOIN dim ON words.partitionKey = dim.k GROUP BY dim.w",
    ],
    &[
        "SELECT DISTINCT partitionKey, x FROM (SELECT partitionKey, unnest([data]) AS x FROM words)",
        "SELECT DISTINCT p, y FROM (SELECT w.partitionKey AS p, unnest([w.data]) AS y FROM words w)",
    ],
    &[
        "SELECT k, count(*) FROM (SELECT partitionKey AS k FROM words UNION ALL SELECT 'k' FROM words) GROUP BY k",
        "SELECT c, count(*) FROM (SELECT partitionKey AS c FROM again UNION ALL SELECT 'k' FROM again u) GROUP BY c",
    ],
];

#[tokio::test(start_paused = true)]
async fn tables_and_columns_may_be_renamed() {
    for (number, statements) in RENAMES.iter().enumerate() {
        let world = renamed_world().await;
        let place = format!("memory://grouped-renamed-{number}");
        let distinct = statements[0].contains("DISTINCT");
        for (start, sql) in statements.iter().enumerate() {
            world.put("words", "a", "x").await;
            let given = resume(&world, &place, sql).await.newest();
            let count = (start + 1).to_string();
            let (_, first) = given.first_key_value().unwrap_or((&count, &count));
            match distinct {
                true => assert_eq!(given.is_empty(), start > 0, "{sql}: {given:?}"),
                false => assert!(first.starts_with(&count), "{sql}: {given:?}"),
            }
        }
    }
}

/// As older versions wrote it: without the information that distinguishes renames from changes.
#[tokio::test(start_paused = true)]
async fn a_checkpoint_without_origins_is_resumed() {
    let (world, folder) = (renamed_world().await, folder("grouped-renamed-old"));
    let place = folder.to_str().unwrap();
    let joined = "SELECT u.partitionKey, count(*) FROM words u JOIN dim d ON u.partitionKey = d.k
        GROUP BY u.partitionKey";
    for (old, same, other) in [
        (
            "SELECT partitionKey, count(*), max(data) FROM words GROUP BY partitionKey",
            vec![
                "SELECT partitionKey, count(*), max(data) FROM words GROUP BY partitionKey",
                "SELECT partitionKey, count(*), max(data) FROM words x GROUP BY partitionKey",
                "SELECT partitionKey, count(*), max(data) FROM (SELECT * FROM words) GROUP BY partitionKey",
            ],
            "SELECT \"sequenceNumber\", count(*), max(data) FROM words GROUP BY \"sequenceNumber\"",
        ),
        (
            joined,
            vec![joined],
            "SELECT d.k, count(*) FROM words u JOIN dim d ON u.partitionKey = d.k GROUP BY d.k",
        ),
    ] {
        world.put("words", "a", "x").await;
        let before = resume(&world, place, old).await.newest();
        let count = |given: &BTreeMap<String, String>| -> u64 {
            given["a"].split(' ').next().unwrap().parse().unwrap()
        };
        let path = folder.join("metadata");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, without_origins(&text)).unwrap();
        for (start, sql) in same.iter().enumerate() {
            world.put("words", "a", "x").await;
            let given = resume(&world, place, sql).await.newest();
            assert_eq!(count(&given), count(&before) + start as u64 + 1, "{sql}");
        }
        let query = Lines::default().of(grouped(&world, other, OutputMode::Update));
        let query = query.with_checkpoint_location(place).accept_changed_query();
        let error = fails(query).await;
        assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }
}

/// The metadata as written before origins and checksums existed.
fn without_origins(text: &str) -> String {
    let mut entry: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut description = entry["operators"][0]["description"].take();
    let state = description.as_object_mut().unwrap();
    assert!(state.remove("origin").is_some());
    state.remove("event_time_origin");
    let source = entry["sources"][0].as_object_mut().unwrap();
    source.remove("retention_hours");
    let members = entry.as_object_mut().unwrap();
    members.insert("version".to_owned(), 2.into());
    members.insert("state".to_owned(), description);
    for later in ["statement", "checksum", "operators"] {
        members.remove(later);
    }
    serde_json::to_string_pretty(&entry).unwrap()
}

/// Counts of windows of 10 milliseconds, with or without a watermark.
fn windows(world: &World, watermark: Option<Option<&str>>) -> StreamingQueryBuilder {
    let sql = "SELECT arrow_cast(window_start, 'Int64'), count(*) FROM
        (SELECT to_timestamp_millis(CAST(CAST(data AS VARCHAR) AS BIGINT)) AS ts,
                to_timestamp_millis(CAST(CAST(data AS VARCHAR) AS BIGINT)) AS other FROM words)
        GROUP BY tumble(ts, INTERVAL '10 milliseconds')";
    let query = grouped(world, sql, OutputMode::Update);
    match watermark {
        Some(column) => query.with_watermark(Duration::ZERO, column),
        None => query,
    }
}

#[tokio::test(start_paused = true)]
async fn a_watermark_may_be_added_but_not_removed() {
    let world = world(1).await;
    let place = "memory://grouped-watermark-added";
    let start = |watermark| {
        let query = windows(&world, watermark).with_checkpoint_location(place);
        query.as_in_another_process()
    };
    let lines = Lines::default();
    for time in ["1", "12"] {
        world.put("words", "a", time).await;
    }
    run(lines.of(start(None))).await;
    assert_eq!(lines.newest()["0"], "1");
    let lines = Lines::default();
    let query = lines.of(start(Some(None))).start().await.unwrap();
    world.put("words", "a", "31").await;
    query.process_all_available().await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    // The earlier windows are closed by now, and this row is behind the watermark.
    world.put("words", "a", "2").await;
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    assert_eq!(lines.given(), [["30 1"]]);
    let error = fails(Lines::default().of(start(None))).await;
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
    let text = error.to_string();
    for part in [
        "some of which a watermark has closed",
        "was: a watermark over",
        "now: no watermark",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let lines = Lines::default();
    world.put("words", "a", "32").await;
    run(lines.of(start(Some(None)))).await;
    assert_eq!(lines.newest()["30"], "2");
}
