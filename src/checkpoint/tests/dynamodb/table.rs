//! The table: its key, its creation, and its name.

use super::*;

#[tokio::test]
async fn a_table_with_another_key_is_refused_with_both_keys() {
    let dynamo = Dynamo::new();
    let table = r#"{"TableName": "offsets", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "metadataKey", "AttributeType": "S"},
                                 {"AttributeName": "metadataSortKey", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "metadataKey", "KeyType": "HASH"},
                      {"AttributeName": "metadataSortKey", "KeyType": "RANGE"}]}"#;
    dynamo
        .database
        .create_table(serde_json::from_str(table).unwrap())
        .unwrap();
    let error = handle(&dynamo, "q").metadata().await.unwrap_err();
    assert!(!error.is_retryable());
    let error = error.into_error();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    let text = error.to_string();
    for part in [
        "checkpoint 'dynamodb://offsets/q': table 'offsets' has the key metadataKey (HASH, S) and \
         metadataSortKey (RANGE, S)",
        "expected query (HASH, S) and entry (RANGE, N)",
        "'kinesis.dynamodb.tableName'",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_another_run_creates_is_awaited() {
    let dynamo = Dynamo::new();
    assert_eq!(handle(&dynamo, "other").metadata().await.unwrap(), None);
    assert_eq!(dynamo.calls("CreateTable"), 1);
    // This run has checked before the other one created it.
    let creating = r#"{"Table": {"TableName": "offsets", "TableStatus": "CREATING",
        "AttributeDefinitions": [{"AttributeName": "query", "AttributeType": "S"},
                                 {"AttributeName": "entry", "AttributeType": "N"}],
        "KeySchema": [{"AttributeName": "query", "KeyType": "HASH"},
                      {"AttributeName": "entry", "KeyType": "RANGE"}]}}"#;
    let not_there = Fate::refused(400, "ResourceNotFoundException");
    let creating = Fate::Answered(200, creating.to_owned());
    let looks = [
        not_there.clone(),
        not_there,
        creating.clone(),
        creating.clone(),
    ];
    dynamo.next("DescribeTable", &looks);
    let began = tokio::time::Instant::now();
    let committer = handle(&dynamo, "q");
    assert_eq!(committer.metadata().await.unwrap(), None);
    assert!(dynamo.is_played());
    assert_eq!(dynamo.calls("CreateTable"), 2);
    assert_eq!(began.elapsed(), Duration::from_millis(1_500));
    assert_eq!(committer.metadata().await.unwrap(), None);
    assert_eq!(dynamo.calls("DescribeTable"), 7, "it looks once");

    dynamo.next("DescribeTable", &vec![creating; 1_000]);
    let error = handle(&dynamo, "q").metadata().await.unwrap_err();
    assert!(error.is_retryable());
    assert!(
        error.to_string().contains("table 'offsets' is CREATING"),
        "{error}"
    );
}

#[tokio::test]
async fn invalid_names_of_queries_and_tables_are_refused() {
    let client = Dynamo::new().client();
    let longest = "q".repeat(2_000);
    assert!(DynamoDbCommitter::over(client.clone(), "t_1-2.3", &longest).is_ok());
    for (table, query) in [
        ("ab", "q"),
        ("a b c", "q"),
        (TABLE, " "),
        (TABLE, &format!("{longest}q")),
    ] {
        let error = DynamoDbCommitter::over(client.clone(), table, query).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption, "{table} {query}");
        assert!(error.to_string().contains("expected"), "{error}");
    }
}

#[tokio::test]
async fn a_table_is_named_after_the_stream_and_its_region_unless_it_has_a_name() {
    let stream = StreamName::new("clicks").unwrap();
    let settings = ConnectionSettings {
        endpoint_url: Some("https://kinesis.eu-west-1.amazonaws.com".to_owned()),
        ..ConnectionSettings::default()
    };
    let location = async |table: Option<&str>, region: Option<&str>| {
        let dynamodb = DynamoDbSettings {
            table: table.map(str::to_owned),
            region: region.map(str::to_owned),
            ..DynamoDbSettings::default()
        };
        open_table(&AwsAccess::new(), &settings, &dynamodb, &stream, "q")
            .await
            .unwrap()
            .location()
    };
    let own = "dynamodb://kdsc_eu-west-1_clicks/q";
    assert_eq!(location(None, None).await, own);
    assert_eq!(
        location(None, Some("us-east-2")).await,
        own,
        "two streams of one name"
    );
    assert_eq!(location(Some("mine"), None).await, "dynamodb://mine/q");
}
