//! What to read of one shard, and where that read ends.

use std::fmt;
use std::str::FromStr;

use chrono::DateTime;

use crate::error::{Error, Result};
use crate::model::{HashRange, ShardId, ShardPosition, UnixMillis};

/// What is to be read of one shard.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ShardRead {
    pub(crate) shard: ShardId,
    /// Set where user records outside it are left out.
    pub(crate) hash_range: Option<HashRange>,
    pub(crate) start: ShardPosition,
    pub(crate) until: Until,
    /// The most rows.
    pub(crate) limit: Option<u64>,
    /// The rows an exact range had when it was planned, those that a hash filter leaves out counted;
    /// `None` where that is not known.
    pub(crate) rows: Option<u64>,
    /// Its number among the reads of a batch, over all sources; 0 where nobody has numbered them.
    pub(crate) number: u32,
}

/// Where a read ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Until {
    /// With all that was there at this time.
    Tip(UnixMillis),
    /// With all that was there at `tip`, except what follows a record that arrived later than `by`.
    Arrived {
        /// The time of the tip.
        tip: UnixMillis,
        /// No record behind one that arrived later is wanted.
        by: UnixMillis,
    },
    /// With the row at this place, which is certain to exist; nowhere where it is the start.
    Position(ShardPosition),
}

impl Until {
    /// The time after which nothing is wanted any more, where there is one.
    pub(crate) fn arrived_by(&self) -> Option<UnixMillis> {
        match self {
            Self::Arrived { by, .. } => Some(*by),
            Self::Tip(_) | Self::Position(_) => None,
        }
    }

    /// Whether nothing that arrived at `time` or later is wanted.
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

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self> {
        let Some(times) = text.strip_prefix("TIP ") else {
            return text.parse().map(Self::Position);
        };
        let time = |time: &str| match DateTime::parse_from_rfc3339(time) {
            Ok(time) => Ok(UnixMillis(time.timestamp_millis())),
            Err(_) => Err(Error::internal(format!("'{text}' is no end of a read"))),
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
