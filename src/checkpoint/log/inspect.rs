//! A look at a log from outside: what its batches have left, while its query may go on.

use std::fmt;

use super::Checkpoint;
use crate::checkpoint::committer::Log;
use crate::checkpoint::entry;
use crate::error::{Error, Result};
use crate::model::{BatchId, Committed};

impl Checkpoint {
    /// What `batch` has left, or the newest committed one, and which that is. Nothing is written, and
    /// nothing is taken over.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) where no batch is committed, or this one is not,
    /// or not any more; [`Checkpoint`](crate::ErrorKind::Checkpoint) where its entry cannot be read.
    pub(crate) async fn inspect(&self, batch: Option<BatchId>) -> Result<(BatchId, Committed)> {
        let committed = self.batches(Log::Commits).await?;
        let (Some(oldest), Some(newest)) = (committed.first(), committed.last()) else {
            return Err(self.wrong(
                "no batch of a streaming query is committed here: expected a checkpoint location with \
                 its folder 'commits'; a log in DynamoDB, or at another 'kinesis.metadataPath', is not \
                 found from here",
            ));
        };
        let batch = batch.unwrap_or(*newest);
        let entry = self
            .retrying(|| self.committer.get(Log::Commits, batch))
            .await?;
        let Some(entry) = entry else {
            return Err(self.wrong(format!(
                "batch {batch} is not in the log: expected one from {oldest} to {newest} (how many \
                 stay is option 'kinesis.minBatchesToRetain')"
            )));
        };
        let (inside, left, _) = entry::read_commit(&entry)
            .map_err(|reason| self.unreadable(Log::Commits, batch, &reason))?;
        self.expect_batch(Log::Commits, batch, inside)?;
        Ok((batch, left))
    }

    fn wrong(&self, what: impl fmt::Display) -> Error {
        let location = self.location();
        Error::invalid_option(format!("checkpoint '{location}': {what}"))
    }
}
