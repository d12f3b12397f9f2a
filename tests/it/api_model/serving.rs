//! Valid requests: responses, and requests that are refused in context.

use super::*;

/// Members of `answer` that the model lacks, or required ones that are missing.
fn faults_of(answer: &Value, output: &[Member]) -> Vec<String> {
    let mut faults = Vec::new();
    check(answer, "", output, &mut faults);
    faults
}

fn check(value: &Value, at: &str, output: &[Member], faults: &mut Vec<String>) {
    match value {
        Value::Object(members) if at.is_empty() || kind(at, output) == "structure" => {
            let inner = |name: &str| match at {
                "" => name.to_owned(),
                at => format!("{at}.{name}"),
            };
            for (name, value) in members {
                check(value, &inner(name), output, faults);
            }
            let depth = inner("x").matches('.').count();
            for member in output.iter().filter(|member| member.required) {
                let name = member.path.rsplit('.').next().unwrap();
                let is_inner = inner(name) == member.path && !name.contains(['[', '{']);
                if is_inner
                    && member.path.matches('.').count() == depth
                    && !members.contains_key(name)
                {
                    faults.push(format!("{} is missing", member.path));
                }
            }
        }
        Value::Array(items) if kind(at, output) == "list" => {
            for item in items {
                check(item, &format!("{at}[]"), output, faults);
            }
        }
        value => {
            let text = value.as_str();
            let right = match kind(at, output) {
                "string" => text.is_some_and(|text| !text.is_empty() || at.ends_with("Value")),
                "enum" => text.is_some_and(|text| {
                    let member = output.iter().find(|member| member.path == at);
                    member
                        .unwrap()
                        .allowed
                        .split(',')
                        .any(|allowed| allowed == text)
                }),
                "integer" | "long" => value.is_i64(),
                "boolean" => value.is_boolean(),
                "timestamp" => value.is_number(),
                "blob" => {
                    text.is_some_and(|text| base64_simd::STANDARD.check(text.as_bytes()).is_ok())
                }
                _ => false,
            };
            if !right {
                faults.push(format!("{at} is {value}"));
            }
        }
    }
}

fn kind(at: &str, output: &[Member]) -> &'static str {
    let member = output.iter().find(|member| member.path == at);
    member.map_or("not in the model", |member| member.kind)
}

/// A server, and the calls made to it.
pub(super) struct Caller {
    server: EmbeddedServer,
    model: BTreeMap<&'static str, Operation>,
    made: BTreeSet<&'static str>,
}

impl Caller {
    /// Makes a call that must succeed, and compares the response with the model.
    pub(super) async fn make(&mut self, operation: &'static str, request: Value) -> Value {
        let answer = call(&self.server, operation, &request).await;
        let answer = answer.unwrap_or_else(|error| panic!("{operation} {request}: {error:?}"));
        let faults = faults_of(&answer, &self.model[operation].output);
        assert!(faults.is_empty(), "{operation}: {faults:?} in {answer}");
        self.made.insert(operation);
        answer
    }

    /// Makes a call that must fail with an error of the operation.
    pub(super) async fn refuse(
        &self,
        operation: &'static str,
        request: Value,
        code: &str,
        words: &str,
    ) {
        let answer = call(&self.server, operation, &request).await;
        let Err((found, message)) = answer else {
            panic!("{operation} {request} was taken: {answer:?}");
        };
        assert_eq!(found, code, "{operation} {request}: {message}");
        assert!(message.contains(words), "{operation} {request}: {message}");
        let has = self.model[operation].errors.contains(code) || COMMON_ERRORS.contains(&code);
        assert!(has, "{operation} has no {code}");
    }
}

pub(super) async fn caller() -> Caller {
    let (_, server) = start().await;
    let mut caller = Caller {
        server,
        model: model(),
        made: BTreeSet::new(),
    };
    let create = json!({ "StreamName": "model", "ShardCount": 2 });
    caller.make("CreateStream", create).await;
    caller
}

