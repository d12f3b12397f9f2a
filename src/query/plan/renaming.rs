//! Compares two plans up to the aliases inside them.

use std::fmt::Write;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};

/// Whether two plans of the same session return the same rows under the same column names, whatever their
/// sub-selects and inner columns are called. `false` also if that cannot be shown.
pub(in crate::query) fn differ_in_aliases_only(one: &LogicalPlan, other: &LogicalPlan) -> bool {
    let names = |plan: &LogicalPlan| {
        let fields = plan.schema().fields().iter();
        fields.map(|field| field.name().clone()).collect::<Vec<_>>()
    };
    let canonical = |plan| canonical_text(plan).ok().flatten();
    names(one) == names(other) && canonical(one).is_some_and(|text| canonical(other) == Some(text))
}

/// The plan as text in which columns are numbered instead of named; `None` if it has an expression that
/// contains a plan, whose columns may be those of an outer plan.
fn canonical_text(plan: &LogicalPlan) -> Result<Option<String>> {
    let mut has_subquery = false;
    plan.apply_expressions(|expr| {
        expr.apply(|expr| {
            has_subquery |= matches!(
                expr,
                Expr::Exists(_)
                    | Expr::InSubquery(_)
                    | Expr::SetComparison(_)
                    | Expr::ScalarSubquery(_)
                    | Expr::OuterReferenceColumn(..)
            );
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    if has_subquery {
        return Ok(None);
    }
    let mut text = match plan {
        LogicalPlan::SubqueryAlias(alias) => return canonical_text(&alias.input),
        LogicalPlan::Projection(node) => {
            let text = numbered("project", &node.expr, node.input.schema())?;
            let columns = 0..node.input.schema().fields().len();
            let unchanged = columns.map(|index| format!("[#{index}]"));
            // It only renames, as the column list of a CTE does.
            if text == format!("project{}", unchanged.collect::<String>()) {
                return canonical_text(&node.input);
            }
            text
        }
        LogicalPlan::Filter(node) => numbered("filter", [&node.predicate], node.input.schema())?,
        LogicalPlan::Aggregate(node) => {
            let mut text = numbered("group", &node.group_expr, node.input.schema())?;
            text += &numbered("aggregate", &node.aggr_expr, node.input.schema())?;
            text
        }
        LogicalPlan::Sort(node) => {
            let schema = node.input.schema();
            let mut text = format!("sort {:?}", node.fetch);
            for sort in &node.expr {
                let order = format!(" asc {} nulls first {}", sort.asc, sort.nulls_first);
                text += &numbered(&order, [&sort.expr], schema)?;
            }
            text
        }
        LogicalPlan::Join(node) => {
            let mut text = format!(
                "join {} {:?} {}",
                node.join_type, node.null_equality, node.null_aware
            );
            for (left, right) in &node.on {
                text += &numbered("left", [left], node.left.schema())?;
                text += &numbered("right", [right], node.right.schema())?;
            }
            let both = node.left.schema().join(node.right.schema())?;
            text += &numbered("filter", &node.filter, &both)?;
            text
        }
        LogicalPlan::Union(_) => "union".to_owned(),
        LogicalPlan::Distinct(Distinct::All(_)) => "distinct".to_owned(),
        // The displayed form of values shows the first rows only.
        LogicalPlan::Values(values) => format!("{:?}", values.values),
        // The names shown for any other node can make equal nodes look different, but not the reverse.
        other => format!("{} {:?}", other.display(), other.expressions()),
    };
    for input in plan.inputs() {
        let Some(input) = canonical_text(input)? else {
            return Ok(None);
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "({input})");
    }
    Ok(Some(text))
}

/// `exprs` over columns of `schema`, without aliases, and with columns written by their index.
fn numbered<'e>(
    title: &str,
    exprs: impl IntoIterator<Item = &'e Expr>,
    schema: &DFSchema,
) -> Result<String> {
    let mut text = title.to_owned();
    for expr in exprs {
        let expr = expr.clone().transform_up(|expr| match expr {
            Expr::Alias(alias) => Ok(Transformed::yes(*alias.expr)),
            Expr::Column(column) => {
                let index = schema.index_of_column(&column)?;
                let column = Column::new_unqualified(format!("#{index}"));
                Ok(Transformed::yes(Expr::Column(column)))
            }
            other => Ok(Transformed::no(other)),
        });
        let _ = write!(text, "[{}]", expr.data()?);
    }
    Ok(text)
}
