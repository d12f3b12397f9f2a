//! Options of streaming queries.

use super::*;

#[test]
fn streaming_options_match_the_connector() {
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
fn the_listing_interval_requires_a_unit() {
    for (text, millis) in [("50s", 50_000), ("100ms", 100), ("1 day", 86_400_000)] {
        let interval = options(&[("kinesis.describeShardInterval", text)]).unwrap();
        assert_eq!(
            interval.source.describe_shard_interval,
            Duration::from_millis(millis)
        );
    }
    for text in ["50", "0s", "9ms", "25 hours", ""] {
        let message = rejection(&[("kinesis.describeShardInterval", text)]);
        assert!(message.contains("such as '50s', '100ms'"), "{message}");
    }
}

#[test]
fn a_metadata_path_is_a_path_or_a_url_without_secrets() {
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
        let message = rejection(&[("kinesis.metadataPath", place)]);
        assert!(message.contains("expected an absolute path"), "{message}");
        assert!(!message.contains("canary"), "{message}");
    }
}

#[test]
fn an_unbounded_table_starts_at_latest_by_default() {
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
fn offsets_are_stored_in_dynamodb_on_request() {
    let committer = |pairs: &[(&str, &str)]| options(pairs).unwrap().source.metadata.committer;
    let in_dynamodb = ("kinesis.metadataCommitterType", "dynamodb");
    let default = CommitterKind::DynamoDb(Box::default());
    assert_eq!(committer(&[in_dynamodb]), default);
    let given = committer(&[
        ("kinesis.dynamodb.tableName", "offsets"),
        ("kinesis.dynamodb.endpointUrl", "http://localhost:8000"),
        ("kinesis.dynamodb.region", "eu-west-1"),
        in_dynamodb,
    ]);
    let expected = DynamoDbSettings {
        table: Some("offsets".to_owned()),
        endpoint_url: Some("http://localhost:8000".to_owned()),
        region: Some("eu-west-1".to_owned()),
        ..DynamoDbSettings::default()
    };
    assert_eq!(given, CommitterKind::DynamoDb(Box::new(expected)));
}

#[test]
fn an_invalid_endpoint_is_rejected_with_an_example_url_of_its_service() {
    for (name, example) in [
        (
            "kinesis.endpointUrl",
            "https://kinesis.eu-west-1.amazonaws.com",
        ),
        (
            "kinesis.dynamodb.endpointUrl",
            "https://dynamodb.eu-west-1.amazonaws.com",
        ),
    ] {
        let message = rejection(&[(name, "localhost:8000")]);
        let expected =
            format!("option '{name}' = 'localhost:8000': expected a URL such as '{example}'");
        assert_eq!(message, expected);
    }
}

#[test]
fn an_endpoint_with_a_query_is_rejected() {
    for name in ["kinesis.endpointUrl", "kinesis.dynamodb.endpointUrl"] {
        for url in [
            "https://host/?X-Amz-Signature=hush",
            "https://host#hush",
            "https://host?hush",
        ] {
            let message = rejection(&[(name, url)]);
            assert!(message.contains("expected a URL such as"), "{message}");
            assert!(!message.contains("Signature=hush"), "{message}");
        }
    }
}

#[test]
fn dynamodb_settings_require_the_dynamodb_committer() {
    for (name, value) in [
        ("kinesis.dynamodb.tableName", "offsets"),
        ("kinesis.dynamodb.endpointUrl", "http://localhost:8000"),
        ("kinesis.dynamodb.region", "eu-west-1"),
    ] {
        for others in [None, Some(("kinesis.metadataCommitterType", "HDFS"))] {
            let pairs: Vec<_> = others.into_iter().chain([(name, value)]).collect();
            let message = rejection(&pairs);
            let expected = format!("option '{name}': expected only together with");
            assert!(message.starts_with(&expected), "{message}");
            assert!(message.ends_with("= 'DYNAMODB'"), "{message}");
        }
    }
}
