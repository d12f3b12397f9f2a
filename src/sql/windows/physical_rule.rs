//! The physical rule that plans aggregations by windows.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};

use super::group_window::{GroupWindow, windowed};
use super::guarded_rules::GuardedRule;
use super::hop_exec::HopExec;
use super::session_exec::SessionExec;
use crate::sql::engine_rules::expect_rules;

/// Puts [`HopExec`] or [`SessionExec`] between the two steps of an aggregation. It must run before all other
/// rules, which may separate or combine the two steps.
#[derive(Debug)]
pub(in crate::sql) struct WindowRule;

impl PhysicalOptimizerRule for WindowRule {
    fn name(&self) -> &str {
        "kinesis_windows"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planned = plan.transform_up(|node| match with_window(&node)? {
            Some(node) => Ok(Transformed::yes(node)),
            None => Ok(Transformed::no(node)),
        })?;
        Ok(planned.data)
    }
}

/// `node`, if it is the Final step of an aggregation by windows, with the window's node below it.
fn with_window(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(last) = node.downcast_ref::<AggregateExec>() else {
        return Ok(None);
    };
    let is_final = [AggregateMode::Final, AggregateMode::FinalPartitioned].contains(last.mode());
    let (true, Some(first)) = (is_final, last.input().downcast_ref::<AggregateExec>()) else {
        return Ok(None);
    };
    if *first.mode() != AggregateMode::Partial {
        return Ok(None);
    }
    let input = first.input();
    let Some((window, group_by)) = windowed(first.group_expr(), &input.schema())? else {
        return Ok(None);
    };
    expect_rules(&GuardedRule::RULES)?;
    let groups = group_by.expr().len();
    // A limit on groups would limit panes here, so it is dropped.
    let first: Arc<dyn ExecutionPlan> = Arc::new(AggregateExec::try_new(
        AggregateMode::Partial,
        group_by,
        first.aggr_expr().to_vec(),
        first.filter_expr().to_vec(),
        Arc::clone(input),
        Arc::clone(&first.input_schema),
    )?);
    let between: Arc<dyn ExecutionPlan> = match window {
        GroupWindow::Hop(window) => Arc::new(HopExec::new(first, window)),
        GroupWindow::Session(window) => {
            let keys = window.keys(groups);
            Arc::new(SessionExec::new(first, window, keys))
        }
    };
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Arc::clone(node)
        .replace_children(vec![between], options)
        .map(Some)
}
