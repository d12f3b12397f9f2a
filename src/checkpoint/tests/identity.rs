//! Logs whose metadata is missing, damaged or of another query.

use std::collections::BTreeMap;

use super::tampering::{planned, written};
use super::*;
use crate::error::ErrorKind;

#[tokio::test]
async fn invalid_metadata_is_named() {
    for (text, expected) in [
        ("{\"version\": 1, \"id\":", "metadata is not a valid entry"),
        (
            "{\"version\": 5}",
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

#[tokio::test]
async fn batches_without_metadata_are_refused() {
    let place = written(&[("offsets/0", planned(0))]).await;
    let error = start(place.open(), 1).metadata().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint);
    let said = "metadata is missing, but offsets/0 exists; restore metadata";
    assert!(error.to_string().contains(said), "{error}");
}

#[tokio::test]
async fn a_batch_of_other_streams_is_refused() {
    let query = start(TestLocation::memory().open(), 1);
    let of = |streams: &[&str]| Batch {
        sources: streams
            .iter()
            .map(|stream| StreamRanges {
                stream: StreamName::new(stream).unwrap(),
                created_at: None,
                read_to: None,
                retention: None,
                shards: BTreeMap::new(),
            })
            .collect(),
        ..batch(7, 0)
    };
    let metadata = metadata("a");
    query
        .expect_sources(&of(&["clicks", "words"]), &metadata)
        .unwrap();
    for (streams, read) in [
        (&["clicks"] as &[_], "it reads stream 'clicks'"),
        (&[], "it reads no stream"),
        (&["words", "clicks"], "it reads stream 'words' and 'clicks'"),
    ] {
        let error = query.expect_sources(&of(streams), &metadata).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Checkpoint);
        let said = format!(
            "offsets/7 belongs to another query: {read}, expected stream 'clicks' and 'words'"
        );
        assert!(error.to_string().contains(&said), "{error}");
    }
}

#[tokio::test]
async fn a_changed_statement_is_read_from_the_newest_batch() {
    let place = TestLocation::memory();
    let mut query = start(place.open(), 1);
    query.create_metadata(&metadata("a")).await.unwrap();
    query.take_over().await.unwrap();
    query.log_offsets(&batch(0, 1)).await.unwrap();
    let nothing = Committed::default();
    let done = query.log_commit(BatchId(0), UnixMillis(0), &nothing);
    done.await.unwrap();
    assert_eq!(query.runs_since().await.unwrap(), None);
    let changed = QueryText {
        sink: "Rows".to_owned(),
        statement: Some("SELECT 'a \"b\"'\nFROM clicks".to_owned()),
    };
    query.set_runs(changed.clone());
    assert_eq!(query.runs_since().await.unwrap(), None);
    query.log_offsets(&batch(1, 1)).await.unwrap();
    assert_eq!(query.runs_since().await.unwrap(), Some(changed));
    let found = start(place.open(), 2).take_over().await.unwrap().unwrap();
    assert_eq!(found.batch, batch(1, 1));
}

#[tokio::test]
async fn metadata_of_an_older_version_has_no_statement() {
    let text = r#"{"version": 1, "id": "a", "created_at": "2026-01-01T00:00:00Z", "sources": [],
                   "sink": "Rows"}"#;
    let place = written(&[("metadata", text.to_owned())]).await;
    let found = start(place.open(), 1).metadata().await.unwrap().unwrap();
    let runs = QueryText {
        sink: "Rows".to_owned(),
        statement: None,
    };
    assert_eq!(found.runs, runs);
    let text = text.replace("\"Rows\"", "\"Rows\", \"statement\": \"SELECT 1\"");
    let place = written(&[("metadata", text)]).await;
    let error = start(place.open(), 1).metadata().await.unwrap_err();
    let said = "unknown field `statement` in an entry of version 1";
    assert!(error.to_string().contains(said), "{error}");
}
