//! Decides when an idle query writes an empty batch, so that the log records how far the query has read.
//!
//! A start resumes from the newest entry of the log. For a shard whose position is older than the retention
//! period it has to decide whether records were lost: either none arrived after that position, or those
//! that did have expired. The entry of a batch therefore records up to which time every shard was read
//! (`read_to`), and everything that arrived after the start of the retention period is still there. While
//! no data arrives no batch is planned, the recorded time grows old, and after one retention period the two
//! cases can no longer be distinguished. An idle query avoids that by writing a batch without rows several
//! times per retention period.

use std::time::Duration;

use crate::checkpoint::QueryMetadata;
use crate::model::{Batch, StreamRanges, UnixMillis};

/// How many entries are written per retention period of the stream. With four, a query may be down for
/// three quarters of the period before its log is too old.
const ENTRIES_PER_RETENTION: u32 = 4;

/// How long the end of a shard waits for a batch with rows that records it, before a batch without rows
/// does. A start that does not know about the end misses the shard once it is no longer listed.
const MAX_SHARD_END_DELAY: Duration = Duration::from_secs(60);

/// The facts about how far the sources are read that decide whether the log needs an entry.
pub(in crate::query) trait ReadProgress {
    /// Whether the query ends at a frozen tip, and has not taken everything up to there.
    fn has_rows_before_end(&self) -> bool;

    /// Whether the query ends at a frozen tip.
    fn has_end(&self) -> bool;

    /// Whether the end of some shard was read at least `age` ago, and no batch has recorded it.
    fn has_unlogged_shard_end(&self, age: Duration) -> bool;

    /// The shortest retention period of the streams.
    fn retention(&self) -> Option<Duration>;

    /// Up to which time each source is read; `None` if unknown. Costs a walk over the shards.
    fn read_to(&self) -> impl Iterator<Item = Option<UnixMillis>>;
}

/// Up to which time each source was read according to the newest entry of the log.
#[derive(Debug)]
pub(in crate::query) struct LogCoverage {
    read_to: Vec<UnixMillis>,
    /// Whether the log has yet to record the statement of this start, which replaces an earlier one.
    has_unlogged_statement: bool,
}

impl LogCoverage {
    /// Coverage of the log of a query that is described by `metadata`, before its first entry.
    pub(in crate::query) fn new(metadata: &QueryMetadata, has_unlogged_statement: bool) -> Self {
        Self {
            read_to: vec![metadata.created_at; metadata.sources.len()],
            has_unlogged_statement,
        }
    }

    /// Handles a log that was just read, with `newest` as its newest batch.
    pub(in crate::query) fn recovered(&mut self, newest: Option<&Batch>, metadata: &QueryMetadata) {
        self.read_to = match newest {
            Some(batch) => read_to(batch),
            None => vec![metadata.created_at; metadata.sources.len()],
        };
    }

    /// Records that the entry of `batch` was written.
    pub(in crate::query) fn logged(&mut self, batch: &Batch) {
        self.read_to = read_to(batch);
        self.has_unlogged_statement = false;
    }

    /// Whether a batch without rows is due at `now`: the newest entry is old and the query has read
    /// considerably further since, or the entry lacks the end of a shard or the statement of this start.
    ///
    /// A query that ends by itself first reads everything up to its end, and leaves the ends of shards to
    /// batches with rows.
    pub(in crate::query) fn needs_entry(
        &self,
        now: UnixMillis,
        sources: &impl ReadProgress,
    ) -> bool {
        if self.has_unlogged_statement {
            return !sources.has_rows_before_end();
        }
        if !sources.has_end() && sources.has_unlogged_shard_end(MAX_SHARD_END_DELAY) {
            return true;
        }
        let max_age = sources.retention().unwrap_or_default() / ENTRIES_PER_RETENTION;
        let is_old = |logged: &UnixMillis, time: UnixMillis| time.since(*logged) >= max_age;
        // Checked first, because `read_to` walks over the shards.
        let is_any_old = self.read_to.iter().any(|logged| is_old(logged, now));
        if !is_any_old || sources.has_rows_before_end() {
            return false;
        }
        let mut progress = sources.read_to().zip(&self.read_to);
        progress.any(|(read_to, logged)| read_to.is_some_and(|time| is_old(logged, time)))
    }
}

