use std::time::Duration;

use super::*;
use crate::error::ErrorKind;
use crate::model::{SequenceNumber, ShardId, ShardPosition, UnixMillis};

fn options(pairs: &[(&str, &str)]) -> Result<TableOptions> {
    let mut builder = OptionsBuilder::default();
    builder.set_location("words")?;
    for (name, value) in pairs {
        builder.set(name, value)?;
    }
    builder.finish()
}

fn refusal(pairs: &[(&str, &str)]) -> String {
    let error = options(pairs).expect_err("these options are wrong");
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    error.to_string()
}

#[test]
fn defaults_are_those_of_the_connector() {
    let options = options(&[]).unwrap();
    assert_eq!(options.stream.name().as_str(), "words");
    assert_eq!(options.retry.max_retries, 5);
    assert_eq!(options.retry.first_interval, Duration::from_secs(1));
    assert_eq!(options.retry.max_interval, Duration::from_secs(10));
    assert_eq!(options.source.records_per_fetch, 10_000);
    assert_eq!(options.source.fetch_interval, Duration::from_millis(200));
    assert_eq!(options.source.max_records_per_shard, None);
    assert!(options.sink.aggregation);
    assert_eq!(options.sink.flush_wait, Duration::from_millis(100));
    assert_eq!(options.sink.max_buffered_time, Duration::from_secs(1));
    assert_eq!(options.sink.max_connections, 1);
    assert_eq!(options.sink.record_ttl, Duration::from_secs(30));
}

#[test]
fn every_option_has_a_unique_name_and_words_about_it() {
    for (i, option) in OPTIONS.iter().enumerate() {
        assert!(option.name.starts_with("kinesis."), "{}", option.name);
        assert!(
            option.doc.ends_with('.'),
            "{}: a sentence ends",
            option.name
        );
        let twin = OPTIONS[..i]
            .iter()
            .find(|o| o.name.eq_ignore_ascii_case(option.name));
        assert!(twin.is_none(), "{} stands there twice", option.name);
        assert!(!(option.secret && option.default.is_some()));
    }
}

/// A value each option refuses.
const WRONG: &[(&str, &str)] = &[
    ("kinesis.streamName", "two words"),
    ("kinesis.endpointUrl", "localhost:4567"),
    ("kinesis.region", " "),
    ("kinesis.awsAccessKeyId", ""),
    ("kinesis.awsSecretKey", " "),
    ("kinesis.sessionToken", ""),
    ("kinesis.clientNumRetries", "-1"),
    ("kinesis.clientRetryIntervalsMs", "1s"),
    ("kinesis.clientMaxRetryIntervalMs", "86400001"),
    ("kinesis.createStream", "yes"),
    ("kinesis.shardCount", "0"),
    ("kinesis.extraColumns", "shardId,offset"),
    ("kinesis.startingPosition", "AT_TIMESTAMP yesterday"),
    ("kinesis.maxFetchRecordsPerShard", "0"),
    ("kinesis.getRecords.numberOfRecordsPerFetch", "10001"),
    ("kinesis.getRecords.fetchIntervalMs", "0.5"),
    ("kinesis.aggregation.hashFilter", "some"),
    ("kinesis.sink.aggregationEnabled", "1"),
    ("kinesis.sink.flushWaitTimeMs", "-1"),
    ("kinesis.sink.recordMaxBufferedTimeMs", "soon"),
    ("kinesis.sink.maxConnections", "0"),
    ("kinesis.sink.recordTtl", "0"),
];

#[test]
fn a_wrong_value_of_any_option_names_option_value_and_what_was_expected() {
    for option in OPTIONS {
        let wrong = WRONG.iter().find(|(name, _)| *name == option.name);
        let (name, value) = wrong.unwrap_or_else(|| panic!("{} needs a wrong value", option.name));
        let mut builder = OptionsBuilder::default();
        let message = builder.set(name, value).expect_err(name).to_string();
        let shown = if option.secret { "***" } else { value };
        assert!(
            message.starts_with(&format!("option '{name}' = '{shown}': ")),
            "{message}"
        );
        assert!(message.contains("expected"), "{message}");
    }
}

