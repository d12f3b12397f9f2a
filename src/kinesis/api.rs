//! The service trait: the Kinesis calls that this crate makes.

use std::fmt;

use async_trait::async_trait;

use super::{
    ApiResult, FanOut, IteratorPosition, ListShardsFrom, PutEntry, PutOutcome, RecordColumns,
    RecordsPage, ShardIterator, ShardsPage, StreamSummary,
};
use crate::model::{ShardId, StreamIdentity, StreamName};

/// The part of Kinesis Data Streams that this crate uses.
///
/// Every implementation must fulfill this contract:
/// - Each method sends exactly one request and never retries. The caller is responsible for pacing
///   and retries.
/// - A failed request returns no data and leaves iterators valid. A failed
///   [`put_records`](Self::put_records) may still have written records, because the acknowledgement
///   can be lost.
/// - Dropping the future abandons the request.
#[async_trait]
pub trait Kinesis: fmt::Debug + Send + Sync {
    /// Returns the status, limits and mode of a stream (DescribeStreamSummary).
    async fn describe_stream(&self, stream: &StreamIdentity) -> ApiResult<StreamSummary>;

    /// Returns one page of the stream's shards, at most 1,000 (ListShards). Expired shards are not
    /// listed.
    async fn list_shards(&self, from: ListShardsFrom<'_>) -> ApiResult<ShardsPage>;

    /// Returns an iterator that reads `shard` from `position` on. It is valid for five minutes
    /// (GetShardIterator).
    async fn get_shard_iterator(
        &self,
        stream: &StreamIdentity,
        shard: &ShardId,
        position: &IteratorPosition,
    ) -> ApiResult<ShardIterator>;

    /// Returns at most `limit` records and 10 MiB from `iterator` on, with the requested columns
    /// (GetRecords).
    async fn get_records(
        &self,
        stream: &StreamIdentity,
        iterator: &ShardIterator,
        limit: usize,
        columns: RecordColumns,
    ) -> ApiResult<RecordsPage>;

    /// Writes at most 500 records with 10 MiB in total (PutRecords). Each record succeeds or fails
    /// on its own; outcomes are in the order of `entries`.
    async fn put_records(
        &self,
        stream: &StreamIdentity,
        entries: &[PutEntry],
    ) -> ApiResult<Vec<PutOutcome>>;

    /// Creates a provisioned stream, which accepts records once its status is `Active`
    /// (CreateStream).
    async fn create_stream(&self, name: &StreamName, shard_count: u32) -> ApiResult<()>;

    /// The calls of enhanced fan-out; `None`, the default, for an implementation without them.
    fn fan_out(&self) -> Option<&dyn FanOut> {
        None
    }

    /// Checks whether the caller has permission for `call` without making it (`DryRun`). A denied
    /// permission is returned as an error. The default implementation is for servers without dry
    /// runs and returns [`DryRunAnswer::Unknown`].
    async fn dry_run(&self, stream: &StreamIdentity, call: DryRun<'_>) -> ApiResult<DryRunAnswer> {
        let _ = (stream, call);
        Ok(DryRunAnswer::Unknown)
    }
}

/// A call whose permission is checked without making it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum DryRun<'a> {
    /// GetShardIterator for a shard.
    GetShardIterator(&'a ShardId),
    /// GetRecords with an iterator.
    GetRecords(&'a ShardIterator),
    /// PutRecords. A server that ignores `DryRun` writes the record, so check another call first.
    PutRecords,
}

/// The result of a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DryRunAnswer {
    /// The caller has permission for the call.
    Allowed,
    /// The server does not support dry runs.
    Unknown,
}