/// The times that the entry of `batch` records for each source. An unknown time counts as infinitely old.
fn read_to(batch: &Batch) -> Vec<UnixMillis> {
    let read_to = |source: &StreamRanges| source.read_to.unwrap_or(UnixMillis(i64::MIN));
    batch.sources.iter().map(read_to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BatchId;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// A stream that keeps its records for 24 hours, and is read to `read_to`.
    struct Progress {
        has_end: bool,
        has_rows_before_end: bool,
        has_unlogged_shard_end: bool,
        read_to: Option<UnixMillis>,
    }

    impl ReadProgress for Progress {
        fn has_end(&self) -> bool {
            self.has_end
        }

        fn has_rows_before_end(&self) -> bool {
            self.has_rows_before_end
        }

        fn has_unlogged_shard_end(&self, _age: Duration) -> bool {
            self.has_unlogged_shard_end
        }

        fn retention(&self) -> Option<Duration> {
            Some(24 * HOUR)
        }

        fn read_to(&self) -> impl Iterator<Item = Option<UnixMillis>> {
            [self.read_to].into_iter()
        }
    }

    fn at(hours: u32) -> UnixMillis {
        UnixMillis(0).plus(HOUR * hours)
    }

    fn progress(read_to: u32) -> Progress {
        Progress {
            has_end: false,
            has_rows_before_end: false,
            has_unlogged_shard_end: false,
            read_to: Some(at(read_to)),
        }
    }

    fn coverage(read_to: u32) -> LogCoverage {
        LogCoverage {
            read_to: vec![at(read_to)],
            has_unlogged_statement: false,
        }
    }

    #[test]
    fn an_entry_is_due_after_a_quarter_of_the_retention_period() {
        let log = coverage(10);
        assert!(!log.needs_entry(at(15), &progress(15)));
        assert!(log.needs_entry(at(16), &progress(16)));
        assert!(!log.needs_entry(at(16), &progress(15)), "not read so far");
        let unknown = Progress {
            read_to: None,
            ..progress(0)
        };
        assert!(!log.needs_entry(at(16), &unknown));
    }

    #[test]
    fn an_entry_that_does_not_say_how_far_it_read_is_old() {
        let mut log = coverage(10);
        log.logged(&Batch {
            id: BatchId(3),
            time: at(12),
            watermarks: std::collections::BTreeMap::new(),
            sources: vec![StreamRanges {
                stream: crate::model::StreamName::new("words").unwrap(),
                created_at: None,
                read_to: None,
                retention: None,
                shards: std::collections::BTreeMap::new(),
            }],
        });
        assert!(log.needs_entry(at(12), &progress(12)));
    }

    #[test]
    fn the_end_of_a_shard_is_logged_unless_the_query_ends_by_itself() {
        let ended = Progress {
            has_unlogged_shard_end: true,
            ..progress(10)
        };
        assert!(coverage(10).needs_entry(at(10), &ended));
        let ends = Progress {
            has_end: true,
            ..ended
        };
        assert!(!coverage(10).needs_entry(at(10), &ends));
    }

    #[test]
    fn an_accepted_statement_is_logged_after_the_rows_before_the_end() {
        let log = LogCoverage {
            has_unlogged_statement: true,
            ..coverage(10)
        };
        assert!(log.needs_entry(at(10), &progress(10)));
        let reading = Progress {
            has_end: true,
            has_rows_before_end: true,
            ..progress(10)
        };
        assert!(!log.needs_entry(at(10), &reading));
    }
}
