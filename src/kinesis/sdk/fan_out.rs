//! Enhanced fan-out through the SDK.

use async_trait::async_trait;
use aws_sdk_kinesis::types::{Consumer, ConsumerDescription, ConsumerStatus as SdkConsumerStatus};

use super::SdkKinesis;
use super::convert::{missing, unix_millis};
use super::data_plane::Call;
use crate::error::Error;
use crate::kinesis::wire::{Format, subscribe_to_shard};
use crate::kinesis::{
    ApiError, ApiErrorKind, ApiResult, ConsumerId, ConsumerStatus, ConsumerSummary, ConsumerTags,
    ConsumersPage, FanOut, IteratorPosition, NextToken, Operation, RecordColumns, Subscription,
};
use crate::model::{ConsumerArn, ConsumerName, ShardId, StreamIdentity};

#[async_trait]
impl FanOut for SdkKinesis {
    async fn register_consumer(
        &self,
        stream_arn: &str,
        name: &ConsumerName,
        tags: &ConsumerTags,
    ) -> ApiResult<ConsumerSummary> {
        const CALL: Operation = Operation::RegisterStreamConsumer;
        let request = self
            .client
            .register_stream_consumer()
            .stream_arn(stream_arn)
            .set_tags((!tags.is_empty()).then(|| tags.clone().into_iter().collect()));
        let sent = request.consumer_name(name.as_str()).send().await;
        let stream = StreamIdentity::parse(stream_arn).ok();
        let output = sent.map_err(|error| self.failed(CALL, stream.as_ref(), error))?;
        let consumer = output.consumer.ok_or_else(|| missing(CALL, "Consumer"))?;
        summary_of(CALL, consumer)
    }

    async fn consumer_tags(&self, consumer: &ConsumerArn) -> ApiResult<ConsumerTags> {
        const CALL: Operation = Operation::ListTagsForResource;
        let request = self.client.list_tags_for_resource();
        let sent = request.resource_arn(consumer.as_str()).send().await;
        let stream = StreamIdentity::parse(consumer.stream_arn()).ok();
        let output = sent.map_err(|error| self.failed(CALL, stream.as_ref(), error))?;
        let tags = output.tags.unwrap_or_default().into_iter();
        Ok(tags
            .map(|tag| (tag.key, tag.value.unwrap_or_default()))
            .collect())
    }

    async fn describe_consumer(&self, consumer: ConsumerId<'_>) -> ApiResult<ConsumerSummary> {
        const CALL: Operation = Operation::DescribeStreamConsumer;
        let request = self.client.describe_stream_consumer();
        let (request, stream_arn) = match consumer {
            ConsumerId::Arn(arn) => (request.consumer_arn(arn.as_str()), arn.stream_arn()),
            ConsumerId::Name(stream_arn, name) => {
                let request = request.stream_arn(stream_arn);
                (request.consumer_name(name.as_str()), stream_arn)
            }
        };
        let stream = StreamIdentity::parse(stream_arn).ok();
        let sent = request.send().await;
        let output = sent.map_err(|error| self.failed(CALL, stream.as_ref(), error))?;
        let description = output.consumer_description;
        let ConsumerDescription {
            consumer_name,
            consumer_arn,
            consumer_status,
            consumer_creation_timestamp,
            ..
        } = description.ok_or_else(|| missing(CALL, "ConsumerDescription"))?;
        let consumer = Consumer::builder()
            .consumer_name(consumer_name)
            .consumer_arn(consumer_arn)
            .consumer_status(consumer_status)
            .consumer_creation_timestamp(consumer_creation_timestamp)
            .build();
        summary_of(CALL, consumer.map_err(|_| missing(CALL, "ConsumerARN"))?)
    }

    async fn list_consumers(
        &self,
        stream_arn: &str,
        next: Option<&NextToken>,
    ) -> ApiResult<ConsumersPage> {
        const CALL: Operation = Operation::ListStreamConsumers;
        let request = self.client.list_stream_consumers().stream_arn(stream_arn);
        let request = request.set_next_token(next.map(|token| token.0.clone()));
        let stream = StreamIdentity::parse(stream_arn).ok();
        let sent = request.send().await;
        let output = sent.map_err(|error| self.failed(CALL, stream.as_ref(), error))?;
        let consumers = output.consumers.unwrap_or_default().into_iter();
        Ok(ConsumersPage {
            consumers: consumers
                .map(|consumer| summary_of(CALL, consumer))
                .collect::<ApiResult<_>>()?,
            next: output.next_token.map(NextToken),
        })
    }

    async fn deregister_consumer(&self, consumer: &ConsumerArn) -> ApiResult<()> {
        let request = self.client.deregister_stream_consumer();
        let sent = request.consumer_arn(consumer.as_str()).send().await;
        let stream = StreamIdentity::parse(consumer.stream_arn()).ok();
        let call = Operation::DeregisterStreamConsumer;
        sent.map(drop)
            .map_err(|error| self.failed(call, stream.as_ref(), error))
    }

    async fn subscribe_to_shard(
        &self,
        consumer: &ConsumerArn,
        shard: &ShardId,
        position: &IteratorPosition,
        columns: RecordColumns,
    ) -> ApiResult<Box<dyn Subscription>> {
        const CALL: Operation = Operation::SubscribeToShard;
        let stream = StreamIdentity::parse(consumer.stream_arn());
        let stream = stream.map_err(|error| {
            ApiError::new(
                ApiErrorKind::InvalidArgument,
                CALL,
                "InvalidRequest",
                error.to_string(),
            )
        })?;
        let call = Call {
            operation: CALL,
            stream: &stream,
            consumer: Some(consumer),
            format: Format::Json,
        };
        let body = subscribe_to_shard(consumer, shard, position);
        let subscription = self.data_plane.subscribe(call, body, columns, &self.pool);
        Ok(Box::new(subscription.await?))
    }
}

fn summary_of(call: Operation, consumer: Consumer) -> ApiResult<ConsumerSummary> {
    let invalid =
        |error: Error| ApiError::new(ApiErrorKind::Other, call, "BadResponse", error.to_string());
    let status = match consumer.consumer_status {
        SdkConsumerStatus::Creating => ConsumerStatus::Creating,
        SdkConsumerStatus::Active => ConsumerStatus::Active,
        SdkConsumerStatus::Deleting => ConsumerStatus::Deleting,
        other => {
            let message = format!("consumer status '{other}' is not known");
            return Err(ApiError::new(
                ApiErrorKind::Other,
                call,
                "BadResponse",
                message,
            ));
        }
    };
    Ok(ConsumerSummary::new(
        ConsumerName::new(&consumer.consumer_name).map_err(invalid)?,
        ConsumerArn::new(&consumer.consumer_arn).map_err(invalid)?,
        status,
        unix_millis(&consumer.consumer_creation_timestamp),
    ))
}
