//! One stream as a table: its options, clients and schema.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use datafusion::arrow::datatypes::{FieldRef, Fields, SchemaRef};
use datafusion::catalog::Session;
use datafusion::execution::SessionState;
use datafusion::physical_plan::ExecutionPlan;

use super::columns::{TableColumn, TableColumns};
use super::decode_exec::{DecodeConfig, KinesisDecodeExec};
use super::registered_schemas::RegisteredSchemas;
use super::sink_keys::SinkKeys;
use super::stream_lookup::find_stream;
use crate::aws::AwsAccess;
use crate::error::Result;
use crate::format::Decoder;
use crate::kinesis::{
    Backoff, Kinesis, RecordColumns, ShardFilter, StreamSummary, list_all_shards,
};
use crate::model::{Clock, HashRange, Shard, StartingPosition};
#[cfg(feature = "ui")]
use crate::options::TableOptions;
use crate::options::{CheckedOptions, ExtraColumn};
use crate::sink::{SinkStatus, SinkStream};
use crate::source::{
    InFlightLimits, RowColumn, SCAN_PAGES_BYTES, StreamContext, StreamRetention, hash_filter_range,
};

/// The immutable parts of a table.
#[derive(Debug)]
pub(super) struct TableConfig {
    pub(super) kinesis: Arc<dyn Kinesis>,
    pub(super) options: CheckedOptions,
    pub(super) summary: StreamSummary,
    /// Shared by all INSERTs, so that they do not describe the stream again each time.
    pub(super) sink: SinkStream,
    pub(super) unbounded: bool,
    pub(super) columns: TableColumns,
    /// The stream for documents that cannot be parsed, if they go to one.
    pub(super) dead_letters: Option<SinkStream>,
    /// The schemas that documents name, if they are in a registry.
    pub(super) schemas: Option<Arc<RegisteredSchemas>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) access: Arc<AwsAccess>,
    pub(super) seed: u64,
    /// How many INSERTs were planned, so that each has other random partition keys.
    pub(super) inserts: AtomicU64,
    /// The options as they were given, for those who look at the table.
    #[cfg(feature = "ui")]
    pub(super) given: TableOptions,
}

impl TableConfig {
    pub(super) fn random(&self, partition: usize) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed.wrapping_add(partition as u64))
    }
}

/// A Kinesis stream as a DataFusion table.
///
/// A scan is bounded: it reads every shard, including closed ones, from the starting position to the tip as
/// of planning, with one partition per shard. Rows of one shard come in shard order. Rows of different shards
/// have no order, unless option `kinesis.ordered` preserves the order of each partition key. Aggregated
/// records are de-aggregated: one row per user record.
///
/// An [`unbounded`](crate::KinesisTableBuilder::unbounded) table can be read only by streaming queries; a
/// plain scan of it fails.
///
/// A lower bound on `approximateArrivalTimestamp` in the WHERE clause moves the start forward, up to five
/// minutes before the bound. An upper bound ends the read of a shard at the first page that reaches five
/// minutes past it. `shardId = …` skips the other shards.
///
/// Columns: `data` Binary, `streamName` Utf8, `partitionKey` Utf8, `sequenceNumber` Utf8,
/// `approximateArrivalTimestamp` Timestamp(Microsecond, UTC), and the
/// requested [`ExtraColumn`]s; all nullable.
#[derive(Debug, Clone)]
pub struct KinesisTable {
    pub(super) config: Arc<TableConfig>,
    pub(super) schema: SchemaRef,
    /// The statement that created it, with secrets masked.
    pub(super) definition: Option<String>,
}

impl KinesisTable {
    pub(super) fn new(config: TableConfig) -> Self {
        Self {
            schema: config.columns.schema(),
            config: Arc::new(config),
            definition: None,
        }
    }

    /// Sets the statement that created it.
    pub(super) fn with_definition(mut self, definition: Option<String>) -> Self {
        self.definition = definition;
        self
    }

    /// What all INSERTs into the table write at present.
    pub(crate) fn sink_status(&self) -> SinkStatus {
        self.config.sink.status()
    }

    /// Why the last PutRecords call of an INSERT into the table was not accepted, with the stream.
    pub(crate) fn last_write_error(&self) -> Option<String> {
        let sink = &self.config.sink;
        let error = sink.last_error()?;
        Some(format!("stream '{}': {error}", sink.identity()))
    }

    /// Its options. Connection settings that were left out are filled in from the defaults of
    /// [`Services`](crate::Services), but not from the environment.
    pub(crate) fn options(&self) -> &CheckedOptions {
        &self.config.options
    }

    /// The options as they were given; secrets are among them.
    #[cfg(feature = "ui")]
    pub(crate) fn given_options(&self) -> &TableOptions {
        &self.config.given
    }

    /// Where reading starts.
    pub fn starting_position(&self) -> &StartingPosition {
        &self.config.options.source.starting_position
    }

    /// Whether it is a source of streaming queries, like a table of `CREATE UNBOUNDED EXTERNAL TABLE`.
    pub fn is_unbounded(&self) -> bool {
        self.config.unbounded
    }

