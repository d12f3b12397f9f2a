//! Joins with file tables: each batch reads the current files.

use super::*;
use datafusion_kinesis::{Error, ErrorKind, sql};
use std::fs;
use std::path::Path;

/// Adds names from the table `names` to the rows of `words`.
const NAMED: &str = "SELECT partitionKey, coalesce(name, 'nobody') FROM words
                     LEFT JOIN names ON CAST(data AS VARCHAR) = id";

async fn names(world: &World, location: &Path, slash: &str) {
    world
        .run(&format!(
            "CREATE EXTERNAL TABLE names (id VARCHAR, name VARCHAR) STORED AS CSV
             LOCATION '{}{slash}' OPTIONS ('format.has_header' 'true')",
            location.display()
        ))
        .await;
}

fn write(path: &Path, rows: &str) {
    fs::write(path, format!("id,name\n{rows}\n")).unwrap();
}

/// Replaces a file atomically.
fn replace(path: &Path, rows: &str) {
    let new = path.with_extension("new");
    write(&new, rows);
    fs::rename(new, path).unwrap();
}

#[tokio::test(start_paused = true)]
async fn added_changed_and_removed_files_are_seen_by_the_next_batch() {
    let world = world(1).await;
    let folder = crate::support::folder("joined-folder");
    fs::create_dir_all(&folder).unwrap();
    write(&folder.join("a.csv"), "1,one");
    names(&world, &folder, "/").await;
    let sink = Sink::default();
    let query =
        StreamingQuery::builder(&world.ctx, NAMED).with_checkpoint_location("memory://folder");
    let query = sink.of(query).start().await.unwrap();
    let steps: [(&dyn Fn(), &str, &str); 4] = [
        (&|| (), "1", "one"),
        (&|| replace(&folder.join("a.csv"), "1,eins"), "1", "eins"),
        (&|| write(&folder.join("b.csv"), "2,two"), "2", "two"),
        (
            &|| fs::remove_file(folder.join("a.csv")).unwrap(),
            "1",
            "nobody",
        ),
    ];
    let mut expected = Vec::new();
    for (change, id, name) in steps {
        change();
        world.put("words", "k", id).await;
        query.process_all_available().await.unwrap();
        expected.push(name);
        assert_eq!(sink.rows(), expected);
    }
    fs::remove_file(folder.join("b.csv")).unwrap();
    world.put("words", "k", "2").await;
    let error = query.await_termination().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("there are no files"), "{error}");
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn rows_are_kept_for_as_long_as_the_setting_says() {
    let world = world(1).await;
    let folder = crate::support::folder("joined-kept");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("a.csv");
    write(&file, "1,one");
    names(&world, &folder, "/").await;
    world
        .run("SET streaming.refresh_tables = '10 minutes'")
        .await;
    let sink = Sink::default();
    let joined = format!("{NAMED} AND name <> 'left out'");
    let query = StreamingQuery::builder(&world.ctx, joined);
    let query = sink.of(query.with_checkpoint_location("memory://kept"));
    let query = query.start().await.unwrap();
    let minute = Duration::from_secs(60);
    let mut expected = Vec::new();
    for (rows, minutes, name) in [
        ("1,one", 0, "one"),
        ("1,left out", 5, "one"),
        ("1,uno", 6, "uno"),
        ("1,left out", 11, "nobody"),
    ] {
        replace(&file, rows);
        tokio::time::advance(minutes * minute).await;
        world.put("words", "k", "1").await;
        query.process_all_available().await.unwrap();
        expected.push(name);
        assert_eq!(sink.rows(), expected);
    }
    query.stop().await.unwrap();
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_missing_file_is_refused_before_anything_is_written() {
    let world = world(1).await;
    let folder = crate::support::folder("joined-missing");
    fs::create_dir_all(&folder).unwrap();
    let checkpoint = folder.join("checkpoint");
    world.put("words", "k", "1").await;
    for (place, slash) in [("names.csv", ""), ("names", "/")] {
        names(&world, &folder.join(place), slash).await;
        let query = Sink::default().of(StreamingQuery::builder(&world.ctx, NAMED));
        let query = query.with_checkpoint_location(checkpoint.to_str().unwrap());
        let error = query.start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        for part in ["'names'", place, "does not exist"] {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
        assert!(!checkpoint.exists());
        // The same without a stream.
        let read = sql(&world.ctx, "SELECT * FROM names").await.unwrap();
        let error = read.collect().await.unwrap_err();
        let error = Error::find_in(&error).unwrap();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        let within = "SELECT 1 WHERE EXISTS (SELECT 1 FROM names)";
        let read = sql(&world.ctx, within).await.unwrap();
        read.collect().await.unwrap_err();
        world.run("DROP TABLE names").await;
    }
    // Writing to a table creates its folder, and an empty file is a table without rows.
    names(&world, &folder.join("made"), "/").await;
    world.run("INSERT INTO names VALUES ('1', 'one')").await;
    assert!(world.run("SELECT * FROM names").await.contains("one"));
    world.run("DROP TABLE names").await;
    fs::write(folder.join("empty.csv"), "").unwrap();
    names(&world, &folder.join("empty.csv"), "").await;
    let none = world.run("SELECT count(*) AS rows FROM names").await;
    assert!(none.contains("| 0 "), "{none}");
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_file_that_vanishes_ends_the_query_and_its_batch_is_rerun() {
    let world = world(1).await;
    let folder = crate::support::folder("joined-vanishing");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("names.csv");
    write(&file, "1,one");
    names(&world, &file, "").await;
    let sink = Sink::default();
    let start = || {
        let query = sink.of(StreamingQuery::builder(&world.ctx, NAMED));
        query.with_checkpoint_location("memory://vanishing").start()
    };
    let query = start().await.unwrap();
    world.put("words", "k", "1").await;
    query.process_all_available().await.unwrap();
    fs::remove_file(&file).unwrap();
    world.put("words", "k", "1").await;
    let error = query.await_termination().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("names.csv"), "{error}");
    write(&file, "1,eins");
    let query = start().await.unwrap();
    query.process_all_available().await.unwrap();
    assert_eq!(sink.rows(), ["one", "eins"]);
    fs::remove_dir_all(folder).unwrap();
}
