//! What a query deletes beside its batches: entries of the log and files of the state that nothing needs.
//!
//! A batch is done once it is committed. No deletion may hold up the next one, and none may end the query: what
//! cannot be deleted now is left to a later batch, with a warning.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::Instrument;

use crate::model::BatchId;
use crate::query::batch::state::Stateful;
use crate::query::fail_points::Step;
use crate::query::task::Runner;

/// Batches after which it is looked for files of the state that nothing needs.
const BATCHES_PER_STATE_PURGE: u64 = 16;

/// How long a query that ends waits for deletions.
const WAIT_AT_END: Duration = Duration::from_secs(5);

const LEFT: &str = "old entries of the checkpoint, or old files of the state, stay for now";

/// The deletions of a query.
#[derive(Debug, Default)]
pub(in crate::query) struct Housekeeping {
    /// One task at most.
    running: JoinSet<()>,
    /// Whether the files of the state are to be looked through.
    state_is_due: bool,
}

impl Housekeeping {
    /// Waits for the deletions that were begun, but not for long.
    pub(in crate::query) async fn finish(&mut self) {
        match timeout(WAIT_AT_END, self.running.join_next()).await {
            Ok(None | Some(Ok(()))) => {}
            Ok(Some(Err(error))) => tracing::warn!(%error, "{LEFT}"),
            Err(_) => tracing::warn!(waited = ?WAIT_AT_END, "{LEFT}"),
        }
    }

    /// Stops what was begun; a later batch goes on with it.
    pub(in crate::query) async fn stop(&mut self) {
        self.running.shutdown().await;
    }

    /// Whether the deletions of an earlier batch are still going on.
    fn is_busy(&mut self) -> bool {
        if let Some(Err(error)) = self.running.try_join_next() {
            tracing::warn!(%error, "{LEFT}");
        }
        !self.running.is_empty()
    }
}

impl Runner {
    /// Begins to delete what no batch needs any more, `committed` being the newest. Where earlier deletions are
    /// still going on a later batch does it.
    pub(in crate::query) fn keep_house(&mut self, committed: BatchId) {
        let house = &mut self.housekeeping;
        house.state_is_due |= committed.0.is_multiple_of(BATCHES_PER_STATE_PURGE);
        if house.is_busy() {
            return;
        }
        let state = self.stateful.as_ref().filter(|_| house.state_is_due);
        house.state_is_due = false;
        let state = state
            .and_then(Stateful::purger)
            .map(|state| (state, self.checkpoint.oldest_left()));
        let log = self.checkpoint.purge(committed);
        let hook = self.hook.clone();
        let deleting = async move {
            hook.reach(Step::Purging, Some(committed)).await;
            log.await;
            if let Some((state, oldest)) = state {
                match oldest.await {
                    Ok(Some(oldest)) => state.purge(&oldest).await,
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(%error, "{LEFT}");
                    }
                }
            }
            hook.reach(Step::Purged, Some(committed)).await;
        };
        house.running.spawn(deleting.in_current_span());
    }
}
