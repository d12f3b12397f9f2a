//! What runs the statements of a query.

use std::sync::Arc;

use crate::checkpoint::StateObjects;
use crate::error::{Error, Result};
use crate::model::RetryPolicy;
use crate::query::batch::{AggregationState, MemberExecutor};
use crate::query::identity::CheckpointStorage;
use crate::query::output::Output;
use crate::query::plan::{Member, QueryPlan};
use crate::state::StateDirectory;

/// What runs the statements of a query. `output` is that of a query of one statement; those of a set insert.
pub(super) async fn members(
    plan: &QueryPlan,
    output: Output,
    storage: &CheckpointStorage,
    retry: RetryPolicy,
    random: &mut fastrand::Rng,
) -> Result<Vec<MemberExecutor>> {
    let (mut output, mut members) = (Some(output), Vec::with_capacity(plan.members.len()));
    for member in &plan.members {
        members.push(MemberExecutor {
            member: Arc::clone(member),
            output: output.take().unwrap_or(Output::Insert),
            state: aggregation_state(member, storage, retry, random).await?,
        });
    }
    Ok(members)
}

/// The state of the aggregation of `member`, if it has one.
async fn aggregation_state(
    member: &Member,
    storage: &CheckpointStorage,
    retry: RetryPolicy,
    random: &mut fastrand::Rng,
) -> Result<Option<AggregationState>> {
    let plan = &member.plan;
    let (Some(aggregation), Some(store)) = (&plan.aggregation, plan.new_state_store().await?)
    else {
        return Ok(None);
    };
    if !aggregation.growing.is_empty() {
        let aggregates = aggregation.growing.join(", ");
        tracing::warn!(
            aggregates,
            "these aggregates keep every value of a group: its state grows with each row"
        );
    }
    let directory = match &storage.state {
        Some(location) => {
            let objects = StateObjects::at(location, retry, random.fork())?;
            Some(StateDirectory::new(objects))
        }
        None if storage.exclusive.is_empty() => None,
        None => {
            return Err(Error::invalid_option(
                "a streaming GROUP BY keeps its state at the checkpoint location, but there is none: \
                 expected SET streaming.checkpoint_location = 'file:///some/directory' (or s3://…), or \
                 with_checkpoint_location(…) in code",
            ));
        }
    };
    let state = AggregationState::new(member, aggregation, store, directory);
    Ok(Some(state))
}
