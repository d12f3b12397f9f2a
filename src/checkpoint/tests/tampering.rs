//! Logs that something else has changed.

use std::fs;

use super::super::{Log, Put};
use super::*;
use crate::error::ErrorKind;

/// Writes entries unchanged, to the log in their name.
pub(super) async fn written(entries: &[(&str, String)]) -> TestLocation {
    let place = TestLocation::memory();
    let committer = place.open();
    let epoch = committer.take_epoch(NONE).await.unwrap();
    for (name, text) in entries {
        let text = text.clone().into();
        let put = match name.split_once('/') {
            None => committer.create_metadata(text).await,
            Some((log, batch)) => {
                let logs = [Log::Offsets, Log::Commits];
                let log = logs.into_iter().find(|known| known.name() == log).unwrap();
                let batch = BatchId(batch.parse().unwrap());
                committer.put(epoch, log, batch, text).await
            }
        };
        assert_eq!(put.unwrap(), Put::Done);
    }
    place
}

pub(super) fn planned(batch: u64) -> String {
    format!(
        r#"{{"version": 1, "batch": {batch}, "epoch": 1, "run": "r", "time": "2026-01-01T00:00:00Z",
            "sources": [{{"stream": "s", "shards": {{"a": "SHARD_END"}}}}]}}"#
    )
}

pub(super) fn done(batch: u64) -> String {
    format!(
        r#"{{"version": 1, "batch": {batch}, "epoch": 1, "run": "r", "time": "2026-01-01T00:00:00Z"}}"#
    )
}

