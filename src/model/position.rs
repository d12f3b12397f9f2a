//! Places in a shard: where reading stands, and where a user wants it to start.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::DateTime;

use super::{SequenceNumber, ShardId, UnixMillis};
use crate::error::{Error, Result};

/// A shard's place: nothing relative, so that it means the same tomorrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShardPosition {
    /// Before the oldest record the shard still holds.
    TrimHorizon,
    /// Before the first record that arrived at this time or later.
    AtTimestamp(UnixMillis),
    /// Before a record.
    At(SequenceNumber),
    /// After a record; inside an aggregated record when `sub_sequence` is set.
    After {
        /// The Kinesis record.
        sequence: SequenceNumber,
        /// The last user record that was read out of it; `None` when all of it was.
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

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::internal(format!("shard position '{text}' is of no known form"));
        let (kind, place) = text.split_once(' ').unwrap_or((text, ""));
        Ok(match kind {
            "TRIM_HORIZON" => Self::TrimHorizon,
            "SHARD_END" => Self::ShardEnd,
            "AT" => Self::At(SequenceNumber::new(place)?),
            "AT_TIMESTAMP" => {
                let time = DateTime::parse_from_rfc3339(place).map_err(|_| unknown())?;
                let time = UnixMillis(time.timestamp_millis());
                // The offset may lead out of the years that can be written.
                if !time.has_date() {
                    return Err(unknown());
                }
                Self::AtTimestamp(time)
            }
            "AFTER" => {
                let (sequence, sub) = match place.split_once('.') {
                    None => (place, None),
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

/// Where a user wants reading to start. `Latest` is relative, so it is asked for and never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartingPosition {
    /// With what arrives from now on.
    Latest,
    /// With the oldest record of each shard.
    TrimHorizon,
    /// With the first record that arrived at this time or later.
    AtTimestamp(UnixMillis),
    /// A place of its own for some shards; the others start with what arrives from now on.
    PerShard(BTreeMap<ShardId, ShardPosition>),
}

impl StartingPosition {
    /// The place of `shard`; `None` when it starts with what arrives from now on.
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
    fn a_shard_position_reads_what_it_writes() {
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
    fn a_shard_without_a_place_of_its_own_starts_now() {
        let named = ShardId::new("shardId-000000000000");
        let other = ShardId::new("shardId-000000000001");
        let start = StartingPosition::PerShard([(named.clone(), ShardPosition::ShardEnd)].into());
        assert_eq!(start.position_of(&named), Some(ShardPosition::ShardEnd));
        assert_eq!(start.position_of(&other), None);
        assert_eq!(StartingPosition::Latest.position_of(&named), None);
    }
}
