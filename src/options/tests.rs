use std::time::Duration;

use super::*;
use crate::error::{ErrorKind, Result};
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
    for (i, option) in all().enumerate() {
        assert!(option.name.starts_with("kinesis."), "{}", option.name);
        assert!(
            option.doc.ends_with('.'),
            "{}: a sentence ends",
            option.name
        );
        let twin = all()
            .take(i)
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
    ("kinesis.consumerType", "SubscribeToShard"),
    ("kinesis.maxFetchTimePerShardSec", "30s"),
    ("kinesis.maxFetchBytesPerBatch", "64MB"),
    ("kinesis.buffer.maxBytes", "16777215"),
    ("kinesis.describeShardInterval", "1000"),
    ("kinesis.failOnDataLoss", "maybe"),
    ("kinesis.metadataCommitterType", "DYNAMODB"),
    ("kinesis.metadataPath", "checkpoints/words"),
    ("kinesis.minBatchesToRetain", "0"),
    ("kinesis.metadataNumRetries", "many"),
    ("kinesis.metadataRetryIntervalsMs", "1s"),
    ("kinesis.metadataMaxRetryIntervalMs", "-5"),
    ("kinesis.checkNewRecordThreads", "0"),
    ("kinesis.sink.aggregationEnabled", "1"),
    ("kinesis.sink.flushWaitTimeMs", "-1"),
    ("kinesis.sink.recordMaxBufferedTimeMs", "soon"),
    ("kinesis.sink.maxConnections", "0"),
    ("kinesis.sink.recordTtl", "0"),
];

#[test]
fn a_wrong_value_of_any_option_names_option_value_and_what_was_expected() {
    for option in all() {
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
    for (name, expected) in [
        ("kinesis.consumername", "enhanced fan-out"),
        ("kinesis.subscribeToShard.maxRetries", "enhanced fan-out"),
        ("kinesis.dynamodb.tableName", "'HDFS'"),
        ("kinesis.stsRoleArn", "'kinesis.awsAccessKeyId'"),
    ] {
        let message = refusal(&[(name, "x")]);
        assert!(
            message.contains("this version does not have") && message.contains(expected),
            "{message}"
        );
    }
}

#[test]
fn streaming_options_are_those_of_the_connector() {
    let source = options(&[]).unwrap().source;
    assert_eq!(source.max_fetch_time_per_shard, None);
    assert_eq!(source.max_batch_bytes, 64 * 1024 * 1024);
    assert_eq!(source.buffer_max_bytes, 256 * 1024 * 1024);
    assert_eq!(source.describe_shard_interval, Duration::from_secs(1));
    assert!(!source.fail_on_data_loss);
    let default = MetadataOptions {
        committer: CommitterKind::ObjectStore,
        path: None,
        min_batches_to_retain: 100,
        retry: RetryPolicy {
            max_retries: 5,
            first_interval: Duration::from_secs(1),
            max_interval: Duration::from_secs(10),
        },
    };
    assert_eq!(source.metadata, default);

    let source = options(&[
        ("kinesis.maxFetchTimePerShardSec", "30"),
        ("kinesis.maxFetchRecordsPerShard", "7"),
        ("kinesis.maxFetchBytesPerBatch", "1048576"),
        ("kinesis.buffer.maxBytes", "16777216"),
        ("kinesis.describeShardInterval", "2 minutes"),
        ("kinesis.failOnDataLoss", "true"),
        ("kinesis.metadataCommitterType", "hdfs"),
        ("kinesis.metadataPath", "s3://bucket/offsets"),
        ("kinesis.minBatchesToRetain", "3"),
        ("kinesis.metadataNumRetries", "0"),
        ("kinesis.metadataRetryIntervalsMs", "5"),
        ("kinesis.metadataMaxRetryIntervalMs", "6"),
        ("kinesis.consumerType", "polling"),
        ("kinesis.checkNewRecordThreads", "16"),
    ])
    .unwrap()
    .source;
    let expected = SourceOptions {
        max_fetch_time_per_shard: Some(Duration::from_secs(30)),
        max_records_per_shard: Some(7),
        max_batch_bytes: 1_048_576,
        buffer_max_bytes: 16_777_216,
        describe_shard_interval: Duration::from_secs(120),
        fail_on_data_loss: true,
        metadata: MetadataOptions {
            path: Some("s3://bucket/offsets".to_owned()),
            min_batches_to_retain: 3,
            retry: RetryPolicy {
                max_retries: 0,
                first_interval: Duration::from_millis(5),
                max_interval: Duration::from_millis(6),
            },
            ..default
        },
        ..source.clone()
    };
    assert_eq!(source, expected);
}

#[test]
fn an_interval_of_listings_has_a_unit() {
    for (text, millis) in [("50s", 50_000), ("100ms", 100), ("1 day", 86_400_000)] {
        let interval = options(&[("kinesis.describeShardInterval", text)]).unwrap();
        assert_eq!(
            interval.source.describe_shard_interval,
            Duration::from_millis(millis)
        );
    }
    for text in ["50", "0s", "9ms", "25 hours", ""] {
        let message = refusal(&[("kinesis.describeShardInterval", text)]);
        assert!(message.contains("such as '50s', '100ms'"), "{message}");
    }
}

#[test]
fn a_place_for_offsets_is_a_path_or_a_url_without_secrets() {
    for place in [
        "/var/lib/counts?",
        "file:///var/lib/counts",
        "memory://counts",
        "s3://bucket/a@b:c/d",
        "abfss://container@account.dfs.core.windows.net/counts",
    ] {
        let options = options(&[("kinesis.metadataPath", place)]).unwrap();
        assert_eq!(options.source.metadata.path.as_deref(), Some(place));
    }
    for place in [
        "",
        "counts",
        "./counts",
        "://bucket",
        "s3://",
        "C:\\counts",
        "hdfs://me:canary@host/counts",
        "s3://a@b:canary@host/counts",
        "https://host/counts?sig=canary",
    ] {
        let message = refusal(&[("kinesis.metadataPath", place)]);
        assert!(message.contains("expected an absolute path"), "{message}");
        assert!(!message.contains("canary"), "{message}");
    }
}

#[test]
fn an_unbounded_table_starts_with_what_arrives() {
    let start = |given: Option<&str>, unbounded: bool| {
        let mut builder = OptionsBuilder::default();
        builder.set_location("words").unwrap();
        if let Some(given) = given {
            builder.set("kinesis.startingPosition", given).unwrap();
        }
        if unbounded {
            builder.unbounded();
        }
        builder.finish().unwrap().source.starting_position
    };
    assert_eq!(start(None, false), StartingPosition::TrimHorizon);
    assert_eq!(start(None, true), StartingPosition::Latest);
    assert_eq!(start(Some("LATEST"), false), StartingPosition::Latest);
    let given = start(Some("TRIM_HORIZON"), true);
    assert_eq!(given, StartingPosition::TrimHorizon);
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
    let waits = [
        ("kinesis.metadataMaxRetryIntervalMs", "10"),
        ("kinesis.metadataRetryIntervalsMs", "20"),
    ];
    assert!(refusal(&waits).contains("'kinesis.metadataMaxRetryIntervalMs', which is '10'"));
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
