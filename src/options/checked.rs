//! The checked options of a table as typed values.

use std::time::Duration;

use super::format::{AvroSchemaSource, Format, FormatOptions, SchemaRegistryOptions};
use crate::model::{
    ConnectionSettings, ConsumerArn, ConsumerLifecycle, ConsumerName, CredentialSettings,
    RetryPolicy, StartingPosition, StreamIdentity,
};

/// All options of one table, parsed and checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckedOptions {
    /// The stream behind the table.
    pub(crate) stream: StreamIdentity,
    /// How to connect to the service.
    pub(crate) connection: ConnectionSettings,
    /// The region of the query's own resources, such as its DynamoDB table (`kinesis.region`).
    /// `None` means the region of the stream.
    pub(crate) home_region: Option<String>,
    /// How failed requests are retried.
    pub(crate) retry: RetryPolicy,
    /// The number of shards of the stream to create if it does not exist; `None` if it must exist.
    pub(crate) create_with_shards: Option<u32>,
    /// Metadata columns after the standard ones, or after those of the payload.
    pub(crate) columns: Vec<RequestedColumn>,
    /// How payloads are decoded and encoded; `None` means that they are not.
    pub(crate) format: Option<FormatOptions>,
    /// How the stream is read.
    pub(crate) source: SourceOptions,
    /// How the stream is written.
    pub(crate) sink: SinkOptions,
}

impl CheckedOptions {
    /// The region of the DynamoDB table, if `dynamodb` or these options determine it.
    pub(crate) fn dynamodb_region(&self, dynamodb: &DynamoDbSettings) -> Option<String> {
        let own = dynamodb.region.as_ref().or(self.home_region.as_ref());
        own.or(self.connection.region.as_ref()).cloned()
    }

    /// The registry with the schemas of documents, if there is one.
    pub(crate) fn schema_registry(&self) -> Option<&SchemaRegistryOptions> {
        match &self.format.as_ref()?.format {
            Format::Avro(avro) => match avro.schema.as_ref()? {
                AvroSchemaSource::Registry(registry) => Some(registry),
                AvroSchemaSource::Text(_) | AvroSchemaSource::File(_) => None,
            },
            _ => None,
        }
    }
}

/// A column of `kinesis.extraColumns`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestedColumn {
    pub(crate) column: MetadataColumn,
    /// Its name in the table.
    pub(crate) name: String,
}

/// What a record has besides the fields of its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetadataColumn {
    Data,
    StreamName,
    PartitionKey,
    SequenceNumber,
    ArrivalTimestamp,
    Extra(ExtraColumn),
}

impl MetadataColumn {
    /// All of them, those of every table first.
    pub(crate) const ALL: [Self; 8] = [
        Self::Data,
        Self::StreamName,
        Self::PartitionKey,
        Self::SequenceNumber,
        Self::ArrivalTimestamp,
        Self::Extra(ExtraColumn::ShardId),
        Self::Extra(ExtraColumn::SubSequenceNumber),
        Self::Extra(ExtraColumn::ExplicitHashKey),
    ];

    /// The name that it has unless the table gives it another.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::StreamName => "streamName",
            Self::PartitionKey => "partitionKey",
            Self::SequenceNumber => "sequenceNumber",
            Self::ArrivalTimestamp => "approximateArrivalTimestamp",
            Self::Extra(column) => column.name(),
        }
    }
}

/// An optional column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExtraColumn {
    /// `shardId`, text.
    ShardId,
    /// `subSequenceNumber`, the index in an aggregated record, from 0.
    SubSequenceNumber,
    /// `explicitHashKey`, text; null if the producer set none.
    ExplicitHashKey,
}

impl ExtraColumn {
    /// All optional columns, in schema order.
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

/// How a streaming query gets the records of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ConsumerType {
    /// It requests them; all readers of a shard share 2 MB and five requests per second.
    #[default]
    GetRecords,
    /// The service pushes them to a registered consumer (enhanced fan-out), with 2 MB per second of its own.
    SubscribeToShard,
    /// It requests them, and has them pushed while a shard lags by more than `kinesis.auto.maxLag`, or other readers
    /// use up the limits of a shard.
    Auto,
}

impl ConsumerType {
    /// The value of `kinesis.consumerType`, without synonyms.
    pub fn name(self) -> &'static str {
        match self {
            Self::GetRecords => "GetRecords",
            Self::SubscribeToShard => "SubscribeToShard",
            Self::Auto => "auto",
        }
    }
}

/// How a streaming query subscribes to shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FanOutOptions {
    /// The name of the consumer.
    pub(crate) consumer: ConsumerName,
    /// Its ARN, if it must be this one.
    pub(crate) arn: Option<ConsumerArn>,
    /// Who registers and deregisters it.
    pub(crate) lifecycle: ConsumerLifecycle,
    /// How long the service may take to accept a subscription.
    pub(crate) timeout: Duration,
    /// The failures in a row of one shard after which the query fails.
    pub(crate) max_retries: u32,
    /// The lag from which on the query subscribes, if it chooses between polling and subscribing.
    pub(crate) auto_max_lag: Option<Duration>,
}

