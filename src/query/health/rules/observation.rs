//! What is known about a query at one point in time.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::{BatchId, ShardId, StreamName};

/// Counts of requests since the start of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::query) struct Requests {
    /// Pages of records that arrived.
    pub(in crate::query) answered: u64,
    /// Requests for records that were throttled.
    pub(in crate::query) throttled: u64,
    /// Requests for records that failed otherwise.
    pub(in crate::query) failed: u64,
    /// PutRecords calls to the target stream whose records were all accepted.
    pub(in crate::query) written: u64,
    /// PutRecords calls of which a record was throttled.
    pub(in crate::query) write_throttled: u64,
    /// PutRecords calls that failed otherwise, or of which a record did.
    pub(in crate::query) write_failed: u64,
    /// Requests to the checkpoint that succeeded.
    pub(in crate::query) checkpoint_answered: u64,
    /// Requests to the checkpoint that failed.
    pub(in crate::query) checkpoint_failed: u64,
}

impl Requests {
    /// Those after `earlier`.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            answered: self.answered.saturating_sub(earlier.answered),
            throttled: self.throttled.saturating_sub(earlier.throttled),
            failed: self.failed.saturating_sub(earlier.failed),
            written: self.written.saturating_sub(earlier.written),
            write_throttled: self.write_throttled.saturating_sub(earlier.write_throttled),
            write_failed: self.write_failed.saturating_sub(earlier.write_failed),
            checkpoint_answered: self
                .checkpoint_answered
                .saturating_sub(earlier.checkpoint_answered),
            checkpoint_failed: self
                .checkpoint_failed
                .saturating_sub(earlier.checkpoint_failed),
        }
    }

    /// Whether some count is smaller than in `other`.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        let reads = |counts: &Self| [counts.answered, counts.throttled, counts.failed];
        let mut pairs = reads(self).into_iter().zip(reads(other));
        pairs.any(|(count, other)| count < other)
    }

    /// Requests for records that failed or were throttled.
    pub(super) fn read_failures(&self) -> u64 {
        self.throttled + self.failed
    }

    /// PutRecords calls that failed or were throttled.
    pub(super) fn write_failures(&self) -> u64 {
        self.write_throttled + self.write_failed
    }

    /// Those that failed or were throttled.
    pub(super) fn failures(&self) -> u64 {
        self.read_failures() + self.write_failures() + self.checkpoint_failed
    }

    pub(super) fn total(&self) -> u64 {
        self.failures() + self.answered + self.written + self.checkpoint_answered
    }

    pub(super) fn error_rate(&self) -> Option<f64> {
        share(self.failures(), self.total())
    }

    pub(super) fn throttle_rate(&self) -> Option<f64> {
        let reads = self.answered + self.read_failures();
        let writes = self.written + self.write_failures();
        share(self.throttled + self.write_throttled, reads + writes)
    }

    pub(super) fn checkpoint_success_rate(&self) -> Option<f64> {
        let all = self.checkpoint_answered + self.checkpoint_failed;
        share(self.checkpoint_answered, all)
    }
}

fn share(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

/// What is known about a query at one point in time.
#[derive(Debug, Clone)]
pub(in crate::query) struct Observation {
    pub(in crate::query) at: Instant,
    /// The largest lag of the streams, which does not include the rows of the running batch; `None` if nothing is
    /// known.
    pub(in crate::query) reader_lag: Option<Duration>,
    /// The shard with this lag.
    pub(in crate::query) laggard: Option<(StreamName, ShardId)>,
    /// Whether a batch runs, or should run.
    pub(in crate::query) rows_wait: bool,
    /// The batch that runs.
    pub(in crate::query) batch: Option<BatchId>,
    /// What the query is doing.
    pub(in crate::query) activity: String,
    /// Batches that this run has committed.
    pub(in crate::query) commits: u64,
    pub(in crate::query) requests: Requests,
    /// The last failure of a request for records, with its stream and shard.
    pub(in crate::query) read_error: Option<String>,
    /// The last failure of a PutRecords call, with its stream.
    pub(in crate::query) write_error: Option<String>,
    /// The last failure of a request to the checkpoint.
    pub(in crate::query) checkpoint_error: Option<String>,
    pub(in crate::query) recoveries: u64,
    /// Whether this run has committed a batch, or has found everything read.
    pub(in crate::query) is_settled: bool,
}

impl Observation {
    /// Nothing is known.
    pub(in crate::query) fn at(now: Instant) -> Self {
        Self {
            at: now,
            reader_lag: None,
            laggard: None,
            rows_wait: false,
            batch: None,
            activity: String::new(),
            commits: 0,
            requests: Requests::default(),
            read_error: None,
            write_error: None,
            checkpoint_error: None,
            recoveries: 0,
            is_settled: false,
        }
    }
}
