//! All calls that do not carry data: streams, shards, iterators.

use serde_json::{Map, Value, json};

use super::answers;
use super::failure::Failure;
use super::request::{Members, unfit};
use crate::kinesis::in_memory::listing::{Filter, PageStart};
use crate::kinesis::in_memory::shard::index_of;
use crate::kinesis::in_memory::stream::{NewStream, StreamMode};
use crate::kinesis::limits::{DEFAULT_MAX_RECORD_BYTES, FIRST_ON_DEMAND_SHARDS};
use crate::kinesis::{
    InMemoryKinesis, IteratorPosition, Kinesis, NextToken, Operation, RecordDistribution,
};
use crate::model::{ShardId, StreamIdentity};

const KIB: usize = 1_024;

/// Serves `operation`.
pub(super) async fn answer(
    kinesis: &InMemoryKinesis,
    operation: &str,
    members: &Members,
) -> Result<Vec<u8>, Failure> {
    let answer = match operation {
        "CreateStream" => create_stream(kinesis, members).await?,
        "DescribeLimits" => describe_limits(kinesis).await?,
        "DescribeStream" => describe_stream(kinesis, members).await?,
        "DescribeStreamSummary" => describe_stream_summary(kinesis, members).await?,
        "GetShardIterator" => get_shard_iterator(kinesis, members).await?,
        "ListShards" => list_shards(kinesis, members).await?,
        "ListStreams" => list_streams(kinesis, members).await?,
        "UpdateShardCount" => update_shard_count(kinesis, members).await?,
        _ => {
            change(kinesis, operation, members).await?;
            return Ok(Vec::new());
        }
    };
    Ok(answer.to_string().into_bytes())
}

/// The calls whose answer is empty.
async fn change(
    kinesis: &InMemoryKinesis,
    operation: &str,
    members: &Members,
) -> Result<(), Failure> {
    match operation {
        "DecreaseStreamRetentionPeriod" => {
            let retention = members.hours("RetentionPeriodHours")?;
            let stream = members.stream()?;
            kinesis.decrease_retention(&stream, retention).await?;
        }
        "DeleteStream" => kinesis.delete_stream(&members.stream()?).await?,
        "IncreaseStreamRetentionPeriod" => {
            let retention = members.hours("RetentionPeriodHours")?;
            let stream = members.stream()?;
            kinesis.increase_retention(&stream, retention).await?;
        }
        "MergeShards" => {
            let shard = members.shard_id("ShardToMerge")?;
            let adjacent = members.shard_id("AdjacentShardToMerge")?;
            let stream = members.stream()?;
            kinesis.merge_shards(&stream, &shard, &adjacent).await?;
        }
        "SplitShard" => {
            let shard = members.shard_id("ShardToSplit")?;
            let at = members.required_hash_key("NewStartingHashKey")?;
            kinesis.split_shard(&members.stream()?, &shard, at).await?;
        }
        "UpdateMaxRecordSize" => {
            let bytes = max_record_bytes(members.required_integer("MaxRecordSizeInKiB")?);
            let stream = members.stream()?;
            kinesis.update_max_record_size(&stream, bytes).await?;
        }
        "UpdateStreamRecordDistributionStrategy" => {
            let named = members.required_text("RecordDistributionStrategy")?;
            let strategy = distribution(named)?;
            let stream = members.stream()?;
            kinesis.set_record_distribution(&stream, strategy).await?;
        }
        _ => {
            let message = format!("{operation} is not an operation of Kinesis served here.");
            return Err(Failure::unknown_operation(message));
        }
    }
    Ok(())
}

async fn create_stream(kinesis: &InMemoryKinesis, members: &Members) -> Result<Value, Failure> {
    let name = members.stream_name()?;
    let mode = match members.object("StreamModeDetails")? {
        None => StreamMode::Provisioned,
        Some(details) => match details.required_text("StreamMode")? {
            "PROVISIONED" => StreamMode::Provisioned,
            "ON_DEMAND" => StreamMode::OnDemand,
            other => return Err(unfit("StreamMode", other)),
        },
    };
    let shard_count = match mode {
        StreamMode::OnDemand => FIRST_ON_DEMAND_SHARDS,
        StreamMode::Provisioned => {
            u32::try_from(members.required_integer("ShardCount")?).unwrap_or(0)
        }
    };
    let strategy = members.text("RecordDistributionStrategy")?;
    let new = NewStream {
        mode,
        shard_count,
        max_record_bytes: members
            .integer("MaxRecordSizeInKiB")?
            .map_or(DEFAULT_MAX_RECORD_BYTES, max_record_bytes),
        distribution: strategy.map_or(Ok(RecordDistribution::PartitionKey), distribution)?,
    };
    kinesis.create(&name, &new).await?;
    Ok(json!({}))
}

