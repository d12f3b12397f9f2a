//! Checks, without a start, whether a statement would be refused at its checkpoint.

use datafusion::prelude::SessionContext;

use super::metadata::log_options;
use super::registry::StartedQuery;
use super::root::{RootedQuery, below, logged_query};
use super::statement::{continues, refuse_changed};
use crate::checkpoint::{Checkpoint, QueryText, open};
use crate::error::{ErrorKind, Result};
use crate::model::RetryPolicy;
use crate::options::CommitterKind;
use crate::query::output::FOREACH_BATCH;
use crate::query::plan::{DefinedPlan, QueryDefinition};
use crate::sql::StreamingSettings;

/// Refuses a statement whose start would fail because its checkpoint belongs to another query. Only logs in
/// object stores are checked, and nothing is written. `is_second` means that a query of another name is started
/// at the same location before.
///
/// # Errors
/// Errors of planning; [`Checkpoint`](ErrorKind::Checkpoint) with both queries, or for entries that cannot
/// be read.
pub(crate) async fn expect_own_checkpoint(
    ctx: &SessionContext,
    sql: &str,
    is_second: bool,
) -> Result<()> {
    let state = ctx.state();
    let settings = StreamingSettings::of(state.config_options());
    let definition = QueryDefinition::Sql(sql.to_owned());
    let DefinedPlan { plan, written } = definition.plan(ctx, &settings).await?;
    let options = log_options(&plan.sources)?;
    let is_root = options.path.is_none();
    let location = options.path.or(settings.checkpoint_location);
    let (CommitterKind::ObjectStore, Some(location), false) =
        (options.committer, location, settings.accept_changed_query)
    else {
        return Ok(());
    };
    let once = RetryPolicy {
        max_retries: 0,
        ..options.retry
    };
    let sink = match plan.inserts() {
        true => plan.sink(),
        false => FOREACH_BATCH.to_owned(),
    };
    let query = StartedQuery {
        name: settings.query_name.or_else(|| plan.target_name()),
        text: QueryText {
            sink,
            statement: Some(definition.identity(ctx)),
        },
    };
    let location = match &query.name {
        Some(name) if is_root && is_second => below(&location, name),
        Some(_) if is_root => {
            let rooted = RootedQuery {
                location: &location,
                query: &query,
                session: None,
            };
            let own = rooted.checkpoint_location(once, fastrand::Rng::with_seed(0));
            // An unreachable location is reported by another check.
            own.await.unwrap_or(location)
        }
        _ => location,
    };
    let Ok(committer) = open(&location) else {
        // An invalid location is reported by another check.
        return Ok(());
    };
    let checkpoint = Checkpoint::new(committer, once, 1, fastrand::Rng::with_seed(0));
    let logged = match logged_query(&checkpoint).await {
        Ok(logged) => logged,
        // An unreachable location is reported by another check, too.
        Err(error) if error.kind() != ErrorKind::Checkpoint => return Ok(()),
        Err(error) => return Err(error),
    };
    match logged {
        Some(logged) if !continues(ctx, &logged, &query.text, written.as_ref()).await => {
            Err(refuse_changed(&checkpoint.location(), &logged, &query.text))
        }
        _ => Ok(()),
    }
}
