//! One stream as a table.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as DataFusionResult;
use datafusion::datasource::TableType;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::builder::KinesisTableBuilder;
use super::order::with_sort_kept;
use super::pushdown::support;
use super::scan::Asked;
use super::settings::InStreamingQuery;
use super::sink_exec::{KinesisSinkExec, RowCountExec, writers};
use crate::aws::AwsAccess;
use crate::error::{Error, Result};
use crate::kinesis::{Backoff, Kinesis, ShardFilter, StreamSummary, list_all_shards};
use crate::model::{Clock, HashRange, Shard};
use crate::options::TableOptions;
use crate::sink::{SinkSettings, SinkStream};
use crate::source::{
    Fetches, PAGES_BYTES, ReadContext, RowColumn, StreamRetention, filter_range, row_schema,
};

/// What an INSERT holds, over all its writers, before its input waits.
const SINK_BUFFER_BYTES: usize = 32 * 1024 * 1024;

/// What one writer may hold at least: some aggregated records.
const LEAST_WRITER_BYTES: usize = 256 * 1024;

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
    schema: SchemaRef,
    /// The statement that made it, without its secrets.
    definition: Option<String>,
}

impl KinesisTable {
    /// Begins a table of the stream with this name or ARN.
    pub fn builder(stream: impl Into<String>) -> KinesisTableBuilder {
        KinesisTableBuilder::new(stream.into())
    }

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
            fetches: Arc::new(Fetches::new(shards, PAGES_BYTES)),
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
    pub(super) fn filter_range(&self, shard: &Shard) -> Option<HashRange> {
        let config = &self.config;
        let filter = config.options.source.hash_filter;
        let distribution = config.summary.distribution;
        filter_range(
            filter,
            distribution,
            shard.parent.is_some(),
            shard.hash_range,
        )
    }
}

#[async_trait]
impl TableProvider for KinesisTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn get_table_definition(&self) -> Option<&str> {
        self.definition.as_deref()
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|filter| support(filter)).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let config = &self.config;
        if config.unbounded {
            return Err(unsupported(format!(
                "stream '{}' is the source of a streaming query here, because its table is UNBOUNDED: \
                 start a StreamingQuery, which in the kinesis-sql command an INSERT INTO … SELECT or a \
                 SELECT of its own is; or make the table without the word UNBOUNDED to read to the tip",
                config.summary.stream.name()
            )));
        }
        let columns = match projection {
            None => config.columns.clone(),
            Some(places) => places.iter().map(|place| config.columns[*place]).collect(),
        };
        let asked = Asked {
            columns,
            filters,
            limit,
            partitions: state.config().target_partitions(),
        };
        self.bounded_scan(asked).await
    }

    async fn insert_into(
        &self,
        state: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        operation: InsertOp,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let config = &self.config;
        if operation != InsertOp::Append {
            let stream = config.summary.stream.name();
            return Err(unsupported(format!(
                "stream '{stream}' cannot be overwritten: expected INSERT INTO"
            )));
        }
        // Writers are tasks, and each has state for every shard that it writes to.
        let max_writers = state.config().target_partitions();
        let writers = writers(input.output_partitioning().partition_count(), max_writers).max(1);
        let mut settings = SinkSettings {
            max_buffered_bytes: (SINK_BUFFER_BYTES / writers).max(LEAST_WRITER_BYTES),
            ..config.sink.settings().clone()
        };
        if InStreamingQuery::is_set(state.config()) {
            settings.record_ttl = config.options.sink.record_ttl;
        }
        let stream = Arc::new(config.sink.with_settings(settings));
        let input = with_sort_kept(input)?;
        let sink = KinesisSinkExec::try_new(input, stream, max_writers, config.seed)?;
        Ok(Arc::new(RowCountExec::new(Arc::new(sink))))
    }
}

/// A statement this crate has no answer for.
pub(super) fn unsupported(message: impl Into<String>) -> datafusion::error::DataFusionError {
    Error::unsupported(message).into()
}
