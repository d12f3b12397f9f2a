//! The checked options of one table, as typed values.

use std::time::Duration;

use crate::model::{
    ConnectionSettings, CredentialSettings, RetryPolicy, StartingPosition, StreamIdentity,
};

/// All options of one table, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct TableOptions {
    /// The stream behind the table.
    pub stream: StreamIdentity,
    /// How to reach the service.
    pub connection: ConnectionSettings,
    /// Where the query is at home; none: where the stream is.
    pub home_region: Option<String>,
    /// When a failed request is sent again.
    pub retry: RetryPolicy,
    /// Set when a missing stream is to be made, with this many shards.
    pub create_with_shards: Option<u32>,
    /// Columns after the five standard ones.
    pub extra_columns: Vec<ExtraColumn>,
    /// How it is read.
    pub source: SourceOptions,
    /// How it is written.
    pub sink: SinkOptions,
}

impl TableOptions {
    /// The region of the DynamoDB table, as far as `dynamodb` or these options say it.
    pub(crate) fn dynamodb_region(&self, dynamodb: &DynamoDbSettings) -> Option<String> {
        let own = dynamodb.region.as_ref().or(self.home_region.as_ref());
        own.or(self.connection.region.as_ref()).cloned()
    }
}

/// A column a table has only on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExtraColumn {
    /// `shardId`, text.
    ShardId,
    /// `subSequenceNumber`, the place in an aggregated record from 0.
    SubSequenceNumber,
    /// `explicitHashKey`, text; null where the producer gave none.
    ExplicitHashKey,
}

impl ExtraColumn {
    /// All of them, in the order they stand in a schema.
    pub const ALL: [Self; 3] = [
        Self::ShardId,
        Self::SubSequenceNumber,
        Self::ExplicitHashKey,
    ];

    /// The name of the column.
    pub fn name(self) -> &'static str {
        match self {
            Self::ShardId => "shardId",
            Self::SubSequenceNumber => "subSequenceNumber",
            Self::ExplicitHashKey => "explicitHashKey",
        }
    }
}

/// How a table is read.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceOptions {
    /// Where reading starts.
    pub starting_position: StartingPosition,
    /// Whether a bounded read keeps the rows of a partition key in the order of writing over splits and
    /// merges; a streaming query always does.
    pub ordered: bool,
    /// The most rows of one shard: of a bounded read, or of one batch of a streaming query. None where
    /// not given: to the tip, or [`STREAMING_RECORDS_PER_SHARD`](Self::STREAMING_RECORDS_PER_SHARD).
    pub max_records_per_shard: Option<u64>,
    /// How long a batch waits for a shard that is behind; none: not at all.
    pub max_fetch_time_per_shard: Option<Duration>,
    /// The most bytes a batch reads, over all shards.
    pub max_batch_bytes: usize,
    /// The most bytes read ahead of the batches, over all shards.
    pub buffer_max_bytes: usize,
    /// The least time between two listings of the shards.
    pub describe_shard_interval: Duration,
    /// Whether a query, or a read to the tip, ends when it finds records gone that it was to read. Otherwise
    /// it goes on without them, and counts the loss.
    pub fail_on_data_loss: bool,
    /// The most records of one GetRecords.
    pub records_per_fetch: usize,
    /// The least time between two GetRecords of a shard.
    pub fetch_interval: Duration,
    /// What becomes of user records outside the hash range of the shard they were read from.
    pub hash_filter: HashFilter,
    /// Where a streaming query keeps its offsets.
    pub metadata: MetadataOptions,
}

impl SourceOptions {
    /// The most rows of one shard in a batch of a streaming query, where nothing is said.
    pub const STREAMING_RECORDS_PER_SHARD: u64 = 100_000;
}

/// Where a streaming query keeps its offsets, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataOptions {
    /// What keeps them.
    pub committer: CommitterKind,
    /// An absolute path or a URL of an object store; none: the checkpoint location.
    pub path: Option<String>,
    /// Batches that stay in the log at least.
    pub min_batches_to_retain: u64,
    /// When a failed request to the log is sent again.
    pub retry: RetryPolicy,
}

/// What keeps the offsets of a streaming query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitterKind {
    /// Any object store, local files among them; `HDFS` in options.
    #[default]
    ObjectStore,
    /// A DynamoDB table; `DYNAMODB` in options.
    DynamoDb(Box<DynamoDbSettings>),
}

/// Which DynamoDB table keeps offsets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DynamoDbSettings {
    /// Its name; none: `kdsc_<region>_<stream>`.
    pub table: Option<String>,
    /// An endpoint instead of the region's public one.
    pub endpoint_url: Option<String>,
    /// Its region; none: where the query is at home.
    pub region: Option<String>,
    /// Who asks. What is left out is what the table of the stream says, but for its role, which is for
    /// the stream.
    pub credentials: CredentialSettings,
}

impl DynamoDbSettings {
    /// Who asks, beside a stream for which `stream` does. A role of the stream is for the stream alone:
    /// in its account the table would not be that of the query.
    pub(crate) fn credentials_beside(&self, stream: &CredentialSettings) -> CredentialSettings {
        self.credentials.or(&CredentialSettings {
            base: stream.base.clone(),
            role: None,
        })
    }
}

/// What becomes of user records that lie in a shard whose hash range does not contain them.
///
/// A producer with an outdated shard map writes such records after a reshard and sends them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashFilter {
    /// Those outside are left out, one by one.
    PerRecord,
    /// One outside leaves out its whole aggregated record, as the Kinesis Client Library does.
    Kcl,
    /// All are kept.
    None,
}

/// How a table is written.
#[derive(Debug, Clone, PartialEq)]
pub struct SinkOptions {
    /// Whether rows are packed into aggregated records.
    pub aggregation: bool,
    /// The wait before refused records are sent again; it doubles with each refusal.
    pub flush_wait: Duration,
    /// The longest a row waits for others to share its aggregated record.
    pub max_buffered_time: Duration,
    /// Requests in flight.
    pub max_connections: usize,
    /// How long a refused row is tried before the statement fails; none where not given: half a minute in a
    /// bounded statement, and as long as a streaming query runs.
    pub record_ttl: Option<Duration>,
}
