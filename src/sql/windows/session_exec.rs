//! The plan node that merges parts of sessions.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, Partitioning, PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::session::SessionWindow;
use crate::table::unary_node;

/// Assigns each row the session that it merges into. Collects a whole input partition, which holds all rows
/// of its keys.
#[derive(Debug)]
pub(super) struct SessionExec {
    input: Arc<dyn ExecutionPlan>,
    window: SessionWindow,
    /// The other group columns.
    keys: Vec<usize>,
    metrics: ExecutionPlanMetricsSet,
    properties: Arc<PlanProperties>,
}

impl SessionExec {
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        window: SessionWindow,
        keys: Vec<usize>,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            output_partitioning(input.output_partitioning(), &keys),
            EmissionType::Final,
            input.boundedness(),
        );
        Self {
            input,
            window,
            keys,
            metrics: ExecutionPlanMetricsSet::new(),
            properties: Arc::new(properties),
        }
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self::new(input, self.window.clone(), self.keys.clone()))
    }
}

/// The output partitioning. A hash partitioning by keys is preserved, because keys do not change; any other
/// is lost.
fn output_partitioning(partitioning: &Partitioning, keys: &[usize]) -> Partitioning {
    let is_key = |expr: &Arc<dyn PhysicalExpr>| {
        let column: Option<&Column> = expr.downcast_ref();
        column.is_some_and(|column| keys.contains(&column.index()))
    };
    match partitioning {
        Partitioning::Hash(by, _) if by.iter().all(is_key) => partitioning.clone(),
        other => Partitioning::UnknownPartitioning(other.partition_count()),
    }
}

impl DisplayAs for SessionExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.input.schema();
        let name = |column: &usize| schema.field(*column).name().as_str();
        let keys: Vec<&str> = self.keys.iter().map(name).collect();
        let start = name(&self.window.start);
        write!(f, "SessionExec: [{start}], keys=[{}]", keys.join(", "))
    }
}

impl ExecutionPlan for SessionExec {
    unary_node!("SessionExec");

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let schema = self.input.schema();
        let column = |key: &usize| {
            Arc::new(Column::new(schema.field(*key).name(), *key)) as Arc<dyn PhysicalExpr>
        };
        InputDistributionRequirements::new(vec![match self.keys.as_slice() {
            [] => Distribution::SinglePartition,
            keys => Distribution::KeyPartitioned(keys.iter().map(column).collect()),
        }])
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![!self.keys.is_empty()]
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let consumer = MemoryConsumer::new(format!("SessionExec[{partition}]"));
        let reservation = consumer.register(context.memory_pool());
        let input = self.input.execute(partition, context)?;
        let schema = input.schema();
        let (window, keys) = (self.window.clone(), self.keys.clone());
        let sessions = async move {
            let (parts, reservation) = collect(input, reservation).await?;
            let sessions = with_sessions(&parts, &window, &keys, &metrics)?;
            // The reservation lives until the last batch is emitted.
            let batches = sessions.into_iter().map(move |batch| {
                let _held = &reservation;
                Ok(batch)
            });
            Ok::<_, DataFusionError>(stream::iter(batches))
        };
        let sessions = stream::once(sessions).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, sessions)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

async fn collect(
    mut input: SendableRecordBatchStream,
    reservation: MemoryReservation,
) -> Result<(Vec<RecordBatch>, MemoryReservation)> {
    let mut parts = Vec::new();
    while let Some(batch) = input.next().await {
        let batch = batch?;
        reservation.try_grow(batch.get_array_memory_size())?;
        parts.push(batch);
    }
    Ok((parts, reservation))
}

/// `parts` with the start and end of the session that each row merges into.
fn with_sessions(
    parts: &[RecordBatch],
    window: &SessionWindow,
    keys: &[usize],
    metrics: &BaselineMetrics,
) -> Result<Vec<RecordBatch>> {
    let _timer = metrics.elapsed_compute().timer();
    let Some(first) = parts.first() else {
        return Ok(Vec::new());
    };
    // Only the columns that sessions are computed from are concatenated; the others are not copied.
    let columns: Vec<usize> = [window.start, window.end]
        .into_iter()
        .chain(keys.iter().copied())
        .collect();
    let narrow: Vec<RecordBatch> = parts
        .iter()
        .map(|part| part.project(&columns))
        .collect::<Result<_, _>>()?;
    let whole = concat_batches(&first.schema().project(&columns)?.into(), &narrow)?;
    let indexes: Vec<usize> = (2..columns.len()).collect();
    let merged = window.at(0, 1).assign(&whole, &indexes)?;
    let mut from = 0;
    let mut sessions = Vec::with_capacity(parts.len());
    for part in parts {
        let mut columns = part.columns().to_vec();
        for (index, column) in [(window.start, 0), (window.end, 1)] {
            columns[index] = merged.column(column).slice(from, part.num_rows());
        }
        from += part.num_rows();
        sessions.push(RecordBatch::try_new(part.schema(), columns)?);
        metrics.record_output(part.num_rows());
    }
    Ok(sessions)
}
