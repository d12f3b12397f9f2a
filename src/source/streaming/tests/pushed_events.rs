//! Readers that subscribe to shards of a service whose events a test changes.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::kinesis::{
    ApiError, ApiResult, ConsumerId, ConsumerSummary, ConsumerTags, ConsumersPage, FanOut,
    IteratorPosition, NextToken, RecordsPage, RecordsPageBuilder, Subscription, SubscriptionEvent,
};
use crate::model::{ConsumerArn, ConsumerName};
use crate::source::test_service::TestService;

/// The simulator, with subscriptions that a test changes.
#[derive(Debug, Clone)]
struct PushService {
    kinesis: Arc<InMemoryKinesis>,
    /// Changes every event.
    alter: fn(&mut SubscriptionEvent),
    /// Changes every page that is polled.
    alter_page: fn(&mut RecordsPage),
    /// How many events without records come before those of the simulator, five seconds apart.
    empty_events: u32,
    /// When the record that they do not reach arrived.
    next_arrived: Instant,
    /// How many calls are refused for each shard, because a server does not know it yet.
    unknown: usize,
    refused: Arc<Mutex<HashMap<ShardId, usize>>>,
}

impl PushService {
    fn over(kinesis: &Arc<InMemoryKinesis>) -> Self {
        Self {
            kinesis: Arc::clone(kinesis),
            alter: |_| {},
            alter_page: |_| {},
            empty_events: 0,
            next_arrived: Instant::now(),
            unknown: 0,
            refused: Arc::default(),
        }
    }
}

#[derive(Debug)]
struct AlteredSubscription {
    inner: Box<dyn Subscription>,
    alter: fn(&mut SubscriptionEvent),
    empty_events: u32,
    /// When the record that such an event does not reach arrived.
    next_arrived: Instant,
    continuation: Option<SequenceNumber>,
}

#[async_trait]
impl Subscription for AlteredSubscription {
    async fn next(&mut self) -> Option<ApiResult<SubscriptionEvent>> {
        if self.empty_events > 0 {
            sleep(Duration::from_secs(5)).await;
            self.empty_events -= 1;
            let page = RecordsPageBuilder::with_capacity(RecordColumns::ALL, 0, 0);
            let behind = self.next_arrived.elapsed();
            return Some(Ok(SubscriptionEvent {
                page: page.finish(None, None, Some(behind), Vec::new()),
                continuation: self.continuation.clone(),
            }));
        }
        let event = self.inner.next().await?;
        Some(event.map(|mut event| {
            (self.alter)(&mut event);
            event
        }))
    }
}

#[async_trait]
impl FanOut for PushService {
    async fn register_consumer(
        &self,
        stream_arn: &str,
        name: &ConsumerName,
        tags: &ConsumerTags,
    ) -> ApiResult<ConsumerSummary> {
        let registered = self.kinesis.register_consumer(stream_arn, name, tags);
        registered.await
    }

    async fn consumer_tags(&self, consumer: &ConsumerArn) -> ApiResult<ConsumerTags> {
        self.kinesis.consumer_tags(consumer).await
    }

    async fn describe_consumer(&self, consumer: ConsumerId<'_>) -> ApiResult<ConsumerSummary> {
        self.kinesis.describe_consumer(consumer).await
    }

    async fn list_consumers(
        &self,
        stream_arn: &str,
        next: Option<&NextToken>,
    ) -> ApiResult<ConsumersPage> {
        self.kinesis.list_consumers(stream_arn, next).await
    }

    async fn deregister_consumer(&self, consumer: &ConsumerArn) -> ApiResult<()> {
        self.kinesis.deregister_consumer(consumer).await
    }

