//! Positions in a shard, and the starting positions that a user can choose.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::DateTime;

use super::{SequenceNumber, ShardId, UnixMillis};
use crate::error::{Error, Result};

/// A position in a shard. All variants are absolute, so a stored position keeps its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShardPosition {
    /// Before the oldest record the shard still holds.
    TrimHorizon,
    /// Before the first record that arrived at this time or later.
    AtTimestamp(UnixMillis),
    /// Before this record.
    At(SequenceNumber),
    /// After this record, or inside an aggregated record if `sub_sequence` is set.
    After {
        /// The Kinesis record.
        sequence: SequenceNumber,
        /// The last user record read from it; `None` if all were read.
        sub_sequence: Option<u64>,
    },
    /// After the last record of a closed shard.
    ShardEnd,
}

impl fmt::Display for ShardPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrimHorizon => f.write_str("TRIM_HORIZON"),
            Self::AtTimestamp(time) => write!(f, "AT_TIMESTAMP {time}"),
            Self::At(sequence) => write!(f, "AT {sequence}"),
            Self::After {
                sequence,
                sub_sequence: None,
            } => write!(f, "AFTER {sequence}"),
            Self::After {
                sequence,
                sub_sequence: Some(sub),
            } => write!(f, "AFTER {sequence}.{sub}"),
            Self::ShardEnd => f.write_str("SHARD_END"),
        }
    }
}

impl FromStr for ShardPosition {
    type Err = Error;

    /// Parses the output of [`Display`](fmt::Display).
    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::internal(format!("shard position '{text}' has an unknown form"));
        let (kind, argument) = text.split_once(' ').unwrap_or((text, ""));
        Ok(match kind {
            "TRIM_HORIZON" => Self::TrimHorizon,
            "SHARD_END" => Self::ShardEnd,
            "AT" => Self::At(SequenceNumber::new(argument)?),
            "AT_TIMESTAMP" => {
                let time = DateTime::parse_from_rfc3339(argument).map_err(|_| unknown())?;
                let time = UnixMillis(time.timestamp_millis());
                // The UTC offset may lead out of the supported years.
                if !time.has_date() {
                    return Err(unknown());
                }
                Self::AtTimestamp(time)
            }
            "AFTER" => {
                let (sequence, sub) = match argument.split_once('.') {
                    None => (argument, None),
                    Some((sequence, sub)) => (sequence, Some(sub)),
                };
                Self::After {
                    sequence: SequenceNumber::new(sequence)?,
                    sub_sequence: sub.map(str::parse).transpose().map_err(|_| unknown())?,
                }
            }
            _ => return Err(unknown()),
        })
    }
}

/// Where reading starts, as chosen by a user. `Latest` is relative, so it is resolved when a query
/// is created and never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartingPosition {
    /// At records that arrive from now on.
    Latest,
    /// At the oldest record of each shard.
    TrimHorizon,
    /// At the first record that arrived at this time or later.
    AtTimestamp(UnixMillis),
    /// At individual positions for some shards; the others start at records that arrive from now
    /// on.
    PerShard(BTreeMap<ShardId, ShardPosition>),
}

impl StartingPosition {
    /// The position of `shard`; `None` if it starts at records that arrive from now on.
    pub fn position_of(&self, shard: &ShardId) -> Option<ShardPosition> {
        match self {
            Self::Latest => None,
            Self::TrimHorizon => Some(ShardPosition::TrimHorizon),
            Self::AtTimestamp(time) => Some(ShardPosition::AtTimestamp(*time)),
            Self::PerShard(positions) => positions.get(shard).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_positions_round_trip() {
        let sequence = SequenceNumber::new("4959").unwrap();
        for position in [
            ShardPosition::TrimHorizon,
            ShardPosition::ShardEnd,
            ShardPosition::At(sequence.clone()),
            ShardPosition::AtTimestamp(UnixMillis(1_693_422_005_007)),
            ShardPosition::After {
                sequence: sequence.clone(),
                sub_sequence: None,
            },
            ShardPosition::After {
                sequence,
                sub_sequence: Some(7),
            },
        ] {
            let text = position.to_string();
            assert_eq!(text.parse::<ShardPosition>().unwrap(), position, "{text}");
        }
        for text in [
            "LATEST",
            "AT_TIMESTAMP 0000-01-01T00:00:00+01:00",
            "AT_TIMESTAMP 9999-12-31T23:59:59-01:00",
        ] {
            assert!(text.parse::<ShardPosition>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_shard_without_a_position_starts_from_now_on() {
        let named = ShardId::new("shardId-000000000000");
        let other = ShardId::new("shardId-000000000001");
        let start = StartingPosition::PerShard([(named.clone(), ShardPosition::ShardEnd)].into());
        assert_eq!(start.position_of(&named), Some(ShardPosition::ShardEnd));
        assert_eq!(start.position_of(&other), None);
        assert_eq!(StartingPosition::Latest.position_of(&named), None);
    }
}
