//! Reads a log for `read_state`, while its query may be running.

use std::fmt;

use super::Checkpoint;
use crate::checkpoint::committer::Log;
use crate::checkpoint::entry;
use crate::error::{Error, Result};
use crate::model::{BatchId, Committed};

impl Checkpoint {
    /// The commit of `batch`, or of the newest committed batch. Writes nothing and takes no epoch.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if no batch is committed, or this one is not
    /// committed or was purged; [`Checkpoint`](crate::ErrorKind::Checkpoint) if its entry is unreadable.
    pub(crate) async fn inspect(&self, batch: Option<BatchId>) -> Result<(BatchId, Committed)> {
        let committed = self.batches(Log::Commits).await?;
        let (Some(oldest), Some(newest)) = (committed.first(), committed.last()) else {
            return Err(self.wrong(
                "no batch of a streaming query has been committed here: expected a checkpoint location with \
                 a folder 'commits'; logs in DynamoDB or at a 'kinesis.metadataPath' cannot be read by \
                 location",
            ));
        };
        let batch = batch.unwrap_or(*newest);
        let entry = self
            .retrying(|| self.committer.get(Log::Commits, batch))
            .await?;
        let Some(entry) = entry else {
            return Err(self.wrong(format!(
                "batch {batch} is not in the log: expected one from {oldest} to {newest} (option \
                 'kinesis.minBatchesToRetain' sets how many are retained)"
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
