//! One stream as a table: its options, clients and schema.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;

use super::stream_lookup::find_stream;
use crate::aws::AwsAccess;
use crate::error::Result;
use crate::kinesis::{Backoff, Kinesis, ShardFilter, StreamSummary, list_all_shards};
use crate::model::{Clock, HashRange, Shard};
use crate::options::TableOptions;
use crate::sink::SinkStream;
use crate::source::{
    InFlightLimits, ReadContext, RowColumn, SCAN_PAGES_BYTES, StreamRetention, hash_filter_range,
    row_schema,
};

/// What a table is made of; complete from the start and never changed.
#[derive(Debug)]
pub(super) struct TableConfig {
    pub(super) kinesis: Arc<dyn Kinesis>,
    pub(super) options: TableOptions,
    pub(super) summary: StreamSummary,
    /// What all INSERTs share: they do not describe the stream one by one.
    pub(super) sink: SinkStream,
    pub(super) unbounded: bool,
    pub(super) columns: Vec<RowColumn>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) access: Arc<AwsAccess>,
    pub(super) seed: u64,
}

impl TableConfig {
    pub(super) fn random(&self, partition: usize) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed.wrapping_add(partition as u64))
    }
}

/// A Kinesis stream as a table of DataFusion.
///
/// A scan is bounded: it reads every shard, closed ones included, from the starting position to the
/// tip as it stood when the query was planned, one partition per shard. Rows of one shard come in
/// the order of the shard; between shards there is no order, unless
/// [`ordered`](crate::options::SourceOptions::ordered) asks for that of each partition key. Aggregated
/// records are opened: one row per user record.
///
/// A table that was made [`unbounded`](KinesisTableBuilder::unbounded) is read by streaming queries
/// only: a plain scan of it is refused.
///
/// A lower bound on `approximateArrivalTimestamp` in the WHERE clause moves the start forward, up to
/// five minutes before it. An upper bound ends the read of a shard with the first page that reaches five
/// minutes behind it. `shardId = …` leaves out the other shards.
///
/// Columns: `data` Binary, `streamName` Utf8, `partitionKey` Utf8, `sequenceNumber` Utf8,
/// `approximateArrivalTimestamp` Timestamp(Microsecond, UTC), and the
/// [`ExtraColumn`](crate::options::ExtraColumn)s asked for; all nullable.
#[derive(Debug)]
pub struct KinesisTable {
    pub(super) config: Arc<TableConfig>,
    pub(super) schema: SchemaRef,
    /// The statement that made it, without its secrets.
    pub(super) definition: Option<String>,
}

impl KinesisTable {
    pub(super) fn new(config: TableConfig) -> Self {
        Self {
            schema: row_schema(&config.columns),
            config: Arc::new(config),
            definition: None,
        }
    }

    /// Says by which statement it was made.
    pub(super) fn defined_by(mut self, definition: Option<String>) -> Self {
        self.definition = definition;
        self
    }

    /// The options it was made with; what they leave out of the way to the service is filled in, as far
    /// as it is not for the environment to say.
    pub fn options(&self) -> &TableOptions {
        &self.config.options
    }

    /// Whether it is read by streaming queries: `CREATE UNBOUNDED EXTERNAL TABLE`.
    pub fn is_unbounded(&self) -> bool {
        self.config.unbounded
    }

    /// The stream as it was described when the table was made.
    pub(crate) fn stream_summary(&self) -> &StreamSummary {
        &self.config.summary
    }

    /// What reading `shards` shards side by side takes.
    pub(crate) fn read_context(&self, shards: usize) -> ReadContext {
        let config = &self.config;
        ReadContext {
            kinesis: Arc::clone(&config.kinesis),
            stream: config.summary.stream.clone(),
            options: config.options.source.clone(),
            retry: config.options.retry,
            clock: self.clock(),
            in_flight: Arc::new(InFlightLimits::new(shards, SCAN_PAGES_BYTES)),
            shards,
            max_record_bytes: config.summary.max_record_bytes,
            retention: Arc::new(StreamRetention::new(config.summary.retention)),
            buffered: None,
            recent: Arc::default(),
        }
    }

    /// Where the table takes the time from.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.config.clock)
    }

    /// Connections and identities, for other services than Kinesis.
    pub(crate) fn access(&self) -> Arc<AwsAccess> {
        Arc::clone(&self.config.access)
    }

    /// Randomness that begins with the seed of the table: the same with every call.
    pub(crate) fn random(&self) -> fastrand::Rng {
        self.config.random(0)
    }

    pub(super) fn seed(&self) -> u64 {
        self.config.seed
    }

    /// The stream as it is now: it may have changed since the table was made, or be another one of the
    /// same name.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) where it is gone, or what the service answers.
    pub(crate) async fn describe(&self, random: fastrand::Rng) -> Result<StreamSummary> {
        find_stream(&*self.config.kinesis, &self.config.options, random).await
    }

    /// All shards that hold records or may hold some, ordered by id.
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

    /// The hash range user records of `shard` must lie in, where that matters.
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
