//! EXPLAIN of a streaming statement: shows the plan of its batches.

use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::logical_expr::{Explain, LogicalPlan};

use super::StreamingPlan;
use super::sources::streams;
use crate::error::{Result, from_datafusion};
use crate::sql::StreamingSettings;

/// If `plan` is an EXPLAIN of a streaming statement, returns an EXPLAIN of one of its batches, and the
/// session to plan that in. The statement itself has no physical plan. No stream is read.
///
/// # Errors
/// The errors with which a start of the statement would be refused, given the settings of the session.
pub(crate) async fn explained(
    state: &SessionState,
    plan: &LogicalPlan,
) -> Result<Option<(SessionState, LogicalPlan)>> {
    let LogicalPlan::Explain(explain) = plan else {
        return Ok(None);
    };
    if !streams(&explain.plan).map_err(from_datafusion)? {
        return Ok(None);
    }
    let settings = StreamingSettings::of(state.config_options());
    let statement = LogicalPlan::clone(&explain.plan);
    let streaming = StreamingPlan::new(state, statement, &settings)?;
    streaming.expect_files().await?;
    streaming.new_state_store().await?;
    let explain = Explain {
        plan: Arc::new(streaming.without_rows()?),
        ..explain.clone()
    };
    Ok(Some((streaming.session, LogicalPlan::Explain(explain))))
}
