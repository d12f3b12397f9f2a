//! A changed statement on an existing checkpoint: what may change and what may not.

use std::fs;

use datafusion_kinesis::ErrorKind;

use super::*;
use crate::support::folder;

const BEFORE: &str = "SELECT partitionKey, count(*), max(data) FROM words GROUP BY partitionKey";

fn start(world: &World, place: &str, sql: &str, mode: OutputMode) -> StreamingQueryBuilder {
    let query = Lines::default().of(grouped(world, sql, mode));
    query.with_checkpoint_location(place)
}

/// All files in a folder with their contents.
fn content(place: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in [".", "offsets", "commits", "state"] {
        let Ok(files) = fs::read_dir(place.join(folder)) else {
            continue;
        };
        let paths = files.map(|file| file.unwrap().path());
        for path in paths.filter(|path| path.is_file()) {
            let name = path.display().to_string();
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found
}

#[tokio::test(start_paused = true)]
async fn another_aggregation_is_refused_with_a_comparison_and_writes_nothing() {
    let (world, folder) = (world(2).await, folder("grouped-changed"));
    let place = folder.to_str().unwrap();
    world.put_numbers("words", 10).await;
    run(start(&world, place, BEFORE, OutputMode::Update)).await;
    let before = content(&folder);
    for (sql, was, now) in [
        (
            "SELECT data, count(*), max(data) FROM words GROUP BY data",
            "was: GROUP BY words.partitionKey",
            "now: GROUP BY words.data",
        ),
        (
            "SELECT partitionKey, data, count(*), max(data) FROM words GROUP BY partitionKey, data",
            "was: GROUP BY words.partitionKey",
            "now: GROUP BY words.partitionKey, words.data",
        ),
        (
            "SELECT partitionKey, count(*), min(data) FROM words GROUP BY partitionKey",
            "max(words.data)",
            "min(words.data)",
        ),
        (
            "SELECT partitionKey, count(*) FROM words GROUP BY partitionKey",
            "max(words.data)",
            "now: aggregates",
        ),
        (
            "SELECT partitionKey, count(*), max(CAST(data AS VARCHAR)) FROM words GROUP BY partitionKey",
            "max(words.data)",
            "max(CAST(words.data AS",
        ),
        (
            "SELECT partitionKey, data FROM words",
            "was: GROUP BY words.partitionKey",
            "now: no GROUP BY",
        ),
        (
            "SELECT DISTINCT partitionKey FROM words",
            "was: aggregates",
            "now: aggregates none",
        ),
    ] {
        let error = fails(start(&world, place, sql, OutputMode::Update)).await;
        assert_eq!(error.kind(), ErrorKind::Checkpoint, "{sql}: {error}");
        for part in [was, now, "another aggregation"] {
            assert!(error.to_string().contains(part), "{sql}: {error}");
        }
        assert_eq!(content(&folder), before, "{sql}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn groups_cannot_be_added_to_a_query_without_groups() {
    let world = world(2).await;
    let place = "memory://grouped-added";
    world.put_numbers("words", 10).await;
    let plain = "SELECT partitionKey, data FROM words";
    run(start(&world, place, plain, OutputMode::Append)).await;
    let error = fails(start(&world, place, BEFORE, OutputMode::Update)).await;
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
    for part in ["was: no GROUP BY", "now: GROUP BY words.partitionKey"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    run(start(&world, place, plain, OutputMode::Append)).await;
}

#[tokio::test(start_paused = true)]
async fn filters_projections_having_joins_and_output_mode_may_change() {
    let world = world(2).await;
    world
        .run("CREATE TABLE names AS VALUES ('a', 'Anna')")
        .await;
    let place = "memory://grouped-may-change";
    let mut counts = Vec::new();
    for (sql, mode) in [
        (
            "SELECT partitionKey, count(*) AS n FROM words GROUP BY partitionKey",
            OutputMode::Update,
        ),
        (
            "SELECT partitionKey, count(*) AS n FROM words WHERE data <> 'x' GROUP BY partitionKey",
            OutputMode::Update,
        ),
        (
            "SELECT partitionKey, 10 * count(*) AS n FROM words GROUP BY partitionKey",
            OutputMode::Update,
        ),
        (
            "SELECT partitionKey, count(*) AS n FROM words GROUP BY partitionKey
             HAVING count(*) > 3",
            OutputMode::Update,
        ),
        (
            "SELECT column2, n FROM names JOIN
             (SELECT partitionKey, count(*) AS n FROM words GROUP BY partitionKey) g
             ON g.partitionKey = column1",
            OutputMode::Update,
        ),
        (
            "SELECT partitionKey, count(*) AS n FROM words GROUP BY partitionKey
             ORDER BY partitionKey LIMIT 1",
            OutputMode::Complete,
        ),
    ] {
        for data in ["x", "y"] {
            world.put("words", "a", data).await;
        }
        world.put("words", "b", "y").await;
        let lines = Lines::default();
        let query = lines.of(grouped(&world, sql, mode));
        run(query.with_checkpoint_location(place)).await;
        let mut given = lines.newest();
        counts.push(given.pop_first().unwrap());
    }
    let expected = [
        ("a", "2"),
        ("a", "3"),
        ("a", "50"),
        ("a", "7"),
        ("Anna", "9"),
        ("a", "11"),
    ];
    let expected = expected.map(|(key, count)| (key.to_owned(), count.to_owned()));
    assert_eq!(counts, expected);
}
