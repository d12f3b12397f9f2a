//! What a session is taught, and how it runs a statement.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::prelude::{DataFrame, SessionContext};

use crate::query::explained;
use crate::sql::plan_to_run;
use crate::table::Services;

/// Installs the factory, with the AWS SDK and its environment.
///
/// Afterwards `CREATE EXTERNAL TABLE t STORED AS "aws-kinesis" LOCATION '<stream name or ARN>'`
/// makes a table, `SET streaming.trigger = '1 second'` is one of the
/// [`StreamingSettings`](crate::StreamingSettings), and `read_state('<checkpoint location>')` is a table of
/// the groups that a streaming `GROUP BY` holds. Register before statements are prepared: the session
/// forgets those.
pub fn register(ctx: &SessionContext) {
    register_with(ctx, Services::default());
}

/// Installs the factory with other services: defaults for all tables, or a simulator.
pub fn register_with(ctx: &SessionContext, services: Services) {
    register_shared(ctx, &Arc::new(services));
}

/// The same with services that others use, too.
pub(crate) fn register_shared(ctx: &SessionContext, services: &Arc<Services>) {
    let state = ctx.state_ref();
    let mut state = state.write();
    crate::table::install(&mut state, services);
    crate::sql::install(&mut state);
    crate::state::install(&mut state);
}

/// Plans one statement, as [`SessionContext::sql`] does, with these additions:
///
/// - the columns of Kinesis tables may be written bare in any case (`SELECT partitionKey …`),
/// - `GROUP BY` takes the windows `tumble`, `hop` and `session`,
/// - an option that is given twice in `OPTIONS (…)` is an error in whatever case it is written,
/// - `RESET` knows the settings called `streaming.…`,
/// - `SHOW TABLES` leaves out the tables of `information_schema`, and `SHOW CREATE TABLE` gives the whole
///   statement with secret values masked,
/// - tables over files are listed anew for each read, and a file that does not exist is an error,
/// - `EXPLAIN` of a statement over unbounded tables gives the plan of its batches, with the output mode and
///   the watermark that are set,
/// - columns of a SELECT list that would be called the same are told apart,
/// - what does not exist here is refused with what exists instead.
///
/// # Errors
/// Those of planning; for `EXPLAIN` those of a start. [`Error::find_in`](crate::Error::find_in) gives back
/// what this crate has against a statement.
pub async fn sql(ctx: &SessionContext, sql: &str) -> Result<DataFrame, DataFusionError> {
    let plan = plan_to_run(ctx, sql).await?;
    match explained(&ctx.state(), &plan).await? {
        Some((state, plan)) => Ok(DataFrame::new(state, plan)),
        None => ctx.execute_logical_plan(plan).await,
    }
}
