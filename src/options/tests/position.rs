//! Where reading starts.

use super::*;
use crate::model::{SequenceNumber, ShardId, ShardPosition, UnixMillis};

fn position(text: &str) -> Result<StartingPosition> {
    Ok(options(&[("kinesis.startingPosition", text)])?
        .source
        .starting_position)
}

#[test]
fn starting_positions_are_words_or_times() {
    assert_eq!(position("latest").unwrap(), StartingPosition::Latest);
    assert_eq!(position("Earliest").unwrap(), StartingPosition::TrimHorizon);
    let time = StartingPosition::AtTimestamp(UnixMillis(1_693_422_005_000));
    for text in [
        "AT_TIMESTAMP 2023-08-30T19:00:05Z",
        "at_timestamp 2023-08-30T11:00:05-08:00",
        "At_Timestamp  2023-08-30t19:00:05.000z",
    ] {
        assert_eq!(position(text).unwrap(), time, "{text}");
    }
    for text in [
        "",
        "AT_TIMESTAMP",
        "AT_TIMESTAMP 2023-02-30T19:00:05Z",
        "AT_TIMESTAMP2023",
        "AFTER",
    ] {
        assert!(position(text).is_err(), "{text}");
    }
}

#[test]
fn the_connectors_offset_json_is_a_starting_position() {
    let json = r#"{
        "metadata": {"streamName": "words", "batchId": "7"},
        "shardId-000000000000": {"iteratorType": "AFTER_SEQUENCE_NUMBER", "iteratorPosition": "4959", "subSequenceNumber": "3", "isLast": "false"},
        "shardId-000000000001": {"iteratorType": "AFTER_SEQUENCE_NUMBER", "iteratorPosition": "4960", "subSequenceNumber": "3", "isLast": "true"},
        "shardId-000000000002": {"iteratorType": "SHARD_END", "iteratorPosition": "", "subSequenceNumber": "-1", "isLast": "true"},
        "shardId-000000000003": {"iteratorType": "AT_TIMESTAMP", "iteratorPosition": "1693422005000", "subSequenceNumber": "-1", "isLast": "true"},
        "shardId-000000000004": {"iteratorType": "LATEST", "iteratorPosition": "", "subSequenceNumber": "-1", "isLast": "true"},
        "shardId-000000000005": {"iteratorType": "AT_SEQUENCE_NUMBER", "iteratorPosition": "12"}
    }"#;
    let after = |digits, sub_sequence| ShardPosition::After {
        sequence: SequenceNumber::new(digits).unwrap(),
        sub_sequence,
    };
    let shard = |n| ShardId::new(format!("shardId-{n:012}"));
    let expected = [
        (shard(0), after("4959", Some(3))),
        (shard(1), after("4960", None)),
        (shard(2), ShardPosition::ShardEnd),
        (
            shard(3),
            ShardPosition::AtTimestamp(UnixMillis(1_693_422_005_000)),
        ),
        (
            shard(5),
            ShardPosition::At(SequenceNumber::new("12").unwrap()),
        ),
    ];
    assert_eq!(
        position(json).unwrap(),
        StartingPosition::PerShard(expected.into())
    );
}

#[test]
fn positions_of_another_stream_or_of_no_sense_are_refused() {
    let message = position(r#"{"metadata": {"streamName": "clicks"}}"#)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("stream 'clicks', expected those of 'words'"),
        "{message}"
    );
    for json in [
        "{",
        r#"{"shardId-0": 5}"#,
        r#"{"shardId-0": {"iteratorType": "SOMEWHERE"}}"#,
        r#"{"shardId-0": {"iteratorType": "AFTER_SEQUENCE_NUMBER", "iteratorPosition": "x"}}"#,
        r#"{"shardId-0": {"iteratorType": "AT_TIMESTAMP", "iteratorPosition": "today"}}"#,
        r#"{"shardId-0": {"iteratorType": "AT_TIMESTAMP", "iteratorPosition": "1693422005000000"}}"#,
    ] {
        assert!(
            position(json).unwrap_err().to_string().contains("expected"),
            "{json}"
        );
    }
}
