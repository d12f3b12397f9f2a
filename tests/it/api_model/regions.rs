//! Accounts and regions have separate streams.

use super::*;

const HERE: &str = "test/20260101/us-east-1";
const ELSEWHERE: &str = "111122223333/20260101/eu-west-1";

fn arn(region: &str, account: &str) -> String {
    format!("arn:aws:kinesis:{region}:{account}:stream/s")
}

async fn create(server: &EmbeddedServer, caller: &str) {
    let create = json!({ "StreamName": "s", "ShardCount": 1 });
    call_as(server, caller, "CreateStream", &create)
        .await
        .unwrap();
}

async fn arns(server: &EmbeddedServer, caller: &str) -> Vec<String> {
    let listed = call_as(server, caller, "ListStreams", &json!({}))
        .await
        .unwrap();
    let streams = listed["StreamSummaries"].as_array().unwrap().iter();
    streams
        .map(|stream| stream["StreamARN"].as_str().unwrap().to_owned())
        .collect()
}

/// The data of all records from the start of the stream, in base64.
async fn read(server: &EmbeddedServer, caller: &str, mut stream: Value) -> Vec<Value> {
    let iterator = stream.as_object_mut().unwrap();
    iterator.insert("ShardId".into(), json!("shardId-000000000000"));
    iterator.insert("ShardIteratorType".into(), json!("TRIM_HORIZON"));
    let iterator = call_as(server, caller, "GetShardIterator", &stream)
        .await
        .unwrap();
    let page = call_as(server, caller, "GetRecords", &iterator)
        .await
        .unwrap();
    let records = page["Records"].as_array().unwrap().iter();
    records.map(|record| record["Data"].clone()).collect()
}

#[tokio::test]
async fn streams_of_other_accounts_and_regions_are_separate() {
    let (_, server) = start().await;
    let abroad = "test/20260101/cn-north-1";
    for caller in [HERE, ELSEWHERE, abroad] {
        create(&server, caller).await;
    }
    let (here, elsewhere) = (
        arn("us-east-1", "000000000000"),
        arn("eu-west-1", "111122223333"),
    );
    assert_eq!(arns(&server, HERE).await, [here.as_str()]);
    assert_eq!(arns(&server, ELSEWHERE).await, [elsewhere.as_str()]);
    let abroad = arns(&server, abroad).await;
    assert_eq!(
        abroad,
        ["arn:aws-cn:kinesis:cn-north-1:000000000000:stream/s"]
    );

    let put = |stream: Value, data: &str| {
        let mut put = stream;
        let members = put.as_object_mut().unwrap();
        members.insert("Data".into(), json!(data));
        members.insert("PartitionKey".into(), json!("k"));
        put
    };
    let by_name = json!({ "StreamName": "s" });
    let put_here = put(by_name.clone(), "aGVyZQ==");
    call_as(&server, HERE, "PutRecord", &put_here)
        .await
        .unwrap();
    // An ARN identifies its stream for any caller.
    let by_arn = json!({ "StreamARN": elsewhere });
    let put_elsewhere = put(by_arn.clone(), "ZWxzZXdoZXJl");
    call_as(&server, HERE, "PutRecord", &put_elsewhere)
        .await
        .unwrap();

    assert_eq!(read(&server, HERE, by_name.clone()).await, ["aGVyZQ=="]);
    assert_eq!(read(&server, ELSEWHERE, by_name).await, ["ZWxzZXdoZXJl"]);
    assert_eq!(read(&server, HERE, by_arn).await, ["ZWxzZXdoZXJl"]);
    let delete = json!({ "StreamName": "s" });
    call_as(&server, HERE, "DeleteStream", &delete)
        .await
        .unwrap();
    assert!(arns(&server, HERE).await.is_empty());
    assert_eq!(arns(&server, ELSEWHERE).await, [elsewhere.as_str()]);
}

#[tokio::test]
async fn limits_and_settings_are_those_of_the_caller() {
    let (_, server) = start().await;
    create(&server, HERE).await;
    let open = |limits: Value| limits["OpenShardCount"].clone();
    let empty = json!({});
    let here = call_as(&server, HERE, "DescribeLimits", &empty)
        .await
        .unwrap();
    let elsewhere = call_as(&server, ELSEWHERE, "DescribeLimits", &empty)
        .await
        .unwrap();
    assert_eq!((open(here), open(elsewhere)), (json!(1), json!(0)));

    let enable = json!({ "MinimumThroughputBillingCommitment": { "Status": "ENABLED" } });
    call_as(&server, HERE, "UpdateAccountSettings", &enable)
        .await
        .unwrap();
    let operation = "DescribeAccountSettings";
    let elsewhere = call_as(&server, ELSEWHERE, operation, &empty)
        .await
        .unwrap();
    let status = &elsewhere["MinimumThroughputBillingCommitment"]["Status"];
    assert_eq!(status, "DISABLED");
}

#[tokio::test]
async fn the_server_can_be_restricted_to_one_account_and_region() {
    let (_, server) = start_with(
        InMemoryOptions::default()
            .with_account("111122223333")
            .with_region("eu-west-1"),
    )
    .await;
    create(&server, HERE).await;
    let only = arn("eu-west-1", "111122223333");
    assert_eq!(
        arns(&server, "444455556666/20260101/sa-east-1").await,
        [only.as_str()]
    );
    for (wanted, served) in [
        (
            arn("eu-west-1", "000000000000"),
            "serves only account 111122223333.",
        ),
        (
            arn("us-east-1", "111122223333"),
            "serves only region eu-west-1.",
        ),
        (
            arn("us-east-1", "0".repeat(12).as_str()),
            "account 111122223333 in region eu-west-1",
        ),
    ] {
        let describe = json!({ "StreamARN": wanted });
        let error = call(&server, "DescribeStreamSummary", &describe).await;
        let (code, message) = error.unwrap_err();
        assert_eq!(code, "ResourceNotFoundException");
        assert!(
            message.contains(&wanted) && message.contains(served),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_page_token_is_valid_only_for_its_account_and_region() {
    let (_, server) = start().await;
    for name in ["a", "b"] {
        let create = json!({ "StreamName": name, "ShardCount": 1 });
        call(&server, "CreateStream", &create).await.unwrap();
    }
    let page = call(&server, "ListStreams", &json!({ "Limit": 1 }))
        .await
        .unwrap();
    let next = json!({ "NextToken": page["NextToken"] });
    let rest = call(&server, "ListStreams", &next).await.unwrap();
    assert_eq!(rest["StreamNames"], json!(["b"]));
    let error = call_as(&server, ELSEWHERE, "ListStreams", &next).await;
    assert_eq!(error.unwrap_err().0, "InvalidArgumentException");
}
