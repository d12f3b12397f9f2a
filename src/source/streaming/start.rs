//! Where the readers of a streaming query start.

use std::time::Duration;

use crate::model::{InitialPositions, Offsets, ShardPosition, UnixMillis};

/// Where reading starts.
#[derive(Debug, Clone)]
pub(crate) enum StreamStart {
    /// Where the query does.
    Initial {
        /// The places.
        start: InitialPositions,
        /// When the query was created, and the places were what they say.
        created_at: UnixMillis,
        /// How long the stream kept records then; `None` where that is not known.
        retention: Option<Duration>,
    },
    /// Behind the last batch.
    Resume {
        /// The ends of its ranges.
        offsets: Offsets,
        /// All that had arrived by then in the shards of the offsets lies before them; `None` where
        /// that is not known.
        read_to: Option<UnixMillis>,
        /// How long the stream kept records when that was known; `None` where nobody has noted it.
        retention: Option<Duration>,
    },
}

impl StreamStart {
    /// How long the stream kept records when what this says was noted.
    pub(crate) fn retention(&self) -> Option<Duration> {
        match self {
            Self::Initial { retention, .. } | Self::Resume { retention, .. } => *retention,
        }
    }

    /// All that had arrived by then is behind the start, as far as it was asked for: what retention
    /// had taken away when the query was made never was.
    pub(crate) fn read_to(&self, retention: Duration) -> Option<UnixMillis> {
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
