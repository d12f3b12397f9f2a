//! The description of one read of a shard: its start, its end, and its limits.

use std::fmt;
use std::str::FromStr;

use chrono::DateTime;

use crate::error::{Error, Result};
use crate::model::{HashRange, ShardId, ShardPosition, UnixMillis};

/// A read of one shard.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ShardRead {
    pub(crate) shard: ShardId,
    /// Set if user records outside it are dropped.
    pub(crate) hash_range: Option<HashRange>,
    pub(crate) start: ShardPosition,
    pub(crate) until: Until,
    /// The maximum number of rows.
    pub(crate) limit: Option<u64>,
    /// The rows that an exact range had when it was planned, before the hash filter; `None` if that is not
    /// known.
    pub(crate) rows: Option<u64>,
    /// Its number among all reads of a batch; 0 outside of batches.
    pub(crate) number: u32,
}

/// Where a read ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Until {
    /// After all records that had arrived by this time, the time of the tip.
    Tip(UnixMillis),
    /// After all records that had arrived by `tip`, or after the first page with a record that arrived
    /// later than `by`.
    Arrived {
        /// The time of the tip.
        tip: UnixMillis,
        /// Records after one that arrived later than this are not needed.
        by: UnixMillis,
    },
    /// After the row at this position, which is known to exist; the read is empty if it is the start.
    Position(ShardPosition),
}

impl Until {
    /// The arrival time after which no record is needed, if there is one.
    pub(crate) fn arrived_by(&self) -> Option<UnixMillis> {
        match self {
            Self::Arrived { by, .. } => Some(*by),
            Self::Tip(_) | Self::Position(_) => None,
        }
    }

    /// Whether no record that arrived at `time` or later is needed.
    pub(crate) fn is_before(&self, time: UnixMillis) -> bool {
        match self {
            Self::Tip(tip) => time > *tip,
            Self::Arrived { tip, by } => time > *tip || time > *by,
            Self::Position(_) => false,
        }
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tip(begun_at) => write!(f, "TIP {begun_at}"),
            Self::Arrived { tip, by } => write!(f, "TIP {tip} ARRIVED {by}"),
            Self::Position(position) => position.fmt(f),
        }
    }
}

impl FromStr for Until {
    type Err = Error;

    /// Parses what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self> {
        let Some(times) = text.strip_prefix("TIP ") else {
            return text.parse().map(Self::Position);
        };
        let time = |time: &str| match DateTime::parse_from_rfc3339(time) {
            Ok(time) => Ok(UnixMillis(time.timestamp_millis())),
            Err(_) => Err(Error::internal(format!(
                "'{text}' is not the end of a read"
            ))),
        };
        match times.split_once(" ARRIVED ") {
            None => time(times).map(Self::Tip),
            Some((tip, by)) => Ok(Self::Arrived {
                tip: time(tip)?,
                by: time(by)?,
            }),
        }
    }
}
