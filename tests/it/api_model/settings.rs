//! Settings of setup tools are stored, returned, and refused if they are invalid.

use super::serving::{Caller, caller};
use super::*;
use std::sync::atomic::{AtomicI64, Ordering};

use datafusion_kinesis::model::{Clock, UnixMillis};

/// A clock that advances by a millisecond at each reading.
#[derive(Debug, Default)]
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

async fn summary(caller: &mut Caller) -> Value {
    let describe = json!({ "StreamName": "model" });
    let answer = caller.make("DescribeStreamSummary", describe).await;
    answer["StreamDescriptionSummary"].clone()
}

#[tokio::test]
async fn tags_are_added_replaced_listed_in_pages_and_removed() {
    let mut caller = caller().await;
    let create =
        json!({ "StreamName": "tagged", "ShardCount": 1, "Tags": { "from": "the start" } });
    caller.make("CreateStream", create).await;
    let listed = caller
        .make("ListTagsForStream", json!({ "StreamName": "tagged" }))
        .await;
    assert_eq!(
        listed["Tags"],
        json!([{ "Key": "from", "Value": "the start" }])
    );

    let add = json!({ "StreamName": "model", "Tags": { "b": "1", "a": "é @:/=+-_.%", "c": "" } });
    caller.make("AddTagsToStream", add).await;
    let replace = json!({ "ResourceARN": ARN, "Tags": { "b": "2" } });
    caller.make("TagResource", replace).await;
    let page = json!({ "StreamName": "model", "Limit": 2 });
    let page = caller.make("ListTagsForStream", page).await;
    let tags = json!([{ "Key": "a", "Value": "é @:/=+-_.%" }, { "Key": "b", "Value": "2" }]);
    assert_eq!((&page["Tags"], &page["HasMoreTags"]), (&tags, &json!(true)));
    let page = json!({ "StreamName": "model", "ExclusiveStartTagKey": "b" });
    let page = caller.make("ListTagsForStream", page).await;
    let tags = json!([{ "Key": "c", "Value": "" }]);
    assert_eq!(
        (&page["Tags"], &page["HasMoreTags"]),
        (&tags, &json!(false))
    );

    let remove = json!({ "StreamName": "model", "TagKeys": ["a", "nothing"] });
    caller.make("RemoveTagsFromStream", remove).await;
    let remove = json!({ "ResourceARN": ARN, "TagKeys": ["c"] });
    caller.make("UntagResource", remove).await;
    let listed = caller
        .make("ListTagsForResource", json!({ "ResourceARN": ARN }))
        .await;
    assert_eq!(listed["Tags"], json!([{ "Key": "b", "Value": "2" }]));

    let code = "InvalidArgumentException";
    let many: Map<_, _> = (0..50).map(|n| (n.to_string(), json!(""))).collect();
    for (tags, words) in [
        (json!(many), "more than 50 tags"),
        (json!({ "a;b": "x" }), "invalid characters"),
        (json!({ "a": "<x>" }), "invalid characters"),
        (json!({ "aws:a": "x" }), "aws:"),
    ] {
        let add = json!({ "StreamName": "model", "Tags": tags });
        caller.refuse("AddTagsToStream", add, code, words).await;
    }
    let queue = "arn:aws:kinesis:us-east-1:000000000000:queue/q";
    let list = json!({ "ResourceARN": queue });
    caller
        .refuse(
            "ListTagsForResource",
            list,
            "ResourceNotFoundException",
            queue,
        )
        .await;
}

