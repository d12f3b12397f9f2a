//! The part of a plan that computes rows from the records of one scan.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::sink::DataSinkExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::execution_plan::{
    ChildrenPropertiesMode, ReplaceChildrenOptions, reset_plan_states,
};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, execute_stream};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use super::ROW_ERROR_EXEC;
use crate::model::StreamName;
use crate::table::{
    KinesisDecodeExec, KinesisEncodeExec, KinesisReadExec, KinesisSinkExec, RowCountExec,
};

/// How many shards a search reads concurrently.
const CONCURRENT_SHARDS: usize = 64;

/// The nodes between a scan and the first aggregate or sink above it.
pub(super) struct PlanPart<'a> {
    scan: &'a KinesisReadExec,
    /// The nodes from the scan upwards, each with the index of the child that leads to the scan.
    steps: Vec<(Arc<dyn ExecutionPlan>, usize)>,
}

/// One part for each scan of `plan`.
pub(super) fn parts(plan: &Arc<dyn ExecutionPlan>) -> Vec<PlanPart<'_>> {
    let mut found = Vec::new();
    descend(plan, &mut Vec::new(), &mut found);
    found
}

/// `above` are the nodes from the root to `node`, each with the index of the child on that path.
fn descend<'a>(
    node: &'a Arc<dyn ExecutionPlan>,
    above: &mut Vec<(&'a Arc<dyn ExecutionPlan>, usize)>,
    found: &mut Vec<PlanPart<'a>>,
) {
    if let Some(scan) = node.downcast_ref::<KinesisReadExec>() {
        let mut steps = Vec::new();
        for (step, child) in above.iter().rev() {
            if ends_part(step) {
                break;
            }
            steps.push((Arc::clone(step), *child));
            // Its output rows are groups, computed from many records.
            if step.is::<AggregateExec>() {
                break;
            }
        }
        found.push(PlanPart { scan, steps });
    }
    for (number, child) in node.children().into_iter().enumerate() {
        above.push((node, number));
        descend(child, above, found);
        above.pop();
    }
}

/// Whether `node` does not compute rows from records, or writes them.
fn ends_part(node: &Arc<dyn ExecutionPlan>) -> bool {
    let of_groups = node.downcast_ref::<AggregateExec>().is_some_and(|node| {
        matches!(
            node.mode(),
            AggregateMode::Final | AggregateMode::FinalPartitioned | AggregateMode::PartialReduce
        )
    });
    of_groups
        || node.name() == ROW_ERROR_EXEC
        || node.is::<DataSinkExec>()
        || node.is::<KinesisSinkExec>()
        || node.is::<RowCountExec>()
}

impl PlanPart<'_> {
    pub(super) fn stream(&self) -> &StreamName {
        self.scan.stream()
    }

    /// The number of nodes up to the one that decodes payloads; 0 if there is none.
    pub(super) fn decoding_height(&self) -> usize {
        let mut steps = self.steps.iter();
        let decoding = steps.position(|(step, _)| step.is::<KinesisDecodeExec>());
        decoding.map_or(0, |index| index + 1)
    }

    /// The number of nodes below the one that encodes rows, if there is one.
    pub(super) fn encoding_height(&self) -> Option<usize> {
        let mut steps = self.steps.iter();
        steps.position(|(step, _)| step.is::<KinesisEncodeExec>())
    }

    /// The number of nodes above the scan.
    pub(super) fn height(&self) -> usize {
        self.steps.len()
    }

    /// The node at `height` above the scan, starting at 0.
    pub(super) fn step(&self, height: usize) -> Option<&Arc<dyn ExecutionPlan>> {
        self.steps.get(height).map(|(step, _)| step)
    }

    /// The records of the batch, or those read last, followed by the columns that locate each record.
    ///
    /// # Errors
    /// The records cannot be read again.
    pub(super) fn records(
        &self,
        context: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let scan = self.scan.repeat_with_locations()?;
        let shards = 0..scan.properties().output_partitioning().partition_count();
        let shards = shards.map(|shard| scan.execute(shard, Arc::clone(context)));
        let shards = shards.collect::<Result<Vec<SendableRecordBatchStream>>>()?;
        let shards = stream::iter(shards);
        Ok(shards.flatten_unordered(CONCURRENT_SHARDS).boxed())
    }

    /// Runs the lowest `height` nodes over `records`.
    ///
    /// # Errors
    /// A node fails.
    pub(super) async fn run(
        &self,
        height: usize,
        records: &RecordBatch,
        context: &Arc<TaskContext>,
    ) -> Result<Vec<RecordBatch>> {
        let schema: SchemaRef = self.scan.schema();
        let columns: Vec<usize> = (0..schema.fields().len()).collect();
        let records = records.project(&columns)?;
        let mut plan: Arc<dyn ExecutionPlan> =
            MemorySourceConfig::try_new_exec(&[vec![records]], schema, None)?;
        for (step, child) in &self.steps[..height] {
            plan = with_child(step, *child, &plan)?;
        }
        let rows = execute_stream(reset_plan_states(plan)?, Arc::clone(context))?;
        rows.try_collect().await
    }
}

/// `node` with `child` at `index`; scans of streams below its other children return no rows.
fn with_child(
    node: &Arc<dyn ExecutionPlan>,
    index: usize,
    child: &Arc<dyn ExecutionPlan>,
) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(decode) = node.downcast_ref::<KinesisDecodeExec>() {
        return Ok(Arc::new(decode.without_dead_letters(Arc::clone(child))));
    }
    let mut children = Vec::with_capacity(node.children().len());
    for (number, other) in node.children().into_iter().enumerate() {
        children.push(match number == index {
            true => Arc::clone(child),
            false => without_rows(other)?,
        });
    }
    replaced(node, children)
}

fn without_rows(plan: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    if plan.is::<KinesisReadExec>() {
        let partitions = plan.output_partitioning().partition_count();
        let empty = EmptyExec::new(plan.schema()).with_partitions(partitions);
        return Ok(Arc::new(empty));
    }
    if plan.children().is_empty() {
        return Ok(Arc::clone(plan));
    }
    let children = plan.children().into_iter().map(without_rows);
    replaced(plan, children.collect::<Result<_>>()?)
}

fn replaced(
    node: &Arc<dyn ExecutionPlan>,
    children: Vec<Arc<dyn ExecutionPlan>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Arc::clone(node).replace_children(children, options)
}
