//! A test service: the simulator, with reads that a test makes slow, throttled or inaccurate.

use std::collections::HashSet;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::kinesis::{
    ApiError, ApiResult, FanOut, InMemoryKinesis, IteratorPosition, Kinesis, ListShardsFrom,
    Operation, PutEntry, PutOutcome, RecordColumns, RecordsPage, ShardIterator, ShardsPage,
    StreamSummary,
};
use crate::model::{ShardId, StreamIdentity, StreamName};

/// The simulator, with reads that a test changes.
#[derive(Debug)]
pub(super) struct TestService {
    pub(super) kinesis: Arc<InMemoryKinesis>,
    /// Shards whose iterators are never returned.
    pub(super) hanging: HashSet<ShardId>,
    /// A shard whose iterators are always throttled.
    pub(super) throttled: Option<ShardId>,
    /// How long iterators and pages take.
    pub(super) latency: Duration,
    /// Changes every page.
    pub(super) alter_page: fn(&mut RecordsPage),
    /// Subscriptions other than those of the simulator.
    pub(super) fan_out: Option<Arc<dyn FanOut>>,
}

impl TestService {
    /// A service that changes nothing.
    pub(super) fn over(kinesis: &Arc<InMemoryKinesis>) -> Self {
        Self {
            kinesis: Arc::clone(kinesis),
            hanging: HashSet::new(),
            throttled: None,
            latency: Duration::ZERO,
            alter_page: |_| {},
            fan_out: None,
        }
    }

    async fn delay(&self) {
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
    }
}

#[async_trait]
impl Kinesis for TestService {
    async fn describe_stream(&self, stream: &StreamIdentity) -> ApiResult<StreamSummary> {
        self.kinesis.describe_stream(stream).await
    }

    async fn list_shards(&self, from: ListShardsFrom<'_>) -> ApiResult<ShardsPage> {
        self.kinesis.list_shards(from).await
    }

    async fn get_shard_iterator(
        &self,
        stream: &StreamIdentity,
        shard: &ShardId,
        position: &IteratorPosition,
    ) -> ApiResult<ShardIterator> {
        if self.hanging.contains(shard) {
            return pending().await;
        }
        if self.throttled.as_ref() == Some(shard) {
            let code = "ProvisionedThroughputExceededException";
            return Err(ApiError::from_code(Operation::GetShardIterator, code, ""));
        }
        self.delay().await;
        self.kinesis
            .get_shard_iterator(stream, shard, position)
            .await
    }

    async fn get_records(
        &self,
        stream: &StreamIdentity,
        iterator: &ShardIterator,
        limit: usize,
        columns: RecordColumns,
    ) -> ApiResult<RecordsPage> {
        self.delay().await;
        let page = self
            .kinesis
            .get_records(stream, iterator, limit, columns)
            .await;
        page.map(|mut page| {
            (self.alter_page)(&mut page);
            page
        })
    }

    async fn put_records(
        &self,
        stream: &StreamIdentity,
        entries: &[PutEntry],
    ) -> ApiResult<Vec<PutOutcome>> {
        self.kinesis.put_records(stream, entries).await
    }

    fn fan_out(&self) -> Option<&dyn FanOut> {
        self.fan_out.as_deref().or_else(|| self.kinesis.fan_out())
    }

    async fn create_stream(&self, name: &StreamName, shard_count: u32) -> ApiResult<()> {
        self.kinesis.create_stream(name, shard_count).await
    }
}