async fn describe_limits(kinesis: &InMemoryKinesis) -> Result<Value, Failure> {
    let (shards, on_demand) = kinesis.usage().await?;
    // The quotas of the largest regions (Developer Guide, "Quotas and limits").
    Ok(json!({
        "ShardLimit": 20_000,
        "OpenShardCount": shards,
        "OnDemandStreamCount": on_demand,
        "OnDemandStreamCountLimit": 50,
    }))
}

async fn describe_stream(kinesis: &InMemoryKinesis, members: &Members) -> Result<Value, Failure> {
    const OPERATION: Operation = Operation::DescribeStream;
    let stream = members.stream()?;
    let limit = members.count("Limit", 100, 1, 10_000)?;
    let after = start_of_page(members)?;
    let (summary, mode) = kinesis.describe(OPERATION, &stream).await?;
    let page = kinesis.shards_after(OPERATION, &stream, after, limit)?;
    let mut description = answers::settings(&summary, mode);
    let shards: Vec<_> = page.shards.iter().map(answers::shard).collect();
    description.insert("Shards".into(), shards.into());
    description.insert("HasMoreShards".into(), page.next.is_some().into());
    Ok(json!({ "StreamDescription": description }))
}

async fn describe_stream_summary(
    kinesis: &InMemoryKinesis,
    members: &Members,
) -> Result<Value, Failure> {
    let stream = members.stream()?;
    let operation = Operation::DescribeStreamSummary;
    let (summary, mode) = kinesis.describe(operation, &stream).await?;
    let mut description = answers::settings(&summary, mode);
    let more: [(&str, Value); 4] = [
        ("OpenShardCount", summary.open_shards.into()),
        ("ConsumerCount", 0.into()),
        (
            "MaxRecordSizeInKiB",
            (summary.max_record_bytes / KIB).into(),
        ),
        (
            "RecordDistributionStrategy",
            answers::distribution(summary.distribution).into(),
        ),
    ];
    description.extend(more.map(|(name, value)| (name.to_owned(), value)));
    Ok(json!({ "StreamDescriptionSummary": description }))
}

async fn get_shard_iterator(
    kinesis: &InMemoryKinesis,
    members: &Members,
) -> Result<Value, Failure> {
    const NUMBER: &str = "StartingSequenceNumber";
    let stream = members.stream()?;
    let shard = members.shard_id("ShardId")?;
    let position = match members.required_text("ShardIteratorType")? {
        "TRIM_HORIZON" => IteratorPosition::TrimHorizon,
        "LATEST" => IteratorPosition::Latest,
        "AT_TIMESTAMP" => IteratorPosition::AtTimestamp(members.required_time("Timestamp")?),
        "AT_SEQUENCE_NUMBER" => IteratorPosition::At(members.sequence_number(NUMBER)?),
        "AFTER_SEQUENCE_NUMBER" => IteratorPosition::After(members.sequence_number(NUMBER)?),
        other => return Err(unfit("ShardIteratorType", other)),
    };
    let iterator = kinesis
        .get_shard_iterator(&stream, &shard, &position)
        .await?;
    Ok(json!({ "ShardIterator": iterator.as_str() }))
}

async fn list_shards(kinesis: &InMemoryKinesis, members: &Members) -> Result<Value, Failure> {
    let max_results = members.count("MaxResults", 1_000, 1, 10_000)?;
    let page = match members.text("NextToken")? {
        Some(token) => {
            let excluded = [
                "StreamName",
                "StreamCreationTimestamp",
                "ShardFilter",
                "ExclusiveStartShardId",
            ];
            if let Some(name) = excluded.into_iter().find(|name| members.has(name)) {
                let message = format!("NextToken and {name} cannot be provided together.");
                return Err(Failure::invalid(message));
            }
            let token = NextToken(token.to_owned());
            let start = PageStart::Next(&token);
            kinesis.list_shards_page(start, max_results).await?
        }
        None => {
            let start = PageStart::First {
                stream: &members.stream()?,
                filter: filter(members)?,
                after: start_of_page(members)?,
            };
            kinesis.list_shards_page(start, max_results).await?
        }
    };
    let mut answer = Map::new();
    let shards: Vec<_> = page.shards.iter().map(answers::shard).collect();
    answer.insert("Shards".into(), shards.into());
    if let Some(NextToken(next)) = page.next {
        answer.insert("NextToken".into(), next.into());
    }
    Ok(answer.into())
}

