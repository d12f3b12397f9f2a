//! The definition of a query: SQL text or a logical plan, and the text that identifies it.

use std::fmt;

use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

use crate::error::{Result, from_datafusion};
use crate::sql::logical_plan;
use crate::table::relist_files;

/// The first line of the text of a plan, which distinguishes it from SQL.
const PLAN_HEADING: &str = "LogicalPlan:";

/// The definition of a query.
pub(in crate::query) enum QueryDefinition {
    Sql(String),
    Plan(Box<LogicalPlan>),
}

impl QueryDefinition {
    /// The logical plan to run.
    ///
    /// # Errors
    /// Errors of planning the SQL; a plan that cannot be walked.
    pub(in crate::query) async fn plan(&self, ctx: &SessionContext) -> Result<LogicalPlan> {
        match self {
            Self::Sql(sql) => logical_plan(ctx, sql).await.map_err(from_datafusion),
            // Otherwise a static table would be read with the files that it had at the first batch.
            Self::Plan(plan) => relist_files(LogicalPlan::clone(plan)).map_err(from_datafusion),
        }
    }

    /// The text that identifies the query at its checkpoint: the SQL, or the plan as `EXPLAIN` shows it
    /// before it is optimized.
    pub(in crate::query) fn text(&self) -> String {
        match self {
            Self::Sql(sql) => sql.trim().to_owned(),
            Self::Plan(plan) => format!("{PLAN_HEADING}\n{}", plan.display_indent()),
        }
    }
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
