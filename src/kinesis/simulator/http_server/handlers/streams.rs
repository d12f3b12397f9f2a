//! Handlers for creating, listing, describing and changing streams.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::json;
use super::shards::start_of_page;
use crate::kinesis::limits::{
    DEFAULT_MAX_RECORD_BYTES, FIRST_ON_DEMAND_SHARDS, ON_DEMAND_STREAMS_PER_ACCOUNT,
    SHARDS_PER_ACCOUNT,
};
use crate::kinesis::simulator::http_server::error_response::ErrorResponse;
use crate::kinesis::simulator::http_server::request::{ApiRequest, Members};
use crate::kinesis::simulator::operations::list_streams::StreamsFrom;
use crate::kinesis::simulator::state::stream::NewStream;
use crate::kinesis::{InMemoryKinesis, NextToken, Operation, RecordDistribution, StreamMode};
use crate::model::StreamName;

const KIB: usize = 1_024;

pub(super) async fn create(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<(), ErrorResponse> {
    let name = request.stream_name()?;
    let mode = match request.members.object("StreamModeDetails")? {
        None => StreamMode::Provisioned,
        Some(details) => mode(&details)?,
    };
    let shard_count = match mode {
        StreamMode::OnDemand => FIRST_ON_DEMAND_SHARDS,
        StreamMode::Provisioned => {
            u32::try_from(request.members.required_integer("ShardCount")?).unwrap_or(u32::MAX)
        }
    };
    let new = NewStream {
        mode,
        shard_count,
        max_record_bytes: request
            .members
            .integer("MaxRecordSizeInKiB")?
            .map_or(DEFAULT_MAX_RECORD_BYTES, max_record_bytes),
        distribution: distribution(&request.members)?.unwrap_or(RecordDistribution::PartitionKey),
    };
    let tags = request.members.text_map("Tags")?;
    let warm = warm_throughput(&request.members)?;
    let created = kinesis.create_with(&request.account_region, &name, &new, tags, warm);
    Ok(created.await?)
}

/// The warm throughput of the request.
pub(super) fn warm_throughput(members: &Members) -> Result<Option<u32>, ErrorResponse> {
    let warm = members.integer("WarmThroughputMiBps")?;
    Ok(warm.map(|mib| u32::try_from(mib).unwrap_or(u32::MAX)))
}

/// The mode in StreamModeDetails.
pub(super) fn mode(details: &Members) -> Result<StreamMode, ErrorResponse> {
    Ok(match details.required_text("StreamMode")? {
        "ON_DEMAND" => StreamMode::OnDemand,
        _ => StreamMode::Provisioned,
    })
}

pub(super) async fn delete(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<(), ErrorResponse> {
    let enforce = request.members.switch("EnforceConsumerDeletion")?;
    Ok(kinesis.delete(&request.stream()?, enforce).await?)
}

pub(super) async fn describe_limits(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    let (shards, on_demand) = kinesis.usage(&request.account_region).await?;
    Ok(json!({
        "ShardLimit": SHARDS_PER_ACCOUNT,
        "OpenShardCount": shards,
        "OnDemandStreamCount": on_demand,
        "OnDemandStreamCountLimit": ON_DEMAND_STREAMS_PER_ACCOUNT,
    }))
}

pub(super) async fn describe(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    const OPERATION: Operation = Operation::DescribeStream;
    const DEFAULT_LIMIT: usize = 100;
    let stream = request.stream()?;
    let limit = request.members.count("Limit", DEFAULT_LIMIT)?;
    let after = start_of_page(&request.members)?;
    let (summary, mode) = kinesis.describe(OPERATION, &stream).await?;
    let page = kinesis.shards_after(OPERATION, &stream, after, limit)?;
    let settings = kinesis.described_settings(OPERATION, &stream)?;
    let mut description = json::settings(&summary, mode, &settings);
    let shards: Vec<_> = page.shards.iter().map(json::shard).collect();
    description.insert("Shards".into(), shards.into());
    description.insert("HasMoreShards".into(), page.next.is_some().into());
    Ok(json!({ "StreamDescription": description }))
}

pub(super) async fn describe_summary(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    const OPERATION: Operation = Operation::DescribeStreamSummary;
    let stream = request.stream()?;
    let (summary, mode) = kinesis.describe(OPERATION, &stream).await?;
    let settings = kinesis.described_settings(OPERATION, &stream)?;
    let mut description = json::settings(&summary, mode, &settings);
    let more: [(&str, Value); 4] = [
        ("OpenShardCount", summary.open_shards.into()),
        ("ConsumerCount", settings.consumers.into()),
        (
            "MaxRecordSizeInKiB",
            (summary.max_record_bytes / KIB).into(),
        ),
        (
            "RecordDistributionStrategy",
            json::distribution(summary.distribution).into(),
        ),
    ];
    description.extend(more.map(|(name, value)| (name.to_owned(), value)));
    if let Some(warm) = settings.warm_mib_per_second {
        let warm = json::warm_throughput(warm);
        description.insert("WarmThroughput".into(), warm);
    }
    Ok(json!({ "StreamDescriptionSummary": description }))
}

pub(super) async fn list(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    const DEFAULT_LIMIT: usize = 100;
    let limit = request.members.count("Limit", DEFAULT_LIMIT)?;
    let after = request.members.text("ExclusiveStartStreamName")?;
    let from = match (request.members.text("NextToken")?, after) {
        (None, after) => StreamsFrom::Start(after.and_then(|name| StreamName::new(name).ok())),
        (Some(token), None) => StreamsFrom::Page(NextToken(token.to_owned())),
        (Some(_), Some(_)) => {
            let message = "NextToken and ExclusiveStartStreamName cannot be provided together.";
            return Err(ErrorResponse::invalid(message));
        }
    };
    let page = kinesis
        .streams_page(&request.account_region, from, limit)
        .await?;
    let streams = page.streams.iter();
    let names: Vec<_> = streams
        .clone()
        .map(|(summary, _)| summary.stream.name().as_str())
        .collect();
    let summaries: Vec<_> = streams
        .map(|(summary, mode)| json::stream(summary, *mode))
        .collect();
    let mut answer = Map::new();
    answer.insert("StreamNames".into(), names.into());
    answer.insert("HasMoreStreams".into(), page.next.is_some().into());
    answer.insert("StreamSummaries".into(), summaries.into());
    if let Some(NextToken(next)) = page.next {
        answer.insert("NextToken".into(), next.into());
    }
    Ok(answer.into())
}

pub(super) async fn increase_retention(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<(), ErrorResponse> {
    let (stream, retention) = (request.stream()?, retention(&request.members)?);
    Ok(kinesis.increase_retention(&stream, retention).await?)
}

pub(super) async fn decrease_retention(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<(), ErrorResponse> {
    let (stream, retention) = (request.stream()?, retention(&request.members)?);
    Ok(kinesis.decrease_retention(&stream, retention).await?)
}

/// A negative count is treated as zero; the limits check rejects both.
fn retention(members: &Members) -> Result<Duration, ErrorResponse> {
    let hours = members.required_integer("RetentionPeriodHours")?;
    let seconds = u64::try_from(hours).unwrap_or(0).saturating_mul(3_600);
    Ok(Duration::from_secs(seconds))
}

pub(super) async fn update_max_record_size(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<(), ErrorResponse> {
    let bytes = max_record_bytes(request.members.required_integer("MaxRecordSizeInKiB")?);
    let stream = request.stream()?;
    Ok(kinesis.update_max_record_size(&stream, bytes).await?)
}

pub(super) async fn update_distribution(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<(), ErrorResponse> {
    let stream = request.stream()?;
    let strategy = distribution(&request.members)?.unwrap_or(RecordDistribution::PartitionKey);
    Ok(kinesis.set_record_distribution(&stream, strategy).await?)
}

fn distribution(members: &Members) -> Result<Option<RecordDistribution>, ErrorResponse> {
    let strategy = members.text("RecordDistributionStrategy")?;
    Ok(strategy.map(|strategy| match strategy {
        "AUTO" => RecordDistribution::Service,
        _ => RecordDistribution::PartitionKey,
    }))
}

fn max_record_bytes(kib: i64) -> usize {
    usize::try_from(kib).unwrap_or(0).saturating_mul(KIB)
}
