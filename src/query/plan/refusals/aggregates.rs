//! Which aggregations can be kept from batch to batch: one over rows of streams, of which no result
//! hangs on the order rows come in.

use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Aggregate, Distinct, Expr, LogicalPlan};

use crate::query::plan::sources::stream_in;

/// Aggregates that give something else for another order of rows, unless they have one of their own.
const BY_ORDER: [&str; 5] = [
    "first_value",
    "last_value",
    "nth_value",
    "array_agg",
    "string_agg",
];

/// What the aggregation over a stream in `plan` is called, if there is one.
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

/// What is against an aggregation called `name` over `input`: that it is one of groups.
pub(super) fn stacked(
    name: &str,
    input: &LogicalPlan,
    stream: &str,
) -> DataFusionResult<Option<String>> {
    let below = aggregation_in(input)?;
    Ok(below.map(|below| {
        format!(
            "{name} over {below} over the unbounded table '{stream}' would count a group again whenever it \
             changes: write the inner result into a stream and group that by a statement of its own, or \
             let foreach_batch do the outer one"
        )
    }))
}

/// What is against the aggregates of `aggregate`.
pub(super) fn order_of_rows(aggregate: &Aggregate, over: &str) -> Option<String> {
    let hangs = |expr: &Expr| match expr.clone().unalias() {
        Expr::AggregateFunction(function) => {
            let name = function.func.name().to_owned();
            let free = function.params.order_by.is_empty();
            (free && BY_ORDER.contains(&&*name)).then_some(name)
        }
        _ => None,
    };
    let name = aggregate.aggr_expr.iter().find_map(hangs)?;
    Some(format!(
        "{name}(…) {over} without an order of its own would hang on the order in which shards are read: \
         write {name}(… ORDER BY …)"
    ))
}
