//! The plan nodes of INSERT: one writes the rows, the other sums the row counts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::{AsArray, RecordBatch, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::metrics::{Count, Metric, MetricValue, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, Partitioning, PlanProperties,
};
use futures::stream::select_all;
use futures::{StreamExt, TryStreamExt};

use super::row_order::in_source_order;
use super::unary_node::unary_node;
use crate::sink::{SinkCounters, SinkStatus, SinkStream, SinkWriter};

/// The schema of an INSERT's result.
fn count_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(
        "count",
        DataType::UInt64,
        false,
    )]))
}

fn count_batch(count: u64) -> Result<RecordBatch> {
    let column = Arc::new(UInt64Array::from(vec![count]));
    Ok(RecordBatch::try_new(count_schema(), vec![column])?)
}

fn properties(partitions: usize) -> Arc<PlanProperties> {
    let properties = PlanProperties::new(
        EquivalenceProperties::new(count_schema()),
        Partitioning::UnknownPartitioning(partitions),
        EmissionType::Final,
        Boundedness::Bounded,
    );
    Arc::new(properties.with_scheduling_type(SchedulingType::Cooperative))
}

/// Writes the rows of its input to a stream with a limited number of writers. Emits one row count per writer.
///
/// If the input has more partitions than there are writers, a writer reads several partitions concurrently.
/// Each partition keeps its order, because a single writer gets its batches one by one.
///
/// Metrics: `rows`, Kinesis `records` and `bytes` acknowledged, `calls` of PutRecords, records
/// `throttled` and `resent`.
#[derive(Debug)]
pub(crate) struct KinesisSinkExec {
    input: Arc<dyn ExecutionPlan>,
    stream: Arc<SinkStream>,
    max_writers: usize,
    seed: u64,
    counters: Arc<SinkCounters>,
    properties: Arc<PlanProperties>,
}

impl KinesisSinkExec {
    pub(super) fn try_new(
        input: Arc<dyn ExecutionPlan>,
        stream: Arc<SinkStream>,
        max_writers: usize,
        seed: u64,
    ) -> Result<Self> {
        let input = in_source_order(input)?;
        let partitions = input.output_partitioning().partition_count();
        Ok(Self {
            input,
            stream,
            max_writers,
            seed,
            counters: Arc::default(),
            properties: properties(writers(partitions, max_writers)),
        })
    }

    fn writers(&self) -> usize {
        self.properties.output_partitioning().partition_count()
    }

    /// What it has written.
    pub(crate) fn counters(&self) -> &SinkCounters {
        &self.counters
    }

    /// What is written to the stream at present.
    pub(crate) fn status(&self) -> SinkStatus {
        self.stream.status()
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let stream = Arc::clone(&self.stream);
        Self::try_new(input, stream, self.max_writers, self.seed)
    }
}

/// The number of writers for an input with this many partitions.
pub(super) fn writers(partitions: usize, max_writers: usize) -> usize {
    partitions.min(max_writers.max(1))
}

impl DisplayAs for KinesisSinkExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let aggregation = self.stream.settings().aggregation;
        let stream = self.stream.identity().name();
        let writers = self.writers();
        write!(
            f,
            "KinesisSinkExec: stream={stream}, aggregation={aggregation}, writers={writers}"
        )
    }
}

impl ExecutionPlan for KinesisSinkExec {
    unary_node!("KinesisSinkExec");

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    // Repartitioning would only change the order of rows.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn execute(
        &self,
        writer: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let partitions = self.input.output_partitioning().partition_count();
        let inputs = (writer..partitions)
            .step_by(self.writers().max(1))
            .map(|partition| self.input.execute(partition, Arc::clone(&context)))
            .collect::<Result<Vec<_>>>()?;
        let random = fastrand::Rng::with_seed(self.seed.wrapping_add(writer as u64));
        let written = write(
            inputs,
            Arc::clone(&self.stream),
            Arc::clone(&self.counters),
            random,
        );
        let stream = futures::stream::once(written);
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            count_schema(),
            stream,
        )))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut metrics = MetricsSet::new();
        let counters = &self.counters;
        let mut push = |name: &'static str, counter: &AtomicU64| {
            let count = Count::new();
            count.add(usize::try_from(counter.load(Ordering::Relaxed)).unwrap_or(usize::MAX));
            let name = name.into();
            metrics.push(Arc::new(Metric::new(
                MetricValue::Count { name, count },
                None,
            )));
        };
        push("rows", &counters.rows);
        push("records", &counters.records);
        push("bytes", &counters.bytes);
        push("calls", &counters.calls);
        push("throttled", &counters.throttled);
        push("resent", &counters.resent);
        Some(metrics)
    }
}

/// Writes all rows of `inputs`. Buffered records are sent on time even while no input has rows.
async fn write(
    inputs: Vec<SendableRecordBatchStream>,
    stream: Arc<SinkStream>,
    counters: Arc<SinkCounters>,
    random: fastrand::Rng,
) -> Result<RecordBatch> {
    let mut writer = SinkWriter::new(stream, counters, random).await?;
    let mut input = select_all(inputs);
    loop {
        let batch = tokio::select! {
            biased;
            progress = writer.progress() => {
                progress?;
                continue;
            }
            batch = input.next() => batch,
        };
        match batch {
            Some(batch) => writer.write(&batch?).await?,
            None => break,
        }
    }
    count_batch(writer.finish().await?)
}

/// Sums the counts of all partitions into the one row that an INSERT returns.
#[derive(Debug)]
pub(crate) struct RowCountExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl RowCountExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        Self {
            input,
            properties: properties(1),
        }
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self::new(input))
    }
}

impl DisplayAs for RowCountExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowCountExec")
    }
}

impl ExecutionPlan for RowCountExec {
    unary_node!("RowCountExec");

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!(
                "RowCountExec has one partition; partition {partition} was requested"
            );
        }
        let counts = self.input.execute(0, context)?;
        let sum = counts.try_fold(0_u64, |sum, batch| async move {
            let counts = batch.column(0).as_primitive::<UInt64Type>();
            Ok(sum + counts.iter().flatten().sum::<u64>())
        });
        let stream = futures::stream::once(async move { count_batch(sum.await?) });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            count_schema(),
            stream,
        )))
    }
}
