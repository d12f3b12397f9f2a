mod credentials;
mod position;
mod regions;
mod registry;
mod streaming;

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
fn proxy_options_require_each_other() {
    let proxy = |options: &[(&str, &str)]| {
        let mut builder = OptionsBuilder::default();
        builder.set_location("words").unwrap();
        for (name, value) in options {
            builder.set(&format!("kinesis.sink.{name}"), value).unwrap();
        }
        let proxy = builder.finish().map(|options| options.connection.proxy);
        proxy.map_err(|error| error.to_string())
    };
    assert_eq!(proxy(&[]).unwrap(), None);
    for (address, url) in [
        ("proxy.corp", "http://proxy.corp:443"),
        ("https://proxy.corp/", "https://proxy.corp:443"),
        ("[2001:db8::1]", "http://[2001:db8::1]:443"),
    ] {
        let settings = proxy(&[("proxyAddress", address)]).unwrap().unwrap();
        assert_eq!(settings.url, url);
        assert_eq!(settings.login, None);
    }
    let all = [
        ("proxyAddress", "proxy.corp"),
        ("proxyPort", "3128"),
        ("proxyUsername", "ada"),
        ("proxyPassword", "hush"),
    ];
    let settings = proxy(&all).unwrap().unwrap();
    assert_eq!(settings.url, "http://proxy.corp:3128");
    let login = settings.login.unwrap();
    assert_eq!(
        (login.username.as_str(), login.password.reveal()),
        ("ada", "hush")
    );
    for (given, missing) in [
        (&all[1..2], "proxyAddress"),
        (&all[3..], "proxyAddress"),
        (&all[..3], "proxyPassword"),
    ] {
        let message = proxy(given).unwrap_err();
        let expected = format!("together with 'kinesis.sink.{missing}'");
        assert!(message.contains(&expected), "{message}");
    }
}

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
fn fan_out_needs_a_consumer_and_polling_none() {
    const FAN_OUT: (&str, &str) = ("kinesis.consumerType", "subscribetoshard");
    const ARN: &str = "arn:aws:kinesis:eu-west-1:111122223333:stream/words/consumer/sql:1525898737";
    const OTHER: &str =
        "arn:aws:kinesis:eu-west-1:111122223333:stream/clicks/consumer/sql:1525898737";
    let name = ("kinesis.consumerName", "sql");
    let arn = ("kinesis.consumerArn", ARN);
    let chosen = |given: &[(&str, &str)]| options(given).unwrap().source.fan_out.unwrap();
    let managed = chosen(&[FAN_OUT, name]);
    assert_eq!((managed.consumer.as_str(), managed.arn), ("sql", None));
    assert_eq!(managed.lifecycle, ConsumerLifecycle::Managed);
    assert_eq!(managed.timeout, Duration::from_secs(60));
    assert_eq!(managed.max_retries, 10);
    let existing = chosen(&[FAN_OUT, arn]);
    assert_eq!(existing.consumer.as_str(), "sql");
    assert_eq!(existing.lifecycle, ConsumerLifecycle::External);
    let auto = ("kinesis.consumerType", "AUTO");
    let max_lag = ("kinesis.auto.maxLag", "5 minutes");
    assert_eq!(managed.auto_max_lag, None);
    let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
    assert_eq!(chosen(&[auto, name]).auto_max_lag, minutes(1));
    assert_eq!(chosen(&[auto, arn, max_lag]).auto_max_lag, minutes(5));
    for (given, expected) in [
        (&[FAN_OUT][..], "expected 'kinesis.consumerName'"),
        (
            &[auto],
            "'kinesis.consumerType' = 'auto': expected 'kinesis.consumerName'",
        ),
        (
            &[max_lag],
            "expected only together with 'kinesis.consumerType' = 'auto'",
        ),
        (
            &[FAN_OUT, name, max_lag],
            "expected only together with 'kinesis.consumerType' = 'auto'",
        ),
        (
            &[name],
            "expected only together with 'kinesis.consumerType'",
        ),
        (
            &[("kinesis.subscribeToShard.timeoutSec", "5")],
            "expected only together with 'kinesis.consumerType'",
        ),
        (
            &[FAN_OUT, arn, ("kinesis.consumerName", "other")],
            "expected the name in 'kinesis.consumerArn'",
        ),
        (
            &[FAN_OUT, arn, ("kinesis.consumerLifecycle", "reuse")],
            "expected 'external'",
        ),
        (
            &[FAN_OUT, ("kinesis.consumerArn", OTHER)],
            "expected a consumer of stream 'words'",
        ),
    ] {
        let message = rejection(given);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_url_with_a_password_is_rejected_without_showing_it() {
    for url in ["https://me:canary@host", "http://me:canary@host:4567/x"] {
        let message = rejection(&[("kinesis.endpointUrl", url)]);
        assert!(
            message.contains("expected a URL") && !message.contains("canary"),
            "{message}"
        );
    }
    for url in ["http://:4567", "http://host:port", "https://", "host"] {
        assert!(
            rejection(&[("kinesis.endpointUrl", url)]).contains("expected a URL"),
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

#[test]
fn options_for_writing_are_refused_for_a_table_that_can_only_be_read() {
    const JSON: (&str, &str) = ("kinesis.format", "json");
    const AVRO: (&str, &str) = ("kinesis.format", "avro");
    let key = ("kinesis.sink.partitionKey", "id");
    let url = ("kinesis.schemaRegistry.url", "https://registry:8081");
    let protobuf = [
        ("kinesis.format", "protobuf"),
        ("kinesis.protobuf.descriptorFile", "/x"),
        ("kinesis.protobuf.message", "x.X"),
        ("kinesis.protobuf.framing", "confluent"),
        key,
    ];
    let tables: [(&[(&str, &str)], &str); 8] = [
        (
            &[JSON, ("kinesis.json.header", "glue"), key],
            "'kinesis.json.header'",
        ),
        (
            &[JSON, ("kinesis.json.explode", "$.a"), key],
            "'kinesis.json.explode'",
        ),
        (
            &[
                JSON,
                ("kinesis.format.framing", "array"),
                ("kinesis.sink.nullFields", "keep"),
            ],
            "'kinesis.format.framing' = 'array'",
        ),
        (
            &[JSON, ("kinesis.format.compression", "auto"), key],
            "'kinesis.format.compression' = 'auto'",
        ),
        (
            &[AVRO, url, ("kinesis.sink.explicitHashKey", "id")],
            "a schema registry",
        ),
        (
            &[AVRO, ("kinesis.schemaRegistry.type", "glue"), key],
            "a schema registry",
        ),
        (
            &[
                AVRO,
                ("kinesis.avro.schema", "\"int\""),
                ("kinesis.avro.framing", "glue"),
                key,
            ],
            "'kinesis.avro.framing' = 'glue'",
        ),
        (&protobuf, "'kinesis.protobuf.framing' = 'confluent'"),
    ];
    for (pairs, cause) in tables {
        let error = rejection(pairs);
        let expected = format!("but a table with {cause} can only be read: remove the option");
        assert!(error.contains(&expected), "{error}");
    }
    options(&[JSON, key, ("kinesis.format.framing", "newline")]).unwrap();
}

#[test]
fn a_limit_for_decompression_needs_compression() {
    let json = ("kinesis.format", "json");
    let limit = ("kinesis.format.maxDecompressedBytes", "1000");
    let error = rejection(&[json, limit]);
    assert!(
        error.contains("set 'kinesis.format.compression' to 'gzip'"),
        "{error}"
    );
    for compressed in [
        ("kinesis.format.compression", "gzip"),
        ("kinesis.format.compression", "auto"),
        ("kinesis.json.header", "glue"),
    ] {
        options(&[json, limit, compressed]).unwrap();
    }
    options(&[("kinesis.format", "cloudwatch_logs"), limit]).unwrap();
}
