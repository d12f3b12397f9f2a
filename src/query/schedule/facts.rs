//! [`Facts`]: the input of the scheduler's decisions.

use tokio::time::Instant;

use crate::error::Result;
use crate::model::UnixMillis;
use crate::source::streaming::Readiness;

/// Whether one source has data for a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::query) struct SourceReadiness {
    pub(in crate::query) readiness: Readiness,
    /// Whether everything up to the frozen tip of the source is taken.
    pub(in crate::query) is_exhausted: bool,
}

/// The facts about a query and its sources that the scheduler needs. It calls a method only when the
/// result matters, because some methods walk over all shards.
pub(in crate::query) trait Facts {
    /// Whether a handle has requested a stop.
    fn is_stop_requested(&self) -> bool;

    /// Whether a caller waits for the query to catch up.
    fn has_catch_up_waiters(&self) -> bool;

    /// Whether each source has data for a trigger that fired at `fired_at`.
    ///
    /// # Errors
    /// The permanent error of a reader.
    fn readiness(&self, fired_at: Instant) -> Result<Vec<SourceReadiness>>;

    /// Whether everything up to the frozen tips of all sources is taken.
    fn is_exhausted(&self) -> bool;

    /// Whether all rows that were in the streams at `time` are taken.
    fn has_taken_all_before(&self, time: UnixMillis) -> bool;

    /// Whether a batch without rows is due.
    fn needs_empty_batch(&self, now: UnixMillis) -> bool;

    /// Whether the passing of time alone may close groups.
    fn closes_groups_by_clock(&self) -> bool;
}
