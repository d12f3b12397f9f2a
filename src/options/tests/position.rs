//! Starting positions.

use super::*;
use crate::model::{SequenceNumber, ShardId, ShardPosition, UnixMillis};

fn position(text: &str) -> Result<StartingPosition> {
    Ok(options(&[("kinesis.startingPosition", text)])?
        .source
        .starting_position)
}

#[test]
fn starting_positions_are_keywords_or_times() {
    assert_eq!(position(" latest ").unwrap(), StartingPosition::Latest);
    assert_eq!(position("Earliest").unwrap(), StartingPosition::TrimHorizon);
    for text in [
        "AT_TIMESTAMP 2023-08-30T19:00:05Z",
        "at_timestamp 2023-08-30T11:00:05-08:00",
        "At_Timestamp  2023-08-30t19:00:05.000z",
        "AT_TIMESTAMP 2023-08-30 19:00:05Z",
        "AT_TIMESTAMP\t2023-08-30 21:00:05+02:00",
        "AT_TIMESTAMP 2023-08-30 21:00:05 +0200",
        "AT_TIMESTAMP 2023-08-30T21:00:05+02",
        "AT_TIMESTAMP 2023-08-30T19:00:05.000999999Z",
        "AT_TIMESTAMP 1693422005",
        "AT_TIMESTAMP 1693422005000",
    ] {
        let time = StartingPosition::AtTimestamp(UnixMillis(1_693_422_005_000));
        assert_eq!(position(text).unwrap(), time, "{text}");
    }
    let fraction = position("AT_TIMESTAMP 2023-08-30T19:00:05.25Z").unwrap();
    let time = UnixMillis(1_693_422_005_250);
    assert_eq!(fraction, StartingPosition::AtTimestamp(time));
}

#[test]
fn an_invalid_starting_position_is_rejected_with_the_expected_forms() {
    for text in [
        "",
        "AFTER",
        "LATEST now",
        "TRIM_HORIZON 5",
        "[]",
        "AT_TIMESTAMP",
        "AT_TIMESTAMP2023",
        "AT_TIMESTAMP 2023-02-30T19:00:05Z",
        "AT_TIMESTAMP 2023-08-30T19:00:05",
        "AT_TIMESTAMP 2023-08-30 19:00:05",
        "AT_TIMESTAMP 2023-08-30",
        "AT_TIMESTAMP 2023-08-30T19:00:05Zulu",
        "AT_TIMESTAMP 1969-12-31T23:59:59Z",
        "AT_TIMESTAMP 169342200500",
        "AT_TIMESTAMP 1693422005000000",
        "AT_TIMESTAMP -1693422005",
        "v1",
    ] {
        let message = position(text).unwrap_err().to_string();
        assert!(message.contains("expected"), "{text}: {message}");
        assert!(message.contains(&format!("= '{text}'")), "{message}");
    }
    let zone = position("AT_TIMESTAMP 2023-08-30T19:00:05").unwrap_err();
    assert!(zone.to_string().contains("with 'Z' or an offset"), "{zone}");
}

/// The positions in `json` of shards 0, 1, …; `None` for those without one.
fn places(json: &str, shards: u32) -> Vec<Option<String>> {
    let position = position(json).unwrap();
    let place = |n| position.position_of(&ShardId::new(format!("shardId-{n:012}")));
    (0..shards).map(|n| Some(place(n)?.to_string())).collect()
}

#[test]
fn the_text_forms_of_positions_are_accepted() {
    let json = r#"{
        "shardId-000000000000": "AFTER 4959",
        "shardId-000000000001": "after 4959.3",
        "shardId-000000000002": "AT 12",
        "shardId-000000000003": "SHARD_END",
        "shardId-000000000004": "AT_TIMESTAMP 2023-08-30 21:00:05+02:00",
        "shardId-000000000005": "earliest",
        "shardId-000000000006": "LATEST"
    }"#;
    let expected = [
        "AFTER 4959",
        "AFTER 4959.3",
        "AT 12",
        "SHARD_END",
        "AT_TIMESTAMP 2023-08-30T19:00:05Z",
        "TRIM_HORIZON",
    ];
    let expected = expected.map(|place| Some(place.to_owned()));
    assert_eq!(places(json, 7), [&expected[..], &[None]].concat());
}

