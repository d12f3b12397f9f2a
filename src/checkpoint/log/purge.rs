//! What a log needs no more is deleted beside its batches: what does that needs nothing of the [`Checkpoint`].

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::committer::Log;
use super::super::entry;
use super::Checkpoint;
use super::errors::retrying;
use crate::error::Result;
use crate::model::{BatchId, Committed};

/// Batches that one purge deletes at most: a log that is to shrink a lot does so over many batches.
const PURGE_STEP: usize = 20;

impl Checkpoint {
    /// Deletes the entries of batches older than the newest ones that are to be kept, `committed`
    /// being the newest. What cannot be deleted now is left to the next purge, with a warning.
    pub(crate) fn purge(&self, committed: BatchId) -> impl Future<Output = ()> + Send + use<> {
        let (committer, oldest) = (Arc::clone(&self.committer), Arc::clone(&self.oldest));
        // A deletion carries no epoch, and needs none: a newer start goes on from the newest batch, and
        // none is deleted but older ones than a batch that this start has committed itself.
        let first_kept = (committed.0 + 1).saturating_sub(self.retained);
        async move {
            let first = oldest.load(Ordering::Relaxed);
            // Ascending, and the commit first: a log that is purged half has no gap.
            for batch in (first..first_kept).take(PURGE_STEP).map(BatchId) {
                for log in [Log::Commits, Log::Offsets] {
                    if let Err(error) = committer.remove(log, batch).await {
                        let object = committer.object(log, batch);
                        tracing::warn!(%object, %error, "an old checkpoint entry stays for now");
                        return;
                    }
                }
                oldest.store(batch.next().0, Ordering::Relaxed);
            }
        }
    }

    /// What the oldest batch of the log has left; `None` before one is committed, and where another start
    /// deletes it just now.
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
