//! All calls that do not carry data, by the name of the operation.

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

/// Serves `operation`.
pub(super) async fn answer(
    kinesis: &InMemoryKinesis,
    operation: &str,
    request: &ApiRequest,
) -> Result<Vec<u8>, ErrorResponse> {
    let answer = match operation {
        "CreateStream" => nothing(streams::create(kinesis, request).await?),
        "DecreaseStreamRetentionPeriod" => {
            nothing(streams::decrease_retention(kinesis, request).await?)
        }
        "DeleteStream" => nothing(kinesis.delete_stream(&request.stream()?).await?),
        "DescribeLimits" => streams::describe_limits(kinesis, request).await?,
        "DescribeStream" => streams::describe(kinesis, request).await?,
        "DescribeStreamSummary" => streams::describe_summary(kinesis, request).await?,
        "GetShardIterator" => shards::get_iterator(kinesis, request).await?,
        "IncreaseStreamRetentionPeriod" => {
            nothing(streams::increase_retention(kinesis, request).await?)
        }
        "ListShards" => shards::list(kinesis, request).await?,
        "ListStreams" => streams::list(kinesis, request).await?,
        "MergeShards" => nothing(shards::merge(kinesis, request).await?),
        "SplitShard" => nothing(shards::split(kinesis, request).await?),
        "UpdateMaxRecordSize" => nothing(streams::update_max_record_size(kinesis, request).await?),
        "UpdateShardCount" => shards::update_count(kinesis, request).await?,
        "UpdateStreamRecordDistributionStrategy" => {
            nothing(streams::update_distribution(kinesis, request).await?)
        }
        _ => return of_settings(kinesis, operation, request).await,
    };
    Ok(body_of(&answer))
}

/// The calls of set-up tools.
async fn of_settings(
    kinesis: &InMemoryKinesis,
    operation: &str,
    request: &ApiRequest,
) -> Result<Vec<u8>, ErrorResponse> {
    let answer = match operation {
        "AddTagsToStream" => {
            nothing(tags::add(kinesis, request, Operation::AddTagsToStream).await?)
        }
        "DeleteResourcePolicy" => nothing(kinesis.delete_policy(&request.resource()?).await?),
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
        "PutResourcePolicy" => nothing(settings::put_policy(kinesis, request).await?),
        "RemoveTagsFromStream" => {
            nothing(tags::remove(kinesis, request, Operation::RemoveTagsFromStream).await?)
        }
        "StartStreamEncryption" => nothing(settings::start_encryption(kinesis, request).await?),
        "StopStreamEncryption" => nothing(settings::stop_encryption(kinesis, request).await?),
        "TagResource" => nothing(tags::add(kinesis, request, Operation::TagResource).await?),
        "UntagResource" => nothing(tags::remove(kinesis, request, Operation::UntagResource).await?),
        "UpdateAccountSettings" => settings::update_account(kinesis, request).await?,
        "UpdateStreamMode" => nothing(settings::update_mode(kinesis, request).await?),
        "UpdateStreamWarmThroughput" => settings::update_warm_throughput(kinesis, request).await?,
        _ => return Err(ErrorResponse::not_served(operation)),
    };
    Ok(body_of(&answer))
}

fn body_of(answer: &Value) -> Vec<u8> {
    match answer {
        Value::Null => Vec::new(),
        answer => answer.to_string().into_bytes(),
    }
}

/// The answer of a call whose answer is empty.
fn nothing((): ()) -> Value {
    Value::Null
}
