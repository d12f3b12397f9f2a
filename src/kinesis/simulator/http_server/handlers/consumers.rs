//! Handlers for consumers and their subscriptions.

use serde_json::{Map, Value, json};

use super::json;
use super::shards::{check_creation, position_of};
use crate::kinesis::simulator::http_server::error_response::ErrorResponse;
use crate::kinesis::simulator::http_server::request::ApiRequest;
use crate::kinesis::simulator::operations::consumers::DEFAULT_CONSUMERS_PER_PAGE;
use crate::kinesis::simulator::operations::shard_subscription::ShardSubscription;
use crate::kinesis::simulator::operations::tags::check_tags;
use crate::kinesis::{ConsumerId, InMemoryKinesis, NextToken, Operation};
use crate::model::{ConsumerArn, ConsumerName};

pub(super) async fn register(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    let (stream, name) = (request.stream_arn()?, request.consumer_name()?);
    let tags = request.members.text_map("Tags")?;
    check_tags(Operation::RegisterStreamConsumer, &name, &tags)?;
    let consumer = kinesis.register(stream, &name, tags).await?;
    Ok(json!({ "Consumer": json::consumer(&consumer) }))
}

pub(super) async fn describe(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    let wanted = Wanted::of(request)?;
    let consumer = kinesis.consumer(wanted.id()).await?;
    let mut description = json::consumer(&consumer);
    description.insert("StreamARN".into(), consumer.arn.stream_arn().into());
    Ok(json!({ "ConsumerDescription": description }))
}

pub(super) async fn list(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    let members = &request.members;
    let max_results = members.count("MaxResults", DEFAULT_CONSUMERS_PER_PAGE)?;
    let token = members.text("NextToken")?;
    let token = token.map(|token| NextToken(token.to_owned()));
    if token.is_some() && members.has("StreamCreationTimestamp") {
        let message = "NextToken and StreamCreationTimestamp cannot be provided together.";
        return Err(ErrorResponse::invalid(message));
    }
    let operation = Operation::ListStreamConsumers;
    check_creation(kinesis, operation, members, &request.stream()?)?;
    let stream = request.stream_arn()?;
    let page = kinesis
        .consumers_page(stream, token.as_ref(), max_results)
        .await?;
    let mut answer = Map::new();
    let consumers: Vec<_> = page.consumers.iter().map(json::consumer).collect();
    answer.insert("Consumers".into(), consumers.into());
    if let Some(NextToken(next)) = page.next {
        answer.insert("NextToken".into(), next.into());
    }
    Ok(answer.into())
}

pub(super) async fn deregister(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<(), ErrorResponse> {
    let wanted = Wanted::of(request)?;
    Ok(kinesis.deregister(wanted.id()).await?)
}

pub(in crate::kinesis) async fn subscribe(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<ShardSubscription, ErrorResponse> {
    let consumer = request.consumer_arn()?;
    let shard = request.members.shard_id("ShardId")?;
    let starting = request.members.required_object("StartingPosition")?;
    let position = position_of(&starting, "Type", "SequenceNumber")?;
    if request.members.switch("DryRun")? {
        let (operation, wanted) = (Operation::SubscribeToShard, ConsumerId::Arn(&consumer));
        kinesis.with_consumer(operation, wanted, |_| Ok(()))?;
        return Err(ErrorResponse::dry_run());
    }
    Ok(kinesis.subscribe(&consumer, &shard, &position).await?)
}

/// The consumer that a request names.
enum Wanted<'a> {
    Arn(ConsumerArn),
    Name(&'a str, ConsumerName),
}

impl<'a> Wanted<'a> {
    fn of(request: &'a ApiRequest) -> Result<Self, ErrorResponse> {
        let members = &request.members;
        let has = ["ConsumerARN", "StreamARN", "ConsumerName"].map(|name| members.has(name));
        match has {
            [true, false, false] => Ok(Self::Arn(request.consumer_arn()?)),
            [false, true, true] => Ok(Self::Name(request.stream_arn()?, request.consumer_name()?)),
            _ => Err(ErrorResponse::invalid(
                "Either ConsumerARN, or both StreamARN and ConsumerName must be given.",
            )),
        }
    }

    fn id(&self) -> ConsumerId<'_> {
        match self {
            Self::Arn(arn) => ConsumerId::Arn(arn),
            Self::Name(stream, name) => ConsumerId::Name(stream, name),
        }
    }
}
