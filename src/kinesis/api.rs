//! The calls this crate makes, in its own types.

use std::fmt;

use async_trait::async_trait;

use super::{
    ApiResult, IteratorPosition, ListShardsFrom, PutEntry, PutOutcome, RecordColumns, RecordsPage,
    ShardIterator, ShardsPage, StreamSummary,
};
use crate::model::{ShardId, StreamIdentity, StreamName};

/// Kinesis Data Streams as far as this crate needs it.
///
/// Contract of every implementation:
/// - One method is one request. Nothing is tried again inside: who calls owns pacing and retries
///   (see [`with_retries`](super::with_retries)).
/// - A failed request returns nothing and leaves iterators as they were; a failed
///   [`put_records`](Self::put_records) may still have written (a lost acknowledgement).
/// - Dropping a future abandons the request.
#[async_trait]
pub trait Kinesis: fmt::Debug + Send + Sync {
    /// State, limits and mode of a stream (DescribeStreamSummary).
    async fn describe_stream(&self, stream: &StreamIdentity) -> ApiResult<StreamSummary>;

    /// One page of the stream's shards, at most 1,000 (ListShards). Expired shards are not listed.
    async fn list_shards(&self, from: ListShardsFrom<'_>) -> ApiResult<ShardsPage>;

    /// A handle that reads `shard` from `position` on; it lives five minutes (GetShardIterator).
    async fn get_shard_iterator(
        &self,
        stream: &StreamIdentity,
        shard: &ShardId,
        position: &IteratorPosition,
    ) -> ApiResult<ShardIterator>;

    /// Up to `limit` records and 10 MiB from `iterator` on, with the asked columns (GetRecords).
    async fn get_records(
        &self,
        stream: &StreamIdentity,
        iterator: &ShardIterator,
        limit: usize,
        columns: RecordColumns,
    ) -> ApiResult<RecordsPage>;

    /// Writes up to 500 records of 10 MiB together (PutRecords). Each succeeds or fails alone;
    /// the outcomes are in the order of `entries`.
    async fn put_records(
        &self,
        stream: &StreamIdentity,
        entries: &[PutEntry],
    ) -> ApiResult<Vec<PutOutcome>>;

    /// Creates a provisioned stream; it takes records once its status is `Active` (CreateStream).
    async fn create_stream(&self, name: &StreamName, shard_count: u32) -> ApiResult<()>;

    /// Whether the caller may make `call`, found out without making it (`DryRun`); a refusal is an error.
    /// Where nothing is known of dry runs, nothing is known about the call: that is what an
    /// implementation says that has none.
    async fn dry_run(&self, stream: &StreamIdentity, call: DryRun<'_>) -> ApiResult<DryRunAnswer> {
        let _ = (stream, call);
        Ok(DryRunAnswer::Unknown)
    }
}

/// A call that is not to be made, only asked about.
#[derive(Debug, Clone, Copy)]
pub enum DryRun<'a> {
    /// GetShardIterator of a shard.
    GetShardIterator(&'a ShardId),
    /// GetRecords from a place.
    GetRecords(&'a ShardIterator),
    /// PutRecords. A server that does not know dry runs takes the record: ask about another call first.
    PutRecords,
}

/// What a dry run says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DryRunAnswer {
    /// The call would be taken.
    Allowed,
    /// The server does not know dry runs.
    Unknown,
}
