//! Public status types: what a query is doing, and why it ended.

use super::health::HealthState;

/// Why a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueryEnd {
    /// Its trigger finished: `once` and `available now` end after reading what was in the streams at the
    /// start.
    Finished,
    /// [`StreamingQuery::stop`](super::StreamingQuery::stop) was called.
    Stopped,
    /// It found a `STOP_LOCK` in its checkpoint location.
    StopLock,
    /// It failed with [an error](super::StreamingQuery::error).
    Failed,
}

/// What a query is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueryStatus {
    /// A description of the current activity.
    pub message: String,
    /// Whether there is data that no batch has taken yet.
    pub is_data_available: bool,
    /// Whether a batch is being planned or run.
    pub is_trigger_active: bool,
    /// Whether an alarm is raised, or the query has failed. [`StreamingQuery::health`](super::StreamingQuery::health)
    /// says why.
    pub health: HealthState,
}
