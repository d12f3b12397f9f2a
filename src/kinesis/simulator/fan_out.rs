//! The calls of enhanced fan-out, with records as columns.

use async_trait::async_trait;

use super::InMemoryKinesis;
use super::operations::consumers::DEFAULT_CONSUMERS_PER_PAGE;
use super::operations::get_records::ColumnsSink;
use super::operations::shard_subscription::ShardSubscription;
use crate::kinesis::{
    ApiResult, ConsumerId, ConsumerSummary, ConsumerTags, ConsumersPage, FanOut, IteratorPosition,
    NextToken, RecordColumns, Subscription, SubscriptionEvent,
};
use crate::model::{ConsumerArn, ConsumerName, ShardId};

#[async_trait]
impl FanOut for InMemoryKinesis {
    async fn register_consumer(
        &self,
        stream_arn: &str,
        name: &ConsumerName,
        tags: &ConsumerTags,
    ) -> ApiResult<ConsumerSummary> {
        self.register(stream_arn, name, tags.clone()).await
    }

    async fn consumer_tags(&self, consumer: &ConsumerArn) -> ApiResult<ConsumerTags> {
        self.tags_of_consumer(consumer).await
    }

    async fn describe_consumer(&self, consumer: ConsumerId<'_>) -> ApiResult<ConsumerSummary> {
        self.consumer(consumer).await
    }

    async fn list_consumers(
        &self,
        stream_arn: &str,
        next: Option<&NextToken>,
    ) -> ApiResult<ConsumersPage> {
        self.consumers_page(stream_arn, next, DEFAULT_CONSUMERS_PER_PAGE)
            .await
    }

    async fn deregister_consumer(&self, consumer: &ConsumerArn) -> ApiResult<()> {
        self.deregister(ConsumerId::Arn(consumer)).await
    }

    async fn subscribe_to_shard(
        &self,
        consumer: &ConsumerArn,
        shard: &ShardId,
        position: &IteratorPosition,
        columns: RecordColumns,
    ) -> ApiResult<Box<dyn Subscription>> {
        let subscription = self.subscribe(consumer, shard, position).await?;
        Ok(Box::new(ColumnsSubscription {
            subscription,
            columns,
        }))
    }
}

/// A subscription whose records become columns.
#[derive(Debug)]
struct ColumnsSubscription {
    subscription: ShardSubscription,
    columns: RecordColumns,
}

#[async_trait]
impl Subscription for ColumnsSubscription {
    async fn next(&mut self) -> Option<ApiResult<SubscriptionEvent>> {
        let mut sink = ColumnsSink::new(self.columns);
        let end = match self.subscription.next_into(&mut sink).await? {
            Ok(end) => end,
            Err(error) => return Some(Err(error)),
        };
        let (last, lag) = (end.last_sequence, Some(end.behind_latest));
        Some(Ok(SubscriptionEvent {
            page: sink.builder.finish(last, None, lag, end.children),
            continuation: end.continuation,
        }))
    }
}
