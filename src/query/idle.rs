//! A query that finds nothing to read says in its log how far it has looked, so that a later start
//! can tell a shard where nothing came from one whose records are gone.

use std::time::Duration;

use super::runner::Runner;
use crate::checkpoint::QueryMetadata;
use crate::model::{Batch, UnixMillis};
use crate::source::follow::StreamReader;

/// How often it says so in the time the stream keeps its records: a query may then be down for three
/// quarters of that time before it has to doubt.
const MARKS_PER_RETENTION: u32 = 4;

/// How long the end of a shard waits for a batch with rows that says it, too. A start that does not know
/// of it would miss the shard once that is not listed any more.
const END_WAITS: Duration = Duration::from_secs(60);

/// What the newest entry of the log says.
#[derive(Debug)]
pub(super) struct Mark {
    /// When it was planned.
    at: UnixMillis,
    /// How far all was read, source by source.
    read_to: Vec<Option<UnixMillis>>,
}

impl Mark {
    /// What is known before there is an entry.
    pub(super) fn beginning(metadata: &QueryMetadata) -> Self {
        Self {
            at: metadata.created_at,
            read_to: vec![None; metadata.sources.len()],
        }
    }

    /// What the entry of `batch` says.
    pub(super) fn of(batch: &Batch) -> Self {
        let read_to = batch.sources.iter().map(|source| source.read_to);
        Self {
            at: batch.time,
            read_to: read_to.collect(),
        }
    }
}

impl Runner {
    /// Whether a batch without rows is to be logged: the newest entry is old, and more is known by
    /// now; or it does not have the end of a shard. A query that ends by itself first reads all that it
    /// is to read, and leaves ends to batches with rows.
    pub(super) fn owes_mark(&self, readers: &[StreamReader]) -> bool {
        if self.until.is_none() && readers.iter().any(|reader| reader.owes_end(END_WAITS)) {
            return true;
        }
        let retention = self.streams.iter().map(|stream| stream.retention).min();
        let age = self.clock.now().since(self.mark.at);
        let is_old = retention.is_some_and(|retention| age >= retention / MARKS_PER_RETENTION);
        if !is_old || (self.until.is_some() && !readers.iter().all(StreamReader::is_exhausted)) {
            return false;
        }
        let mut sources = readers.iter().zip(&self.mark.read_to);
        sources.any(|(reader, told)| reader.read_to() > *told)
    }
}
