//! The plan node that names the record at which a bounded statement fails.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::TryStreamExt;
use tokio::sync::OnceCell;

use super::ROW_ERROR_EXEC;
use super::search::search;
use crate::error::Error;
use crate::table::KinesisReadExec;
use crate::table::unary_node;

/// Passes rows through. If computing them fails, it finds the record and the expression that failed.
#[derive(Debug)]
pub(crate) struct RowErrorExec {
    input: Arc<dyn ExecutionPlan>,
    /// The result of the search, shared by all partitions.
    found: Arc<OnceCell<Option<Error>>>,
}

impl RowErrorExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        Self {
            input,
            found: Arc::default(),
        }
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self::new(input))
    }
}

/// Puts a [`RowErrorExec`] on top of the plan of a bounded statement over streams. It must be the last rule.
#[derive(Debug)]
pub(in crate::sql) struct RowErrorRule;

impl PhysicalOptimizerRule for RowErrorRule {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wrapped = plan.is::<RowErrorExec>() || !scans(&*plan);
        Ok(match wrapped {
            true => plan,
            false => Arc::new(RowErrorExec::new(plan)),
        })
    }

    fn name(&self) -> &'static str {
        "kinesis_failing_rows"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether `plan` has a bounded scan of a stream. Streaming queries search for the record themselves.
fn scans(plan: &dyn ExecutionPlan) -> bool {
    let mut nodes = vec![plan];
    while let Some(node) = nodes.pop() {
        let scan = node.downcast_ref::<KinesisReadExec>();
        if scan.is_some_and(|scan| scan.batch_reads().is_none()) {
            return true;
        }
        nodes.extend(node.children().into_iter().map(|child| &**child));
    }
    false
}

impl DisplayAs for RowErrorExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ROW_ERROR_EXEC)
    }
}

impl ExecutionPlan for RowErrorExec {
    unary_node!(ROW_ERROR_EXEC);

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, Arc::clone(&context))?;
        let (plan, found) = (Arc::clone(&self.input), Arc::clone(&self.found));
        let rows = rows.or_else(move |error| {
            let (plan, found) = (Arc::clone(&plan), Arc::clone(&found));
            let context = Arc::clone(&context);
            async move {
                let found = found.get_or_init(|| Box::pin(search(&plan, &context, &error)));
                let found = found.await.clone();
                Err(found.map_or(error, Into::into))
            }
        });
        let schema = self.schema();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}
