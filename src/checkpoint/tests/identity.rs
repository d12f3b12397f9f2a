//! Logs whose query is not known, or another one.

use std::collections::BTreeMap;

use super::tampering::{planned, written};
use super::*;
use crate::error::ErrorKind;

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

#[tokio::test]
async fn batches_without_metadata_are_nobodys() {
    let place = written(&[("offsets/0", planned(0))]).await;
    let error = start(place.open(), 1).metadata().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint);
    let said = "metadata is missing, and offsets/0 is there; restore metadata";
    assert!(error.to_string().contains(said), "{error}");
}

#[tokio::test]
async fn a_batch_of_other_streams_is_not_of_the_query() {
    let query = start(Place::memory().open(), 1);
    let of = |streams: &[&str]| Batch {
        sources: streams
            .iter()
            .map(|stream| StreamRanges {
                stream: StreamName::new(stream).unwrap(),
                created_at: None,
                read_to: None,
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
        let said =
            format!("offsets/7 is not of this query: {read}, expected stream 'clicks' and 'words'");
        assert!(error.to_string().contains(&said), "{error}");
    }
}
