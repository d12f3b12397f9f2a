//! Dispatches operations by name to their handlers.

pub(super) mod consumers;
mod json;
pub(super) mod records;
mod settings;
mod shards;
mod streams;
mod tags;

use serde_json::Value;

use crate::kinesis::simulator::http_server::error_response::ErrorResponse;
use crate::kinesis::simulator::http_server::request::ApiRequest;
use crate::kinesis::{InMemoryKinesis, Operation};

/// Handles an operation other than GetRecords, PutRecord and PutRecords, which [`records`] handles, and
/// SubscribeToShard.
pub(super) async fn answer(
    kinesis: &InMemoryKinesis,
    operation: &str,
    request: &ApiRequest,
) -> Result<Vec<u8>, ErrorResponse> {
    let answer = match operation {
        "CreateStream" => empty(streams::create(kinesis, request).await?),
        "DecreaseStreamRetentionPeriod" => {
            empty(streams::decrease_retention(kinesis, request).await?)
        }
        "DeleteStream" => empty(streams::delete(kinesis, request).await?),
        "DescribeLimits" => streams::describe_limits(kinesis, request).await?,
        "DescribeStream" => streams::describe(kinesis, request).await?,
        "DescribeStreamSummary" => streams::describe_summary(kinesis, request).await?,
        "GetShardIterator" => shards::get_iterator(kinesis, request).await?,
        "IncreaseStreamRetentionPeriod" => {
            empty(streams::increase_retention(kinesis, request).await?)
        }
        "ListShards" => shards::list(kinesis, request).await?,
        "ListStreams" => streams::list(kinesis, request).await?,
        "MergeShards" => empty(shards::merge(kinesis, request).await?),
        "SplitShard" => empty(shards::split(kinesis, request).await?),
        "UpdateMaxRecordSize" => empty(streams::update_max_record_size(kinesis, request).await?),
        "UpdateShardCount" => shards::update_count(kinesis, request).await?,
        "UpdateStreamRecordDistributionStrategy" => {
            empty(streams::update_distribution(kinesis, request).await?)
        }
        "DeregisterStreamConsumer" => empty(consumers::deregister(kinesis, request).await?),
        "DescribeStreamConsumer" => consumers::describe(kinesis, request).await?,
        "ListStreamConsumers" => consumers::list(kinesis, request).await?,
        "RegisterStreamConsumer" => consumers::register(kinesis, request).await?,
        _ => return answer_settings_operation(kinesis, operation, request).await,
    };
    Ok(body_of(&answer))
}

/// Handles operations on tags and settings.
async fn answer_settings_operation(
    kinesis: &InMemoryKinesis,
    operation: &str,
    request: &ApiRequest,
) -> Result<Vec<u8>, ErrorResponse> {
    let answer = match operation {
        "AddTagsToStream" => empty(tags::add(kinesis, request, Operation::AddTagsToStream).await?),
        "DeleteResourcePolicy" => empty(kinesis.delete_policy(&request.resource()?).await?),
        "DescribeAccountSettings" => settings::describe_account(kinesis, request).await?,
        "DisableEnhancedMonitoring" => {
            let operation = Operation::DisableEnhancedMonitoring;
            settings::update_monitoring(kinesis, request, operation).await?
        }
        "EnableEnhancedMonitoring" => {
            let operation = Operation::EnableEnhancedMonitoring;
            settings::update_monitoring(kinesis, request, operation).await?
        }
        "GetResourcePolicy" => settings::get_policy(kinesis, request).await?,
        "ListTagsForResource" => tags::list_of_resource(kinesis, request).await?,
        "ListTagsForStream" => tags::list_of_stream(kinesis, request).await?,
        "PutResourcePolicy" => empty(settings::put_policy(kinesis, request).await?),
        "RemoveTagsFromStream" => {
            empty(tags::remove(kinesis, request, Operation::RemoveTagsFromStream).await?)
        }
        "StartStreamEncryption" => empty(settings::start_encryption(kinesis, request).await?),
        "StopStreamEncryption" => empty(settings::stop_encryption(kinesis, request).await?),
        "TagResource" => empty(tags::add(kinesis, request, Operation::TagResource).await?),
        "UntagResource" => empty(tags::remove(kinesis, request, Operation::UntagResource).await?),
        "UpdateAccountSettings" => settings::update_account(kinesis, request).await?,
        "UpdateStreamMode" => empty(settings::update_mode(kinesis, request).await?),
        "UpdateStreamWarmThroughput" => settings::update_warm_throughput(kinesis, request).await?,
        _ => return Err(ErrorResponse::unsupported_operation(operation)),
    };
    Ok(body_of(&answer))
}

fn body_of(answer: &Value) -> Vec<u8> {
    match answer {
        Value::Null => Vec::new(),
        answer => answer.to_string().into_bytes(),
    }
}

/// The response of an operation without a result.
fn empty((): ()) -> Value {
    Value::Null
}
