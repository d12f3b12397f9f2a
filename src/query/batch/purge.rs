//! Deletes old log entries and state files in the background.
//!
//! A batch is done once it is committed. Deleting must neither delay the next batch nor end the query:
//! objects that cannot be deleted now are left to a later batch, with a warning.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::Instrument;

use super::state::AggregationState;
use crate::checkpoint::Checkpoint;
use crate::model::BatchId;
use crate::query::fail_points::{Step, StepHook};

/// How many batches pass between two purges of state files.
const BATCHES_PER_STATE_PURGE: u64 = 16;

/// How long an ending query waits for a running purge.
const WAIT_AT_END: Duration = Duration::from_secs(5);

const NOT_PURGED: &str =
    "old checkpoint entries or old state files were not deleted and remain for now";

/// The background purge of a query. At most one runs at a time.
#[derive(Debug, Default)]
pub(super) struct Purge {
    running: JoinSet<()>,
    /// Whether the next purge also deletes state files.
    is_state_due: bool,
}

impl Purge {
    /// Starts to delete what is no longer needed once `committed` is the newest committed batch. Does
    /// nothing while the purge of an earlier batch is running.
    pub(super) fn start(
        &mut self,
        committed: BatchId,
        checkpoint: &Checkpoint,
        state: Option<&AggregationState>,
        hook: &StepHook,
    ) {
        self.is_state_due |= committed.0.is_multiple_of(BATCHES_PER_STATE_PURGE);
        if self.is_running() {
            return;
        }
        let state = state.filter(|_| self.is_state_due);
        self.is_state_due = false;
        let state = state
            .and_then(AggregationState::purge)
            .map(|purge| (purge, checkpoint.oldest_left()));
        let log = checkpoint.purge(committed);
        let hook = hook.clone();
        let deleting = async move {
            hook.reach(Step::Purging, Some(committed)).await;
            log.await;
            if let Some((state, oldest)) = state {
                match oldest.await {
                    Ok(Some(oldest)) => state.run(&oldest).await,
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(%error, "{NOT_PURGED}");
                    }
                }
            }
            hook.reach(Step::Purged, Some(committed)).await;
        };
        self.running.spawn(deleting.in_current_span());
    }

    /// Waits a few seconds at most for a running purge.
    pub(super) async fn finish(&mut self) {
        match timeout(WAIT_AT_END, self.running.join_next()).await {
            Ok(None | Some(Ok(()))) => {}
            Ok(Some(Err(error))) => tracing::warn!(%error, "{NOT_PURGED}"),
            Err(_) => tracing::warn!(waited = ?WAIT_AT_END, "{NOT_PURGED}"),
        }
    }

    /// Aborts a running purge. A later batch continues it.
    pub(super) async fn abort(&mut self) {
        self.running.shutdown().await;
    }

    fn is_running(&mut self) -> bool {
        if let Some(Err(error)) = self.running.try_join_next() {
            tracing::warn!(%error, "{NOT_PURGED}");
        }
        !self.running.is_empty()
    }
}
