//! What the query of a log is, and whether a batch is one of it.

use super::super::committer::{Log, Put};
use super::super::entry::{self, Unreadable};
use super::super::query_metadata::{QueryMetadata, QueryText, SourceMetadata};
use super::Checkpoint;
use crate::error::Result;
use crate::model::{Batch, StreamName};

impl Checkpoint {
    /// What the query is; `None` before it was created.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) when it cannot be read, or is gone while batches are there.
    pub(crate) async fn metadata(&self) -> Result<Option<QueryMetadata>> {
        let mut found = self.retrying(|| self.committer.metadata()).await?;
        if found.is_none()
            && let Some(batch) = self.batches(Log::Offsets).await?.pop()
        {
            // Another start may have made both since the first look.
            found = self.retrying(|| self.committer.metadata()).await?;
            if found.is_none() {
                return Err(self.without_metadata(batch));
            }
        }
        found.map(|text| self.read_metadata(&text)).transpose()
    }

    /// Creates the query, and gives the one that stands: somebody may have been faster.
    pub(crate) async fn create_metadata(&self, metadata: &QueryMetadata) -> Result<QueryMetadata> {
        let entry = entry::metadata(metadata)?;
        let put = || self.committer.create_metadata(entry.clone());
        match self.retrying(put).await? {
            Put::Done => Ok(metadata.clone()),
            Put::Exists(found) => self.read_metadata(&found),
            Put::Fenced(newer) => Err(self.fenced(newer, None)),
        }
    }

    /// What the newest start that planned a batch ran, where that is not what the query was created with.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) where its entry cannot be read.
    pub(crate) async fn runs_since(&self) -> Result<Option<QueryText>> {
        let Some(batch) = self.batches(Log::Offsets).await?.pop() else {
            return Ok(None);
        };
        let found = self
            .retrying(|| self.committer.get(Log::Offsets, batch))
            .await?;
        let Some(found) = found else {
            return Ok(None);
        };
        let (_, writer) = entry::read_heading(&found)
            .map_err(|reason| self.unreadable(Log::Offsets, batch, &reason))?;
        Ok(writer.runs)
    }

    /// Has each entry of `offsets` say that `runs` is what the query runs now.
    pub(crate) fn set_runs(&mut self, runs: QueryText) {
        self.runs = Some(runs);
    }

    /// Refuses a batch that reads other streams than the query of `metadata`.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) with the streams of both.
    pub(crate) fn expect_sources(&self, batch: &Batch, metadata: &QueryMetadata) -> Result<()> {
        let read = batch.sources.iter().map(|source| &source.stream);
        let sources = metadata.sources.iter().map(SourceMetadata::stream_name);
        if read.clone().eq(sources.clone()) {
            return Ok(());
        }
        let reason = format!(
            "is not of this query: it reads {}, expected {}",
            listed(read),
            listed(sources)
        );
        Err(self.unreadable(Log::Offsets, batch.id, &Unreadable::Foreign(reason)))
    }
}

fn listed<'a>(streams: impl Iterator<Item = &'a StreamName>) -> String {
    let streams: Vec<String> = streams.map(|stream| format!("'{stream}'")).collect();
    match streams.as_slice() {
        [] => "no stream".to_owned(),
        streams => format!("stream {}", streams.join(" and ")),
    }
}
