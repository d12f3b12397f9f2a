//! A service whose pages a test has altered.

use std::sync::Arc;

use async_trait::async_trait;

use crate::kinesis::{
    ApiResult, InMemoryKinesis, IteratorPosition, Kinesis, ListShardsFrom, PutEntry, PutOutcome,
    RecordColumns, RecordsPage, ShardIterator, ShardsPage, StreamSummary,
};
use crate::model::{ShardId, StreamIdentity, StreamName};

/// The simulator, with pages that say something else.
#[derive(Debug)]
pub(crate) struct Altered {
    pub(crate) kinesis: Arc<InMemoryKinesis>,
    pub(crate) page: fn(&mut RecordsPage),
}

#[async_trait]
impl Kinesis for Altered {
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
        let page = self
            .kinesis
            .get_records(stream, iterator, limit, columns)
            .await;
        page.map(|mut page| {
            (self.page)(&mut page);
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

    async fn create_stream(&self, name: &StreamName, shard_count: u32) -> ApiResult<()> {
        self.kinesis.create_stream(name, shard_count).await
    }
}
