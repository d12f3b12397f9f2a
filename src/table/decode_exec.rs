//! The plan node that decodes payloads: records in, rows of the table's columns out.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::StreamExt;

use super::columns::TableColumn;
use super::dead_letters::{self, DeadLetters};
use super::registered_schemas::RegisteredSchemas;
use super::unary_node::unary_node;
use crate::format::{Decoded, Decoder, PayloadSchema};
use crate::model::SchemaId;
use crate::sink::SinkStream;
use crate::source::RowColumn;

/// What a [`KinesisDecodeExec`] decodes, and to which columns.
#[derive(Debug, Clone)]
pub(super) struct DecodeConfig {
    pub(super) payload: Arc<PayloadSchema>,
    /// The columns of the input, which include `data`.
    pub(super) input: Vec<RowColumn>,
    /// The columns of the output.
    pub(super) output: Vec<TableColumn>,
    pub(super) schema: SchemaRef,
    /// The stream that is read, for display.
    pub(super) stream_name: String,
    /// The stream for dead letters, if documents that cannot be parsed go there.
    pub(super) dead_letters: Option<Arc<SinkStream>>,
    /// The schemas that documents name, if they are in a registry.
    pub(super) schemas: Option<Arc<RegisteredSchemas>>,
    /// Whether a streaming query reads, which waits for a registry.
    pub(super) is_streaming: bool,
    pub(super) seed: u64,
}

/// Decodes the payload of each record to no row, one row or many.
///
/// Metrics per partition: `output_rows`, `bad_documents` that cannot be parsed, `skipped_documents` of them without
/// a row, `type_mismatches` of values that do not fit their columns.
#[derive(Debug)]
pub(crate) struct KinesisDecodeExec {
    input: Arc<dyn ExecutionPlan>,
    config: Arc<DecodeConfig>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl KinesisDecodeExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, config: Arc<DecodeConfig>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&config.schema)),
            input.output_partitioning().clone(),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            properties: Arc::new(properties.with_scheduling_type(SchedulingType::Cooperative)),
            input,
            config,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// The same node over `input`, but without dead letters: for running records a second time.
    pub(crate) fn without_dead_letters(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        let config = DecodeConfig {
            dead_letters: None,
            ..self.config.as_ref().clone()
        };
        Self::new(input, Arc::new(config))
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self::new(input, Arc::clone(&self.config)))
    }
}

impl DisplayAs for KinesisDecodeExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = self.config.payload.options().format.name();
        let fields = self.config.schema.fields().iter();
        let columns: Vec<&str> = fields.map(|field| field.name().as_str()).collect();
        write!(
            f,
            "KinesisDecodeExec: format={format}, columns=[{}]",
            columns.join(", ")
        )
    }
}

