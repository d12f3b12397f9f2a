//! Runs the plan of a batch and delivers its rows: to a table, a user's function, or the console.

mod console;
mod counts;
mod foreach_batch;

pub(in crate::query) use self::counts::SourceCounts;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::UInt64Type;
use datafusion::common::Result as DataFusionResult;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::TryStreamExt;
use futures::future::BoxFuture;
use tokio::time::Instant;

pub(in crate::query) use self::console::Console;
use crate::error::Result;
use crate::error::from_datafusion;
use crate::model::BatchId;
use crate::query::events::KinesisSinkMetrics;
use crate::query::plan::{BatchPlan, StreamingPlan};
use crate::sql::with_record;
use crate::state::{run_stateful, with_memory_errors};
use crate::table::in_source_order;

type BatchFunction = dyn Fn(BatchId, SendableRecordBatchStream) -> BoxFuture<'static, Result<(), DataFusionError>>
    + Send
    + Sync;

/// The sink description of a user's function.
pub(in crate::query) const FOREACH_BATCH: &str = "ForeachBatch";

/// The output of a query.
pub(in crate::query) enum Output {
    /// The target table of the INSERT.
    Insert,
    /// A user's function, which need not read all rows.
    ForeachBatch(Box<BatchFunction>),
    /// Standard output.
    Console(Console),
}

/// The result of running the plan of a batch.
#[derive(Debug)]
pub(in crate::query) struct BatchResult {
    /// What was read, source by source. Rows of a source that is scanned several times count once.
    pub(in crate::query) sources: Vec<SourceCounts>,
    /// Rows written to the output; `None` if unknown.
    pub(in crate::query) output_rows: Option<u64>,
    /// What was written to a Kinesis stream.
    pub(in crate::query) written: Option<KinesisSinkMetrics>,
    /// The time that physical planning took.
    pub(in crate::query) planning: Duration,
    /// The time that running the plan and writing the output took.
    pub(in crate::query) running: Duration,
    /// The plan that ran, with its metrics.
    pub(in crate::query) plan: Arc<dyn ExecutionPlan>,
}

impl Output {
    /// An output that calls `function` with each batch.
    pub(in crate::query) fn foreach_batch<F, W>(function: F) -> Self
    where
        F: Fn(BatchId, SendableRecordBatchStream) -> W + Send + Sync + 'static,
        W: Future<Output = Result<(), DataFusionError>> + Send + 'static,
    {
        Self::ForeachBatch(Box::new(move |batch, rows| Box::pin(function(batch, rows))))
    }

    /// A description of the output.
    pub(in crate::query) fn sink(&self, plan: &StreamingPlan) -> String {
        match self {
            Self::Insert => plan.sink(),
            Self::ForeachBatch(_) => FOREACH_BATCH.to_owned(),
            Self::Console(_) => "Console".to_owned(),
        }
    }

    /// Runs one batch. Dropping the future abandons it. `state` is the session of the batch.
    ///
    /// # Errors
    /// Errors of planning, of reading, and of the output.
    pub(in crate::query) async fn run(
        &self,
        state: &SessionState,
        batch: BatchPlan,
        id: BatchId,
    ) -> Result<BatchResult> {
        self.try_run(state, batch, id)
            .await
            .map_err(from_datafusion)
    }

    async fn try_run(
        &self,
        state: &SessionState,
        batch: BatchPlan,
        id: BatchId,
    ) -> DataFusionResult<BatchResult> {
        let start = Instant::now();
        let plan = in_source_order(state.create_physical_plan(&batch.plan).await?)?;
        let planned = Instant::now();
        let context = state.task_ctx();
        let delivered = self.deliver(Arc::clone(&plan), &context, &batch, id).await;
        let (plan, output_rows) = match delivered {
            Ok(delivered) => delivered,
            Err(error) => return Err(Box::pin(with_record(&plan, &context, error)).await),
        };
        Ok(BatchResult {
            sources: counts::of(&*plan, &batch.reads),
            output_rows,
            written: counts::written(&*plan),
            planning: planned - start,
            running: planned.elapsed(),
            plan,
        })
    }

    /// Delivers the rows of a batch. Returns the plan that ran, and the number of rows if it is known.
    async fn deliver(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: &Arc<TaskContext>,
        batch: &BatchPlan,
        id: BatchId,
    ) -> DataFusionResult<(Arc<dyn ExecutionPlan>, Option<u64>)> {
        let plan = match batch.has_aggregation {
            true => run_stateful(plan, context).await?,
            false => plan,
        };
        let rows = execute_stream(Arc::clone(&plan), Arc::clone(context))?;
        let rows = match batch.has_aggregation {
            true => with_memory_errors(rows, context)?,
            false => rows,
        };
        let output_rows = match self {
            Self::Insert => Some(rows.try_fold(0, add_inserted).await?),
            Self::ForeachBatch(function) => {
                foreach_batch::call(function, id, rows).await?;
                None
            }
            Self::Console(console) => Some(console.print(id, rows).await?),
        };
        Ok((plan, output_rows))
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Insert => "Insert",
            Self::ForeachBatch(_) => "ForeachBatch",
            Self::Console(_) => "Console",
        })
    }
}

/// Adds up the counts that an INSERT returns.
async fn add_inserted(sum: u64, counts: RecordBatch) -> DataFusionResult<u64> {
    let counts = counts.columns().first();
    let counts = counts.and_then(|column| column.as_primitive_opt::<UInt64Type>());
    Ok(sum + counts.map_or(0, |counts| counts.iter().flatten().sum::<u64>()))
}

#[cfg(test)]
mod tests;
