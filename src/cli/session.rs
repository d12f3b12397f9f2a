//! The session that statements run in, and the one place that turns a statement into a plan.

use datafusion::error::Result as DataFusionResult;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};

use super::args::Connection;
use crate::Result;

/// A session with what the command promises: `SHOW TABLES` works, and times are in UTC.
pub(super) fn session(connection: &Connection) -> Result<SessionContext> {
    tracing::debug!(?connection, "session");
    let config = SessionConfig::new()
        .with_information_schema(true)
        .set_str("datafusion.execution.time_zone", "UTC");
    Ok(SessionContext::new_with_config(config))
}

/// The plan of one statement; statements without rows (DDL, SET) have been executed when it returns.
pub(super) async fn plan(ctx: &SessionContext, text: &str) -> DataFusionResult<DataFrame> {
    ctx.sql(text).await
}
