//! The definition of a query: SQL text or a logical plan, and the text that identifies it.

use std::fmt;

use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

use super::{QueryPlan, StreamingPlan, statement_set};
use crate::error::{Error, Result, from_datafusion};
use crate::sql::{StreamingSettings, Variables, is_statement_set, logical_plan, statement_set_of};
use crate::table::relist_files;

/// The first line of the text of a plan, which distinguishes it from SQL.
const PLAN_HEADING: &str = "LogicalPlan:";

/// The definition of a query.
pub(in crate::query) enum QueryDefinition {
    Sql(String),
    Plan(Box<LogicalPlan>),
}

impl QueryDefinition {
    /// The plan to run. `settings` are those of the query.
    ///
    /// # Errors
    /// Errors of planning the SQL; a plan that cannot be walked; see also [`StreamingPlan::new`].
    pub(in crate::query) async fn plan(
        &self,
        ctx: &SessionContext,
        settings: &StreamingSettings,
    ) -> Result<DefinedPlan> {
        let written = match self {
            Self::Sql(sql) if is_statement_set(sql) => {
                let plan = statement_set::plan(ctx, sql, settings).await?;
                return Ok(DefinedPlan {
                    plan,
                    written: None,
                });
            }
            Self::Sql(sql) => logical_plan(ctx, sql).await.map_err(from_datafusion)?,
            // Otherwise a static table would be read with the files that it had at the first batch.
            Self::Plan(plan) => relist_files(LogicalPlan::clone(plan)).map_err(from_datafusion)?,
        };
        let plan = StreamingPlan::new(&ctx.state(), written.clone(), settings)?;
        Ok(DefinedPlan {
            plan: QueryPlan::single(plan),
            written: Some(written),
        })
    }

    /// Makes it a statement set of its statement and others.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if it is no single statement.
    pub(in crate::query) fn add_statements(&mut self, others: &[String]) -> Result<()> {
        if others.is_empty() {
            return Ok(());
        }
        match self {
            Self::Sql(sql) if !is_statement_set(sql) => {
                let mut statements = vec![sql.clone()];
                statements.extend_from_slice(others);
                *sql = statement_set_of(&statements);
                Ok(())
            }
            Self::Sql(_) => Err(Error::unsupported(
                "an output cannot be added to a statement set: write its statement into the set",
            )),
            Self::Plan(_) => Err(Error::unsupported(
                "an output cannot be added to a query that is defined by a plan: define all of them by SQL",
            )),
        }
    }

    /// The text that identifies the query at its checkpoint: that which is shown, with a hash of the values of
    /// its variables.
    pub(in crate::query) fn identity(&self, ctx: &SessionContext) -> String {
        match self {
            Self::Sql(_) => {
                let variables = Variables::of(ctx.state_ref().read().config());
                let text = self.text();
                variables.map_or_else(|| text.clone(), |variables| variables.identify(&text))
            }
            Self::Plan(_) => self.text(),
        }
    }

    /// The text to show: the SQL, or the plan as `EXPLAIN` shows it before it is optimized.
    pub(in crate::query) fn text(&self) -> String {
        match self {
            Self::Sql(sql) => sql.trim().to_owned(),
            Self::Plan(plan) => format!("{PLAN_HEADING}\n{}", plan.display_indent()),
        }
    }
}

/// The plan of a definition.
pub(in crate::query) struct DefinedPlan {
    pub(in crate::query) plan: QueryPlan,
    /// The statement before it was turned into a streaming plan; `None` for a statement set.
    pub(in crate::query) written: Option<LogicalPlan>,
}

/// Whether `text` identifies a query that was given as a plan.
pub(in crate::query) fn is_plan_text(text: &str) -> bool {
    text.starts_with(PLAN_HEADING)
}

impl fmt::Debug for QueryDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}
