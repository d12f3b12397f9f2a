//! [`Action`]: what the scheduler can choose to do next: run a batch, wait, end the query.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::UnixMillis;
use crate::query::status::QueryEnd;

/// A point in time on both clocks: the monotonic one for durations, the wall clock for triggers.
#[derive(Debug, Clone, Copy)]
pub(in crate::query) struct Now {
    pub(in crate::query) instant: Instant,
    pub(in crate::query) clock: UnixMillis,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::query) enum Action {
    /// Log how long there has been nothing to read.
    LogIdle(Duration),
    /// Tell the listeners that the query is idle.
    NotifyIdle,
    /// Check for a STOP_LOCK, and end if there is one.
    CheckStopLock,
    /// Plan a batch from the buffered rows, and run it unless it turns out to advance no position.
    RunBatch,
    /// Plan and run a batch even if it has no rows: the log has to record how far the query has read, or
    /// the watermark closes groups.
    RunEmptyBatch,
    /// Wait.
    Wait(Wait),
    /// End the query.
    End(QueryEnd),
}

/// A wait until a deadline, a stop request, or a new caller that waits for the query to catch up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::query) struct Wait {
    pub(in crate::query) reason: WaitReason,
    pub(in crate::query) until: Instant,
}

/// What a query waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::query) enum WaitReason {
    /// The next tick of the trigger. Changes in the sources do not end the wait.
    Trigger,
    /// Shards that are still catching up and may add to the batch.
    CatchingUp,
    /// Data, of which there is none.
    Data,
}
