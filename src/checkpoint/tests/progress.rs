//! Operators in entries: what a commit records for the next batch.

use std::collections::BTreeMap;

use super::super::Log;
use super::tampering::{done, planned, written};
use super::*;
use crate::checkpoint::entry::sealed;
use crate::error::ErrorKind;
use crate::model::SnapshotFiles;

/// What a query with GROUP BY records in the commit of `batch`.
fn left(batch: u64) -> Committed {
    let time = |millis: i64| UnixMillis(1_700_000_000_000 + millis);
    let shard = |number: u64| ShardId::new(format!("shardId-{number:012}"));
    let names = |kind: &str| vec![format!("{kind}-{batch}-a"), format!("{kind}-{batch}-b")];
    let input = InputProgress {
        watermark: Some(time(0)),
        event_times: vec![
            BTreeMap::from([(shard(0), time(7)), (shard(1), UnixMillis(-1))]),
            BTreeMap::new(),
        ],
    };
    let files = StateFiles {
        snapshot: Some(SnapshotFiles {
            batch: BatchId(batch / 2),
            parts: names("part"),
        }),
        deltas: names("delta"),
    };
    Committed {
        last_arrival: Some(time(3)),
        ..aggregated(input, Some(files))
    }
}

fn watermarks(time: UnixMillis) -> BTreeMap<String, Vec<Option<UnixMillis>>> {
    BTreeMap::from([(AGGREGATION.to_owned(), vec![Some(time)])])
}

fn watermarked(id: u64) -> Batch {
    Batch {
        watermarks: watermarks(UnixMillis(1_699_999_999_001)),
        ..batch(id, 3)
    }
}

