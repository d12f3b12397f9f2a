//! [`OptimizerBarrier`]: keeps the optimizer from removing parts of a streaming aggregation that the query
//! does not read.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Passes on the output of the aggregation below. Without it the optimizer would remove aggregates that the query does
/// not read, and groups that a filter above drops. The state needs both, as a later statement may read them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Hash)]
pub(crate) struct OptimizerBarrier {
    pub(crate) input: LogicalPlan,
}

impl UserDefinedLogicalNodeCore for OptimizerBarrier {
    fn name(&self) -> &'static str {
        "OptimizerBarrier"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OptimizerBarrier")
    }

    fn with_exprs_and_inputs(
        &self,
        _exprs: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        match inputs.pop() {
            Some(input) => Ok(Self { input }),
            None => internal_err!("OptimizerBarrier has an input"),
        }
    }

    fn necessary_children_exprs(&self, _output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let columns = self.input.schema().fields().len();
        Some(vec![(0..columns).collect()])
    }
}

/// Wraps a rule that pushes filters down, so that it stops at an [`OptimizerBarrier`]. Filters without
/// columns, such as those on `random()` or the current time, would otherwise pass every node.
#[derive(Debug)]
pub(crate) struct AboveBarrier(pub(crate) Arc<dyn OptimizerRule + Send + Sync>);

impl AboveBarrier {
    /// The name of the wrapped rule.
    pub(crate) const RULE: &str = "push_down_filter";
}

impl OptimizerRule for AboveBarrier {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match is_filter_above_barrier(&plan) {
            true => Ok(Transformed::no(plan)),
            false => self.0.rewrite(plan, config),
        }
    }
}

/// Whether `plan` filters the output of an aggregation.
fn is_filter_above_barrier(mut plan: &LogicalPlan) -> bool {
    let is_filter = matches!(plan, LogicalPlan::Filter(_));
    while let LogicalPlan::Filter(filter) = plan {
        plan = &filter.input;
    }
    let LogicalPlan::Extension(extension) = plan else {
        return false;
    };
    is_filter && extension.node.as_any().is::<OptimizerBarrier>()
}
