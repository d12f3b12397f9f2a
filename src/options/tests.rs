mod credentials;
mod fan_out;
mod network;
mod position;
mod regions;
mod registry;
mod streaming;
mod useless;

use std::time::Duration;

use super::*;
use crate::error::{ErrorKind, Result};
use crate::model::ConsumerLifecycle;
use crate::model::{RetryPolicy, StartingPosition};

fn options(pairs: &[(&str, &str)]) -> Result<CheckedOptions> {
    let mut builder = OptionsBuilder::default();
    builder.set_location("words")?;
    for (name, value) in pairs {
        builder.set(name, value)?;
    }
    builder.finish()
}

fn rejection(pairs: &[(&str, &str)]) -> String {
    let error = options(pairs).expect_err("these options are invalid");
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    error.to_string()
}

#[test]
fn defaults_match_the_connector() {
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
    assert_eq!(options.sink.record_ttl, None);
}

#[test]
fn every_option_has_a_unique_name_and_a_description() {
    for (i, option) in all().enumerate() {
        assert!(option.name.starts_with("kinesis."), "{}", option.name);
        assert!(
            option.doc.ends_with('.'),
            "{}: the description must end with a period",
            option.name
        );
        let duplicate = all()
            .take(i)
            .find(|o| o.name.eq_ignore_ascii_case(option.name));
        assert!(duplicate.is_none(), "duplicate option {}", option.name);
        assert!(!(option.secret && option.default.is_some()));
    }
}

/// An invalid value for each option.
const INVALID: &[(&str, &str)] = &[
    ("kinesis.streamName", "two words"),
    ("kinesis.endpointUrl", "localhost:4567"),
    ("kinesis.allowHttp", "yes"),
    ("kinesis.wireFormat", "xml"),
    ("kinesis.region", "eu west"),
    ("kinesis.kinesisRegion", "EU_WEST_1"),
    ("kinesis.awsAccessKeyId", ""),
    ("kinesis.awsSecretKey", " "),
    ("kinesis.sessionToken", ""),
    ("kinesis.awsProfile", " "),
    ("kinesis.credentialProviderClass", ""),
    ("kinesis.credentialProviderParam", ""),
    ("kinesis.stsRoleArn", "arn:aws:iam::1:role/reader"),
    ("kinesis.stsSessionName", "two words"),
    ("kinesis.stsEndpointUrl", "sts.amazonaws.com"),
    ("kinesis.stsExternalId", "?"),
    ("kinesis.stsSessionDurationSec", "899"),
    ("kinesis.clientNumRetries", "-1"),
    ("kinesis.clientRetryIntervalsMs", "1s"),
    ("kinesis.clientMaxRetryIntervalMs", "86400001"),
    ("kinesis.createStream", "yes"),
    ("kinesis.shardCount", "0"),
    ("kinesis.extraColumns", "shardId,offset"),
    ("kinesis.startingPosition", "AT_TIMESTAMP yesterday"),
    ("kinesis.ordered", "by key"),
    ("kinesis.maxFetchRecordsPerShard", "0"),
    ("kinesis.getRecords.numberOfRecordsPerFetch", "10001"),
    ("kinesis.getRecords.fetchIntervalMs", "0.5"),
    ("kinesis.aggregation.hashFilter", "some"),
    ("kinesis.consumerType", "automatic"),
    ("kinesis.auto.maxLag", "60"),
    ("kinesis.consumerName", "two words"),
    ("kinesis.consumerArn", "sql"),
    ("kinesis.consumerLifecycle", "keep"),
    ("kinesis.subscribeToShard.timeoutSec", "0"),
    ("kinesis.subscribeToShard.maxRetries", "-1"),
    ("kinesis.maxFetchTimePerShardSec", "30s"),
    ("kinesis.maxFetchBytesPerBatch", "64MB"),
    ("kinesis.buffer.maxBytes", "16777215"),
    ("kinesis.describeShardInterval", "1000"),
    ("kinesis.failOnDataLoss", "maybe"),
    ("kinesis.metadataCommitterType", "S3"),
    ("kinesis.dynamodb.tableName", "my offsets"),
    ("kinesis.dynamodb.endpointUrl", "localhost:8000"),
    ("kinesis.dynamodb.region", " "),
    ("kinesis.dynamodb.awsAccessKeyId", ""),
    ("kinesis.dynamodb.awsSecretKey", " "),
    ("kinesis.dynamodb.sessionToken", ""),
    ("kinesis.dynamodb.awsProfile", " "),
    ("kinesis.dynamodb.credentialProviderClass", ""),
    ("kinesis.dynamodb.credentialProviderParam", ""),
    ("kinesis.dynamodb.stsRoleArn", "reader"),
    ("kinesis.dynamodb.stsSessionName", "x"),
    ("kinesis.dynamodb.stsEndpointUrl", "http://"),
    ("kinesis.dynamodb.stsExternalId", "x"),
    ("kinesis.dynamodb.stsSessionDurationSec", "43201"),
    ("kinesis.metadataPath", "checkpoints/words"),
    ("kinesis.minBatchesToRetain", "0"),
    ("kinesis.metadataNumRetries", "many"),
    ("kinesis.metadataRetryIntervalsMs", "1s"),
    ("kinesis.metadataMaxRetryIntervalMs", "-5"),
    ("kinesis.checkNewRecordThreads", "0"),
    ("kinesis.schemaRegistry.type", "apicurio"),
    ("kinesis.schemaRegistry.url", "registry:8081"),
    ("kinesis.schemaRegistry.username", " "),
    ("kinesis.schemaRegistry.password", ""),
    ("kinesis.schemaRegistry.region", "eu west"),
    ("kinesis.sink.aggregationEnabled", "1"),
    ("kinesis.sink.flushWaitTimeMs", "-1"),
    ("kinesis.sink.recordMaxBufferedTimeMs", "soon"),
    ("kinesis.sink.maxConnections", "0"),
    ("kinesis.sink.recordTtl", "0"),
    ("kinesis.sink.partitionKey", " "),
    ("kinesis.sink.explicitHashKey", ""),
    ("kinesis.sink.proxyAddress", "socks5://proxy"),
    ("kinesis.sink.proxyPort", "0"),
    ("kinesis.sink.proxyUsername", " "),
    ("kinesis.sink.proxyPassword", " "),
    ("kinesis.format", "xml"),
    ("kinesis.format.onError", "ignore"),
    ("kinesis.format.deadLetterStream", "dead letters"),
    ("kinesis.format.onTypeMismatch", "cast"),
    ("kinesis.format.errorColumn", " "),
    ("kinesis.format.compression", "snappy"),
    ("kinesis.format.maxDecompressedBytes", "0"),
    ("kinesis.format.framing", "lines"),
    ("kinesis.json.header", "single_object"),
    ("kinesis.json.explode", "$.items[*]"),
    ("kinesis.json.rescuedColumn", " "),
    ("kinesis.json.timestampFormat", "iso"),
    ("kinesis.json.failOnMissingField", "yes"),
    ("kinesis.csv.delimiter", "||"),
    ("kinesis.csv.quote", "\n"),
    ("kinesis.csv.escape", "ä"),
    ("kinesis.csv.nullLiteral", "no\nvalue"),
    ("kinesis.sink.nullFields", "drop"),
    ("kinesis.avro.schema", "https://schemas/words.avsc"),
    ("kinesis.avro.framing", "header"),
    ("kinesis.protobuf.descriptorFile", " "),
    ("kinesis.protobuf.message", " "),
    ("kinesis.protobuf.framing", "glue"),
];

