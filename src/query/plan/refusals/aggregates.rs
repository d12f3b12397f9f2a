//! Decides which aggregations are supported: a single one over the rows of streams, whose results do not
//! depend on the order of the rows.

use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Aggregate, Distinct, Expr, LogicalPlan};

use crate::query::plan::sources::stream_in;

/// Aggregates whose result depends on the order of the rows, unless they have an ORDER BY.
const ORDER_DEPENDENT: [&str; 5] = [
    "first_value",
    "last_value",
    "nth_value",
    "array_agg",
    "string_agg",
];

/// The name of the aggregation over a stream in `plan`, if there is one.
pub(super) fn aggregation_in(plan: &LogicalPlan) -> DataFusionResult<Option<&'static str>> {
    let mut found = None;
    plan.apply(|node| {
        if stream_in(node)?.is_none() {
            return Ok(TreeNodeRecursion::Jump);
        }
        found = match node {
            LogicalPlan::Aggregate(_) => Some("GROUP BY"),
            LogicalPlan::Distinct(Distinct::All(_)) => Some("DISTINCT"),
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        Ok(TreeNodeRecursion::Stop)
    })?;
    Ok(found)
}

/// Why an aggregation `name` over `input` is unsupported: its input is itself aggregated.
pub(super) fn stacked(
    name: &str,
    input: &LogicalPlan,
    stream: &str,
) -> DataFusionResult<Option<String>> {
    let below = aggregation_in(input)?;
    Ok(below.map(|below| {
        format!(
            "{name} over {below} over the unbounded table '{stream}' would count a group again whenever it \
             changes: write the inner result to a stream and group that with a separate statement, or do the \
             outer aggregation in foreach_batch"
        )
    }))
}

/// Why an aggregate function is unsupported: its result depends on the order of the rows.
pub(super) fn order_dependent(aggregate: &Aggregate, over: &str) -> Option<String> {
    let depends = |expr: &Expr| match expr.clone().unalias() {
        Expr::AggregateFunction(function) => {
            let name = function.func.name().to_owned();
            let is_unordered = function.params.order_by.is_empty();
            (is_unordered && ORDER_DEPENDENT.contains(&&*name)).then_some(name)
        }
        _ => None,
    };
    let name = aggregate.aggr_expr.iter().find_map(depends)?;
    Some(format!(
        "{name}(…) {over} without ORDER BY would depend on the order in which shards are read: write \
         {name}(… ORDER BY …)"
    ))
}
