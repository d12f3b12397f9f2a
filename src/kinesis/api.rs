//! The calls this crate makes, in its own types.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{ApiResult, RecordColumns, RecordsPage};
use crate::model::{
    HashKey, HashRange, SequenceNumber, Shard, ShardId, StreamIdentity, StreamName, UnixMillis,
};

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

/// What DescribeStreamSummary says, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSummary {
    /// The stream as later calls name it: by its ARN, unless the server may not take one.
    pub stream: StreamIdentity,
    /// The ARN that the service gives it.
    pub arn: Arc<str>,
    /// Whether it takes calls.
    pub status: StreamStatus,
    /// When it was made; a stream deleted and made anew has another.
    pub created_at: UnixMillis,
    /// How long records stay.
    pub retention: Duration,
    /// The number of open shards.
    pub open_shards: u32,
    /// The largest record it takes: data plus partition key.
    pub max_record_bytes: usize,
    /// Who picks a record's shard.
    pub distribution: RecordDistribution,
}

/// The state of a stream; reads and writes work in `Active` and `Updating`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamStatus {
    /// Being made.
    Creating,
    /// Ready.
    Active,
    /// Being resharded or reconfigured; takes calls.
    Updating,
    /// Going away.
    Deleting,
}

/// Who picks the shard of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordDistribution {
    /// The hash of the partition key, or the explicit hash key.
    PartitionKey,
    /// The service; keys have no say (`AUTO`). Aggregation is not supported on such streams.
    Service,
}

/// Where a listing of shards starts.
#[derive(Debug, Clone, Copy)]
pub enum ListShardsFrom<'a> {
    /// With the first shard that passes the filter.
    Start {
        /// The stream to list.
        stream: &'a StreamIdentity,
        /// Which shards.
        filter: ShardFilter,
    },
    /// Where the last page ended.
    Page {
        /// The stream that is listed; the token alone names it to the service.
        stream: &'a StreamIdentity,
        /// The end of the last page.
        token: &'a NextToken,
    },
}

/// Which shards ListShards gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardFilter {
    /// All that still hold records, open and closed.
    FromTrimHorizon,
    /// The open ones.
    AtLatest,
    /// Those open at this time and all made later.
    FromTimestamp(UnixMillis),
}

/// The end of a page of ListShards; lives five minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextToken(pub String);

/// One page of shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardsPage {
    /// The shards, ordered by id.
    pub shards: Vec<Shard>,
    /// Set when there are more.
    pub next: Option<NextToken>,
}

/// The five iterator types of GetShardIterator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IteratorPosition {
    /// The oldest record.
    TrimHorizon,
    /// What arrives after the call.
    Latest,
    /// The first record that arrived at this time or later.
    AtTimestamp(UnixMillis),
    /// This record.
    At(SequenceNumber),
    /// The record after this one.
    After(SequenceNumber),
}

/// A handle on a place in a shard, opaque; lives five minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardIterator(Arc<str>);

impl ShardIterator {
    /// Takes a handle as the service gives it.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A shard that follows a closed one, as the last page of the closed one names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildShard {
    /// Its name.
    pub id: ShardId,
    /// The shards it was made from: one after a split, two after a merge.
    pub parents: Vec<ShardId>,
    /// The hash keys it takes.
    pub hash_range: HashRange,
}

/// One record to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutEntry {
    /// The payload, maybe an aggregated record.
    pub data: Bytes,
    /// 1 to 256 characters.
    pub partition_key: Arc<str>,
    /// Picks the shard instead of the partition key's hash.
    pub explicit_hash_key: Option<HashKey>,
}

impl PutEntry {
    /// What the service counts against its size limits: data plus partition key.
    pub fn size_bytes(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }
}

/// What became of one entry of PutRecords.
pub type PutOutcome = Result<WrittenRecord, PutFailure>;

/// Where a record was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenRecord {
    /// The shard that took it.
    pub shard: ShardId,
    /// Its number there.
    pub sequence: SequenceNumber,
}

/// Why one entry was not written; it may be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutFailure {
    /// `true` for a throttled shard, `false` for a failure inside the service.
    pub throttled: bool,
    /// The service's words.
    pub message: String,
}
