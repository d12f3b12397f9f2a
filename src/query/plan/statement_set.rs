//! Plans a statement set.

use datafusion::common::config::ExtensionOptions;
use datafusion::logical_expr::{LogicalPlan, Statement};
use datafusion::prelude::SessionContext;

use super::{QueryPlan, StreamingPlan};
use crate::error::{Error, Result, from_datafusion};
use crate::sql::{StreamingSettings, logical_plan, statements_of_set};

/// The settings that each statement of a set may have for itself.
const OF_A_STATEMENT: [&str; 4] = [
    "streaming.output_mode",
    "streaming.watermark_delay",
    "streaming.watermark_column",
    "streaming.watermark_idle_timeout",
];

/// The plan of the statement set `sql`. `settings` are those before the set.
///
/// # Errors
/// Errors of a statement, with its number in the set; a statement that is neither an INSERT nor a SET of a setting
/// that statements may have for themselves.
pub(super) async fn plan(
    ctx: &SessionContext,
    sql: &str,
    settings: &StreamingSettings,
) -> Result<QueryPlan> {
    let (state, mut settings) = (ctx.state(), settings.clone());
    let mut members: Vec<(Option<String>, StreamingPlan)> = Vec::new();
    let statements = statements_of_set(sql).map_err(from_datafusion)?;
    for (index, statement) in statements.iter().enumerate() {
        let at = |error: Error| {
            error.in_context(format!("statement {} of the statement set", index + 1))
        };
        let plan = logical_plan(ctx, statement).await;
        match plan.map_err(from_datafusion).map_err(at)? {
            LogicalPlan::Statement(Statement::SetVariable(set)) => {
                apply(&mut settings, &set.variable, &set.value).map_err(at)?;
            }
            plan @ LogicalPlan::Dml(_) => {
                let plan = StreamingPlan::new(&state, plan, &settings).map_err(at)?;
                let known = members.iter().filter_map(|(name, _)| name.as_deref());
                let name = unique(&plan.target_name(), &known.collect::<Vec<_>>());
                members.push((Some(name), plan));
            }
            _ => return Err(at(neither_insert_nor_set())),
        }
    }
    match members.is_empty() {
        true => Err(neither_insert_nor_set()),
        false => Ok(QueryPlan::new(members)),
    }
}

fn neither_insert_nor_set() -> Error {
    Error::unsupported(
        "a statement set consists of INSERT INTO … SELECT statements that read an unbounded table, and of SET \
         statements before them: put other statements before the set",
    )
}

/// Sets `variable` for the statements that follow in the set.
fn apply(settings: &mut StreamingSettings, variable: &str, value: &str) -> Result<()> {
    let variable = variable.to_ascii_lowercase();
    let name = variable.strip_prefix("streaming.");
    match name.filter(|_| OF_A_STATEMENT.contains(&variable.as_str())) {
        Some(name) => settings.set(name, value).map_err(from_datafusion),
        None => Err(Error::invalid_option(format!(
            "SET {variable} inside of a statement set: expected one of {}, which apply to the statements after it; \
             put SET of other settings before the set, to which they apply as a whole",
            OF_A_STATEMENT.join(", ")
        ))),
    }
}

/// `name`, or with a number if it is taken.
fn unique(name: &str, taken: &[&str]) -> String {
    let mut names = (1_usize..).map(|number| match number {
        1 => name.to_owned(),
        number => format!("{name}-{number}"),
    });
    let free = names.find(|name| !taken.contains(&name.as_str()));
    free.expect("there are more numbers than statements")
}
