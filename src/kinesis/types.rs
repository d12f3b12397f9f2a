//! Arguments and results of the [`Kinesis`](super::Kinesis) calls.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::limits::{DEFAULT_MAX_RECORD_BYTES, MIN_RETENTION};
use crate::model::{
    HashKey, HashRange, SequenceNumber, Shard, ShardId, StreamIdentity, UnixMillis,
};

/// The parts of DescribeStreamSummary's result that this crate uses.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamSummary {
    /// The stream as later calls name it: by ARN, unless the server may not accept ARNs.
    pub stream: StreamIdentity,
    /// The ARN that the service assigned.
    pub arn: Arc<str>,
    /// The current status.
    pub status: StreamStatus,
    /// The creation time. It distinguishes a stream from an earlier one of the same name.
    pub created_at: UnixMillis,
    /// How long the stream keeps records.
    pub retention: Duration,
    /// The number of open shards.
    pub open_shards: u32,
    /// The largest record that the stream accepts, in bytes: data plus partition key.
    pub max_record_bytes: usize,
    /// How a record's shard is chosen.
    pub distribution: RecordDistribution,
    /// Who manages the number of shards, which also decides what the stream costs; `None` if the server does not say.
    pub mode: Option<StreamMode>,
}

impl StreamSummary {
    /// An active stream with one shard and the defaults of the service.
    pub fn new(stream: StreamIdentity, arn: impl Into<Arc<str>>, created_at: UnixMillis) -> Self {
        Self {
            stream,
            arn: arn.into(),
            status: StreamStatus::Active,
            created_at,
            retention: MIN_RETENTION,
            open_shards: 1,
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
            distribution: RecordDistribution::PartitionKey,
            mode: Some(StreamMode::Provisioned),
        }
    }
}

/// Who manages the number of shards of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamMode {
    /// The owner of the stream, who pays for each shard.
    Provisioned,
    /// The service. The owner pays for the traffic.
    OnDemand,
}

/// The status of a stream. Reads and writes work in `Active` and `Updating`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamStatus {
    /// Being created.
    Creating,
    /// Ready for use.
    Active,
    /// Being resharded or reconfigured; still accepts reads and writes.
    Updating,
    /// Being deleted.
    Deleting,
}

/// How the shard of a record is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordDistribution {
    /// By the explicit hash key, or by the hash of the partition key.
    PartitionKey,
    /// By the service, regardless of keys (`AUTO`). Such streams do not support aggregated records.
    Service,
}

/// Where a page of ListShards starts.
#[derive(Debug, Clone, Copy)]
pub enum ListShardsFrom<'a> {
    /// At the first shard that passes the filter.
    Start {
        /// The stream to list.
        stream: &'a StreamIdentity,
        /// Which shards to list.
        filter: ShardFilter,
    },
    /// After the previous page.
    Page {
        /// The stream to list. Only for error messages: in the request, the token identifies the
        /// stream.
        stream: &'a StreamIdentity,
        /// The token of the previous page.
        token: &'a NextToken,
    },
}

/// Which shards ListShards returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShardFilter {
    /// All open and closed shards that have not expired.
    FromTrimHorizon,
    /// Open shards only.
    AtLatest,
    /// Shards that were open at this time, and all shards created later.
    FromTimestamp(UnixMillis),
}

/// The token for the next page of ListShards, valid for five minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextToken(pub String);

/// One page of shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardsPage {
    /// The shards, ordered by id.
    pub shards: Vec<Shard>,
    /// The token for the next page; `None` on the last page.
    pub next: Option<NextToken>,
}

/// The five iterator types of GetShardIterator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IteratorPosition {
    /// At the oldest record.
    TrimHorizon,
    /// After the newest record: reads what arrives after the call.
    Latest,
    /// At the first record that arrived at this time or later.
    AtTimestamp(UnixMillis),
    /// At this record.
    At(SequenceNumber),
    /// After this record.
    After(SequenceNumber),
}

/// An opaque read position in a shard, valid for five minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardIterator(Arc<str>);

impl ShardIterator {
    /// Wraps an iterator as the service returned it.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The iterator as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A child of a closed shard, as the closed shard's last page names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildShard {
    /// The shard id.
    pub id: ShardId,
    /// The shards it was created from: one after a split, two after a merge.
    pub parents: Vec<ShardId>,
    /// The hash keys that the shard covers.
    pub hash_range: HashRange,
}

/// One record to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutEntry {
    /// The payload; it may be an aggregated record.
    pub data: Bytes,
    /// The partition key, 1 to 256 characters.
    pub partition_key: Arc<str>,
    /// Chooses the shard instead of the hash of the partition key.
    pub explicit_hash_key: Option<HashKey>,
}

impl PutEntry {
    /// The size that counts against the service's limits: data plus partition key.
    pub fn size_bytes(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }
}

/// The outcome of one entry of PutRecords.
pub type PutOutcome = Result<WrittenRecord, PutFailure>;

/// Where a record was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenRecord {
    /// The shard that stores it.
    pub shard: ShardId,
    /// Its sequence number in that shard.
    pub sequence: SequenceNumber,
}

/// Why one entry was not written. The entry can be retried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutFailure {
    /// `true` if the shard was throttled, `false` if the service failed.
    pub throttled: bool,
    /// The service's error message.
    pub message: String,
}
