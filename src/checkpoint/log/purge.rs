//! Deletes old entries while batches run: the futures here do not borrow the [`Checkpoint`].

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::committer::Log;
use super::super::entry;
use super::Checkpoint;
use super::errors::retrying;
use crate::error::Result;
use crate::model::{BatchId, Committed};

/// How many batches one purge deletes at most, so that a lower retention takes effect over many batches.
const PURGE_STEP: usize = 20;

impl Checkpoint {
    /// Deletes the entries of batches that are not retained, given that `committed` is the newest committed
    /// batch. If a deletion fails, logs a warning and leaves the rest to the next purge.
    pub(crate) fn purge(&self, committed: BatchId) -> impl Future<Output = ()> + Send + use<> {
        let (committer, oldest) = (Arc::clone(&self.committer), Arc::clone(&self.oldest));
        // Deletions need no epoch: a newer run resumes from the newest batch, and only batches older than
        // one that this run itself has committed are deleted.
        let first_kept = (committed.0 + 1).saturating_sub(self.retained);
        async move {
            let first = oldest.load(Ordering::Relaxed);
            // In ascending order, commits first, so that an interrupted purge leaves no gap.
            for batch in (first..first_kept).take(PURGE_STEP).map(BatchId) {
                for log in [Log::Commits, Log::Offsets] {
                    if let Err(error) = committer.remove(log, batch).await {
                        let object = committer.object(log, batch);
                        tracing::warn!(%object, %error, "cannot delete an old checkpoint entry; the next purge tries again");
                        return;
                    }
                }
                oldest.store(batch.next().0, Ordering::Relaxed);
            }
        }
    }

    /// The commit of the oldest batch of the log; `None` before one is committed, or if another run has just
    /// deleted it.
    pub(crate) fn oldest_left(
        &self,
    ) -> impl Future<Output = Result<Option<Committed>>> + Send + use<> {
        let (committer, oldest) = (Arc::clone(&self.committer), Arc::clone(&self.oldest));
        let (retry, random) = (self.retry, self.random());
        async move {
            let oldest = BatchId(oldest.load(Ordering::Relaxed));
            let get = || committer.get(Log::Commits, oldest);
            let found = retrying(retry, random, get).await?;
            Ok(found.and_then(|text| entry::read_commit(&text).ok().map(|(_, left, _)| left)))
        }
    }
}