impl ExecutionPlan for KinesisDecodeExec {
    unary_node!("KinesisDecodeExec");

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    // Rows keep their order, but an order by a column of the input says nothing about the columns of the output:
    // the optimizer would push a sort below this node.
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false]
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let config = Arc::clone(&self.config);
        let schema = Arc::clone(&config.schema);
        let counters = DecodeCounters::new(&self.metrics, partition);
        let decoding = PartitionDecoder::new(input, config, counters, partition)?;
        let rows = futures::stream::try_unfold(decoding, |mut decoding| async move {
            let batch = decoding.next().await?;
            Ok(batch.map(|batch| (batch, decoding)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

#[derive(Debug)]
struct DecodeCounters {
    baseline: BaselineMetrics,
    bad_documents: Count,
    skipped_documents: Count,
    type_mismatches: Count,
}

impl DecodeCounters {
    fn new(metrics: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let count = |name| MetricBuilder::new(metrics).counter(name, partition);
        Self {
            baseline: BaselineMetrics::new(metrics, partition),
            bad_documents: count("bad_documents"),
            skipped_documents: count("skipped_documents"),
            type_mismatches: count("type_mismatches"),
        }
    }
}

/// Decodes one partition.
struct PartitionDecoder {
    input: SendableRecordBatchStream,
    /// Records of which those from the index on are not decoded yet.
    records: Option<(RecordBatch, usize)>,
    config: Arc<DecodeConfig>,
    decoder: Decoder,
    /// The index of `data` in the input.
    data: usize,
    /// Where each column of the output comes from.
    output: Vec<OutputColumn>,
    dead_letters: Option<(DeadLetters, Vec<usize>)>,
    random: fastrand::Rng,
    counters: DecodeCounters,
}

/// Where a column of the output comes from.
#[derive(Debug, Clone, Copy)]
enum OutputColumn {
    /// The decoded column with this index.
    Decoded(usize),
    /// The column of the input with this index.
    Input(usize),
}

impl PartitionDecoder {
    fn new(
        input: SendableRecordBatchStream,
        config: Arc<DecodeConfig>,
        counters: DecodeCounters,
        partition: usize,
    ) -> Result<Self> {
        let index_of = |column: RowColumn| {
            let mut columns = config.input.iter();
            let index = columns.position(|read| *read == column);
            index.ok_or_else(|| internal_datafusion_err!("column '{}' is not read", column.name()))
        };
        let mut projection = Vec::new();
        let mut output = Vec::with_capacity(config.output.len());
        for column in &config.output {
            output.push(match column {
                TableColumn::Payload(index) => {
                    projection.push(*index);
                    OutputColumn::Decoded(projection.len() - 1)
                }
                TableColumn::Read(column) => OutputColumn::Input(index_of(*column)?),
            });
        }
        let random = fastrand::Rng::with_seed(config.seed.wrapping_add(partition as u64));
        let dead_letters = match &config.dead_letters {
            None => None,
            Some(target) => {
                let columns = dead_letters::COLUMNS.into_iter().map(index_of);
                let stream_name = config.stream_name.clone();
                let letters = DeadLetters::new(Arc::clone(target), stream_name, random.clone());
                Some((letters, columns.collect::<Result<Vec<_>>>()?))
            }
        };
        Ok(Self {
            input,
            records: None,
            decoder: Decoder::new(&config.payload, &projection)?,
            data: index_of(RowColumn::Data)?,
            output,
            dead_letters,
            random,
            config,
            counters,
        })
    }

    /// The next rows; `None` after the last. The dead letters of their records are written before.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let Some((records, first)) = self.records.take() else {
                match self.input.next().await {
                    Some(records) => self.records = Some((records?, 0)),
                    None => return Ok(None),
                }
                continue;
            };
            let decoded = {
                let _timer = self.counters.baseline.elapsed_compute().timer();
                self.decoder
                    .decode(records.column(self.data).as_binary::<i32>(), first)?
            };
            // Before the rows, because a LIMIT drops this node once it has enough of them.
            if let Some((letters, columns)) = &mut self.dead_letters
                && !decoded.skipped.is_empty()
            {
                let columns: Vec<ArrayRef> = (columns.iter())
                    .map(|index| Arc::clone(records.column(*index)))
                    .collect();
                letters.write(&decoded.skipped, &columns).await?;
            }
            self.count(&decoded);
            if let Some(id) = decoded.missing_schema {
                self.look_up(id).await?;
            }
            let batch = self.batch(&decoded, &records)?;
            if decoded.next < records.num_rows() {
                self.records = Some((records, decoded.next));
            }
            if batch.num_rows() > 0 {
                return Ok(Some(batch.record_output(&self.counters.baseline)));
            }
        }
    }

    /// Looks up a schema that the next record needs.
    async fn look_up(&mut self, id: SchemaId) -> Result<()> {
        let schemas = self.config.schemas.as_ref();
        let schemas = schemas.ok_or_else(|| internal_datafusion_err!("{id} has no registry"))?;
        let random = self.random.fork();
        let schema = schemas.get(id, self.config.is_streaming, random).await?;
        self.decoder.add_schema(id, schema);
        Ok(())
    }

    fn count(&self, decoded: &Decoded) {
        let counters = &self.counters;
        counters.bad_documents.add(decoded.bad_documents);
        counters.skipped_documents.add(decoded.skipped_documents);
        let mismatches = usize::try_from(decoded.mismatches).unwrap_or(usize::MAX);
        counters.type_mismatches.add(mismatches);
    }

    /// The rows of `decoded`, with the columns of their records.
    fn batch(&self, decoded: &Decoded, records: &RecordBatch) -> Result<RecordBatch> {
        let rows = decoded.records.len();
        // One row for each record, in order: the columns can be used as they are.
        let all = rows == records.num_rows()
            && (decoded.records.iter().zip(0..)).all(|(record, row)| *record == row);
        let indices = UInt32Array::from_iter_values(decoded.records.iter().copied());
        let columns = self.output.iter().map(|column| match column {
            OutputColumn::Decoded(index) => Ok(Arc::clone(&decoded.columns[*index])),
            OutputColumn::Input(index) if all => Ok(Arc::clone(records.column(*index))),
            OutputColumn::Input(index) => Ok(take(records.column(*index), &indices, None)?),
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = Arc::clone(&self.config.schema);
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }
}
