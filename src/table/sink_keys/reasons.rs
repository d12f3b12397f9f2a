//! Why an expression is no key, in the words of this crate.

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, SchemaError};
use datafusion::logical_expr::Expr;
use datafusion::sql::sqlparser::parser::ParserError;

use crate::error::{Error, strip_bug_report};

/// Refuses an expression that needs more than the row whose key it is.
///
/// # Errors
/// The part, such as an aggregate function.
pub(super) fn refuse_several_rows(expr: &Expr) -> Result<()> {
    expr.apply(|part| {
        let what = match part {
            Expr::AggregateFunction(_) => "an aggregate function",
            Expr::WindowFunction(_) => "a window function",
            Expr::ScalarSubquery(_)
            | Expr::Exists(_)
            | Expr::InSubquery(_)
            | Expr::SetComparison(_) => "a subquery",
            Expr::Unnest(_) => "unnest, which gives several values",
            Expr::Placeholder(_) => "a placeholder without a value",
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        Err(DataFusionError::Plan(format!("has {what}")))
    })?;
    Ok(())
}

/// The reason in `error`, which planning an expression over these columns gave.
pub(super) fn of(error: &DataFusionError, schema: &SchemaRef) -> String {
    if let Some(ours) = Error::find_in(error) {
        return ours.to_string();
    }
    let message = match error.find_root() {
        DataFusionError::SQL(error, _) => match &**error {
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
                format!("syntax error: {message}")
            }
            ParserError::RecursionLimitExceeded => "is nested too deeply".to_owned(),
        },
        DataFusionError::SchemaError(found, _) => match &**found {
            SchemaError::FieldNotFound { field, .. } => {
                let fields = schema.fields().iter();
                let names: Vec<&str> = fields.map(|field| field.name().as_str()).collect();
                format!(
                    "the table has no column '{}', only {}",
                    field.flat_name(),
                    names.join(", ")
                )
            }
            other => other.to_string(),
        },
        DataFusionError::Plan(message)
        | DataFusionError::NotImplemented(message)
        | DataFusionError::Execution(message) => message.clone(),
        DataFusionError::ArrowError(error, _) => error.to_string(),
        other => other.strip_backtrace(),
    };
    strip_bug_report(&message).replace('\n', " ")
}
