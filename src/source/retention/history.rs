//! What the log and the listing say about a shard before its reader starts.

use std::time::Duration;

use super::window::{MARGIN, RetentionWindow};
use crate::model::{ShardPosition, UnixMillis};

/// What is known about the records before a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ReadHistory {
    /// Every record that had arrived by then was read, or is not wanted.
    pub(crate) read_to: Option<UnixMillis>,
    /// Whether any first record is correct, because the start requests the oldest remaining records.
    pub(crate) accepts_any_first: bool,
}

/// When a start was requested, and the retention of the stream at that time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StartRequest {
    pub(crate) at: UnixMillis,
    pub(crate) retention: Duration,
}

impl ReadHistory {
    /// The history of a start that a user requested, for a reader that starts at `now`.
    pub(crate) fn of_requested_start(
        start: &ShardPosition,
        request: StartRequest,
        now: UnixMillis,
        window: RetentionWindow,
    ) -> Self {
        let oldest = request.at.minus(request.retention).plus(MARGIN);
        match start {
            ShardPosition::AtTimestamp(time) if *time >= oldest => Self {
                read_to: Some(now.min(*time)),
                accepts_any_first: false,
            },
            // Some records had already expired when the start was requested.
            ShardPosition::TrimHorizon | ShardPosition::AtTimestamp(_) => Self {
                read_to: Some(window.safe_horizon(now)),
                accepts_any_first: true,
            },
            _ => Self::default(),
        }
    }

    /// The history of a start that comes from the log, where the last batch had taken every record that had
    /// arrived by `read_to`.
    pub(crate) fn of_logged_start(start: &ShardPosition, read_to: Option<UnixMillis>) -> Self {
        let requested = match start {
            ShardPosition::AtTimestamp(time) => Some(*time),
            _ => None,
        };
        Self {
            read_to: read_to.max(requested),
            accepts_any_first: false,
        }
    }

    /// The history of a shard whose first record arrived after `time`.
    #[must_use]
    pub(crate) fn with_no_records_before(self, time: UnixMillis) -> Self {
        Self {
            read_to: self.read_to.max(Some(time)),
            ..self
        }
    }
}