/// How a table is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SourceOptions {
    /// How a streaming query subscribes to shards; `None` if it requests records.
    pub(crate) fan_out: Option<FanOutOptions>,
    /// Where reading starts.
    pub(crate) starting_position: StartingPosition,
    /// Whether a bounded read keeps the rows of a partition key in the order of writing across
    /// splits and merges. A streaming query always does.
    pub(crate) ordered: bool,
    /// The most rows per shard: of a bounded read, or of each batch of a streaming query. `None`
    /// means up to the tip for a bounded read, and 100,000 for a streaming query.
    pub(crate) max_records_per_shard: Option<u64>,
    /// How long a batch waits for a shard that is behind; `None` means not at all.
    pub(crate) max_fetch_time_per_shard: Option<Duration>,
    /// The most bytes of one batch, over all shards.
    pub(crate) max_batch_bytes: usize,
    /// The most bytes read ahead of the batches, over all shards.
    pub(crate) buffer_max_bytes: usize,
    /// The minimum interval between two listings of the shards.
    pub(crate) describe_shard_interval: Duration,
    /// Whether a query, or a bounded read, fails when records it must read have expired. Otherwise
    /// it continues without them and counts the loss.
    pub(crate) fail_on_data_loss: bool,
    /// The most records of one GetRecords.
    pub(crate) records_per_fetch: usize,
    /// The minimum interval between two GetRecords calls of one shard.
    pub(crate) fetch_interval: Duration,
    /// How user records outside the hash range of their shard are handled.
    pub(crate) hash_filter: HashFilter,
    /// Where a streaming query stores its offsets.
    pub(crate) metadata: MetadataOptions,
}

/// Where and how a streaming query stores its offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MetadataOptions {
    /// The kind of storage.
    pub(crate) committer: CommitterKind,
    /// An absolute path or object store URL; `None` means the checkpoint location.
    pub(crate) path: Option<String>,
    /// The minimum number of batches kept in the log.
    pub(crate) min_batches_to_retain: u64,
    /// How failed requests to the log are retried.
    pub(crate) retry: RetryPolicy,
}

/// The storage for the offsets of a streaming query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum CommitterKind {
    /// An object store, including local files; `HDFS` in options.
    #[default]
    ObjectStore,
    /// A DynamoDB table; `DYNAMODB` in options.
    DynamoDb(Box<DynamoDbSettings>),
}

/// Settings of the DynamoDB table for offsets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DynamoDbSettings {
    /// The table name; `None` means `kdsc_<region>_<stream>`.
    pub(crate) table: Option<String>,
    /// An endpoint instead of the region's public one.
    pub(crate) endpoint_url: Option<String>,
    /// The region; `None` means the region of the query.
    pub(crate) region: Option<String>,
    /// The credentials. What is not set is taken from the stream's options, except for the role,
    /// which applies to the stream only.
    pub(crate) credentials: CredentialSettings,
}

impl DynamoDbSettings {
    /// The credentials for the table, with the stream's base credentials as default. The stream's
    /// role is not used: in the role's account, the table would not belong to the query.
    pub(crate) fn credentials_with_defaults(
        &self,
        stream: &CredentialSettings,
    ) -> CredentialSettings {
        self.credentials.or(&CredentialSettings {
            base: stream.base.clone(),
            role: None,
        })
    }
}

/// How user records outside the hash range of their shard are handled.
///
/// A producer with an outdated shard map writes such records after a reshard, and then writes them
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HashFilter {
    /// Drops each such user record.
    PerRecord,
    /// Drops the whole aggregated record if any user record is outside, as the Kinesis Client
    /// Library does.
    Kcl,
    /// Keeps all user records.
    None,
}

/// How a table is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SinkOptions {
    /// Whether rows are packed into aggregated records.
    pub(crate) aggregation: bool,
    /// The wait before rejected records are sent again. It doubles with each rejection.
    pub(crate) flush_wait: Duration,
    /// The maximum time that a row waits for others to share an aggregated record.
    pub(crate) max_buffered_time: Duration,
    /// The most requests in flight.
    pub(crate) max_connections: usize,
    /// How long a rejected row is retried before the statement fails. `None` means 30 seconds in a
    /// bounded statement, and no limit in a streaming query.
    pub(crate) record_ttl: Option<Duration>,
    /// The partition key of a row of declared columns. `None` means the column `partitionKey` if the table has
    /// it, else a random one.
    pub(crate) partition_key: Option<KeySource>,
    /// The explicit hash key of a row of declared columns, as an SQL expression. `None` means the column
    /// `explicitHashKey` if the table has it.
    pub(crate) explicit_hash_key: Option<String>,
}

/// Where the partition key of a row comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// A random number.
    Random,
    /// A column, or an SQL expression over the columns of the table.
    Expression(String),
}
