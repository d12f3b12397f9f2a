//! Handlers for shard iterators, ListShards and resharding.

use serde_json::{Map, Value, json};

use super::json;
use crate::kinesis::limits::MAX_SHARDS_PER_PAGE;
use crate::kinesis::simulator::http_server::error_response::ErrorResponse;
use crate::kinesis::simulator::http_server::request::{ApiRequest, Members};
use crate::kinesis::simulator::operations::list_shards::PageStart;
use crate::kinesis::simulator::state::shard::index_of;
use crate::kinesis::simulator::state::shard_filter::Filter;
use crate::kinesis::{
    InMemoryKinesis, IteratorPosition, Kinesis, NextToken, Operation, StreamMode,
};
use crate::model::{ShardId, StreamIdentity};

pub(super) async fn get_iterator(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    let stream = request.stream()?;
    let shard = request.members.shard_id("ShardId")?;
    let position = position(&request.members)?;
    let iterator = kinesis
        .get_shard_iterator(&stream, &shard, &position)
        .await?;
    Ok(json!({ "ShardIterator": iterator.as_str() }))
}

/// The position of an iterator.
fn position(members: &Members) -> Result<IteratorPosition, ErrorResponse> {
    position_of(members, "ShardIteratorType", "StartingSequenceNumber")
}

/// The position in members with these names, and in `Timestamp`.
pub(super) fn position_of(
    members: &Members,
    kind: &str,
    number: &str,
) -> Result<IteratorPosition, ErrorResponse> {
    let number_name = number;
    let kind = members.required_text(kind)?;
    let number = members.sequence_number(number)?;
    let position = match (kind, number) {
        ("AT_SEQUENCE_NUMBER", Some(number)) => IteratorPosition::At(number),
        ("AFTER_SEQUENCE_NUMBER", Some(number)) => IteratorPosition::After(number),
        ("TRIM_HORIZON", None) => IteratorPosition::TrimHorizon,
        ("LATEST", None) => IteratorPosition::Latest,
        ("AT_TIMESTAMP", None) => {
            let time = members.time("Timestamp")?.ok_or_else(|| {
                ErrorResponse::invalid(
                    "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. \
                     The request has no Timestamp.",
                )
            })?;
            IteratorPosition::AtTimestamp(time)
        }
        (kind, number) => {
            let found = if number.is_some() { "also a" } else { "no" };
            return Err(ErrorResponse::invalid(format!(
                "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and \
                 {number_name} or (2) TRIM_HORIZON or LATEST and no \
                 {number_name}. Request specified {kind} and {found} \
                 {number_name}."
            )));
        }
    };
    Ok(position)
}

pub(super) async fn list(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    let members = &request.members;
    let max_results = members.count("MaxResults", MAX_SHARDS_PER_PAGE)?;
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
                return Err(ErrorResponse::invalid(message));
            }
            let token = NextToken(token.to_owned());
            let start = PageStart::Next(&token);
            kinesis.list_shards_page(start, max_results).await?
        }
        None => {
            let stream = request.stream()?;
            check_creation(kinesis, Operation::ListShards, members, &stream)?;
            let start = PageStart::First {
                stream: &stream,
                filter: filter(members)?,
                after: start_of_page(members)?,
            };
            kinesis.list_shards_page(start, max_results).await?
        }
    };
    let mut answer = Map::new();
    let shards: Vec<_> = page.shards.iter().map(json::shard).collect();
    answer.insert("Shards".into(), shards.into());
    if let Some(NextToken(next)) = page.next {
        answer.insert("NextToken".into(), next.into());
    }
    Ok(answer.into())
}

