//! Replaces DataFusion's error messages where this crate can name an alternative.

use datafusion::arrow::compute::can_cast_types;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use crate::error::{Error, strip_bug_report};

const JSON: &str = "data->>'name' is a field of JSON as text, data->'a'->'b' a nested one as JSON, and data ? 'name' \
    says whether it exists; json_get_int(data, 'a', 'b'), json_get_float, json_get_bool and json_get_str give typed \
    values, json_get_array a list; or declare the fields as columns with 'kinesis.format' 'json'";

const COMPRESSED: &str = "SQL has no function that decompresses payloads yet: encode and decode support \
    base64 and hex; in a program, SessionContext::register_udf adds such a function";

const WINDOWS: &str = "use a time window in GROUP BY: SELECT window_start, window_end, count(*) FROM t GROUP BY \
    tumble(ts, INTERVAL '1 minute'); the other windows are hop(ts, slide, size) and session(ts, gap)";

const BYTES: &str = "column 'data' of a stream is binary: CAST(data AS VARCHAR) converts it to a string, \
    CAST(CAST(data AS VARCHAR) AS BIGINT) to a number";

/// Parts of the names of other systems' functions, in lower case without underscores, each with a hint.
const FOREIGN_FUNCTIONS: [(&[&str], &str); 3] = [
    (&["json", "variantget", "schemaof"], JSON),
    (
        &[
            "gunzip",
            "gzip",
            "inflate",
            "decompress",
            "uncompress",
            "unzip",
            "zstd",
        ],
        COMPRESSED,
    ),
    (
        &[
            "window",
            "tumbl",
            "hop",
            "timebucket",
            "cumulate",
            "sessionstart",
            "sessionend",
        ],
        WINDOWS,
    ),
];

/// The planning error `error`, with a hint if there is one.
pub(super) fn with_hint(error: DataFusionError) -> DataFusionError {
    if Error::find_in(&error).is_some() {
        return error;
    }
    let hint = match error.find_root() {
        DataFusionError::Plan(message) => plan_hint(message),
        DataFusionError::Execution(message) if message.contains("Cannot access field") => {
            plan_hint(message)
        }
        DataFusionError::NotImplemented(message) => not_implemented_hint(message),
        DataFusionError::SchemaError(found, _) => match &**found {
            SchemaError::FieldNotFound { field, .. }
                if matches!(field.name(), "window_start" | "window_end") =>
            {
                Some(Error::invalid_option(format!(
                    "column '{}' needs a time window: {WINDOWS}",
                    field.name()
                )))
            }
            _ => None,
        },
        _ => None,
    };
    hint.map_or(error, Into::into)
}

/// The error of parsing `sql`, with a hint if there is one.
pub(super) fn with_syntax_hint(error: DataFusionError, sql: &str) -> DataFusionError {
    let without_spaces: String = sql.split_whitespace().collect();
    let without_spaces = without_spaces.to_lowercase();
    let windows = ["tumble", "hop", "session", "cumulate"];
    let mut windows = windows.map(|window| format!("table({window}(")).into_iter();
    match windows.find(|window| without_spaces.contains(window.as_str())) {
        Some(window) => {
            let window = window.to_uppercase();
            Error::unsupported(format!("{window}…)) is not supported: {WINDOWS}")).into()
        }
        None => error,
    }
}

fn plan_hint(message: &str) -> Option<Error> {
    if let Some(name) = quoted_after(message, "Invalid function '") {
        return foreign_function_hint(name);
    }
    if let Some(name) = quoted_after(message, "table function '") {
        return foreign_function_hint(name);
    }
    if message.contains("Cannot access field") && message.contains("Binary") {
        return Some(Error::unsupported(format!("{BYTES}; {JSON}")));
    }
    if message.contains("Binary") {
        let problem = match quoted_after(message, "Function '") {
            Some(name) => format!("function '{name}' does not take an argument of type Binary"),
            None => strip_bug_report(message),
        };
        return Some(Error::invalid_option(format!("{problem}: {BYTES}")));
    }
    let plain = strip_bug_report(message);
    (plain != message).then(|| Error::invalid_option(plain))
}

fn not_implemented_hint(message: &str) -> Option<Error> {
    let operator = message.strip_prefix("Operator ");
    let operator = operator.and_then(|rest| rest.split_once(' '));
    match operator {
        Some((operator @ ("@>" | "<@" | "@?" | "@@" | "#-" | "?&" | "?|"), _)) => Some(
            Error::unsupported(format!("operator {operator} is not supported: {JSON}")),
        ),
        _ if message.contains("SQL type JSON") => Some(Error::unsupported(format!(
            "type JSON is not supported: {JSON}"
        ))),
        _ => None,
    }
}

/// A hint for a function of another system.
fn foreign_function_hint(name: &str) -> Option<Error> {
    let bare = name.to_lowercase().replace('_', "");
    let known = |(names, _): &&(&[&str], &str)| names.iter().any(|known| bare.contains(known));
    let (_, hint) = FOREIGN_FUNCTIONS.iter().find(known)?;
    Some(Error::unsupported(format!(
        "unknown function '{name}': {hint}"
    )))
}

/// The text between `mark` and the next quote.
fn quoted_after<'a>(message: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(mark)?;
    rest.split_once('\'').map(|(name, _)| name)
}

/// Refuses a CAST that is not possible for its types. DataFusion reports it only when the statement runs,
/// and without a hint.
///
/// # Errors
/// The plan contains such a CAST.
pub(super) fn refuse_impossible_casts(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|plan| {
        let inputs = plan.inputs();
        let schema = merge_schema(&inputs);
        plan.apply_expressions(|expr| {
            expr.apply(|part| {
                let (Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field })) =
                    part
                else {
                    return Ok(TreeNodeRecursion::Continue);
                };
                // Lambda parameters have no type here.
                let Ok(from) = expr.get_type(&schema) else {
                    return Ok(TreeNodeRecursion::Continue);
                };
                match from.is_binary() && !can_cast_types(&from, field.data_type()) {
                    true => Err(impossible_cast(expr, field.data_type()).into()),
                    false => Ok(TreeNodeRecursion::Continue),
                }
            })
        })
    })?;
    Ok(())
}

fn impossible_cast(from: &Expr, to: &DataType) -> Error {
    let name = match from {
        Expr::Column(column) => column.name.clone(),
        other => other.to_string(),
    };
    let target = match to {
        DataType::Int8 | DataType::Int16 | DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Float32 | DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Timestamp(..) => "TIMESTAMP".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Date32 | DataType::Date64 => "DATE".to_owned(),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            format!("DECIMAL({precision}, {scale})")
        }
        other => other.to_string(),
    };
    Error::invalid_option(format!(
        "column '{name}' is binary and cannot be cast to {target}: if it holds text, write \
         CAST(CAST({name} AS VARCHAR) AS {target})"
    ))
}
