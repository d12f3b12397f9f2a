//! A wrapper of the simulator that throttles one shard and freezes writes.

use std::collections::HashMap;

use async_trait::async_trait;
use datafusion_kinesis::kinesis::{
    ApiError, ApiResult, InMemoryKinesis, InMemoryOptions, IteratorPosition, Kinesis,
    ListShardsFrom, Operation, PutEntry, PutOutcome, RecordColumns, RecordsPage, ShardIterator,
    ShardsPage, StreamSummary,
};
use datafusion_kinesis::model::{ShardId, StreamIdentity, StreamName};

use super::watched_committer::Side;
use super::*;

#[derive(Debug)]
pub(crate) struct FaultProxy {
    kinesis: Arc<InMemoryKinesis>,
    throttled: Mutex<Option<ShardId>>,
    iterators: Mutex<HashMap<String, ShardId>>,
    freeze: Mutex<Option<Side>>,
    frozen: Notify,
}

impl FaultProxy {
    /// A world whose tables use the wrapper.
    pub(crate) fn world() -> (World, Arc<Self>) {
        World::behind(InMemoryOptions::default(), |kinesis| {
            Arc::new(Self {
                kinesis,
                throttled: Mutex::default(),
                iterators: Mutex::default(),
                freeze: Mutex::default(),
                frozen: Notify::new(),
            })
        })
    }

    /// Throttles all reads of this shard from now on, or of none.
    pub(crate) fn throttle(&self, shard: Option<ShardId>) {
        *self.throttled.lock().unwrap() = shard;
    }

    /// Freezes the next write.
    pub(super) fn freeze(&self, side: Side) {
        *self.freeze.lock().unwrap() = Some(side);
    }

    pub(crate) async fn frozen(&self) {
        self.frozen.notified().await;
    }

    fn admit(&self, operation: Operation, shard: Option<&ShardId>) -> ApiResult<()> {
        let throttled = self.throttled.lock().unwrap();
        if throttled.is_none() || throttled.as_ref() != shard {
            return Ok(());
        }
        let code = "ProvisionedThroughputExceededException";
        Err(ApiError::from_code(operation, code, "Rate exceeded"))
    }

    async fn pass(&self, side: Side) {
        let hit = self
            .freeze
            .lock()
            .unwrap()
            .take_if(|freeze| *freeze == side);
        if hit.is_some() {
            self.frozen.notify_one();
            std::future::pending().await
        }
    }
}

#[async_trait]
impl Kinesis for FaultProxy {
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
        self.admit(Operation::GetShardIterator, Some(shard))?;
        let iterator = self
            .kinesis
            .get_shard_iterator(stream, shard, position)
            .await?;
        let text = iterator.as_str().to_owned();
        self.iterators.lock().unwrap().insert(text, shard.clone());
        Ok(iterator)
    }

    async fn get_records(
        &self,
        stream: &StreamIdentity,
        iterator: &ShardIterator,
        limit: usize,
        columns: RecordColumns,
    ) -> ApiResult<RecordsPage> {
        let shard = self
            .iterators
            .lock()
            .unwrap()
            .get(iterator.as_str())
            .cloned();
        self.admit(Operation::GetRecords, shard.as_ref())?;
        let page = self
            .kinesis
            .get_records(stream, iterator, limit, columns)
            .await?;
        if let (Some(shard), Some(next)) = (shard, &page.next) {
            let text = next.as_str().to_owned();
            self.iterators.lock().unwrap().insert(text, shard);
        }
        Ok(page)
    }

    async fn put_records(
        &self,
        stream: &StreamIdentity,
        entries: &[PutEntry],
    ) -> ApiResult<Vec<PutOutcome>> {
        self.pass(Side::Before).await;
        let outcomes = self.kinesis.put_records(stream, entries).await;
        self.pass(Side::After).await;
        outcomes
    }

    async fn create_stream(&self, name: &StreamName, shard_count: u32) -> ApiResult<()> {
        self.kinesis.create_stream(name, shard_count).await
    }
}