#[test]
fn an_offset_log_entry_gives_the_ends_of_its_ranges() {
    let json = r#"{
        "version": 1, "batch": 12, "epoch": 3, "run": "9f86d081884c7d65",
        "time": "2026-11-20T10:00:00.000Z",
        "sources": [
            {"stream": "clicks", "shards": {"shardId-000000000000": "AFTER 1"}},
            {"stream": "words", "made_at": "later", "shards": {
                "shardId-000000000000": {"after": "AFTER 5", "upto": "AFTER 9", "rows": 4},
                "shardId-000000000001": "SHARD_END",
                "shardId-000000000002": {"after": "TRIM_HORIZON", "upto": "SHARD_END"}
            }}
        ]
    }"#;
    let expected = ["AFTER 9", "SHARD_END", "SHARD_END"].map(|place| Some(place.to_owned()));
    assert_eq!(places(json, 3), expected);
    let foreign = position(&json.replace("words", "others")).unwrap_err();
    assert!(
        foreign
            .to_string()
            .contains("positions for streams 'clicks', 'others', expected positions for 'words'"),
        "{foreign}"
    );
    let twice = position(&json.replace("clicks", "words")).unwrap_err();
    assert!(twice.to_string().contains("more than one set"), "{twice}");
}

#[test]
fn a_spark_offset_file_is_accepted() {
    let file = include_str!("../../../tests/data/spark_offsets.txt");
    assert_eq!(
        places(file, 4),
        [
            None,
            Some("AFTER 49645911022375268414723105361023041936174830512379625490.2".to_owned()),
            Some("AFTER 49645911022397569159921635984164577654447478873885605922".to_owned()),
            Some("TRIM_HORIZON".to_owned()),
        ]
    );
    let windows = file.replace('\n', "\r\n");
    assert_eq!(position(&windows).unwrap(), position(file).unwrap());
    let torn = &file[..file.trim_end().len() - 1];
    for (text, expected) in [
        (torn, "on line 5: expected the positions of a source"),
        (&file.replacen("v1", "v2", 1), "version 'v2': expected 'v1'"),
        (
            &file.replace("\"words\"", "\"verbs\""),
            "positions for stream 'verbs'",
        ),
        ("v1\n{\"batchWatermarkMs\":0}\n-", "positions for no stream"),
        (
            "v1\n{\"batchWatermarkMs\":0}\n{\"metadata\":{\"streamName\":\"words\",\"batchId\":\"-1\"}}",
            "names no shard",
        ),
    ] {
        let message = position(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn the_offset_json_of_the_connector_is_accepted() {
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
fn positions_of_another_stream_or_invalid_json_are_rejected() {
    let message = position(r#"{"metadata": {"streamName": "clicks"}}"#)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("stream 'clicks', expected positions for 'words'"),
        "{message}"
    );
    for json in [
        "{",
        "{}",
        r#"{"metadata": "words"}"#,
        r#"{"metadata": {"streamName": "words"}}"#,
        r#"{"shardId-0": 5}"#,
        r#"{"shardId-0": {}}"#,
        r#"{"shardId-0": "AFTER"}"#,
        r#"{"shardId-0": "AFTER 007"}"#,
        r#"{"shardId-0": "AFTER 7.x"}"#,
        r#"{"shardId-0": "SHARD_END 5"}"#,
        r#"{"shardId-0": "AT_TIMESTAMP 5"}"#,
        r#"{"shardId-0": {"after": "AFTER 7"}}"#,
        r#"{"shardId-0": {"after": "AFTER 7", "upto": 8}}"#,
        r#"{"sources": 5}"#,
        r#"{"sources": [5]}"#,
        r#"{"sources": [{"stream": "words"}]}"#,
        r#"{"sources": [{"shards": {"shardId-0": "SHARD_END"}}]}"#,
        r#"{"sources": []}"#,
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

#[test]
fn json_errors_name_their_location() {
    for (json, expected) in [
        (
            "{\n  \"shardId-0\": \"AFTER 7\",\n  oops\n}",
            "at line 3 column 3",
        ),
        (
            r#"{"shardId-0": "AFTER 7", "shardId-0": "AFTER 8"}"#,
            "duplicate key 'shardId-0'",
        ),
        (
            r#"{"sources": [{"stream": "words", "shards": {"shardId-0": {"upto": "AFTER"}}}]}"#,
            "under 'sources[0].shards.shardId-0' 'upto': 'AFTER': expected a position such as",
        ),
        (
            r#"{"shardId-0": {"iteratorType": "AFTER_SEQUENCE_NUMBER", "iteratorPosition": 49590338271490256608559692538361571095921575989136588898}}"#,
            "expected the sequence number in quotes",
        ),
    ] {
        let message = position(json).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_long_value_is_shortened_in_the_message() {
    let json = format!(r#"{{"shardId-0": "AFTER {}"}}"#, "7é".repeat(5_000));
    let message = position(&json).unwrap_err().to_string();
    let shown = message.split("': ").next().unwrap();
    assert!(shown.len() < 400 && shown.ends_with('…'), "{shown}");
}
