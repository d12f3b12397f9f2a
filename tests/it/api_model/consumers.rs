//! Consumers, as requests and answers describe them.

use super::serving::caller;
use super::*;

const STREAMS_SQL: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/model/consumer/sql:1";

#[tokio::test]
async fn consumers_are_named_in_one_way() {
    let caller = caller().await;
    let code = "InvalidArgumentException";
    for operation in ["DescribeStreamConsumer", "DeregisterStreamConsumer"] {
        for (request, code) in [
            (json!({}), code),
            (json!({ "StreamARN": ARN }), code),
            (json!({ "ConsumerName": "sql" }), code),
            (
                json!({ "ConsumerARN": STREAMS_SQL, "ConsumerName": "sql" }),
                code,
            ),
            (
                json!({ "ConsumerARN": STREAMS_SQL }),
                "ResourceNotFoundException",
            ),
            (
                json!({ "StreamARN": ARN, "ConsumerName": "sql" }),
                "ResourceNotFoundException",
            ),
        ] {
            caller.refuse(operation, request, code, "onsumer").await;
        }
    }
}

#[tokio::test]
async fn a_consumer_counts_until_it_is_gone() {
    let mut caller = caller().await;
    let summary = json!({ "StreamName": "model" });
    for name in ["a", "b", "c"] {
        let register = json!({ "StreamARN": ARN, "ConsumerName": name });
        let answer = caller.make("RegisterStreamConsumer", register).await;
        assert_eq!(answer["Consumer"]["ConsumerStatus"], "CREATING");
    }
    let answer = caller.make("DescribeStreamSummary", summary).await;
    assert_eq!(answer["StreamDescriptionSummary"]["ConsumerCount"], 3);
    let mut names = Vec::new();
    let mut list = json!({ "StreamARN": ARN, "MaxResults": 2 });
    for _ in 0..2 {
        let page = caller.make("ListStreamConsumers", list.clone()).await;
        let consumers = page["Consumers"].as_array().unwrap().iter();
        names.extend(consumers.map(|found| found["ConsumerName"].clone()));
        list["NextToken"] = page["NextToken"].clone();
    }
    assert_eq!(
        (names, &list["NextToken"]),
        (vec![json!("a"), json!("b"), json!("c")], &Value::Null)
    );
    let delete = json!({ "StreamName": "model" });
    let code = "ResourceInUseException";
    caller
        .refuse("DeleteStream", delete, code, "EnforceConsumerDeletion")
        .await;
}

#[tokio::test]
async fn consumers_have_tags_of_their_own() {
    let mut caller = caller().await;
    let tags = json!({ "team": "streams", "cost": "low" });
    let register = json!({ "StreamARN": ARN, "ConsumerName": "sql", "Tags": tags });
    let registered = caller.make("RegisterStreamConsumer", register).await;
    let consumer = &registered["Consumer"]["ConsumerARN"];
    let untag = json!({ "ResourceARN": consumer, "TagKeys": ["team"] });
    caller.make("UntagResource", untag).await;
    let tag = json!({ "ResourceARN": consumer, "Tags": { "owner": "us" } });
    caller.make("TagResource", tag).await;
    let list = json!({ "ResourceARN": consumer });
    let found = caller.make("ListTagsForResource", list).await;
    let expected = json!([{ "Key": "cost", "Value": "low" }, { "Key": "owner", "Value": "us" }]);
    assert_eq!(found["Tags"], expected);
    let of_stream = caller
        .make("ListTagsForResource", json!({ "ResourceARN": ARN }))
        .await;
    assert_eq!(of_stream["Tags"], json!([]));
}

#[tokio::test]
async fn a_subscription_that_cannot_begin_is_refused() {
    let mut caller = caller().await;
    let subscribe = |consumer: &Value, more: Value| {
        let mut request = json!({
            "ConsumerARN": consumer, "ShardId": "shardId-000000000000", "StartingPosition": { "Type": "LATEST" },
        });
        let members = request.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        request
    };
    let operation = "SubscribeToShard";
    let missing = subscribe(&json!(STREAMS_SQL), json!({}));
    let code = "ResourceNotFoundException";
    caller.refuse(operation, missing, code, "not found").await;
    let register = json!({ "StreamARN": ARN, "ConsumerName": "sql" });
    let registered = caller.make("RegisterStreamConsumer", register).await;
    let consumer = &registered["Consumer"]["ConsumerARN"];
    for (more, code, words) in [
        (json!({}), "ResourceInUseException", "Creating"),
        (
            json!({ "DryRun": true }),
            "DryRunOperationException",
            "DryRun",
        ),
        (
            json!({ "ShardId": "shard" }),
            "ResourceNotFoundException",
            "does not exist",
        ),
        (
            json!({ "StartingPosition": { "Type": "AFTER_SEQUENCE_NUMBER" } }),
            "InvalidArgumentException",
            "no SequenceNumber",
        ),
        (
            json!({ "StartingPosition": { "Type": "AT_TIMESTAMP" } }),
            "InvalidArgumentException",
            "imestamp",
        ),
        (
            json!({ "StartingPosition": { "Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": "1" } }),
            "InvalidArgumentException",
            "SubscribeToShard on shard",
        ),
    ] {
        let request = subscribe(consumer, more);
        caller.refuse(operation, request, code, words).await;
    }
}
