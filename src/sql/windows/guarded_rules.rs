//! What the optimizer must not do to groups that are windows.
//!
//! It takes a group column for a function of the row, so it would test `window_start > …` on rows before
//! they have a window, and split `count(DISTINCT …)` into two aggregations, of which the inner one would
//! make sessions of its own for each value.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Aggregate, Expr, Filter, LogicalPlan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::functions::mentions_window;

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// A rule of DataFusion, kept off windows.
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
    /// The rules that need it.
    pub(super) const RULES: [&str; 2] = [
        "push_down_filter",
        "single_distinct_aggregation_to_group_by",
    ];

    /// `rule`, guarded if it needs that.
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
                if let Some((held, free)) = held(&plan)? {
                    let Some(free) = free else {
                        return Ok(Transformed::no(plan));
                    };
                    let pushed = self.rule.rewrite(free, config)?.data;
                    let filter = Filter::try_new(held, Arc::new(pushed))?;
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
    for (place, group) in aggregate.group_expr.iter().enumerate() {
        if mentions_window(group)? {
            windows.push(Column::from(aggregate.schema.qualified_field(place)));
        }
    }
    Ok(windows)
}

/// For filters above an aggregation by windows: what has to stay above it, and the rest as a plan of its
/// own, if there is any that can go below. `None` where nothing has to stay.
fn held(plan: &LogicalPlan) -> Result<Option<(Expr, Option<LogicalPlan>)>> {
    let (mut predicates, mut input) = (Vec::new(), plan);
    while let LogicalPlan::Filter(filter) = input {
        // The inner ones first, as they are computed.
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
        .map(|place| Column::from(aggregate.schema.qualified_field(place)))
        .collect();
    let can_go = |predicate: &Expr| {
        let columns = predicate.column_refs();
        let key = |column: &&Column| groups.contains(column) && !windows.contains(column);
        !columns.is_empty() && columns.iter().all(key)
    };
    let (free, held): (Vec<Expr>, Vec<Expr>) = predicates.into_iter().partition(can_go);
    let Some(held) = conjunction(held) else {
        return Ok(None);
    };
    let free = conjunction(free)
        .map(|free| Filter::try_new(free, Arc::new(input.clone())))
        .transpose()?;
    Ok(Some((held, free.map(LogicalPlan::Filter))))
}
