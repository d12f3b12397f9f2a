//! The plan node that reads shards: each partition decodes its descriptors and produces their rows.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties,
};
use futures::{Stream, StreamExt, TryStreamExt};

use super::descriptor::{decode, descriptor_schema, encode_all};
use super::unary_node::unary_node;
use crate::model::StreamName;
use crate::options::ExtraColumn;
use crate::source::{BatchReads, ReadContext, ReadCounters, RowColumn, RowReader, row_schema};

/// Reads shards. Each input partition holds descriptors; the output partition holds the rows of their shards, one
/// shard after the other. Rows of a batch that are buffered in memory are not fetched again.
///
/// Metrics per partition: `output_rows`, `records` and `bytes` read, `buffered_records` of them from
/// memory, `calls`, `throttles` and `retries` of GetRecords, `damaged_aggregates`, `filtered`,
/// `lost_ranges`, and `millis_behind_latest` as of the last page.
#[derive(Debug)]
pub(crate) struct KinesisReadExec {
    input: Arc<dyn ExecutionPlan>,
    context: Arc<ReadContext>,
    columns: Vec<RowColumn>,
    limit: Option<usize>,
    /// The number of shards, for display.
    shards: usize,
    seed: u64,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl KinesisReadExec {
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        context: Arc<ReadContext>,
        columns: Vec<RowColumn>,
        limit: Option<usize>,
        shards: usize,
        seed: u64,
    ) -> Self {
        let schema = row_schema(&columns);
        let partitions = input.output_partitioning().partition_count();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Self {
            input,
            context,
            columns,
            limit,
            shards,
            seed,
            schema,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// The stream it reads.
    pub(crate) fn stream(&self) -> &StreamName {
        self.context.stream_name()
    }

    /// A scan that repeats the batch, or the last read of each shard, with the columns that locate each record
    /// after the others: its shard, sequence number, and number within an aggregated record.
    ///
    /// # Errors
    /// A descriptor cannot be encoded.
    pub(crate) fn repeat_with_locations(&self) -> Result<Self> {
        let reads = match self.batch_reads() {
            Some(batch) => batch.reads.clone(),
            None => self.context.recent.reads(),
        };
        let reads = reads.iter().map(|read| Ok(vec![encode_all(&[read])?]));
        let reads = reads.collect::<Result<Vec<_>>>()?;
        let shards = reads.len();
        let input = MemorySourceConfig::try_new_exec(&reads, descriptor_schema(), None)?;
        let mut columns = self.columns.clone();
        for location in [
            RowColumn::Extra(ExtraColumn::ShardId),
            RowColumn::SequenceNumber,
            RowColumn::Extra(ExtraColumn::SubSequenceNumber),
        ] {
            if !columns.contains(&location) {
                columns.push(location);
            }
        }
        let context = Arc::clone(&self.context);
        Ok(Self::new(input, context, columns, None, shards, self.seed))
    }

    /// The batch that it reads; `None` for a bounded scan.
    pub(crate) fn batch_reads(&self) -> Option<&Arc<BatchReads>> {
        self.context.batch.as_ref()
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self::new(
            input,
            Arc::clone(&self.context),
            self.columns.clone(),
            self.limit,
            self.shards,
            self.seed,
        ))
    }
}

impl DisplayAs for KinesisReadExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stream = self.context.stream_name();
        let partitions = self.properties.output_partitioning().partition_count();
        let reads = match &self.context.batch {
            None if self.context.source.options.ordered => {
                let families = self.context.source.shards;
                format!("shards={}, families={families}, ordered=true", self.shards)
            }
            None => format!("shards={}", self.shards),
            Some(batch) if batch.reads.is_empty() => "batch by batch".to_owned(),
            // Shards whose rows are in memory share partitions.
            Some(_) => format!("shards={}, partitions={partitions}", self.shards),
        };
        let columns: Vec<&str> = self.columns.iter().map(|column| column.name()).collect();
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                let columns = columns.join(", ");
                write!(
                    f,
                    "KinesisReadExec: stream={stream}, {reads}, columns=[{columns}]"
                )?;
                match self.limit {
                    Some(limit) => write!(f, ", limit={limit}"),
                    None => Ok(()),
                }
            }
            DisplayFormatType::TreeRender => {
                let reads = reads.replace(", ", "\n");
                writeln!(f, "stream={stream}\n{reads}")
            }
        }
    }
}

impl ExecutionPlan for KinesisReadExec {
    unary_node!("KinesisReadExec");

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false]
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let descriptors = self.input.execute(partition, context)?;
        let counters = ReadCounters::new(&self.metrics, partition);
        let read_context = Arc::clone(&self.context);
        let columns = self.columns.clone();
        let random = fastrand::Rng::with_seed(self.seed.wrapping_add(partition as u64));
        let rows = descriptors
            .map(|batch| {
                let reads = decode(&batch?)?;
                let reads = futures::stream::iter(reads).map(Ok::<_, DataFusionError>);
                Ok::<_, DataFusionError>(reads)
            })
            .try_flatten()
            .map_ok(move |read| {
                let context = Arc::clone(&read_context);
                let reader =
                    RowReader::new(context, read, &columns, counters.clone(), random.clone());
                rows_of(reader, counters.clone())
            })
            .try_flatten();
        let stream = RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows);
        Ok(make_cooperative(Box::pin(stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The rows of one read. I/O starts when the stream is polled.
fn rows_of(
    reader: RowReader,
    counters: ReadCounters,
) -> impl Stream<Item = Result<RecordBatch>> + Send {
    futures::stream::try_unfold(reader, move |mut reader| {
        let baseline = counters.baseline.clone();
        async move {
            let batch = reader.next_batch().await?;
            Ok(batch.map(|batch| (batch.record_output(&baseline), reader)))
        }
    })
}
