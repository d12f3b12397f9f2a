//! Logs that somebody or something else has changed.

use super::super::{Log, Put};
use super::*;
use crate::error::ErrorKind;

/// Writes entries as they are, plans and commits told apart by their name.
async fn written(entries: &[(&str, String)]) -> Place {
    let place = Place::memory();
    let committer = place.open();
    let epoch = committer.take_epoch().await.unwrap();
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

fn planned(batch: u64) -> String {
    format!(
        r#"{{"version": 1, "batch": {batch}, "epoch": 1, "run": "r", "time": "2026-01-01T00:00:00Z",
            "sources": [{{"stream": "s", "shards": {{"a": "SHARD_END"}}}}]}}"#
    )
}

fn done(batch: u64) -> String {
    format!(
        r#"{{"version": 1, "batch": {batch}, "epoch": 1, "run": "r", "time": "2026-01-01T00:00:00Z"}}"#
    )
}

#[tokio::test]
async fn a_log_that_does_not_fit_together_is_not_guessed_at() {
    let newer = |text: String| text.replace("\"version\": 1", "\"version\": 2, \"plans\": []");
    let more = |text: String| text.replace("\"version\"", "\"watermark\": 5, \"version\"");
    let (o, c) = (planned, done);
    for (entries, expected) in [
        (
            vec![("offsets/0", o(0)[..60].to_owned())],
            "offsets/0 is not what was written there",
        ),
        (
            vec![("offsets/0", "PAR1\0\u{1}".to_owned())],
            "offsets/0 is not what was written there",
        ),
        (
            vec![("offsets/0", String::new())],
            "offsets/0 is not what was written there",
        ),
        (
            vec![("offsets/0", o(1))],
            "offsets/0 holds the entry of batch 1",
        ),
        (
            vec![("offsets/0", newer(o(0)))],
            "offsets/0 was written by a newer version",
        ),
        (vec![("offsets/0", more(o(0)))], "unknown field `watermark`"),
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
            vec![("offsets/0", o(0).replace("T00:00:00Z", ""))],
            "'2026-01-01' is no time",
        ),
        (
            vec![("offsets/0", o(0)), ("commits/0", c(3))],
            "commits/0 holds the entry of batch 3",
        ),
        (
            vec![("offsets/0", o(0)), ("commits/0", "{".to_owned())],
            "commits/0 is not what",
        ),
        (
            vec![("offsets/0", o(0)), ("commits/0", newer(c(0)))],
            "commits/0 was written by a newer",
        ),
        (
            vec![("offsets/1", o(1))],
            "offsets/0 is missing, and offsets/1 is there",
        ),
        (
            vec![
                ("offsets/0", o(0)),
                ("commits/0", c(0)),
                ("offsets/2", o(2)),
                ("commits/2", c(2)),
            ],
            "offsets/1 is missing, and offsets/2 is there",
        ),
        (
            vec![("offsets/0", o(0)), ("offsets/1", o(1))],
            "commits/0 is missing, and offsets/1",
        ),
        (
            vec![("commits/0", c(0))],
            "offsets/0 is missing, and commits/0 is there",
        ),
        (
            vec![
                ("offsets/0", o(0)),
                ("commits/0", c(0)),
                ("commits/1", c(1)),
            ],
            "offsets/1 is missing, and commits/1 is there",
        ),
        (
            vec![("offsets/0", o(0).replace("\"epoch\": 1", "\"epoch\": 2"))],
            "offsets/0 was written by another run (r) under the same epoch 2",
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
async fn what_a_purge_left_fits_together() {
    for entries in [
        vec![("offsets/7", planned(7)), ("commits/7", done(7))],
        vec![
            ("offsets/7", planned(7)),
            ("commits/7", done(7)),
            ("offsets/8", planned(8)),
        ],
        // Stopped between the two of batch 6.
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
async fn torn_metadata_is_named() {
    for (text, expected) in [
        (
            "{\"version\": 1, \"id\":",
            "metadata is not what was written there",
        ),
        (
            "{\"version\": 3}",
            "metadata was written by a newer version",
        ),
    ] {
        let place = written(&[("metadata", text.to_owned())]).await;
        let query = start(place.open(), 1);
        for error in [
            query.metadata().await.unwrap_err(),
            query.create_metadata(&metadata("a")).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Checkpoint);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
