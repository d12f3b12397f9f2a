//! Requests and answers of the calls, as this crate's own types.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::model::{
    HashKey, HashRange, SequenceNumber, Shard, ShardId, StreamIdentity, UnixMillis,
};

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
