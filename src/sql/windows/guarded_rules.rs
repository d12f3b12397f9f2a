//! Keeps two optimizer rules of DataFusion from changing groups that are windows.
//!
//! The optimizer assumes that a group column is a function of the row. It would therefore evaluate
//! `window_start > …` before rows have a window, and split `count(DISTINCT …)` into two aggregations, the
//! inner one of which would form separate sessions for each value.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Aggregate, Expr, Filter, LogicalPlan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::functions::mentions_window;

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// A rule of DataFusion that does not apply to windows.
#[derive(Debug)]
pub(in crate::sql) struct GuardedRule {
    rule: Rule,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    PushDownFilter,
    SingleDistinct,
}

impl GuardedRule {
    /// The names of the rules to guard.
    pub(super) const RULES: [&str; 2] = [
        "push_down_filter",
        "single_distinct_aggregation_to_group_by",
    ];

    /// `rule`, guarded if it is one of [`RULES`](Self::RULES).
    pub(in crate::sql) fn around(rule: Rule) -> Rule {
        let [push_down_filter, single_distinct] = Self::RULES;
        let kind = match rule.name() {
            name if name == push_down_filter => Kind::PushDownFilter,
            name if name == single_distinct => Kind::SingleDistinct,
            _ => return rule,
        };
        Arc::new(Self { rule, kind })
    }
}

impl OptimizerRule for GuardedRule {
    fn name(&self) -> &str {
        self.rule.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.rule.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match self.kind {
            Kind::SingleDistinct => {
                if let LogicalPlan::Aggregate(aggregate) = &plan
                    && !windows(aggregate)?.is_empty()
                {
                    return Ok(Transformed::no(plan));
                }
            }
            Kind::PushDownFilter => {
                if let Some((retained, pushable)) = split_filter(&plan)? {
                    let Some(pushable) = pushable else {
                        return Ok(Transformed::no(plan));
                    };
                    let pushed = self.rule.rewrite(pushable, config)?.data;
                    let filter = Filter::try_new(retained, Arc::new(pushed))?;
                    return Ok(Transformed::yes(LogicalPlan::Filter(filter)));
                }
            }
        }
        self.rule.rewrite(plan, config)
    }
}

/// The group columns of `aggregate` that are windows.
fn windows(aggregate: &Aggregate) -> Result<Vec<Column>> {
    let mut windows = Vec::new();
    for (index, group) in aggregate.group_expr.iter().enumerate() {
        if mentions_window(group)? {
            windows.push(Column::from(aggregate.schema.qualified_field(index)));
        }
    }
    Ok(windows)
}

/// Splits filters above an aggregation by windows: into the predicate that must stay above it, and a plan
/// with the other predicates, which may be pushed down. `None` if no predicate has to stay.
fn split_filter(plan: &LogicalPlan) -> Result<Option<(Expr, Option<LogicalPlan>)>> {
    let (mut predicates, mut input) = (Vec::new(), plan);
    while let LogicalPlan::Filter(filter) = input {
        // The innermost filter first, in the order of evaluation.
        let inner = split_conjunction_owned(filter.predicate.clone());
        predicates.splice(0..0, inner);
        input = &filter.input;
    }
    let LogicalPlan::Aggregate(aggregate) = input else {
        return Ok(None);
    };
    let windows = windows(aggregate)?;
    if windows.is_empty() || predicates.is_empty() {
        return Ok(None);
    }
    let groups = 0..aggregate.group_expr.len();
    let groups: Vec<Column> = groups
        .map(|index| Column::from(aggregate.schema.qualified_field(index)))
        .collect();
    let is_pushable = |predicate: &Expr| {
        let columns = predicate.column_refs();
        let key = |column: &&Column| groups.contains(column) && !windows.contains(column);
        !columns.is_empty() && columns.iter().all(key)
    };
    let (pushable, retained): (Vec<Expr>, Vec<Expr>) =
        predicates.into_iter().partition(is_pushable);
    let Some(retained) = conjunction(retained) else {
        return Ok(None);
    };
    let pushable = conjunction(pushable)
        .map(|predicate| Filter::try_new(predicate, Arc::new(input.clone())))
        .transpose()?;
    Ok(Some((retained, pushable.map(LogicalPlan::Filter))))
}