    /// The columns of pages that reading the columns with these names needs.
    pub(crate) fn page_columns<'a>(
        &self,
        names: impl Iterator<Item = &'a String>,
    ) -> RecordColumns {
        self.config.columns.page_columns(names)
    }

    /// What Kinesis knows about a record that the column `name` holds, if it is no column of the payload.
    pub(crate) fn read_column(&self, name: &str) -> Option<RowColumn> {
        self.config.columns.read_column(name)
    }

    /// Its columns, each with where it comes from, such as `json field 'userId'` or `metadata 'shardId'`.
    pub(crate) fn described(&self) -> Vec<(FieldRef, String)> {
        let fields = self.schema.fields().iter().cloned();
        fields.zip(self.config.columns.sources()).collect()
    }

    /// The columns that have a value in each payload, if payloads are decoded to columns.
    pub(crate) fn payload_fields(&self) -> Option<&Fields> {
        self.config
            .columns
            .payload()
            .map(|payload| payload.fields())
    }

    /// The metadata columns that have the keys of written rows.
    pub(crate) fn key_columns(&self) -> impl Iterator<Item = &String> {
        let sink = &self.config.options.sink;
        let keys = [
            (RowColumn::PartitionKey, sink.partition_key.is_none()),
            (
                RowColumn::Extra(ExtraColumn::ExplicitHashKey),
                sink.explicit_hash_key.is_none(),
            ),
        ];
        let is_key = move |name: &String| {
            let column = self.read_column(name);
            keys.iter()
                .any(|(key, is_used)| *is_used && column == Some(*key))
        };
        let fields = self.schema.fields().iter();
        fields
            .map(|field| field.name())
            .filter(move |name| is_key(name))
    }

    /// The schemas that documents name, if they are in a registry.
    pub(crate) fn registered_schemas(&self) -> Option<&Arc<RegisteredSchemas>> {
        self.config.schemas.as_ref()
    }

    /// Refuses to read a table that can only be written.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if the options do not say how payloads are decoded.
    pub(crate) fn expect_readable(&self) -> Result<()> {
        let payload = self.config.columns.payload();
        payload.map_or(Ok(()), |payload| Decoder::new(payload, &[]).map(|_| ()))
    }

    /// Refuses keys of written rows that do not suit the columns. The expressions may use the functions of `session`.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) with the option.
    pub(crate) fn check_keys(&self, session: &dyn Session) -> datafusion::common::Result<()> {
        let config = &self.config;
        // Another session cannot parse expressions, but may never need to.
        if config.columns.payload().is_none() || !session.as_any().is::<SessionState>() {
            return Ok(());
        }
        let (sink, clock) = (&config.options.sink, &*config.clock);
        SinkKeys::plan(sink, &config.columns, clock, session).map(|_| ())
    }

    /// `read`, which reads the columns `input`, with payloads decoded to the columns `output` if the table has
    /// a format.
    ///
    /// # Errors
    /// Those of [`expect_readable`](Self::expect_readable).
    pub(super) fn decoded(
        &self,
        read: Arc<dyn ExecutionPlan>,
        input: Vec<RowColumn>,
        (output, schema): (Vec<TableColumn>, SchemaRef),
        is_streaming: bool,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let config = &self.config;
        let Some(payload) = config.columns.payload() else {
            return Ok(read);
        };
        self.expect_readable()?;
        let dead_letters = config.dead_letters.as_ref().map(|stream| {
            let mut settings = stream.settings().clone();
            if is_streaming {
                settings.record_ttl = config.options.sink.record_ttl;
            }
            Arc::new(stream.with_settings(settings))
        });
        let decode = DecodeConfig {
            payload: Arc::clone(payload),
            input,
            output,
            schema,
            stream_name: config.summary.stream.name().to_string(),
            dead_letters,
            schemas: config.schemas.clone(),
            is_streaming,
            seed: config.seed,
        };
        Ok(Arc::new(KinesisDecodeExec::new(read, Arc::new(decode))))
    }

    /// The description of the stream as of the table's creation.
    pub(crate) fn stream_summary(&self) -> &StreamSummary {
        &self.config.summary
    }

    /// The stream and its options, for reading `shards` shards concurrently.
    pub(crate) fn stream_context(&self, shards: usize) -> StreamContext {
        let config = &self.config;
        StreamContext {
            kinesis: Arc::clone(&config.kinesis),
            stream: config.summary.stream.clone(),
            options: config.options.source.clone(),
            retry: config.options.retry,
            clock: self.clock(),
            in_flight: Arc::new(InFlightLimits::new(shards, SCAN_PAGES_BYTES)),
            shards,
            max_record_bytes: config.summary.max_record_bytes,
            retention: Arc::new(StreamRetention::new(config.summary.retention)),
        }
    }

    /// The clock of the table.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.config.clock)
    }

    /// Connections and credentials, for services other than Kinesis.
    pub(crate) fn access(&self) -> Arc<AwsAccess> {
        Arc::clone(&self.config.access)
    }

    /// A random number generator seeded with the table's seed; every call returns the same one.
    pub(crate) fn random(&self) -> fastrand::Rng {
        self.config.random(0)
    }

    pub(super) fn seed(&self) -> u64 {
        self.config.seed
    }

    /// Describes the stream again. It may have changed since the table was created, or have been replaced by
    /// another one of the same name.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if it was deleted, or any other error of the service.
    pub(crate) async fn describe(&self, random: fastrand::Rng) -> Result<StreamSummary> {
        let options = &self.config.options;
        find_stream(&*self.config.kinesis, &options.stream, options, random).await
    }

    /// All shards within the retention period, ordered by id.
    pub(super) async fn shards(&self) -> Result<Vec<Shard>> {
        let config = &self.config;
        let mut backoff = Backoff::new(config.options.retry, self.random());
        list_all_shards(
            &*config.kinesis,
            &self.stream_summary().stream,
            ShardFilter::FromTrimHorizon,
            &mut backoff,
        )
        .await
    }

    /// The hash range to filter user records of `shard` by, if any.
    pub(super) fn hash_filter_range(&self, shard: &Shard) -> Option<HashRange> {
        let config = &self.config;
        let filter = config.options.source.hash_filter;
        let distribution = config.summary.distribution;
        hash_filter_range(
            filter,
            distribution,
            shard.parent.is_some(),
            shard.hash_range,
        )
    }
}
