//! A query that finds nothing to read says in its log how far it has looked, so that a later start
//! can tell a shard where nothing came from one whose records are gone.

use std::time::Duration;

use crate::checkpoint::QueryMetadata;
use crate::model::{Batch, StreamRanges, UnixMillis};
use crate::query::task::Runner;
use crate::source::streaming::StreamReader;

/// How often it says so in the time the stream keeps its records: a query may then be down for three
/// quarters of that time before it has to doubt.
const MARKS_PER_RETENTION: u32 = 4;

/// How long the end of a shard waits for a batch with rows that says it, too. A start that does not know
/// of it would miss the shard once that is not listed any more.
const END_WAITS: Duration = Duration::from_secs(60);

/// How far the log says that all was read, source by source.
#[derive(Debug)]
pub(in crate::query) struct Mark(Vec<UnixMillis>);

impl Mark {
    /// What is known before there is an entry.
    pub(in crate::query) fn beginning(metadata: &QueryMetadata) -> Self {
        Self(vec![metadata.created_at; metadata.sources.len()])
    }

    /// What the entry of `batch` says; not to know it is worse than any time.
    pub(in crate::query) fn of(batch: &Batch) -> Self {
        let told = |source: &StreamRanges| source.read_to.unwrap_or(UnixMillis(i64::MIN));
        Self(batch.sources.iter().map(told).collect())
    }
}

impl Runner {
    /// Whether a batch without rows is to be logged: what the newest entry says is old, and much more is
    /// known by now; or it does not have the end of a shard, or a statement that was accepted. A query that
    /// ends by itself first reads all that it is to read, and leaves ends to batches with rows.
    pub(in crate::query) fn owes_mark(&self, readers: &[StreamReader]) -> bool {
        let reads_on = || self.until.is_some() && !readers.iter().all(StreamReader::is_exhausted);
        if self.owes_query {
            return !reads_on();
        }
        if self.until.is_none()
            && readers
                .iter()
                .any(|reader| reader.has_unlogged_shard_end(END_WAITS))
        {
            return true;
        }
        let retention = readers.iter().map(StreamReader::retention).min();
        let most = retention.unwrap_or_default() / MARKS_PER_RETENTION;
        let is_old = |told: &UnixMillis, time: UnixMillis| time.since(*told) >= most;
        let now = self.clock.now();
        // A walk over the shards is worth it only then.
        if !self.mark.0.iter().any(|told| is_old(told, now)) || reads_on() {
            return false;
        }
        let mut sources = readers.iter().zip(&self.mark.0);
        sources.any(|(reader, told)| reader.read_to().is_some_and(|time| is_old(told, time)))
    }
}
