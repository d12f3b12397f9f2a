//! All calls that do not carry data, by the name of the operation.

use serde_json::Value;

use super::failure::Failure;
use super::request::Members;
use super::{shards, streams};
use crate::kinesis::InMemoryKinesis;

/// Serves `operation`.
pub(super) async fn answer(
    kinesis: &InMemoryKinesis,
    operation: &str,
    members: &Members,
) -> Result<Vec<u8>, Failure> {
    let answer = match operation {
        "CreateStream" => nothing(streams::create(kinesis, members).await?),
        "DecreaseStreamRetentionPeriod" => {
            nothing(streams::decrease_retention(kinesis, members).await?)
        }
        "DeleteStream" => nothing(kinesis.delete_stream(&members.stream()?).await?),
        "DescribeLimits" => streams::describe_limits(kinesis).await?,
        "DescribeStream" => streams::describe(kinesis, members).await?,
        "DescribeStreamSummary" => streams::describe_summary(kinesis, members).await?,
        "GetShardIterator" => shards::get_iterator(kinesis, members).await?,
        "IncreaseStreamRetentionPeriod" => {
            nothing(streams::increase_retention(kinesis, members).await?)
        }
        "ListShards" => shards::list(kinesis, members).await?,
        "ListStreams" => streams::list(kinesis, members).await?,
        "MergeShards" => nothing(shards::merge(kinesis, members).await?),
        "SplitShard" => nothing(shards::split(kinesis, members).await?),
        "UpdateMaxRecordSize" => nothing(streams::update_max_record_size(kinesis, members).await?),
        "UpdateShardCount" => shards::update_count(kinesis, members).await?,
        "UpdateStreamRecordDistributionStrategy" => {
            nothing(streams::update_distribution(kinesis, members).await?)
        }
        _ => return Err(Failure::not_served(operation)),
    };
    Ok(match answer {
        Value::Null => Vec::new(),
        answer => answer.to_string().into_bytes(),
    })
}

/// The answer of a call whose answer is empty.
fn nothing((): ()) -> Value {
    Value::Null
}
