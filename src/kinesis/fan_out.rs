//! Enhanced fan-out: consumers of a stream, and subscriptions by which the service pushes records to them.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use super::{ApiResult, IteratorPosition, NextToken, RecordColumns, RecordsPage};
use crate::model::{ConsumerArn, ConsumerName, SequenceNumber, ShardId, UnixMillis};

/// The calls of enhanced fan-out.
///
/// The contract is that of [`Kinesis`](super::Kinesis): each method sends exactly one request and never retries.
#[async_trait]
pub trait FanOut: fmt::Debug + Send + Sync {
    /// Registers a consumer with `tags`, which can subscribe once its status is `Active` (RegisterStreamConsumer).
    /// Fails with [`ResourceInUse`](super::ApiErrorKind::ResourceInUse) if the stream has one of this name.
    async fn register_consumer(
        &self,
        stream_arn: &str,
        name: &ConsumerName,
        tags: &ConsumerTags,
    ) -> ApiResult<ConsumerSummary>;

    /// Returns the tags of a consumer (ListTagsForResource).
    async fn consumer_tags(&self, consumer: &ConsumerArn) -> ApiResult<ConsumerTags>;

    /// Returns the ARN and the status of a consumer (DescribeStreamConsumer).
    async fn describe_consumer(&self, consumer: ConsumerId<'_>) -> ApiResult<ConsumerSummary>;

    /// Returns one page of the consumers of a stream, from the first or from `next` on (ListStreamConsumers).
    async fn list_consumers(
        &self,
        stream_arn: &str,
        next: Option<&NextToken>,
    ) -> ApiResult<ConsumersPage>;

    /// Deregisters a consumer (DeregisterStreamConsumer). Its subscriptions end.
    async fn deregister_consumer(&self, consumer: &ConsumerArn) -> ApiResult<()>;

    /// Subscribes to a shard from `position` on (SubscribeToShard). Returns when the service accepts the
    /// subscription, which ends an older one of the same consumer and shard. It refuses with
    /// [`ResourceInUse`](super::ApiErrorKind::ResourceInUse) if the older one is less than five seconds old.
    async fn subscribe_to_shard(
        &self,
        consumer: &ConsumerArn,
        shard: &ShardId,
        position: &IteratorPosition,
        columns: RecordColumns,
    ) -> ApiResult<Box<dyn Subscription>>;
}

/// The events that the service pushes. Dropping it ends the subscription.
#[async_trait]
pub trait Subscription: fmt::Debug + Send {
    /// The next event; `None` when the service ends the subscription, at most five minutes after it began. After an
    /// error there is no further event. Dropping the future loses no event.
    async fn next(&mut self) -> Option<ApiResult<SubscriptionEvent>>;
}

/// One event of a subscription (SubscribeToShardEvent). Events without records arrive about every five seconds.
#[derive(Debug, Clone)]
pub struct SubscriptionEvent {
    /// The records, how far they are behind the tip, and the children of a closed shard. It has no iterator.
    pub page: RecordsPage,
    /// The position after which a later subscription continues, also after an event without records; `None` after the
    /// last record of a closed shard. It need not be the number of a record.
    pub continuation: Option<SequenceNumber>,
}

/// The tags of a consumer.
pub type ConsumerTags = BTreeMap<String, String>;

/// How a request names a consumer.
#[derive(Debug, Clone, Copy)]
pub enum ConsumerId<'a> {
    /// By its ARN.
    Arn(&'a ConsumerArn),
    /// By the ARN of its stream and its name.
    Name(&'a str, &'a ConsumerName),
}

/// A consumer of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerSummary {
    /// The name, unique in the stream.
    pub name: ConsumerName,
    /// The ARN, which subscriptions name.
    pub arn: ConsumerArn,
    /// The current status.
    pub status: ConsumerStatus,
    /// The time of the registration.
    pub created_at: UnixMillis,
}

impl ConsumerSummary {
    /// A consumer.
    pub fn new(
        name: ConsumerName,
        arn: ConsumerArn,
        status: ConsumerStatus,
        created_at: UnixMillis,
    ) -> Self {
        Self {
            name,
            arn,
            status,
            created_at,
        }
    }
}

/// The status of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumerStatus {
    /// Being registered.
    Creating,
    /// Can subscribe.
    Active,
    /// Being deregistered.
    Deleting,
}

/// One page of consumers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumersPage {
    /// The consumers, in the order of the service.
    pub consumers: Vec<ConsumerSummary>,
    /// The token for the next page; `None` on the last page.
    pub next: Option<NextToken>,
}
