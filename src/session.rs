//! What a session is taught.

use datafusion::prelude::SessionContext;

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
    crate::table::register_with(ctx, services);
    crate::state::install(&mut ctx.state_ref().write());
}
