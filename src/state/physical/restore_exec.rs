//! [`RestoreExec`]: adds the stored groups to the rows of a batch.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};

use crate::sql::windows::SessionWindow;
use crate::state::batch::StateBatch;
use crate::state::memory::Grouping;
use crate::table::unary_node;

/// Passes its input through, and adds the stored groups of those rows, which it removes from the state. It is
/// inside a [`StateExec`](super::state_exec::StateExec), hidden from the optimizer.
#[derive(Debug)]
pub(crate) struct RestoreExec {
    input: Arc<dyn ExecutionPlan>,
    grouping: Arc<Grouping>,
    session: Option<Arc<SessionWindow>>,
    properties: Arc<PlanProperties>,
}

impl RestoreExec {
    pub(crate) fn new(
        input: Arc<dyn ExecutionPlan>,
        grouping: Arc<Grouping>,
        session: Option<Arc<SessionWindow>>,
    ) -> Self {
        Self {
            properties: Arc::clone(input.properties()),
            input,
            grouping,
            session,
        }
    }

    fn with_input(&self, _input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        internal_err!("RestoreExec is not part of a plan that is rewritten")
    }
}

impl DisplayAs for RestoreExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RestoreExec")
    }
}

impl ExecutionPlan for RestoreExec {
    unary_node!("RestoreExec");

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let batch = StateBatch::of(&context)?;
        let input = self.input.execute(partition, context)?;
        // The nodes above read columns by index; the plan may have other names for some.
        let schema = Arc::clone(self.grouping.layout.schema());
        let adapted: SendableRecordBatchStream = match &self.session {
            _ if self.grouping.distinct => input,
            None => {
                let rows = input.and_then(move |rows| {
                    let stored = batch.store.partition(partition).take(&rows);
                    // Aggregates without groups may expect a row in every batch.
                    let some = |rows: &RecordBatch| rows.num_rows() > 0;
                    async move { Ok(stream::iter([rows, stored?].into_iter().filter(some)).map(Ok)) }
                });
                Box::pin(RecordBatchStreamAdapter::new(schema, rows.try_flatten()))
            }
            Some(session) => {
                let (session, keys) = (Arc::clone(session), self.grouping.keys.clone());
                let merged = Arc::clone(&schema);
                let rows = async move {
                    let mut rows: Vec<_> = input.try_collect().await?;
                    let come = datafusion::arrow::compute::concat_batches(&merged, &rows)?;
                    rows.clear();
                    let stored = batch.store.partition(partition).take(&come)?;
                    let all =
                        datafusion::arrow::compute::concat_batches(&merged, [&come, &stored])?;
                    session.assign(&all, &keys)
                };
                Box::pin(RecordBatchStreamAdapter::new(schema, stream::once(rows)))
            }
        };
        Ok(adapted)
    }
}
