//! Finds the expression of a plan that fails for a record.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::CaseExpr;
use datafusion::physical_expr_common::physical_expr::fmt_sql;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;

use super::plan_part::PlanPart;

/// An expression that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FailingExpression {
    pub(super) text: String,
    /// Whether it is the predicate of a filter.
    pub(super) filters: bool,
    /// Whether it also fails without a row, so that no record is the cause.
    pub(super) always: bool,
}

/// The innermost expression of `part` that fails for `record`, for which `part` fails; `None` if the
/// failing node has several inputs, or fails outside of its expressions.
pub(super) async fn failing_expression(
    part: &PlanPart<'_>,
    record: &RecordBatch,
    context: &Arc<TaskContext>,
) -> Option<FailingExpression> {
    for height in 0..part.height() {
        if part.run(height + 1, record, context).await.is_ok() {
            continue;
        }
        let node = part.step(height)?;
        if node.children().len() != 1 {
            return None;
        }
        let rows = part.run(height, record, context).await.ok()?;
        let (expr, rows) = rows
            .iter()
            .find_map(|rows| Some((in_node(&**node, rows)?, rows)))?;
        let none = RecordBatch::new_empty(rows.schema());
        return Some(FailingExpression {
            text: in_sql(&fmt_sql(&*expr).to_string()),
            filters: node.is::<FilterExec>(),
            always: expr.evaluate(&none).is_err(),
        });
    }
    None
}

fn in_node(node: &dyn ExecutionPlan, rows: &RecordBatch) -> Option<Arc<dyn PhysicalExpr>> {
    let mut found = None;
    // The visitor returns no error.
    let _ = node.apply_expressions(&mut |expr| {
        found = innermost(expr, rows);
        Ok(match found {
            Some(_) => TreeNodeRecursion::Stop,
            None => TreeNodeRecursion::Continue,
        })
    });
    found
}

/// Arrow types as they are displayed in a CAST, each with its SQL name.
const TYPES: [(&str, &str); 10] = [
    ("Utf8View", "VARCHAR"),
    ("LargeUtf8", "VARCHAR"),
    ("Utf8", "VARCHAR"),
    ("Int16", "SMALLINT"),
    ("Int32", "INT"),
    ("Int64", "BIGINT"),
    ("Float32", "REAL"),
    ("Float64", "DOUBLE"),
    ("Timestamp(ns)", "TIMESTAMP"),
    ("Decimal128", "DECIMAL"),
];

/// `text` with the SQL names of the types in its casts.
fn in_sql(text: &str) -> String {
    TYPES.iter().fold(text.to_owned(), |text, (arrow, sql)| {
        text.replace(&format!(" AS {arrow}"), &format!(" AS {sql}"))
    })
}

/// The innermost part of `expr` that fails for `rows`, if any.
fn innermost(expr: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Option<Arc<dyn PhysicalExpr>> {
    if expr.evaluate(rows).is_ok() {
        return None;
    }
    // A branch of CASE may fail for rows for which CASE does not evaluate it.
    if !expr.is::<CaseExpr>() {
        let mut children = expr.children().into_iter();
        if let Some(child) = children.find_map(|child| innermost(child, rows)) {
            return Some(child);
        }
    }
    Some(Arc::clone(expr))
}
