//! The query that a log belongs to: its metadata, its current statement, and its sources.

use super::super::committer::{Log, Put};
use super::super::entry::{self, Unreadable};
use super::super::query_metadata::{QueryMetadata, QueryText, SourceMetadata};
use super::Checkpoint;
use crate::error::Result;
use crate::model::{Batch, StreamName};

impl Checkpoint {
    /// The metadata of the query; `None` before it was created.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) if it is unreadable, or missing although
    /// batches exist.
    pub(crate) async fn metadata(&self) -> Result<Option<QueryMetadata>> {
        let mut found = self.retrying(|| self.committer.metadata()).await?;
        if found.is_none()
            && let Some(batch) = self.batches(Log::Offsets).await?.pop()
        {
            // Another run may have created both since the first read.
            found = self.retrying(|| self.committer.metadata()).await?;
            if found.is_none() {
                return Err(self.without_metadata(batch));
            }
        }
        found.map(|text| self.read_metadata(&text)).transpose()
    }

    /// Whether a query has created it.
    ///
    /// # Errors
    /// The committer fails.
    pub(crate) async fn exists(&self) -> Result<bool> {
        let found = self.retrying(|| self.committer.metadata()).await?;
        Ok(found.is_some())
    }

    /// Creates the metadata. If another run created it first, returns that.
    pub(crate) async fn create_metadata(&self, metadata: &QueryMetadata) -> Result<QueryMetadata> {
        let entry = entry::metadata(metadata)?;
        let put = || self.committer.create_metadata(entry.clone());
        match self.retrying(put).await? {
            Put::Done => Ok(metadata.clone()),
            Put::Exists(found) => self.read_metadata(&found),
            Put::Fenced(newer) => Err(self.fenced(newer, None)),
        }
    }

    /// The statement and sink of the run that planned the newest batch, if they differ from those the query
    /// was created with.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`](crate::ErrorKind::Checkpoint) if the entry is unreadable.
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

    /// Records `runs` as the current statement and sink in every later entry of `offsets`.
    pub(crate) fn set_runs(&mut self, runs: QueryText) {
        self.runs = Some(runs);
    }

    /// Refuses a batch whose streams are not those of `metadata`.
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
            "belongs to another query: it reads {}, expected {}",
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
