//! The node above a streaming aggregation, whose state is of all it says, whatever is made of that.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Passes on what the aggregation below it gives. The optimizer would leave out aggregates that nobody
/// reads and groups that a condition above leaves out: a later start may want them.
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

/// A rule that moves conditions down, kept above a [`OptimizerBarrier`]: a condition without columns, such as one of
/// `random()` or of the time, stops at no node.
#[derive(Debug)]
pub(crate) struct AboveBarrier(pub(crate) Arc<dyn OptimizerRule + Send + Sync>);

impl AboveBarrier {
    /// What it is about.
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
        match is_above_whole(&plan) {
            true => Ok(Transformed::no(plan)),
            false => self.0.rewrite(plan, config),
        }
    }
}

/// Whether `plan` is a condition on what an aggregation gives.
fn is_above_whole(mut plan: &LogicalPlan) -> bool {
    let is_filter = matches!(plan, LogicalPlan::Filter(_));
    while let LogicalPlan::Filter(filter) = plan {
        plan = &filter.input;
    }
    let LogicalPlan::Extension(extension) = plan else {
        return false;
    };
    is_filter && extension.node.as_any().is::<OptimizerBarrier>()
}
