//! What only the committer over DynamoDB has: a table, transactions, parts, and ways to fail.

mod failing;
mod large;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use super::dynamo::{Dynamo, Fate};
use super::*;
use crate::error::ErrorKind;
use crate::model::{ConnectionSettings, Secret, StaticCredentials};
use crate::options::DynamoDbSettings;

const TABLE: &str = "offsets";

fn handle(dynamo: &Dynamo, query: &str) -> DynamoDbCommitter {
    DynamoDbCommitter::over(dynamo.client(), TABLE, query).unwrap()
}

fn log(dynamo: &Dynamo, seed: u64) -> Checkpoint {
    start(Arc::new(handle(dynamo, "q")), seed)
}

fn key(query: &str, entry: i64) -> [(String, AttributeValue); 2] {
    [
        ("query".to_owned(), AttributeValue::S(query.to_owned())),
        ("entry".to_owned(), AttributeValue::N(entry.to_string())),
    ]
}

async fn delete(client: &Client, query: &str, entry: i64) {
    let request = client.delete_item().table_name(TABLE);
    request
        .set_key(Some(key(query, entry).into()))
        .send()
        .await
        .unwrap();
}

async fn put(client: &Client, query: &str, entry: i64, name: &str, value: AttributeValue) {
    let request = client.put_item().table_name(TABLE).item(name, value);
    let [(query, of), (entry, number)] = key(query, entry);
    request
        .item(query, of)
        .item(entry, number)
        .send()
        .await
        .unwrap();
}

/// The keys of all items.
async fn keys(client: &Client) -> Vec<String> {
    let (mut keys, mut behind) = (Vec::new(), None);
    loop {
        let page = client.scan().table_name(TABLE);
        let page = page.set_exclusive_start_key(behind).send().await.unwrap();
        keys.extend(page.items().iter().map(|item| {
            let (query, entry) = (item["query"].as_s().unwrap(), item["entry"].as_n().unwrap());
            format!("{query} {entry}")
        }));
        behind = page.last_evaluated_key;
        if behind.is_none() {
            keys.sort();
            return keys;
        }
    }
}

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
async fn a_table_that_somebody_else_makes_meanwhile_is_waited_for() {
    let dynamo = Dynamo::new();
    assert_eq!(handle(&dynamo, "other").metadata().await.unwrap(), None);
    assert_eq!(dynamo.calls("CreateTable"), 1);
    // This start has looked before the other one made it.
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
async fn queries_share_a_table_and_nothing_else() {
    let dynamo = Dynamo::new();
    let names = ["a", "a#offsets", "file:///var/lib/a", "a b"];
    for (index, name) in names.into_iter().enumerate() {
        let committer = handle(&dynamo, name);
        assert_eq!(committer.metadata().await.unwrap(), None, "{name}");
        let metadata = Bytes::from(name);
        assert_eq!(
            committer.create_metadata(metadata).await.unwrap(),
            Put::Done
        );
        let epoch = committer.take_epoch(NONE).await.unwrap();
        assert_eq!(epoch, Epoch(1), "{name}");
        let batch = BatchId(index as u64);
        let put = committer
            .put(epoch, Log::Offsets, batch, Bytes::from(name))
            .await;
        assert_eq!(put.unwrap(), Put::Done);
        assert_eq!(
            committer.batches(Log::Offsets).await.unwrap(),
            [batch],
            "{name}"
        );
        assert_eq!(committer.batches(Log::Commits).await.unwrap(), [], "{name}");
    }
    let client = dynamo.client();
    let found = client.get_item().table_name(TABLE).consistent_read(true);
    let found = found
        .set_key(Some(key("a#offsets", 0).into()))
        .send()
        .await
        .unwrap();
    let value = AttributeValue::S("a".to_owned());
    assert_eq!(found.item().unwrap()["value"], value, "for people to read");
}

#[tokio::test]
async fn who_has_no_header_any_more_does_not_write() {
    let dynamo = Dynamo::new();
    let (old, new) = (handle(&dynamo, "q"), handle(&dynamo, "q"));
    let epoch = old.take_epoch(NONE).await.unwrap();
    delete(&dynamo.client(), "q#header", 0).await;
    let put = |committer| async move {
        let committer: &DynamoDbCommitter = committer;
        committer
            .put(epoch, Log::Commits, BatchId(0), Bytes::new())
            .await
    };
    let error = put(&old).await.unwrap_err();
    assert!(!error.is_retryable());
    assert!(
        error.to_string().contains("the header item was removed"),
        "{error}"
    );
    // The same number, in another hand.
    assert_eq!(new.take_epoch(NONE).await.unwrap(), epoch);
    let error = put(&old).await.unwrap_err();
    assert!(
        error.to_string().contains("the header item was removed"),
        "{error}"
    );
    assert_eq!(put(&new).await.unwrap(), Put::Done);
}

#[tokio::test]
async fn items_of_somebody_else_are_named() {
    let dynamo = Dynamo::new();
    let (client, committer) = (dynamo.client(), handle(&dynamo, "q"));
    committer.metadata().await.unwrap();
    let number = |text: &str| AttributeValue::N(text.to_owned());
    put(&client, "q#commits", -3, "value", number("1")).await;
    let error = committer
        .batches(Log::Commits)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the item 'q#commits', -3 is not of this checkpoint"),
        "{error}"
    );
    put(&client, "q#offsets", 4, "value", number("1")).await;
    let error = committer
        .get(Log::Offsets, BatchId(4))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the item of offsets/4 holds no entry"),
        "{error}"
    );
    put(&client, "q#header", 0, "epoch", number("-1")).await;
    let error = committer.take_epoch(NONE).await.unwrap_err().to_string();
    assert!(
        error.contains("the item of header holds no epoch"),
        "{error}"
    );
    put(
        &client,
        "q#header",
        0,
        "epoch",
        number(&u64::MAX.to_string()),
    )
    .await;
    let error = committer.take_epoch(NONE).await.unwrap_err().to_string();
    assert!(error.contains("none is greater"), "{error}");
}

#[tokio::test]
async fn a_query_and_a_table_have_names_that_dynamodb_takes() {
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
            endpoint_url: None,
        };
        open_table(&settings, &dynamodb, &stream, "q")
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
