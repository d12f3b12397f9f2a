//! Where the rows of a batch go.

mod console;
mod foreach_batch;

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
use crate::error::failure;
use crate::model::BatchId;
use crate::query::plan::{BatchPlan, StreamingPlan};
use crate::source::BatchReads;
use crate::sql::with_record;
use crate::state::{beside_state, run_stateful};
use crate::table::{KinesisReadExec, in_source_order};

type BatchFunction = dyn Fn(BatchId, SendableRecordBatchStream) -> BoxFuture<'static, Result<(), DataFusionError>>
    + Send
    + Sync;

/// What a function of the user is called as a sink.
pub(in crate::query) const FOREACH_BATCH: &str = "ForeachBatch";

/// Where the rows of each batch of a query go.
pub(in crate::query) enum Output {
    /// Into the table of the statement.
    Insert,
    /// To a function of the user, which need not read them all.
    ForeachBatch(Box<BatchFunction>),
    /// Printed.
    Console(Console),
}

/// What a batch has done.
#[derive(Debug)]
pub(in crate::query) struct BatchResult {
    /// Rows read, in the order of the query's sources; those of a source that is scanned more than
    /// once count once.
    pub(in crate::query) input_rows: Vec<u64>,
    /// Ranges that could not be read whole any more, source by source.
    pub(in crate::query) lost_ranges: Vec<u64>,
    /// Rows that reached the output, where it says so.
    pub(in crate::query) output_rows: Option<u64>,
    /// From the plan of the batch to one that runs.
    pub(in crate::query) planning: Duration,
    /// From there to the end of the output.
    pub(in crate::query) running: Duration,
}

impl Output {
    /// Calls `function` with each batch.
    pub(in crate::query) fn foreach_batch<F, W>(function: F) -> Self
    where
        F: Fn(BatchId, SendableRecordBatchStream) -> W + Send + Sync + 'static,
        W: Future<Output = Result<(), DataFusionError>> + Send + 'static,
    {
        Self::ForeachBatch(Box::new(move |batch, rows| Box::pin(function(batch, rows))))
    }

    /// What it is, for people.
    pub(in crate::query) fn sink(&self, plan: &StreamingPlan) -> String {
        match self {
            Self::Insert => plan.sink(),
            Self::ForeachBatch(_) => FOREACH_BATCH.to_owned(),
            Self::Console(_) => "Console".to_owned(),
        }
    }

    /// Runs one batch to its end; dropping the future abandons it. `state` has the time of the batch.
    ///
    /// # Errors
    /// Those of planning, of reading, and of the output.
    pub(in crate::query) async fn run(
        &self,
        state: &SessionState,
        batch: BatchPlan,
        id: BatchId,
    ) -> Result<BatchResult> {
        self.try_run(state, batch, id).await.map_err(failure)
    }

    async fn try_run(
        &self,
        state: &SessionState,
        batch: BatchPlan,
        id: BatchId,
    ) -> DataFusionResult<BatchResult> {
        let begun = Instant::now();
        let plan = in_source_order(state.create_physical_plan(&batch.plan).await?)?;
        let planned = Instant::now();
        let context = state.task_ctx();
        let given = self.give(Arc::clone(&plan), &context, &batch, id).await;
        let (plan, output_rows) = match given {
            Ok(given) => given,
            Err(error) => return Err(Box::pin(with_record(&plan, &context, error)).await),
        };
        let (input_rows, lost_ranges) = read(&*plan, &batch.reads);
        Ok(BatchResult {
            input_rows,
            lost_ranges,
            output_rows,
            planning: planned - begun,
            running: planned.elapsed(),
        })
    }

    /// Gives the rows of a batch to where they go: what has run, and their number, where the output says so.
    async fn give(
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
            true => beside_state(rows, context)?,
            false => rows,
        };
        let output_rows = match self {
            Self::Insert => Some(rows.try_fold(0, inserted).await?),
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

/// Adds the counts an INSERT gives.
async fn inserted(sum: u64, counts: RecordBatch) -> DataFusionResult<u64> {
    let counts = counts.columns().first();
    let counts = counts.and_then(|column| column.as_primitive_opt::<UInt64Type>());
    Ok(sum + counts.map_or(0, |counts| counts.iter().flatten().sum::<u64>()))
}

/// The rows that scans of each of `reads` gave, and the ranges of it that were not whole.
fn read(plan: &dyn ExecutionPlan, reads: &[Arc<BatchReads>]) -> (Vec<u64>, Vec<u64>) {
    let (mut rows, mut lost) = (vec![0; reads.len()], vec![0; reads.len()]);
    let mut nodes = vec![plan];
    while let Some(node) = nodes.pop() {
        nodes.extend(node.children().into_iter().map(|child| &**child));
        let scan = node.downcast_ref::<KinesisReadExec>();
        let Some(batch) = scan.and_then(KinesisReadExec::batch_reads) else {
            continue;
        };
        let place = reads.iter().position(|reads| Arc::ptr_eq(reads, batch));
        if let (Some(place), Some(metrics)) = (place, node.metrics()) {
            let given = metrics.output_rows().unwrap_or(0);
            let gone = metrics.sum_by_name("lost_ranges");
            let gone = gone.map_or(0, |count| count.as_usize());
            rows[place] = rows[place].max(given as u64);
            lost[place] = lost[place].max(gone as u64);
        }
    }
    (rows, lost)
}

#[cfg(test)]
mod tests;