#[test]
fn names_match_without_regard_to_case() {
    let options = options(&[("KINESIS.GETRECORDS.FETCHINTERVALMS", "5")]).unwrap();
    assert_eq!(options.source.fetch_interval, Duration::from_millis(5));
}

#[test]
fn an_unknown_option_names_the_nearest_known_one() {
    assert_eq!(
        refusal(&[("kinesis.startPosition", "LATEST")]),
        "option 'kinesis.startPosition' is not known: expected an option such as \
         'kinesis.startingPosition'"
    );
    assert_eq!(
        refusal(&[("format.endpointurl", "x")]),
        "option 'endpointurl' is not known: expected an option such as 'kinesis.endpointUrl'"
    );
}

#[test]
fn an_option_of_the_connector_this_version_lacks_is_told_from_a_typo() {
    let message = refusal(&[("kinesis.consumertype", "SubscribeToShard")]);
    assert!(
        message.starts_with("option 'kinesis.consumerType' is for streaming queries"),
        "{message}"
    );
}

#[test]
fn a_url_with_a_password_is_refused_without_showing_it() {
    for url in ["https://me:canary@host", "http://me:canary@host:4567/x"] {
        let message = refusal(&[("kinesis.endpointUrl", url)]);
        assert!(
            message.contains("expected a URL") && !message.contains("canary"),
            "{message}"
        );
    }
    for url in ["http://:4567", "http://host:port", "https://", "host"] {
        assert!(
            refusal(&[("kinesis.endpointUrl", url)]).contains("expected a URL"),
            "{url}"
        );
    }
    for url in [
        "http://[::1]:4567",
        "http://[::1]",
        "https://host/",
        "http://127.0.0.1:80",
    ] {
        assert!(options(&[("kinesis.endpointUrl", url)]).is_ok(), "{url}");
    }
}

#[test]
fn an_option_is_given_once() {
    let message = refusal(&[("kinesis.region", "a"), ("kinesis.REGION", "b")]);
    assert_eq!(message, "option 'kinesis.region' is given twice");
}

#[test]
fn location_and_stream_name_must_agree() {
    let mut builder = OptionsBuilder::default();
    builder.set("kinesis.streamName", "clicks").unwrap();
    let message = builder.set_location("words").unwrap_err().to_string();
    assert!(
        message.contains("'words'") && message.contains("'clicks'"),
        "{message}"
    );

    let arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/words";
    let mut builder = OptionsBuilder::default();
    builder.set("kinesis.streamName", arn).unwrap();
    builder.set_location("words").unwrap();
    let options = builder.finish().unwrap();
    assert_eq!(options.stream.arn(), Some(arn));
    assert_eq!(options.connection.region.as_deref(), Some("eu-west-1"));
}

#[test]
fn keys_come_in_pairs() {
    let message = refusal(&[("kinesis.awsSecretKey", "canary")]);
    assert!(
        message.contains("'kinesis.awsAccessKeyId' is missing"),
        "{message}"
    );
    let message = refusal(&[("kinesis.sessionToken", "canary")]);
    assert!(!message.contains("canary"), "{message}");
}

#[test]
fn rules_across_options_are_checked() {
    assert!(refusal(&[("kinesis.shardCount", "4")]).contains("kinesis.createStream"));
    let waits = [
        ("kinesis.clientRetryIntervalsMs", "2000"),
        ("kinesis.clientMaxRetryIntervalMs", "1000"),
    ];
    assert!(refusal(&waits).contains("'kinesis.clientMaxRetryIntervalMs', which is '1000'"));
    let create = [("kinesis.createStream", "TRUE")];
    assert_eq!(options(&create).unwrap().create_with_shards, Some(1));
}

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

#[test]
fn no_secret_shows_in_debug_of_options() {
    let options = options(&[
        ("kinesis.awsAccessKeyId", "AKIACANARY"),
        ("kinesis.awsSecretKey", "canary-secret"),
        ("kinesis.sessionToken", "canary-token"),
    ])
    .unwrap();
    assert!(!format!("{options:?}").to_lowercase().contains("canary"));
}
