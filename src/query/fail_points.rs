//! Named points in the life of a query, at which a test can pause or kill it.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::model::BatchId;

/// A point between two awaits of a query.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The next epoch is about to be taken.
    TakingOver,
    /// The epoch is taken and the newest batch is known.
    TakenOver,
    /// The readers of the shards are running.
    ReadersStarted,
    /// The ranges of a batch are known, but only to this process.
    Planned,
    /// `offsets/N` is about to be written.
    OffsetsLogging,
    /// `offsets/N` is written.
    OffsetsLogged,
    /// The batch has its logical plan.
    PlanMade,
    /// The plan is about to run.
    Running,
    /// All rows are written to the output.
    Ran,
    /// The state files of the batch are about to be written.
    StateSaving,
    /// The state files are written; they take effect once the commit names them.
    StateSaved,
    /// `commits/N` is about to be written.
    CommitLogging,
    /// `commits/N` is written.
    CommitLogged,
    /// The buffered rows of the batch are dropped.
    BuffersDropped,
    /// Progress is published to handles and listeners.
    ProgressPublished,
    /// Old entries are about to be deleted.
    Purging,
    /// Old entries are deleted.
    Purged,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 17] = [
        Self::TakingOver,
        Self::TakenOver,
        Self::ReadersStarted,
        Self::Planned,
        Self::OffsetsLogging,
        Self::OffsetsLogged,
        Self::PlanMade,
        Self::Running,
        Self::Ran,
        Self::StateSaving,
        Self::StateSaved,
        Self::CommitLogging,
        Self::CommitLogged,
        Self::BuffersDropped,
        Self::ProgressPublished,
        Self::Purging,
        Self::Purged,
    ];
}

type Hook = dyn Fn(Step, Option<BatchId>) -> BoxFuture<'static, ()> + Send + Sync;

/// A hook that the query awaits at each step. From [`Step::Planned`] on, it receives the batch.
#[doc(hidden)]
#[derive(Clone, Default)]
pub struct StepHook(Option<Arc<Hook>>);

impl StepHook {
    /// Awaits the future that `hook` returns.
    pub fn new<F>(hook: F) -> Self
    where
        F: Fn(Step, Option<BatchId>) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    {
        Self(Some(Arc::new(hook)))
    }

    pub(super) async fn reach(&self, step: Step, batch: Option<BatchId>) {
        if let Some(hook) = &self.0 {
            hook(step, batch).await;
        }
    }
}

impl fmt::Debug for StepHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = self.0.is_some();
        f.debug_tuple("StepHook").field(&set).finish()
    }
}
