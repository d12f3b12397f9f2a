//! The plan node that expands panes to windows.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::hop::HopWindow;
use crate::table::unary_node;

/// Expands each row of a pane to one row for each window that contains the pane.
#[derive(Debug)]
pub(super) struct HopExec {
    input: Arc<dyn ExecutionPlan>,
    window: HopWindow,
    metrics: ExecutionPlanMetricsSet,
    properties: Arc<PlanProperties>,
}

impl HopExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, window: HopWindow) -> Self {
        let partitions = input.output_partitioning().partition_count();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            input.boundedness(),
        );
        Self {
            input,
            window,
            metrics: ExecutionPlanMetricsSet::new(),
            properties: Arc::new(properties),
        }
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self::new(input, self.window.clone()))
    }
}

impl DisplayAs for HopExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.input.schema();
        write!(f, "HopExec: [{}]", schema.field(self.window.column).name())
    }
}

impl ExecutionPlan for HopExec {
    unary_node!("HopExec");

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let window = self.window.clone();
        // Slices the input so that the windows of a slice make up about one batch.
        let batch_size = context.session_config().batch_size();
        let step = (batch_size / window.windows_per_pane()).max(1);
        let input = self.input.execute(partition, context)?;
        let schema = input.schema();
        let pieces = input.map_ok(move |batch| {
            let starts = (0..batch.num_rows()).step_by(step);
            stream::iter(starts.map(move |start| {
                let rows = step.min(batch.num_rows() - start);
                Ok::<_, DataFusionError>(batch.slice(start, rows))
            }))
        });
        let windows = pieces.try_flatten().map(move |panes| {
            let _timer = metrics.elapsed_compute().timer();
            let windows = window.expand(&panes?)?;
            metrics.record_output(windows.num_rows());
            Ok(windows)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, windows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