fn filter(members: &Members) -> Result<Filter, Failure> {
    let Some(filter) = members.object("ShardFilter")? else {
        return Ok(Filter::FromTrimHorizon);
    };
    Ok(match filter.required_text("Type")? {
        "FROM_TRIM_HORIZON" => Filter::FromTrimHorizon,
        "AT_TRIM_HORIZON" => Filter::AtTrimHorizon,
        "AT_LATEST" => Filter::AtLatest,
        "AT_TIMESTAMP" => Filter::AtTimestamp(filter.required_time("Timestamp")?),
        "FROM_TIMESTAMP" => Filter::FromTimestamp(filter.required_time("Timestamp")?),
        "AFTER_SHARD_ID" => Filter::AfterShard(shard_index(filter.required_text("ShardId")?)?),
        other => return Err(unfit("Type", other)),
    })
}

/// The shard a page begins after.
fn start_of_page(members: &Members) -> Result<Option<u32>, Failure> {
    members
        .text("ExclusiveStartShardId")?
        .map(shard_index)
        .transpose()
}

fn shard_index(id: &str) -> Result<u32, Failure> {
    let unknown = || Failure::invalid(format!("'{id}' does not name a shard."));
    index_of(&ShardId::new(id)).ok_or_else(unknown)
}

async fn list_streams(kinesis: &InMemoryKinesis, members: &Members) -> Result<Value, Failure> {
    let limit = members.count("Limit", 100, 1, 10_000)?;
    // A page token is the last name of the page before.
    let after = match members.text("NextToken")? {
        Some(token) => Some(token),
        None => members.text("ExclusiveStartStreamName")?,
    };
    let names = kinesis.list_streams().await?;
    let first = names.partition_point(|name| Some(name.as_str()) <= after);
    let page = &names[first..names.len().min(first + limit)];
    let has_more = first + page.len() < names.len();
    let summaries: Vec<Value> = page
        .iter()
        .filter_map(|name| {
            let stream = StreamIdentity::named(name.clone());
            // A stream that was deleted since is left out.
            let (summary, mode) = kinesis.look_at(Operation::ListStreams, &stream).ok()?;
            Some(answers::stream(&summary, mode).into())
        })
        .collect();
    let names: Vec<_> = page.iter().map(|name| name.as_str()).collect();
    let next = names.last().filter(|_| has_more);
    Ok(json!({
        "StreamNames": names,
        "HasMoreStreams": has_more,
        "NextToken": next,
        "StreamSummaries": summaries,
    }))
}

async fn update_shard_count(
    kinesis: &InMemoryKinesis,
    members: &Members,
) -> Result<Value, Failure> {
    let stream = members.stream()?;
    let target = members.required_integer("TargetShardCount")?;
    match members.required_text("ScalingType")? {
        "UNIFORM_SCALING" => {}
        other => return Err(unfit("ScalingType", other)),
    }
    let operation = Operation::UpdateShardCount;
    let (before, _) = kinesis.look_at(operation, &stream)?;
    let count = u32::try_from(target).unwrap_or(0);
    kinesis.update_shard_count(&stream, count).await?;
    Ok(json!({
        "StreamName": before.stream.name().as_str(),
        "StreamARN": before.stream.arn(),
        "CurrentShardCount": before.open_shards,
        "TargetShardCount": target,
    }))
}

fn max_record_bytes(kib: i64) -> usize {
    usize::try_from(kib).unwrap_or(0).saturating_mul(KIB)
}

fn distribution(strategy: &str) -> Result<RecordDistribution, Failure> {
    match strategy {
        "USER_PARTITION_KEY" => Ok(RecordDistribution::PartitionKey),
        "AUTO" => Ok(RecordDistribution::Service),
        other => Err(unfit("RecordDistributionStrategy", other)),
    }
}
