//! Our own words for statements that the engine refuses in its own: what is there instead.

use datafusion::arrow::compute::can_cast_types;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use crate::error::{Error, plain_words};

const JSON: &str = "there are no functions and operators of JSON in SQL yet: \
    regexp_match(CAST(data AS VARCHAR), '\"name\": *\"([^\"]*)\"')[1] takes the field \"name\" out of flat \
    JSON; in a program SessionContext::register_udf adds functions, such as those of the crate \
    datafusion-functions-json";

const COMPRESSED: &str = "there is no function that inflates compressed payloads in SQL yet: encode and \
    decode know base64 and hex; in a program SessionContext::register_udf adds a function that does";

const WINDOWS: &str = "a window of time is a group: SELECT window_start, count(*) FROM t GROUP BY \
    tumble(ts, INTERVAL '1 minute'); hop(ts, slide, size) and session(ts, gap) are the others, and \
    window_start and window_end stand in the SELECT list";

const BYTES: &str = "'data' of a stream is bytes: CAST(data AS VARCHAR) makes text of them, and \
    CAST(CAST(data AS VARCHAR) AS BIGINT) a number";

/// Functions of other systems, in lower case and without underscores, and what is here.
const ELSEWHERE: [(&[&str], &str); 3] = [
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

/// `error` of planning a statement in our own words, where there are any.
pub(super) fn advised(error: DataFusionError) -> DataFusionError {
    if Error::find_in(&error).is_some() {
        return error;
    }
    let advice = match error.find_root() {
        DataFusionError::Plan(message) => of_plan(message),
        DataFusionError::Execution(message) if message.contains("Cannot access field") => {
            of_plan(message)
        }
        DataFusionError::NotImplemented(message) => of_missing(message),
        DataFusionError::SchemaError(found, _) => match &**found {
            SchemaError::FieldNotFound { field, .. }
                if matches!(field.name(), "window_start" | "window_end") =>
            {
                Some(Error::invalid_option(format!(
                    "there is no window that '{}' could be of: {WINDOWS}",
                    field.name()
                )))
            }
            _ => None,
        },
        _ => None,
    };
    advice.map_or(error, Into::into)
}

/// `error` of parsing `sql` in our own words, where there are any.
pub(super) fn of_syntax(error: DataFusionError, sql: &str) -> DataFusionError {
    let squeezed: String = sql.split_whitespace().collect();
    let squeezed = squeezed.to_lowercase();
    let windows = ["tumble", "hop", "session", "cumulate"];
    let mut windows = windows.map(|window| format!("table({window}(")).into_iter();
    match windows.find(|window| squeezed.contains(window.as_str())) {
        Some(window) => {
            let window = window.to_uppercase();
            Error::unsupported(format!("{window}…)) is not known: {WINDOWS}")).into()
        }
        None => error,
    }
}

fn of_plan(message: &str) -> Option<Error> {
    if let Some(name) = quoted_behind(message, "Invalid function '") {
        return elsewhere(name);
    }
    if let Some(name) = quoted_behind(message, "table function '") {
        return elsewhere(name);
    }
    if message.contains("Cannot access field") && message.contains("Binary") {
        return Some(Error::unsupported(format!("{BYTES}; {JSON}")));
    }
    if message.contains("Binary") {
        let said = match quoted_behind(message, "Function '") {
            Some(name) => format!("function '{name}' does not take an argument of type Binary"),
            None => plain_words(message),
        };
        return Some(Error::invalid_option(format!("{said}: {BYTES}")));
    }
    let plain = plain_words(message);
    (plain != message).then(|| Error::invalid_option(plain))
}

fn of_missing(message: &str) -> Option<Error> {
    let operator = message.strip_prefix("Operator ");
    let operator = operator.and_then(|rest| rest.split_once(' '));
    match operator {
        Some((operator @ ("->" | "->>" | "#>" | "#>>" | "@>" | "@?" | "@@"), _)) => Some(
            Error::unsupported(format!("operator {operator} is not known: {JSON}")),
        ),
        _ if message.contains("SQL type JSON") => Some(Error::unsupported(format!(
            "type JSON is not known: {JSON}"
        ))),
        _ => None,
    }
}

/// What is here instead of a function of another system.
fn elsewhere(name: &str) -> Option<Error> {
    let bare = name.to_lowercase().replace('_', "");
    let known = |(names, _): &&(&[&str], &str)| names.iter().any(|known| bare.contains(known));
    let (_, advice) = ELSEWHERE.iter().find(known)?;
    Some(Error::unsupported(format!(
        "function '{name}' is not known: {advice}"
    )))
}

/// What stands between `mark` and the next quote.
fn quoted_behind<'a>(message: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(mark)?;
    rest.split_once('\'').map(|(name, _)| name)
}

/// Refuses a CAST that no value can pass. The engine finds it when it runs the statement, and names no way
/// out.
///
/// # Errors
/// There is one.
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
                // What a lambda is given has no type here.
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
        "'{name}' is bytes, of which CAST makes no {target}: write CAST(CAST({name} AS VARCHAR) AS \
         {target}), where its bytes are text"
    ))
}