    async fn subscribe_to_shard(
        &self,
        consumer: &ConsumerArn,
        shard: &ShardId,
        position: &IteratorPosition,
        columns: RecordColumns,
    ) -> ApiResult<Box<dyn Subscription>> {
        {
            let mut refused = self.refused.lock().unwrap();
            let refused = refused.entry(shard.clone()).or_default();
            if *refused < self.unknown {
                *refused += 1;
                let (call, code) = (Operation::SubscribeToShard, "ResourceNotFoundException");
                return Err(ApiError::from_code(call, code, "unknown shard"));
            }
        }
        let inner = self
            .kinesis
            .subscribe_to_shard(consumer, shard, position, columns);
        let inner = inner.await?;
        let continuation = match position {
            IteratorPosition::After(number) => Some(number.clone()),
            _ => None,
        };
        Ok(Box::new(AlteredSubscription {
            inner,
            alter: self.alter,
            empty_events: self.empty_events,
            next_arrived: self.next_arrived,
            continuation,
        }))
    }
}

impl PushService {
    /// The simulator with these subscriptions.
    fn served(self) -> TestService {
        TestService {
            alter_page: self.alter_page,
            fan_out: Some(Arc::new(self.clone())),
            ..TestService::over(&self.kinesis)
        }
    }
}

/// Some servers do not know `ChildShards`.
#[tokio::test(start_paused = true)]
async fn a_shard_that_ends_without_naming_children_is_read_to_its_end_and_followed() {
    let fixture = Fixture::with_shards(1).await.subscribing().await;
    let service = PushService {
        alter: |event| event.page.children.clear(),
        alter_page: |page| page.children.clear(),
        ..PushService::over(&fixture.kinesis)
    };
    let reader = fixture
        .read_through(Arc::new(service.served()), from_trim_horizon())
        .await;
    fixture.put("k old").await;
    assert_eq!(reader.next_rows().await, ["k old"]);
    sleep(Duration::from_secs(60)).await;
    fixture.put("k last").await;
    fixture.split_the_only_shard().await;
    fixture.put("k new").await;
    let began = Instant::now();
    assert_eq!(reader.rows(2).await, ["k last", "k new"]);
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!(reader.losses(), 0);
}

/// The source asked for an unknown shard for ever and read no other one (FLINK-39540).
#[tokio::test(start_paused = true)]
async fn shards_that_a_server_does_not_know_yet_after_a_reshard_are_read_later() {
    let fixture = Fixture::with_shards(1).await.subscribing().await;
    let service = PushService {
        unknown: 4,
        ..PushService::over(&fixture.kinesis)
    };
    let reader = fixture
        .read_through(Arc::new(service.served()), from_trim_horizon())
        .await;
    fixture.put("k old").await;
    assert_eq!(reader.next_rows().await, ["k old"]);
    fixture.split_the_only_shard().await;
    fixture.put("k new").await;
    assert_eq!(reader.next_rows().await, ["k new"]);
    sleep(Duration::from_secs(600)).await;
    fixture.put("k last").await;
    assert_eq!(reader.next_rows().await, ["k last"]);
    assert_eq!(reader.losses(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_given_up_before_records_expire_behind_it() {
    let mut fixture = Fixture::with_shards(1).await.subscribing().await;
    fixture.options.records_per_fetch = 1;
    for text in numbers(60) {
        fixture.put(&text).await;
        sleep(Duration::from_secs(10)).await;
    }
    let first = Instant::now() - Duration::from_secs(600);
    let until_expired = Duration::from_secs(24 * 3_600 - 600);
    sleep(until_expired - Duration::from_secs(180)).await;
    // For minutes, the service pushes nothing.
    let service = PushService {
        empty_events: 56,
        next_arrived: first + Duration::from_secs(10),
        ..PushService::over(&fixture.kinesis)
    };
    let reader = fixture
        .read_through(Arc::new(service.served()), from_trim_horizon())
        .await;
    let mut rows = Vec::new();
    while rows.last().is_none_or(|row| row != "k 59") {
        rows.extend(reader.next_rows().await);
    }
    assert_eq!(rows, numbers(60));
    assert_eq!(reader.losses(), 0);
}
