//! What is specific to DynamoDB: the table, transactions, large entries, and failures.

mod failing;
mod large;
mod table;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use super::dynamo::{Dynamo, Fate};
use super::*;
use crate::aws::AwsAccess;
use crate::error::ErrorKind;
use crate::model::{ConnectionSettings, CredentialSettings, Secret, StaticCredentials};
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
async fn queries_share_only_the_table() {
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
async fn a_writer_without_its_header_item_is_refused() {
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
        error
            .to_string()
            .contains("the header item was deleted or reset"),
        "{error}"
    );
    // The same epoch, taken by another handle.
    assert_eq!(new.take_epoch(NONE).await.unwrap(), epoch);
    let error = put(&old).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the header item was deleted or reset"),
        "{error}"
    );
    assert_eq!(put(&new).await.unwrap(), Put::Done);
}

#[tokio::test]
async fn foreign_items_are_named() {
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
        error.contains("the item 'q#commits', -3 does not belong to a checkpoint"),
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
    assert!(error.contains("is the largest possible number"), "{error}");
}