#[tokio::test]
async fn records_are_encrypted_between_start_and_stop_of_encryption() {
    let kinesis = InMemoryKinesis::new(Arc::new(Ticking::default()), InMemoryOptions::default());
    let server = EmbeddedServer::bind("127.0.0.1:0", Arc::new(kinesis));
    let server = server.await.unwrap();
    let create = json!({ "StreamName": "model", "ShardCount": 1 });
    call(&server, "CreateStream", &create).await.unwrap();
    let put = json!({ "StreamName": "model", "Data": "eA==", "PartitionKey": "k" });
    let many =
        json!({ "StreamName": "model", "Records": [{ "Data": "eA==", "PartitionKey": "k" }] });
    let kms =
        json!({ "StreamName": "model", "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis" });
    let describe = json!({ "StreamName": "model" });
    for (operation, encryption) in [
        ("DescribeStream", None),
        ("StartStreamEncryption", Some("KMS")),
        ("StopStreamEncryption", None),
    ] {
        let request = if operation == "DescribeStream" {
            &describe
        } else {
            &kms
        };
        call(&server, operation, request).await.unwrap();
        let one = call(&server, "PutRecord", &put).await.unwrap();
        assert_eq!(one["EncryptionType"].as_str(), encryption);
        let answer = call(&server, "PutRecords", &many).await.unwrap();
        assert_eq!(answer["EncryptionType"].as_str(), encryption);
        let described = call(&server, "DescribeStream", &describe).await.unwrap();
        let described = &described["StreamDescription"];
        assert_eq!(described["EncryptionType"], encryption.unwrap_or("NONE"));
        assert_eq!(
            described["KeyId"].as_str(),
            encryption.map(|_| "alias/aws/kinesis")
        );
    }
    let iterator = json!({ "StreamName": "model", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON" });
    let iterator = call(&server, "GetShardIterator", &iterator).await.unwrap();
    let page = call(&server, "GetRecords", &iterator).await.unwrap();
    let records = page["Records"].as_array().unwrap().iter();
    let encryption: Vec<_> = records
        .map(|record| record["EncryptionType"].as_str())
        .collect();
    assert_eq!(
        encryption,
        [None, None, Some("KMS"), Some("KMS"), None, None]
    );
}

#[tokio::test]
async fn a_stream_changes_its_mode() {
    let mut caller = caller().await;
    let set = |mode: &str| json!({ "StreamARN": ARN, "StreamModeDetails": { "StreamMode": mode } });
    for mode in ["ON_DEMAND", "PROVISIONED"] {
        caller.make("UpdateStreamMode", set(mode)).await;
        let summary = summary(&mut caller).await;
        assert_eq!(summary["StreamModeDetails"]["StreamMode"], mode);
        assert_eq!(summary["OpenShardCount"], 2);
    }
    caller.make("UpdateStreamMode", set("ON_DEMAND")).await;
    let auto = json!({ "StreamARN": ARN, "RecordDistributionStrategy": "AUTO" });
    caller
        .make("UpdateStreamRecordDistributionStrategy", auto)
        .await;
    let code = "InvalidArgumentException";
    caller
        .refuse("UpdateStreamMode", set("PROVISIONED"), code, "AUTO")
        .await;
}

#[tokio::test]
async fn warm_throughput_needs_an_on_demand_stream_and_a_commitment() {
    let mut caller = caller().await;
    let warm = json!({ "StreamName": "model", "WarmThroughputMiBps": 100 });
    let operation = "UpdateStreamWarmThroughput";
    let code = "ValidationException";
    caller
        .refuse(operation, warm.clone(), code, "PROVISIONED")
        .await;
    let mode = json!({ "StreamARN": ARN, "StreamModeDetails": { "StreamMode": "ON_DEMAND" } });
    caller.make("UpdateStreamMode", mode).await;
    let code = "InvalidArgumentException";
    caller
        .refuse(operation, warm.clone(), code, "Commitment")
        .await;

    let commit =
        |status: &str| json!({ "MinimumThroughputBillingCommitment": { "Status": status } });
    let status = |answer: Value| answer["MinimumThroughputBillingCommitment"]["Status"].clone();
    let enabled = caller
        .make("UpdateAccountSettings", commit("ENABLED"))
        .await;
    assert_eq!(status(enabled), "ENABLED");
    let answer = caller.make(operation, warm).await;
    assert_eq!(answer["WarmThroughput"]["TargetMiBps"], 100);
    let summary = summary(&mut caller).await;
    assert_eq!(summary["WarmThroughput"]["CurrentMiBps"], 100);
    let disabled = caller
        .make("UpdateAccountSettings", commit("DISABLED"))
        .await;
    assert_eq!(status(disabled), "ENABLED_UNTIL_EARLIEST_ALLOWED_END");
    let described = caller.make("DescribeAccountSettings", json!({})).await;
    assert_eq!(status(described), "ENABLED_UNTIL_EARLIEST_ALLOWED_END");
}

#[tokio::test]
async fn shard_metrics_are_enabled_and_disabled() {
    let mut caller = caller().await;
    let metrics = |names: &[&str]| json!({ "StreamName": "model", "ShardLevelMetrics": names });
    let enable = metrics(&["IncomingBytes", "OutgoingBytes"]);
    let answer = caller.make("EnableEnhancedMonitoring", enable).await;
    assert_eq!(answer["CurrentShardLevelMetrics"], json!([]));
    let both = json!(["IncomingBytes", "OutgoingBytes"]);
    assert_eq!(answer["DesiredShardLevelMetrics"], both);
    let shown = summary(&mut caller).await["EnhancedMonitoring"].clone();
    assert_eq!(shown, json!([{ "ShardLevelMetrics": both }]));
    let all = caller
        .make("EnableEnhancedMonitoring", metrics(&["ALL"]))
        .await;
    assert_eq!(all["DesiredShardLevelMetrics"].as_array().unwrap().len(), 7);
    let none = caller
        .make("DisableEnhancedMonitoring", metrics(&["ALL"]))
        .await;
    assert_eq!(none["DesiredShardLevelMetrics"], json!([]));
}

#[tokio::test]
async fn a_policy_is_kept_until_it_is_deleted() {
    let mut caller = caller().await;
    let resource = json!({ "ResourceARN": ARN });
    let missing = "ResourceNotFoundException";
    caller
        .refuse("GetResourcePolicy", resource.clone(), missing, ARN)
        .await;
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let put = |policy: &str| json!({ "ResourceARN": ARN, "Policy": policy });
    caller.make("PutResourcePolicy", put(policy)).await;
    let answer = caller.make("GetResourcePolicy", resource.clone()).await;
    assert_eq!(answer["Policy"], policy);
    let code = "InvalidArgumentException";
    caller
        .refuse("PutResourcePolicy", put("allow all"), code, "JSON")
        .await;
    caller.make("DeleteResourcePolicy", resource.clone()).await;
    caller
        .refuse("DeleteResourcePolicy", resource, missing, ARN)
        .await;
}

#[tokio::test]
async fn only_kms_encryption_can_be_started_and_stopped() {
    let caller = caller().await;
    let none = json!({ "StreamName": "model", "EncryptionType": "NONE", "KeyId": "k" });
    for operation in ["StartStreamEncryption", "StopStreamEncryption"] {
        let code = "InvalidArgumentException";
        caller.refuse(operation, none.clone(), code, "KMS").await;
    }
}