/// Checks `StreamCreationTimestamp`, which distinguishes streams of the same name. Many clients
/// send it without milliseconds.
pub(super) fn check_creation(
    kinesis: &InMemoryKinesis,
    operation: Operation,
    members: &Members,
    stream: &StreamIdentity,
) -> Result<(), ErrorResponse> {
    let Some(wanted) = members.time("StreamCreationTimestamp")? else {
        return Ok(());
    };
    let (found, _) = kinesis.peek_summary(operation, stream)?;
    if found.created_at.0.div_euclid(1_000) == wanted.0.div_euclid(1_000) {
        return Ok(());
    }
    Err(ErrorResponse::not_found(format!(
        "Stream {stream} was created at {}, not at {wanted}.",
        found.created_at
    )))
}

fn filter(members: &Members) -> Result<Filter, ErrorResponse> {
    let Some(filter) = members.object("ShardFilter")? else {
        return Ok(Filter::FromTrimHorizon);
    };
    let kind = filter.required_text("Type")?;
    let lacks =
        |member| ErrorResponse::invalid(format!("A ShardFilter of type {kind} needs {member}."));
    let time = || filter.time("Timestamp")?.ok_or_else(|| lacks("Timestamp"));
    Ok(match kind {
        "AT_TRIM_HORIZON" => Filter::AtTrimHorizon,
        "AT_LATEST" => Filter::AtLatest,
        "AT_TIMESTAMP" => Filter::AtTimestamp(time()?),
        "FROM_TIMESTAMP" => Filter::FromTimestamp(time()?),
        "AFTER_SHARD_ID" => {
            let id = filter.text("ShardId")?.ok_or_else(|| lacks("ShardId"))?;
            Filter::AfterShard(shard_index(id)?)
        }
        _ => Filter::FromTrimHorizon,
    })
}

/// The index of the shard that the page starts after.
pub(super) fn start_of_page(members: &Members) -> Result<Option<u32>, ErrorResponse> {
    members
        .text("ExclusiveStartShardId")?
        .map(shard_index)
        .transpose()
}

fn shard_index(id: &str) -> Result<u32, ErrorResponse> {
    let unknown = || ErrorResponse::invalid(format!("'{id}' does not name a shard."));
    index_of(&ShardId::new(id)).ok_or_else(unknown)
}

pub(super) async fn merge(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<(), ErrorResponse> {
    let stream = request.stream()?;
    check_provisioned(kinesis, Operation::MergeShards, &stream)?;
    let shard = request.members.shard_id("ShardToMerge")?;
    let adjacent = request.members.shard_id("AdjacentShardToMerge")?;
    Ok(kinesis.merge_shards(&stream, &shard, &adjacent).await?)
}

pub(super) async fn split(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<(), ErrorResponse> {
    let stream = request.stream()?;
    check_provisioned(kinesis, Operation::SplitShard, &stream)?;
    let shard = request.members.shard_id("ShardToSplit")?;
    let at = request.members.required_hash_key("NewStartingHashKey")?;
    Ok(kinesis.split_shard(&stream, &shard, at).await?)
}

pub(super) async fn update_count(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    const OPERATION: Operation = Operation::UpdateShardCount;
    let stream = request.stream()?;
    check_provisioned(kinesis, OPERATION, &stream)?;
    let target = request.members.required_integer("TargetShardCount")?;
    let (before, _) = kinesis.peek_summary(OPERATION, &stream)?;
    let count = u32::try_from(target).unwrap_or(u32::MAX);
    kinesis.update_shard_count(&stream, count).await?;
    Ok(json!({
        "StreamName": before.stream.name().as_str(),
        "StreamARN": before.stream.arn(),
        "CurrentShardCount": before.open_shards,
        "TargetShardCount": target,
    }))
}

/// Checks that the stream is provisioned. The service itself manages the shards of other streams.
fn check_provisioned(
    kinesis: &InMemoryKinesis,
    operation: Operation,
    stream: &StreamIdentity,
) -> Result<(), ErrorResponse> {
    let (_, mode) = kinesis.peek_summary(operation, stream)?;
    match mode {
        StreamMode::Provisioned => Ok(()),
        StreamMode::OnDemand => Err(ErrorResponse::validation(format!(
            "{operation} is for streams in PROVISIONED mode; stream {stream} is in ON_DEMAND mode."
        ))),
    }
}
