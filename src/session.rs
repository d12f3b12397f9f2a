//! The entry points: registers this crate in a session, and plans single statements.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::prelude::{DataFrame, SessionContext};

use crate::query::explained;
use crate::sql::plan_to_run;
use crate::table::Services;

/// Registers Kinesis tables in a session. Requests go through the AWS SDK with the settings of the
/// environment.
///
/// Afterwards `CREATE EXTERNAL TABLE t STORED AS "aws-kinesis" LOCATION '<stream name or ARN>'` creates a
/// table, the [`StreamingSettings`](crate::StreamingSettings) can be set, as in
/// `SET streaming.trigger = '1 second'`, and `read_state('<checkpoint location>')` returns the groups of a
/// streaming `GROUP BY`. Call it before preparing statements: it discards prepared statements.
///
/// Most SQL additions need [`sql`], which rewrites a statement before planning. [`SessionContext::sql`] applies
/// two of them to queries in FROM only: `FROM (SELECT partitionKey …)` may name columns without quotes, and may
/// use windows in `GROUP BY`. Elsewhere it needs quoted names (`"partitionKey"`) and the window functions
/// `tumble(ts, size)`, `hop(ts, slide, size)`, `session_start(ts, gap)` and `session_end(ts, gap)`, which are
/// repeated in the SELECT list; `bin_end(tumble(ts, size), size)` is the end of a window.
pub fn register(ctx: &SessionContext) {
    register_with(ctx, Services::default());
}

/// Registers Kinesis tables that use `services`, such as defaults for all tables, or a simulator.
pub fn register_with(ctx: &SessionContext, services: Services) {
    register_shared(ctx, &Arc::new(services));
}

/// Registers Kinesis tables that share `services` with other sessions.
pub(crate) fn register_shared(ctx: &SessionContext, services: &Arc<Services>) {
    let state = ctx.state_ref();
    let mut state = state.write();
    crate::table::install(&mut state, services);
    crate::sql::install(&mut state);
    crate::state::install(&mut state);
}

/// Plans one statement, as [`SessionContext::sql`] does, with these additions:
///
/// - The columns of Kinesis tables may be written without quotes, in any case (`SELECT partitionKey …`).
/// - `GROUP BY` supports the windows `tumble`, `hop` and `session`.
/// - Giving an option twice in `OPTIONS (…)` is an error, even with different letter case.
/// - `RESET` supports the `streaming.…` settings.
/// - `SHOW TABLES` leaves out the tables of `information_schema`, and `SHOW CREATE TABLE` returns the whole
///   statement with secret values masked.
/// - File tables list their files for each read, and a file that does not exist is an error.
/// - `EXPLAIN` of a statement over unbounded tables shows the plan of its batches, with the output mode and
///   the watermark that are set.
/// - Columns of a SELECT list with the same name get distinct names.
/// - An unknown function, table or option is reported with the available alternatives.
///
/// # Errors
/// Errors of planning; for `EXPLAIN` also the errors of a start. [`Error::find_in`](crate::Error::find_in)
/// returns the error of this crate inside a [`DataFusionError`].
pub async fn sql(ctx: &SessionContext, sql: &str) -> Result<DataFrame, DataFusionError> {
    let plan = plan_to_run(ctx, sql).await?;
    match explained(&ctx.state(), &plan).await? {
        Some((state, plan)) => Ok(DataFrame::new(state, plan)),
        None => ctx.execute_logical_plan(plan).await,
    }
}
