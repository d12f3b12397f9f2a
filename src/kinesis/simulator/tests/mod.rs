//! Behavior of the simulator as readers and writers observe it.

mod consumers;
mod faults;
mod listing;
mod reading;
mod resharding;
mod retention;
mod subscription_faults;
mod subscriptions;
mod writing;

use super::state::{shard, stream};
use super::*;
use crate::kinesis::Backoff;
use crate::kinesis::{
    ApiErrorKind, ConsumerId, ConsumerStatus, ConsumerSummary, ConsumerTags, NextToken,
    ShardFilter, Subscription, SubscriptionEvent, list_all_shards,
};
use crate::model::{
    ConsumerArn, ConsumerName, HashKey, RetryPolicy, SequenceNumber, Shard, UnixMillis,
};
use bytes::Bytes;
use tokio::time::advance;

const START: UnixMillis = UnixMillis(1_700_000_000_250);

/// A simulated stream on paused time, with shortcuts.
struct Fixture {
    kinesis: InMemoryKinesis,
    stream: StreamIdentity,
}

impl Fixture {
    async fn with_shards(count: u32) -> Self {
        Self::with(count, InMemoryOptions::default()).await
    }

    async fn with(count: u32, options: InMemoryOptions) -> Self {
        let clock = Arc::new(TokioClock::starting_at(START));
        let kinesis = InMemoryKinesis::new(clock, options);
        let name = StreamName::new("clicks").unwrap();
        kinesis.create_stream(&name, count).await.unwrap();
        let stream = StreamIdentity::named(name);
        Self { kinesis, stream }
    }

    fn now(&self) -> UnixMillis {
        self.kinesis.clock.now()
    }

    /// Puts one record with this text as key and data.
    async fn put(&self, text: &str) -> WrittenRecord {
        let entry = entry(text, text.as_bytes());
        self.kinesis.put_record(&self.stream, &entry).await.unwrap()
    }

    /// Splits shard 0, which covers the whole hash space, into shards 1 and 2.
    async fn split_the_only_shard(&self) {
        let (parent, half) = (shard::shard_id(0), HashKey(1 << 127));
        let split = self.kinesis.split_shard(&self.stream, &parent, half);
        split.await.unwrap();
    }

    async fn shards(&self) -> Vec<Shard> {
        let policy = RetryPolicy {
            max_retries: 0,
            first_interval: Duration::ZERO,
            max_interval: Duration::ZERO,
        };
        let mut backoff = Backoff::new(policy, fastrand::Rng::with_seed(0));
        let filter = ShardFilter::FromTrimHorizon;
        list_all_shards(&self.kinesis, &self.stream, filter, &mut backoff)
            .await
            .unwrap()
    }

    /// The ARN of the stream.
    async fn arn(&self) -> String {
        let summary = self.kinesis.describe_stream(&self.stream).await;
        summary.unwrap().arn.to_string()
    }

    async fn register(&self, name: &str) -> ApiResult<ConsumerSummary> {
        let stream = self.arn().await;
        let name = consumer_name(name);
        let no_tags = ConsumerTags::new();
        let registered = self.kinesis.register_consumer(&stream, &name, &no_tags);
        registered.await
    }

    /// Registers a consumer and waits until it is active.
    async fn consumer(&self, name: &str) -> ConsumerArn {
        let arn = self.register(name).await.unwrap().arn;
        advance(Duration::from_millis(100)).await;
        arn
    }

    async fn subscribe(
        &self,
        consumer: &ConsumerArn,
        shard: u32,
        position: IteratorPosition,
    ) -> ApiResult<Box<dyn Subscription>> {
        let (shard, columns) = (shard::shard_id(shard), RecordColumns::ALL);
        self.kinesis
            .subscribe_to_shard(consumer, &shard, &position, columns)
            .await
    }

    async fn iterator(&self, shard: u32, position: IteratorPosition) -> ApiResult<ShardIterator> {
        let shard = shard::shard_id(shard);
        self.kinesis
            .get_shard_iterator(&self.stream, &shard, &position)
            .await
    }

    async fn fetch(&self, iterator: &ShardIterator, limit: usize) -> ApiResult<RecordsPage> {
        self.kinesis
            .get_records(&self.stream, iterator, limit, RecordColumns::ALL)
            .await
    }

    /// The page of a shard at `position`.
    async fn page(&self, shard: u32, position: IteratorPosition) -> RecordsPage {
        let iterator = self.iterator(shard, position).await.unwrap();
        self.fetch(&iterator, 10_000).await.unwrap()
    }

    async fn texts(&self, shard: u32, position: IteratorPosition) -> Vec<String> {
        texts(&self.page(shard, position).await)
    }
}

fn consumer_name(name: &str) -> ConsumerName {
    ConsumerName::new(name).unwrap()
}

fn entry(key: &str, data: &[u8]) -> PutEntry {
    PutEntry {
        data: Bytes::copy_from_slice(data),
        partition_key: key.into(),
        explicit_hash_key: None,
    }
}

fn texts(page: &RecordsPage) -> Vec<String> {
    let texts = page.data().iter().flatten().map(str::from_utf8);
    texts.map(|text| text.unwrap().to_owned()).collect()
}

fn code<T: fmt::Debug>(result: ApiResult<T>) -> String {
    result.unwrap_err().code().to_owned()
}