#[test]
fn an_invalid_value_is_rejected_with_option_value_and_expectation() {
    for option in all() {
        let wrong = INVALID.iter().find(|(name, _)| *name == option.name);
        let (name, value) =
            wrong.unwrap_or_else(|| panic!("{} needs an invalid value", option.name));
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
fn option_names_match_ignoring_case() {
    let options = options(&[("KINESIS.GETRECORDS.FETCHINTERVALMS", "5")]).unwrap();
    assert_eq!(options.source.fetch_interval, Duration::from_millis(5));
}

#[test]
fn an_unknown_option_is_rejected_with_the_nearest_known_one() {
    assert_eq!(
        rejection(&[("kinesis.startPosition", "LATEST")]),
        "option 'kinesis.startPosition' is not known: expected an option such as \
         'kinesis.startingPosition'"
    );
    assert_eq!(
        rejection(&[("format.endpointurl", "x")]),
        "option 'endpointurl' is not known: expected an option such as 'kinesis.endpointUrl'"
    );
}

#[test]
fn a_duplicate_option_is_rejected() {
    let message = rejection(&[("kinesis.region", "a"), ("kinesis.REGION", "b")]);
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
fn rules_across_options_are_checked() {
    assert!(rejection(&[("kinesis.shardCount", "4")]).contains("kinesis.createStream"));
    let waits = [
        ("kinesis.clientRetryIntervalsMs", "2000"),
        ("kinesis.clientMaxRetryIntervalMs", "1000"),
    ];
    assert!(rejection(&waits).contains("'kinesis.clientMaxRetryIntervalMs', which is '1000'"));
    let waits = [
        ("kinesis.metadataMaxRetryIntervalMs", "10"),
        ("kinesis.metadataRetryIntervalsMs", "20"),
    ];
    assert!(rejection(&waits).contains("'kinesis.metadataMaxRetryIntervalMs', which is '10'"));
    let create = [("kinesis.createStream", "TRUE")];
    assert_eq!(options(&create).unwrap().create_with_shards, Some(1));
}
