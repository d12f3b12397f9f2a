//! The named points of a query's life, where a test can hold or kill it.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::model::BatchId;

/// A point between two awaits of a query.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The query is about to take the next epoch.
    TakingOver,
    /// The epoch is taken and the newest batch known.
    TakenOver,
    /// The shards are being read.
    ReadersStarted,
    /// The ranges of a batch are known, to this process only.
    Planned,
    /// `offsets/N` is about to be written.
    OffsetsLogging,
    /// `offsets/N` is written.
    OffsetsLogged,
    /// The batch has its logical plan.
    PlanMade,
    /// The plan is about to run.
    Running,
    /// All rows are where they belong.
    Ran,
    /// What the batch has done to the state is about to be written.
    StateSaving,
    /// It is written, and counts once the commit names it.
    StateSaved,
    /// `commits/N` is about to be written.
    CommitLogging,
    /// `commits/N` is written.
    CommitLogged,
    /// The buffers have let go of the batch.
    BuffersDropped,
    /// Handle and listeners know of the batch.
    ProgressPublished,
    /// Old entries are about to be deleted.
    Purging,
    /// Old entries are deleted.
    Purged,
}

impl Step {
    /// All of them, in their order.
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

/// What is awaited at each step; the batch is known from [`Step::Planned`] on.
#[doc(hidden)]
#[derive(Clone, Default)]
pub struct StepHook(Option<Arc<Hook>>);

impl StepHook {
    /// Awaits what `hook` gives.
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
