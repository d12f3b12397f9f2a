//! Where the readers of a streaming query start.

use std::time::Duration;

use crate::model::{InitialPositions, Offsets, ShardPosition, UnixMillis};

/// Where the readers of a stream start.
#[derive(Debug, Clone)]
pub(crate) enum StreamStart {
    /// At the initial positions of the query.
    Initial {
        /// The positions.
        start: InitialPositions,
        /// When the query was created and the positions were resolved.
        created_at: UnixMillis,
        /// The retention of the stream at that time; `None` if it is not known.
        retention: Option<Duration>,
    },
    /// After the last batch.
    Resume {
        /// The ends of its ranges.
        offsets: Offsets,
        /// The batches contain every record of these shards that had arrived by then; `None` if that is not
        /// known.
        read_to: Option<UnixMillis>,
        /// The retention of the stream at that time; `None` if it was not recorded.
        retention: Option<Duration>,
    },
}

impl StreamStart {
    /// The retention of the stream when the start was recorded.
    pub(super) fn retention(&self) -> Option<Duration> {
        match self {
            Self::Initial { retention, .. } | Self::Resume { retention, .. } => *retention,
        }
    }

    /// Every record that had arrived by then precedes the start, or was not requested: what had expired when
    /// the query was created was never part of it.
    pub(super) fn read_to(&self, retention: Duration) -> Option<UnixMillis> {
        match self {
            Self::Resume { read_to, .. } => *read_to,
            Self::Initial { start, .. } if !start.shards.is_empty() => None,
            Self::Initial {
                start, created_at, ..
            } => match start.others {
                ShardPosition::AtTimestamp(time) => Some(time),
                _ => Some(created_at.minus(retention)),
            },
        }
    }
}
