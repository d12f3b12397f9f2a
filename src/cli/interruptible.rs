//! Lets nodes that make many rows out of few yield as well, so that what they are busy with can be ended.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;

/// The engine's leaves yield by themselves, but a join can be busy for minutes with one batch of a leaf, and an
/// aggregate over it would not hear that the statement was ended.
///
/// A rule of the session, because the plans of a streaming query are made by the query.
#[derive(Debug)]
pub(super) struct Interruptible;

impl PhysicalOptimizerRule for Interruptible {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let multiplies = node.name().ends_with("JoinExec") || node.name() == "UnnestExec";
            Ok(match multiplies {
                true => {
                    Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>)
                }
                false => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "interruptible"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
