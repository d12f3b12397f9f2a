//! Runs the stateful part of a plan to its end before the rest of it, so that the state is complete before a
//! row is output.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::ScalarSubqueryResults;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, collect};
use futures::TryStreamExt;

use super::state_exec::StateExec;
use crate::state::batch::StateBatch;

/// Runs the stateful node of `plan`, and returns the rest of the plan.
///
/// # Errors
/// Reading or computing fails, or the plan has no stateful node.
pub(crate) async fn run_stateful(
    plan: Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = with_subqueries_run(plan, context).await?;
    stateful_node(&plan)?.run(context).await?;
    Ok(plan)
}

/// Wraps the output `rows` of the plan: if memory is exhausted, the error states how much memory the state
/// takes and what to do.
pub(crate) fn with_memory_errors(
    rows: SendableRecordBatchStream,
    context: &TaskContext,
) -> Result<SendableRecordBatchStream> {
    let batch = StateBatch::of(context)?;
    let schema = rows.schema();
    let rows = rows.map_err(move |error| batch.store.explain_memory(error));
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

/// The stateful node of a plan.
///
/// # Errors
/// There is none or more than one, which the checks of the statement exclude.
pub(crate) fn stateful_node(plan: &Arc<dyn ExecutionPlan>) -> Result<&StateExec> {
    let mut found: Vec<&StateExec> = Vec::new();
    let mut nodes = vec![plan];
    while let Some(node) = nodes.pop() {
        found.extend(node.downcast_ref::<StateExec>());
        nodes.extend(node.children());
    }
    match found.as_slice() {
        [node] => Ok(node),
        found => internal_err!(
            "expected one stateful node in a plan, found {}",
            found.len()
        ),
    }
}

/// Runs the scalar subqueries that expressions below the stateful node may read, each once, and removes the nodes that
/// would run them from `plan`: they are above the stateful node, which runs first.
async fn with_subqueries_run(
    plan: Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let mut done: Vec<ScalarSubqueryResults> = Vec::new();
    for node in subqueries_above_state(&plan) {
        let nothing = Arc::new(EmptyExec::new(node.schema()));
        let (subqueries, results) = (node.subqueries().to_vec(), node.results().clone());
        done.push(results.clone());
        let run = ScalarSubqueryExec::new(nothing, subqueries, results);
        collect(Arc::new(run), Arc::clone(context)).await?;
    }
    if done.is_empty() {
        return Ok(plan);
    }
    let is_done = |node: &ScalarSubqueryExec| {
        let mut done = done.iter();
        done.any(|results| ScalarSubqueryResults::ptr_eq(results, node.results()))
    };
    plan.transform_up(|node| match node.downcast_ref::<ScalarSubqueryExec>() {
        Some(subqueries) if is_done(subqueries) => {
            Ok(Transformed::yes(Arc::clone(subqueries.input())))
        }
        _ => Ok(Transformed::no(node)),
    })
    .data()
}

/// The subquery nodes between the root of `plan` and its stateful node, outermost first.
fn subqueries_above_state(plan: &Arc<dyn ExecutionPlan>) -> Vec<&ScalarSubqueryExec> {
    let mut paths = vec![(plan, Vec::new())];
    while let Some((node, mut above)) = paths.pop() {
        if node.is::<StateExec>() {
            return above;
        }
        above.extend(node.downcast_ref::<ScalarSubqueryExec>());
        for child in node.children() {
            paths.push((child, above.clone()));
        }
    }
    Vec::new()
}
