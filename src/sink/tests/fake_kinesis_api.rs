//! The [`Kinesis`] implementation of the fake service.

use async_trait::async_trait;

use super::*;
use crate::kinesis::{
    ApiResult, IteratorPosition, Kinesis, ListShardsFrom, PutOutcome, RecordColumns, RecordsPage,
    ShardIterator, ShardsPage, StreamStatus, StreamSummary,
};
use crate::model::{ShardId, StreamName, UnixMillis};

impl Service {
    fn latency(&self) -> Duration {
        let mut state = self.state();
        let short = Duration::from_millis(state.random.u64(1..10));
        state.latency.unwrap_or(short)
    }
}

#[async_trait]
impl Kinesis for Service {
    async fn describe_stream(&self, stream: &StreamIdentity) -> ApiResult<StreamSummary> {
        let latency = self.latency();
        tokio::time::sleep(latency).await;
        let mut state = self.state();
        state.descriptions += 1;
        Ok(StreamSummary {
            stream: stream.clone(),
            arn: stream.arn().unwrap_or_default().into(),
            status: StreamStatus::Active,
            created_at: UnixMillis(0),
            retention: Duration::from_secs(86_400),
            open_shards: state.shards.len() as u32,
            max_record_bytes: state.max_record_bytes,
            distribution: state.distribution,
            mode: None,
        })
    }

    async fn list_shards(&self, _: ListShardsFrom<'_>) -> ApiResult<ShardsPage> {
        let latency = self.latency();
        tokio::time::sleep(latency).await;
        let mut state = self.state();
        state.listings += 1;
        let shards = state.shards.clone();
        Ok(ShardsPage { shards, next: None })
    }

    async fn put_records(
        &self,
        _: &StreamIdentity,
        entries: &[PutEntry],
    ) -> ApiResult<Vec<PutOutcome>> {
        {
            let mut state = self.state();
            state.in_flight += 1;
            state.most_in_flight = state.most_in_flight.max(state.in_flight);
        }
        let latency = self.latency();
        tokio::time::sleep(latency).await;
        let mut state = self.state();
        state.in_flight -= 1;
        state.answer(entries)
    }

    async fn get_shard_iterator(
        &self,
        _: &StreamIdentity,
        _: &ShardId,
        _: &IteratorPosition,
    ) -> ApiResult<ShardIterator> {
        unreachable!("a sink does not read")
    }

    async fn get_records(
        &self,
        _: &StreamIdentity,
        _: &ShardIterator,
        _: usize,
        _: RecordColumns,
    ) -> ApiResult<RecordsPage> {
        unreachable!("a sink does not read")
    }

    async fn create_stream(&self, _: &StreamName, _: u32) -> ApiResult<()> {
        unreachable!("a sink does not create")
    }
}
