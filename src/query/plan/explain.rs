//! How a streaming statement is explained: by the plan of its batches.

use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::logical_expr::{Explain, LogicalPlan};

use super::StreamingPlan;
use super::sources::streams;
use crate::error::{Result, failure};
use crate::sql::StreamingSettings;

/// `plan`, where it is an EXPLAIN of a streaming statement, over a batch of that statement, which itself
/// cannot be scanned; and the session it is to be planned in. Nothing of the streams is read.
///
/// # Errors
/// What a start of the statement would be refused for, with the settings of the session.
pub(crate) async fn explained(
    state: &SessionState,
    plan: &LogicalPlan,
) -> Result<Option<(SessionState, LogicalPlan)>> {
    let LogicalPlan::Explain(explain) = plan else {
        return Ok(None);
    };
    if !streams(&explain.plan).map_err(failure)? {
        return Ok(None);
    }
    let settings = StreamingSettings::of(state.config_options());
    let statement = LogicalPlan::clone(&explain.plan);
    let streaming = StreamingPlan::new(state, statement, &settings)?;
    streaming.expect_files().await?;
    streaming.new_state_store().await?;
    let explain = Explain {
        plan: Arc::new(streaming.example()?),
        ..explain.clone()
    };
    Ok(Some((streaming.session, LogicalPlan::Explain(explain))))
}