#[tokio::test]
async fn responses_match_the_model() {
    let mut caller = caller().await;
    let name = json!({ "StreamName": "model" });
    for other in ["a", "b", "c"] {
        let mode = json!({ "StreamMode": "ON_DEMAND" });
        let create = json!({ "StreamName": other, "StreamModeDetails": mode });
        caller.make("CreateStream", create).await;
    }
    caller.make("ListStreams", json!({ "Limit": 2 })).await;
    caller.make("ListStreams", json!({})).await;
    caller.make("DescribeLimits", json!({})).await;
    let put = json!({ "StreamName": "model", "Data": "eA==", "PartitionKey": "k" });
    caller.make("PutRecord", put).await;
    let records = json!([{ "Data": "eA==", "PartitionKey": "k" }]);
    let put = json!({ "StreamName": "model", "Records": records });
    caller.make("PutRecords", put).await;
    for stream in ["model", "a"] {
        let stream = json!({ "StreamName": stream });
        caller.make("DescribeStream", stream.clone()).await;
        caller.make("DescribeStreamSummary", stream).await;
    }
    let increase = json!({ "StreamName": "model", "RetentionPeriodHours": 48 });
    caller.make("IncreaseStreamRetentionPeriod", increase).await;
    let decrease = json!({ "StreamName": "model", "RetentionPeriodHours": 24 });
    caller.make("DecreaseStreamRetentionPeriod", decrease).await;
    let larger = json!({ "StreamARN": ARN, "MaxRecordSizeInKiB": 2_048 });
    caller.make("UpdateMaxRecordSize", larger).await;
    let strategy = json!({ "StreamARN": ARN, "RecordDistributionStrategy": "USER_PARTITION_KEY" });
    caller
        .make("UpdateStreamRecordDistributionStrategy", strategy)
        .await;
    let target =
        json!({ "StreamName": "model", "TargetShardCount": 4, "ScalingType": "UNIFORM_SCALING" });
    caller.make("UpdateShardCount", target).await;
    for shard in ["shardId-000000000000", "shardId-000000000001"] {
        let mut iterator =
            json!({ "StreamName": "model", "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" });
        iterator = caller.make("GetShardIterator", iterator).await;
        // The last page of a closed shard names its children.
        caller
            .make(
                "GetRecords",
                json!({ "ShardIterator": iterator["ShardIterator"] }),
            )
            .await;
    }
    let merge = json!({ "StreamName": "model", "ShardToMerge": "shardId-000000000002", "AdjacentShardToMerge": "shardId-000000000003" });
    caller.make("MergeShards", merge).await;
    let middle = "200000000000000000000000000000000000000";
    let split = json!({ "StreamName": "model", "ShardToSplit": "shardId-000000000004", "NewStartingHashKey": middle });
    caller.make("SplitShard", split).await;
    caller
        .make(
            "ListShards",
            json!({ "StreamName": "model", "MaxResults": 2 }),
        )
        .await;
    let resource = json!({ "ResourceARN": ARN });
    let tags = json!({ "StreamName": "model", "Tags": { "team": "streams" } });
    caller.make("AddTagsToStream", tags).await;
    let tags = json!({ "ResourceARN": ARN, "Tags": { "cost": "low" } });
    caller.make("TagResource", tags).await;
    caller.make("ListTagsForStream", name.clone()).await;
    caller.make("ListTagsForResource", resource.clone()).await;
    let keys = json!({ "StreamName": "model", "TagKeys": ["team"] });
    caller.make("RemoveTagsFromStream", keys).await;
    let keys = json!({ "ResourceARN": ARN, "TagKeys": ["cost"] });
    caller.make("UntagResource", keys).await;
    let kms = json!({ "StreamName": "model", "EncryptionType": "KMS", "KeyId": "alias/k" });
    caller.make("StartStreamEncryption", kms.clone()).await;
    caller.make("DescribeStream", name.clone()).await;
    caller.make("StopStreamEncryption", kms).await;
    let metrics = json!({ "StreamName": "model", "ShardLevelMetrics": ["ALL"] });
    caller
        .make("EnableEnhancedMonitoring", metrics.clone())
        .await;
    caller.make("DescribeStreamSummary", name.clone()).await;
    caller.make("DisableEnhancedMonitoring", metrics).await;
    let policy = json!({ "ResourceARN": ARN, "Policy": "{}" });
    caller.make("PutResourcePolicy", policy).await;
    caller.make("GetResourcePolicy", resource.clone()).await;
    caller.make("DeleteResourcePolicy", resource).await;
    caller.make("DescribeAccountSettings", json!({})).await;
    let enable = json!({ "MinimumThroughputBillingCommitment": { "Status": "ENABLED" } });
    caller.make("UpdateAccountSettings", enable).await;
    let mode = json!({ "StreamARN": ARN, "StreamModeDetails": { "StreamMode": "ON_DEMAND" } });
    caller.make("UpdateStreamMode", mode).await;
    let warm = json!({ "StreamName": "model", "WarmThroughputMiBps": 10 });
    caller.make("UpdateStreamWarmThroughput", warm).await;
    caller.make("DescribeStreamSummary", name.clone()).await;
    let sql = json!({ "StreamARN": ARN, "ConsumerName": "sql", "Tags": { "team": "streams" } });
    caller.make("RegisterStreamConsumer", sql).await;
    let sql = json!({ "StreamARN": ARN, "ConsumerName": "sql" });
    caller.make("DescribeStreamConsumer", sql.clone()).await;
    let list = json!({ "StreamARN": ARN, "MaxResults": 1 });
    caller.make("ListStreamConsumers", list).await;
    caller.make("DescribeStreamSummary", name.clone()).await;
    caller.make("DeregisterStreamConsumer", sql).await;
    // Its answer is an event stream, which other tests read.
    caller.made.insert("SubscribeToShard");
    let delete = json!({ "StreamName": "model", "EnforceConsumerDeletion": true });
    caller.make("DeleteStream", delete).await;
    let missing: Vec<_> = model()
        .into_keys()
        .filter(|name| !caller.made.contains(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn members_that_exclude_each_other_are_refused() {
    let caller = caller().await;
    let first = "shardId-000000000000";
    let iterator = |more: Value| {
        let mut request = json!({ "StreamName": "model", "ShardId": first });
        request
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        request
    };
    let code = "InvalidArgumentException";
    for (kind, has_number) in [
        ("TRIM_HORIZON", true),
        ("LATEST", true),
        ("AT_TIMESTAMP", true),
        ("AT_SEQUENCE_NUMBER", false),
        ("AFTER_SEQUENCE_NUMBER", false),
    ] {
        let number =
            has_number.then_some("49590338271490256608559692538361571095921575989136588898");
        let request = iterator(json!({
            "ShardIteratorType": kind, "Timestamp": 1_700_000_000, "StartingSequenceNumber": number,
        }));
        let words = format!(
            " Request specified {kind} and {} StartingSequenceNumber",
            if has_number { "also a" } else { "no" }
        );
        caller
            .refuse("GetShardIterator", request, code, &words)
            .await;
    }
    let request = iterator(json!({ "ShardIteratorType": "AT_TIMESTAMP" }));
    caller
        .refuse("GetShardIterator", request, code, "imestamp")
        .await;
    let list = |filter: Value| json!({ "StreamName": "model", "ShardFilter": filter });
    for kind in ["AT_TIMESTAMP", "FROM_TIMESTAMP"] {
        caller
            .refuse(
                "ListShards",
                list(json!({ "Type": kind })),
                code,
                "Timestamp",
            )
            .await;
    }
    caller
        .refuse(
            "ListShards",
            list(json!({ "Type": "AFTER_SHARD_ID" })),
            code,
            "ShardId",
        )
        .await;
    let request = json!({ "StreamName": "new" });
    caller
        .refuse("CreateStream", request, code, "ShardCount")
        .await;
    for operation in [
        "DescribeStream",
        "DescribeStreamSummary",
        "ListShards",
        "DeleteStream",
    ] {
        caller
            .refuse(operation, json!({}), code, "StreamName")
            .await;
    }
    let both = json!({ "StreamName": "other", "StreamARN": ARN });
    caller
        .refuse("DescribeStreamSummary", both, code, "other")
        .await;
    let created = json!({ "StreamName": "model", "StreamCreationTimestamp": 1_000_000 });
    caller
        .refuse("ListShards", created, "ResourceNotFoundException", "model")
        .await;
}

#[tokio::test]
async fn errors_name_records_as_the_request_does() {
    let caller = caller().await;
    let large = base64_simd::STANDARD.encode_to_string(vec![0; (1 << 20) + 1]);
    let one = |data: &str, key: Value| json!({ "StreamName": "model", "Data": data, "PartitionKey": key });
    let many = |data: &str, key: Value| json!({ "StreamName": "model", "Records": [{ "Data": data, "PartitionKey": key }] });
    let code = "ValidationException";
    caller
        .refuse(
            "PutRecord",
            one("eA==", Value::Null),
            code,
            "at 'partitionKey'",
        )
        .await;
    caller
        .refuse("PutRecord", one(&large, json!("k")), code, "at 'data'")
        .await;
    caller
        .refuse(
            "PutRecords",
            many("eA==", Value::Null),
            code,
            "at 'records.1.member.partitionKey'",
        )
        .await;
    caller
        .refuse(
            "PutRecords",
            many(&large, json!("k")),
            code,
            "at 'records.1.member.data'",
        )
        .await;
}

#[tokio::test]
async fn pages_of_streams_continue_with_issued_tokens() {
    let mut caller = caller().await;
    for name in ["a", "b", "z"] {
        let create = json!({ "StreamName": name, "ShardCount": 1 });
        caller.make("CreateStream", create).await;
    }
    let mut request = json!({ "Limit": 2 });
    let mut pages = Vec::new();
    loop {
        let page = caller.make("ListStreams", request).await;
        pages.push(page["StreamNames"].clone());
        assert_eq!(page["HasMoreStreams"], page.get("NextToken").is_some());
        let Some(token) = page.get("NextToken") else {
            break;
        };
        request = json!({ "Limit": 2, "NextToken": token });
    }
    assert_eq!(pages, [json!(["a", "b"]), json!(["model", "z"])]);
    let code = "InvalidArgumentException";
    let invented = json!({ "NextToken": "a" });
    caller
        .refuse("ListStreams", invented, code, "NextToken")
        .await;
    let shards = caller
        .make(
            "ListShards",
            json!({ "StreamName": "model", "MaxResults": 1 }),
        )
        .await;
    let foreign = json!({ "NextToken": shards["NextToken"] });
    caller
        .refuse("ListStreams", foreign, code, "NextToken")
        .await;
}

#[tokio::test]
async fn manual_resharding_requires_a_provisioned_stream() {
    let mut caller = caller().await;
    let mode = json!({ "StreamMode": "ON_DEMAND" });
    let create = json!({ "StreamName": "demand", "StreamModeDetails": mode });
    caller.make("CreateStream", create).await;
    let (first, second) = ("shardId-000000000000", "shardId-000000000001");
    let code = "ValidationException";
    let split =
        json!({ "StreamName": "demand", "ShardToSplit": first, "NewStartingHashKey": "1000" });
    caller.refuse("SplitShard", split, code, "ON_DEMAND").await;
    let merge =
        json!({ "StreamName": "demand", "ShardToMerge": first, "AdjacentShardToMerge": second });
    caller.refuse("MergeShards", merge, code, "ON_DEMAND").await;
    let scale =
        json!({ "StreamName": "demand", "TargetShardCount": 8, "ScalingType": "UNIFORM_SCALING" });
    caller
        .refuse("UpdateShardCount", scale, code, "ON_DEMAND")
        .await;
}

#[tokio::test]
async fn the_shard_limit_of_an_account_is_enforced() {
    let caller = caller().await;
    let create = json!({ "StreamName": "large", "ShardCount": 20_001 });
    caller
        .refuse("CreateStream", create, "LimitExceededException", "20001")
        .await;
}