async fn text(place: &TestLocation, log: Log, batch: u64) -> String {
    let found = place.open().get(log, BatchId(batch)).await.unwrap();
    String::from_utf8(found.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn the_newest_commit_is_recovered() {
    let place = TestLocation::memory();
    let mut query = start(place.open(), 1);
    query.take_over().await.unwrap();
    let mut before = Committed::default();
    for id in 0..4 {
        query.log_offsets(&watermarked(id)).await.unwrap();
        let found = start(place.open(), 2).take_over().await.unwrap().unwrap();
        assert_eq!(found.batch, watermarked(id));
        assert_eq!((found.committed, &found.before), (false, &before));
        query.take_over().await.unwrap();
        before = left(id);
        let logged = query.log_commit(BatchId(id), UnixMillis(1), &before).await;
        assert_eq!(logged.unwrap(), Logged::Done);
        let found = start(place.open(), 2).take_over().await.unwrap().unwrap();
        assert_eq!((found.committed, &found.before), (true, &before));
        query.take_over().await.unwrap();
    }
}

#[tokio::test]
async fn operators_round_trip() {
    let all = left(3).operators.remove(0);
    let some = StateFiles {
        snapshot: None,
        ..all.files.clone().unwrap()
    };
    let of = |watermark, event_times, files| {
        let input = InputProgress {
            watermark,
            event_times,
        };
        aggregated(input, files)
    };
    // Several operators, one with two inputs, and one without event time.
    let join = OperatorProgress {
        id: "join".to_owned(),
        kind: "interval_join".to_owned(),
        schema_version: 2,
        inputs: vec![InputProgress::default(), all.inputs[0].clone()],
        files: None,
    };
    let distinct = OperatorProgress {
        id: "distinct".to_owned(),
        inputs: Vec::new(),
        ..join.clone()
    };
    let several = Committed {
        last_arrival: None,
        operators: vec![join, distinct, all.clone()],
    };
    let extremes = [UnixMillis::FIRST, UnixMillis::LAST].map(Some);
    for expected in [
        of(extremes[0], Vec::new(), None),
        of(extremes[1], Vec::new(), None),
        several,
        of(all.inputs[0].watermark, Vec::new(), None),
        of(None, all.inputs[0].event_times.clone(), None),
        of(None, Vec::new(), Some(some)),
        of(None, Vec::new(), Some(StateFiles::default())),
    ] {
        let place = TestLocation::memory();
        let mut query = start(place.open(), 1);
        query.take_over().await.unwrap();
        query.log_offsets(&batch(0, 1)).await.unwrap();
        let logged = query.log_commit(BatchId(0), UnixMillis(1), &expected).await;
        assert_eq!(logged.unwrap(), Logged::Done);
        let entry = text(&place, Log::Commits, 0).await;
        assert!(entry.starts_with("{\n  \"version\": 4,\n"), "{entry}");
        let found = query.take_over().await.unwrap().unwrap();
        assert_eq!(found.before, expected);
    }
}

#[tokio::test]
async fn a_query_without_state_records_no_operators() {
    let place = TestLocation::memory();
    let mut query = start(place.open(), 1);
    query.take_over().await.unwrap();
    query.log_offsets(&batch(7, 2)).await.unwrap();
    let nothing = Committed::default();
    let logged = query.log_commit(BatchId(7), UnixMillis(1), &nothing).await;
    assert_eq!(logged.unwrap(), Logged::Done);
    let run = format!("{:016x}", fastrand::Rng::with_seed(1).u64(..));
    let head = format!(
        "{{\n  \"version\": 4,\n  \"batch\": 7,\n  \"epoch\": 1,\n  \"run\": \"{run}\",\n  \"time\": "
    );
    let done = text(&place, Log::Commits, 7).await;
    let time = format!("{head}\"1970-01-01T00:00:00.001Z\",\n  \"checksum\": \"");
    assert!(done.starts_with(&time), "{done}");
    let planned = text(&place, Log::Offsets, 7).await;
    let sources = format!("{head}\"2023-11-14T22:13:20.007Z\",\n  \"sources\": [\n");
    assert!(planned.starts_with(&sources), "{planned}");

    query.create_metadata(&metadata("a")).await.unwrap();
    let made = place.open().metadata().await.unwrap().unwrap();
    let made = String::from_utf8(made.to_vec()).unwrap();
    assert!(made.starts_with("{\n  \"version\": 4,\n"), "{made}");
    let end = "\"sink\": \"KinesisSink[word_counts]\",\n  \"statement\": \"INSERT INTO word_counts \
               SELECT * FROM words\",\n  \"checksum\": \"";
    assert!(made.contains(end), "{made}");
}

#[tokio::test]
async fn entries_with_a_watermark_are_readable() {
    let place = TestLocation::memory();
    let mut query = start(place.open(), 1);
    query.take_over().await.unwrap();
    query.log_offsets(&watermarked(0)).await.unwrap();
    let logged = query.log_commit(BatchId(0), UnixMillis(1), &left(0)).await;
    assert_eq!(logged.unwrap(), Logged::Done);
    let planned = text(&place, Log::Offsets, 0).await;
    let done = text(&place, Log::Commits, 0).await;
    for (entry, part) in [
        (&planned, "\"version\": 4"),
        (
            &planned,
            "\"aggregation\": [\n      \"2023-11-14T22:13:19.001Z\"",
        ),
        (&done, "\"version\": 4"),
        (&done, "\"watermark\": \"2023-11-14T22:13:20.000Z\""),
        (
            &done,
            "\"shardId-000000000000\": \"2023-11-14T22:13:20.007Z\"",
        ),
        (
            &done,
            "\"shardId-000000000001\": \"1969-12-31T23:59:59.999Z\"",
        ),
        (&done, "\"delta-0-a\",\n"),
    ] {
        assert!(entry.contains(part), "{part}: {entry}");
    }
}

#[tokio::test]
async fn descriptions_of_operators_round_trip() {
    for event_time in [None, Some("event_time".to_owned())] {
        let place = TestLocation::memory();
        let query = start(place.open(), 1);
        let made = QueryMetadata {
            operators: vec![OperatorMetadata {
                id: AGGREGATION.to_owned(),
                description: OperatorDescription::Aggregation(AggregationMetadata {
                    origin: Some("0cc1".to_owned()),
                    event_time_origin: None,
                    group_by: vec!["word".to_owned()],
                    aggregates: vec!["count(*)".to_owned(), "sum(n)".to_owned()],
                    event_time,
                }),
            }],
            ..metadata("a")
        };
        assert_eq!(query.create_metadata(&made).await.unwrap(), made);
        assert_eq!(query.metadata().await.unwrap(), Some(made));
        let text = place.open().metadata().await.unwrap().unwrap();
        assert!(text.starts_with(b"{\n  \"version\": 4,\n"));
    }
}

#[tokio::test]
async fn an_operator_of_an_unknown_kind_is_refused_by_name() {
    let place = TestLocation::memory();
    let made = metadata("a");
    start(place.open(), 1).create_metadata(&made).await.unwrap();
    let text = place.open().metadata().await.unwrap().unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let (members, _) = text.split_once(",\n  \"checksum\"").unwrap();
    let operator = r#"{"id": "join", "kind": "interval_join", "description": {"keys": []}}"#;
    let entry = sealed(format!("{members},\n  \"operators\": [{operator}]\n}}").as_bytes());
    let entry = String::from_utf8(entry.unwrap()).unwrap();
    let place = written(&[("metadata", entry)]).await;
    let error = start(place.open(), 1).metadata().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
    for part in [
        "operator 'join' of kind 'interval_join'",
        "run the query with that version",
    ] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn members_of_the_one_state_are_refused_beside_operators() {
    let state = "\n  \"state\": {\"deltas\": []}";
    let entry = done(0).replace("\"version\": 1", "\"version\": 4");
    let members = entry.trim_end_matches('}');
    let entry = sealed(format!("{members},{state}\n}}").as_bytes()).unwrap();
    let entry = String::from_utf8(entry).unwrap();
    let place = written(&[("offsets/0", planned(0)), ("commits/0", entry)]).await;
    let error = start(place.open(), 1).take_over().await.unwrap_err();
    let expected = "unknown field `state` in an entry of version 4";
    assert!(error.to_string().contains(expected), "{error}");
}

#[tokio::test]
async fn invalid_commits_are_refused() {
    let second = |text: String| text.replace("\"version\": 1", "\"version\": 2");
    let with = |member: &str| second(done(0)).replace('}', &format!(", {member}}}"));
    let mark = "\"watermark\": \"2026-01-01T00:00:00Z\"";
    for (commit, expected) in [
        (done(0)[..40].to_owned(), "is not a valid entry"),
        (done(3), "commits/0 holds the entry of batch 3"),
        (
            with(mark).replace("\"version\": 2", "\"version\": 1"),
            "unknown field `watermark` in an entry of version 1",
        ),
        (
            with(mark).replace("\"version\": 2", "\"version\": 5"),
            "commits/0 was written by a newer version",
        ),
        (with("\"watermark\": 5"), "invalid type"),
        (
            with("\"watermark\": \"2026-01-01\""),
            "'2026-01-01' is not a time",
        ),
        (with("\"watermarks\": []"), "unknown field `watermarks`"),
        (with("\"event_times\": {}"), "invalid type"),
        (with("\"state\": {}"), "missing field `deltas`"),
        (
            with("\"state\": {\"deltas\": [], \"parts\": []}"),
            "unknown field `parts`",
        ),
        (
            with("\"state\": {\"deltas\": [], \"snapshot\": {\"batch\": 1}}"),
            "missing field `parts`",
        ),
    ] {
        // Both a committed batch and the one after it need the commit.
        for next in [&[][..], &[("offsets/1", planned(1))][..]] {
            let mut entries = vec![("offsets/0", planned(0)), ("commits/0", commit.clone())];
            entries.extend_from_slice(next);
            let place = written(&entries).await;
            let error = start(place.open(), 1).take_over().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
            let text = error.to_string();
            assert!(text.contains("commits/0 "), "{text}");
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
    for text in [planned(0), second(planned(0))] {
        let entry = text.replace("\"sources\"", &format!("{mark}, \"sources\""));
        let place = written(&[("offsets/0", entry)]).await;
        let found = start(place.open(), 1).take_over().await;
        assert_eq!(found.is_ok(), text != planned(0), "{found:?}");
    }
}

#[tokio::test]
async fn the_advice_for_an_unreadable_commit_names_the_next_batch() {
    let torn = done(0)[..40].to_owned();
    let place = written(&[
        ("offsets/0", planned(0)),
        ("commits/0", torn),
        ("offsets/1", planned(1)),
    ])
    .await;
    let error = start(place.open(), 1).take_over().await.unwrap_err();
    let said = "or remove it, and offsets/1 if it exists; batch 0 then runs again";
    assert!(error.to_string().contains(said), "{error}");
    for (log, batch) in [(Log::Commits, 0), (Log::Offsets, 1)] {
        place.open().remove(log, BatchId(batch)).await.unwrap();
    }
    let found = start(place.open(), 1).take_over().await.unwrap().unwrap();
    assert_eq!((found.batch.id, found.committed), (BatchId(0), false));
}

/// The number of calls of a restart before it reads the newest epoch from a commit, and before it reads the commit.
const BEFORE_EPOCH: usize = 3;
const BEFORE_COMMIT: usize = 8;

/// A log whose call number `call` finds nothing.
fn forgetful(place: &TestLocation, call: usize) -> Arc<FaultyCommitter> {
    let committer = FaultyCommitter::new(place.open());
    // This fault affects only writes.
    let mut calls = vec![Fault::OvertakesFence; call];
    calls.push(Fault::FindsNothing);
    committer.next(&calls);
    committer
}

#[tokio::test]
async fn commits_of_a_newer_run_fence_this_one() {
    let newer = |text: String| text.replace("\"epoch\": 1", "\"epoch\": 9");
    let place = written(&[
        ("offsets/0", planned(0)),
        ("commits/0", newer(done(0))),
        ("offsets/1", planned(1)),
    ])
    .await;
    // The newer run writes after this one has read the epochs.
    let query = forgetful(&place, BEFORE_EPOCH);
    let error = start(query, 1).take_over().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    assert!(error.to_string().contains("wrote commits/0"), "{error}");
}

#[tokio::test]
async fn a_commit_that_is_purged_while_it_is_read_is_an_error() {
    let place = written(&[
        ("offsets/0", planned(0)),
        ("commits/0", done(0)),
        ("offsets/1", planned(1)),
    ])
    .await;
    let query = forgetful(&place, BEFORE_COMMIT);
    let error = start(query, 1).take_over().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
    let said = "commits/0 was removed while it was being read; start the query again";
    assert!(error.to_string().contains(said), "{error}");
}