#[tokio::test]
async fn missing_optional_members_are_unknown() {
    let range = r#"{"after": "AFTER 8", "upto": "AFTER 9.1"}"#;
    let entry = planned(0).replace(r#""SHARD_END""#, range);
    let place = written(&[("metadata", String::new()), ("offsets/0", entry)]).await;
    let found = start(place.open(), 1).take_over().await.unwrap().unwrap();
    let source = &found.batch.sources[0];
    assert_eq!((source.created_at, source.read_to), (None, None));
    assert_eq!(source.retention, None);
    let range = source.shards.values().next().unwrap();
    assert_eq!((range.is_empty(), range.rows), (false, None));
}

#[tokio::test]
async fn inconsistent_logs_are_refused() {
    let newer = |text: String| text.replace("\"version\": 1", "\"version\": 5, \"plans\": []");
    let more = |text: String| text.replace("\"version\"", "\"lateness\": 5, \"version\"");
    let (o, c) = (planned, done);
    for (entries, expected) in [
        (
            vec![("offsets/0", o(0)[..60].to_owned())],
            "offsets/0 is not a valid entry",
        ),
        (
            vec![("offsets/0", "PAR1\0\u{1}".to_owned())],
            "offsets/0 is not a valid entry",
        ),
        (
            vec![("offsets/0", String::new())],
            "offsets/0 is not a valid entry",
        ),
        (
            vec![("offsets/0", o(1))],
            "offsets/0 holds the entry of batch 1",
        ),
        (
            vec![("offsets/0", newer(o(0)))],
            "offsets/0 was written by a newer version",
        ),
        (vec![("offsets/0", more(o(0)))], "unknown field `lateness`"),
        (
            vec![("offsets/0", o(0).replace("SHARD_END", "LATEST"))],
            "expected a shard position",
        ),
        (
            vec![(
                "offsets/0",
                o(0).replace(
                    "\"SHARD_END\"",
                    r#"{"after": "AFTER 9.2", "upto": "AFTER 9.1"}"#,
                ),
            )],
            "the range of shard a ends before it begins",
        ),
        (
            vec![(
                "offsets/0",
                o(0).replace(
                    "\"SHARD_END\"",
                    r#"{"after": "AFTER 9.2", "upto": "AFTER 9.2", "rows": 3}"#,
                ),
            )],
            "the range of shard a is empty but has 3 rows",
        ),
        (
            vec![(
                "offsets/0",
                o(0).replace("2026-01-01T00:00:00Z", "0000-01-01T00:00:00+01:00"),
            )],
            "'0000-01-01T00:00:00+01:00' is not within the years",
        ),
        (
            vec![("offsets/0", o(0).replace("T00:00:00Z", ""))],
            "'2026-01-01' is not a time",
        ),
        (
            vec![("offsets/0", o(0)), ("commits/0", c(3))],
            "commits/0 holds the entry of batch 3",
        ),
        (
            vec![("offsets/0", o(0)), ("commits/0", "{".to_owned())],
            "commits/0 is not a valid entry",
        ),
        (
            vec![("offsets/0", o(0)), ("commits/0", newer(c(0)))],
            "commits/0 was written by a newer",
        ),
        (
            vec![("offsets/1", o(1))],
            "offsets/0 is missing, but offsets/1 exists",
        ),
        (
            vec![
                ("offsets/0", o(0)),
                ("commits/0", c(0)),
                ("offsets/2", o(2)),
                ("commits/2", c(2)),
            ],
            "offsets/1 is missing, but offsets/2 exists",
        ),
        (
            vec![("offsets/0", o(0)), ("offsets/1", o(1))],
            "commits/0 is missing, but offsets/1",
        ),
        (
            vec![("commits/0", c(0))],
            "offsets/0 is missing, but commits/0 exists",
        ),
        (
            vec![
                ("offsets/0", o(0)),
                ("commits/0", c(0)),
                ("commits/1", c(1)),
            ],
            "offsets/1 is missing, but commits/1 exists",
        ),
        (
            vec![(
                "offsets/0",
                o(0).replace("\"epoch\": 1", "\"epoch\": 18446744073709551615"),
            )],
            "is the largest possible number",
        ),
    ] {
        let place = written(&entries).await;
        let error = start(place.open(), 1).take_over().await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Checkpoint, "{text}");
        assert!(
            text.starts_with(&format!("checkpoint '{}': ", place.location())),
            "{text}"
        );
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[tokio::test]
async fn removed_epochs_are_not_reused() {
    let place = TestLocation::local();
    let (mut first, mut second) = (start(place.open(), 1), start(place.open(), 2));
    for query in [&mut first, &mut second] {
        for _ in 0..3 {
            query.take_over().await.unwrap();
        }
    }
    second.log_offsets(&batch(0, 1)).await.unwrap();
    second
        .log_commit(BatchId(0), UnixMillis(0), &Committed::default())
        .await
        .unwrap();
    fs::remove_dir_all(place.folder().join("epochs")).unwrap();
    let mut third = start(place.open(), 3);
    let recovered = third.take_over().await.unwrap().expect("a batch");
    assert!(recovered.committed);
    let logged = third.log_offsets(&batch(1, 1)).await.unwrap();
    assert_eq!(logged, Logged::Done);
    let error = second.log_offsets(&batch(1, 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("by epoch 7"), "{error}");
}

#[tokio::test]
async fn an_entry_of_another_run_with_the_same_epoch_is_refused() {
    let place = TestLocation::memory();
    let committer = place.open();
    let mut query = start(Arc::clone(&committer), 1);
    query.take_over().await.unwrap();
    let entry = planned(0).into();
    let put = committer.put(Epoch(1), Log::Offsets, BatchId(0), entry);
    assert_eq!(put.await.unwrap(), Put::Done);
    let error = query.log_offsets(&batch(0, 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint);
    let said = "offsets/0 was written by another run (r) under the same epoch 1";
    assert!(error.to_string().contains(said), "{error}");
}

#[tokio::test]
async fn a_partly_purged_log_is_consistent() {
    for entries in [
        vec![("offsets/7", planned(7)), ("commits/7", done(7))],
        vec![
            ("offsets/7", planned(7)),
            ("commits/7", done(7)),
            ("offsets/8", planned(8)),
        ],
        // The purge stopped between the two entries of batch 6.
        vec![
            ("offsets/6", planned(6)),
            ("offsets/7", planned(7)),
            ("commits/7", done(7)),
        ],
    ] {
        let place = written(&entries).await;
        let recovered = start(place.open(), 1).take_over().await.unwrap();
        assert!(recovered.is_some());
    }
}

#[tokio::test]
async fn edited_entries_are_refused() {
    for (name, from, to) in [
        ("offsets/0", "\"rows\": 1", "\"rows\": 2"),
        ("offsets/0", "2023-11-14T22:13:20", "2023-11-14T23:13:20"),
        ("offsets/0", "\"version\": 4", "\"version\": 2"),
        (
            "commits/0",
            "2023-11-14T22:13:20.000Z",
            "2024-11-14T22:13:20.000Z",
        ),
        ("commits/0", "\n  \"run\"", "\n\n  \"run\""),
        (
            "commits/0",
            ",\n  \"checksum\": \"",
            ",\n  \"checksums\": \"",
        ),
        ("metadata", "KinesisSink[word_counts]", "KinesisSink[other]"),
    ] {
        let place = TestLocation::local();
        let mut query = start(place.open(), 1);
        query.create_metadata(&metadata("a")).await.unwrap();
        query.take_over().await.unwrap();
        query.log_offsets(&batch(0, 2)).await.unwrap();
        let input = InputProgress {
            watermark: Some(UnixMillis(1_700_000_000_000)),
            event_times: Vec::new(),
        };
        let left = aggregated(input, None);
        let logged = query.log_commit(BatchId(0), UnixMillis(0), &left).await;
        assert_eq!(logged.unwrap(), Logged::Done);
        let path = place.folder().join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}: {text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let mut query = start(place.open(), 2);
        let error = match query.metadata().await {
            Ok(_) => query.take_over().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
        for part in [name, "is not a valid entry", "checksum", "restore it"] {
            assert!(error.to_string().contains(part), "{to}: {part}: {error}");
        }
        // Trailing white space, as an editor may add to a copy, is accepted.
        fs::write(&path, format!("{text}\n")).unwrap();
        let mut query = start(place.open(), 3);
        query.metadata().await.unwrap().unwrap();
        let found = query.take_over().await.unwrap().unwrap();
        assert_eq!(found.before, left);
    }
}
