//! [`EventTimeNode`]: the logical node below an aggregation that observes event time and drops late rows.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;

use datafusion::common::{DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::utils::expr_to_columns;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

/// Observes the event time of the rows that are aggregated, and drops late rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct EventTimeNode {
    pub(crate) input: LogicalPlan,
    /// The event time of a row.
    pub(crate) time: Expr,
    /// The number of the row's shard in the batch.
    pub(crate) shard: Expr,
    /// The end of the last group that the row belongs to; `None` if rows are never late.
    pub(crate) end: Option<Expr>,
}

impl PartialOrd for EventTimeNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        // The trait requires an order, which nothing uses.
        let text = |node: &Self| format!("{} {} {:?}", node.time, node.shard, node.end);
        let order = text(self).cmp(&text(other));
        (order != Ordering::Equal || self == other).then_some(order)
    }
}

impl UserDefinedLogicalNodeCore for EventTimeNode {
    fn name(&self) -> &'static str {
        "EventTime"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        let mut all = vec![self.time.clone(), self.shard.clone()];
        all.extend(self.end.clone());
        all
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventTimeNode: {}", self.time)
    }

    fn with_exprs_and_inputs(
        &self,
        exprs: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let mut exprs = exprs.into_iter();
        let (Some(time), Some(shard), Some(input)) = (exprs.next(), exprs.next(), inputs.pop())
        else {
            return internal_err!("EventTimeNode has an input and two expressions at least");
        };
        Ok(Self {
            input,
            time,
            shard,
            end: exprs.next(),
        })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let mut own = HashSet::new();
        for expr in self.expressions() {
            expr_to_columns(&expr, &mut own).ok()?;
        }
        let mut columns = output_columns.to_vec();
        for column in own {
            columns.push(self.input.schema().index_of_column(&column).ok()?);
        }
        columns.sort_unstable();
        columns.dedup();
        Some(vec![columns])
    }
}
