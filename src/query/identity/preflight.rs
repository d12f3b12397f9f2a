//! What a start of a statement would be refused for at its checkpoint, found out beforehand.

use datafusion::prelude::SessionContext;

use crate::checkpoint::{Checkpoint, QueryText, open};
use crate::error::failure;
use crate::error::{ErrorKind, Result};
use crate::model::RetryPolicy;
use crate::options::CommitterKind;
use crate::query::identity::metadata::metadata_options;
use crate::query::identity::statement::{is_same_query, refuse_changed};
use crate::query::output::FOREACH_BATCH;
use crate::query::plan::StreamingPlan;
use crate::sql::{StreamingSettings, logical_plan};

/// Refuses a statement whose start would be refused because its checkpoint is that of another query. Only logs in
/// object stores are looked at, and nothing is written.
///
/// # Errors
/// Those of planning; [`Checkpoint`](ErrorKind::Checkpoint) with both queries, or for entries that cannot be read.
pub(crate) async fn expect_own_checkpoint(ctx: &SessionContext, sql: &str) -> Result<()> {
    let state = ctx.state();
    let settings = StreamingSettings::of(state.config_options());
    let plan = logical_plan(ctx, sql).await.map_err(failure)?;
    let plan = StreamingPlan::new(&state, plan, &settings)?;
    let options = metadata_options(&plan.sources)?;
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
    let Ok(committer) = open(&location) else {
        // Whether the place can be meant is found out elsewhere, too.
        return Ok(());
    };
    let checkpoint = Checkpoint::new(committer, once, 1, fastrand::Rng::with_seed(0));
    let was = match found(&checkpoint).await {
        Ok(was) => was,
        // So is whether it can be reached.
        Err(error) if error.kind() != ErrorKind::Checkpoint => return Ok(()),
        Err(error) => return Err(error),
    };
    let sink = match plan.inserts() {
        true => plan.sink(),
        false => FOREACH_BATCH.to_owned(),
    };
    let runs = QueryText {
        sink,
        statement: Some(sql.trim().to_owned()),
    };
    match was.filter(|was| !is_same_query(was, &runs)) {
        Some(was) => Err(refuse_changed(&checkpoint.location(), &was, &runs)),
        None => Ok(()),
    }
}

/// What the query of a checkpoint runs; `None` where there is no query yet.
async fn found(checkpoint: &Checkpoint) -> Result<Option<QueryText>> {
    let Some(metadata) = checkpoint.metadata().await? else {
        return Ok(None);
    };
    let since = checkpoint.runs_since().await?;
    Ok(Some(since.unwrap_or(metadata.runs)))
}
