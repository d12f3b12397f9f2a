//! What is known of a shard before it is read.

use std::time::Duration;

use super::proof::MARGIN;
use super::window::Kept;
use crate::model::{ShardPosition, UnixMillis};

/// What is known of the time before the place where reading a shard starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Past {
    /// All that had arrived by then was read, or is not wanted.
    pub(crate) read_to: Option<UnixMillis>,
    /// Whether whatever comes first is what was asked for.
    pub(crate) is_chosen: bool,
}

/// When a start was asked for, and how long the stream kept records then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) at: UnixMillis,
    pub(crate) retention: Duration,
}

impl Past {
    /// What is known of a start that was asked for, by a reader that is made `now`.
    pub(crate) fn of_wish(start: &ShardPosition, wish: Wish, now: UnixMillis, kept: Kept) -> Self {
        let oldest = wish.at.minus(wish.retention).plus(MARGIN);
        match start {
            ShardPosition::AtTimestamp(time) if *time >= oldest => Self {
                read_to: Some(now.min(*time)),
                is_chosen: false,
            },
            // Some of it was gone before anybody asked.
            ShardPosition::TrimHorizon | ShardPosition::AtTimestamp(_) => Self {
                read_to: Some(kept.edge(now)),
                is_chosen: true,
            },
            _ => Self::default(),
        }
    }

    /// What is known of a start that the log has, of a batch that all that had arrived by `read_to`
    /// lies before.
    pub(crate) fn of_log(start: &ShardPosition, read_to: Option<UnixMillis>) -> Self {
        let asked = match start {
            ShardPosition::AtTimestamp(time) => Some(*time),
            _ => None,
        };
        Self {
            read_to: read_to.max(asked),
            is_chosen: false,
        }
    }

    /// The same of a shard that took its first record after `time`.
    #[must_use]
    pub(crate) fn not_before(self, time: UnixMillis) -> Self {
        Self {
            read_to: self.read_to.max(Some(time)),
            ..self
        }
    }
}
