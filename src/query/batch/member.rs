//! A statement of a query while the query runs: its plan, its output and its state.

use std::sync::Arc;

use datafusion::execution::SessionState;

use super::planned::PlannedBatch;
use super::state::AggregationState;
use crate::error::{Error, Result};
use crate::query::events::OutputSampler;
use crate::query::output::{BatchResult, Output};
use crate::query::plan::{BatchPlan, Member, state_at};
use crate::state::{StateBatch, in_batch};

/// Runs one statement of a query in each batch.
#[derive(Debug)]
pub(in crate::query) struct MemberExecutor {
    pub(in crate::query) member: Arc<Member>,
    pub(in crate::query) output: Output,
    /// The state of its aggregation, if it has one.
    pub(in crate::query) state: Option<AggregationState>,
}

/// A batch of a member that is ready to run.
#[derive(Debug)]
pub(super) struct MemberBatch {
    session: SessionState,
    plan: BatchPlan,
    /// The changes of the state, which the run makes.
    pub(super) changes: Option<Arc<StateBatch>>,
}

impl MemberExecutor {
    /// Its part of a batch.
    ///
    /// # Errors
    /// The plan cannot be rewritten.
    pub(super) fn prepare(&self, planned: &PlannedBatch) -> Result<MemberBatch> {
        let PlannedBatch { batch, reads, .. } = planned;
        let state = self.state.as_ref();
        let changes = state.map(|state| state.begin(batch, reads));
        let session = state_at(&self.member.plan.session, batch.time);
        Ok(MemberBatch {
            session: match &changes {
                Some(changes) => in_batch(&session, changes),
                None => session,
            },
            plan: self.member.for_batch(reads)?,
            changes,
        })
    }

    /// Reads its part of the batch and writes the output.
    ///
    /// # Errors
    /// Errors of planning, of reading, and of the output, with the name of the statement.
    pub(super) async fn run(
        &self,
        planned: &PlannedBatch,
        batch: MemberBatch,
    ) -> Result<BatchResult> {
        let ran = self
            .output
            .run(&batch.session, batch.plan, planned.batch.id);
        ran.await.map_err(|error| self.in_context(error))
    }

    /// Shows groups of its state to those who look at the query from outside.
    pub(in crate::query) fn sampler(&self) -> Option<OutputSampler> {
        let state = self.state.as_ref()?;
        Some(OutputSampler {
            output: self.member.name.clone(),
            groups: state.sampler(),
        })
    }

    /// A description of its output.
    pub(in crate::query) fn sink(&self) -> String {
        self.output.sink(&self.member.plan)
    }

    /// Names the statement in an error, if it has a name.
    pub(super) fn in_context(&self, error: Error) -> Error {
        match &self.member.name {
            Some(name) => error.in_context(format!("output '{name}'")),
            None => error,
        }
    }
}
