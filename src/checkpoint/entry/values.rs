//! Positions and times in the JSON of entries.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{ShardPosition, UnixMillis};

/// A shard position in its text form.
pub(super) struct PositionText(pub(super) ShardPosition);

impl Serialize for PositionText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PositionText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// A time as RFC 3339 with milliseconds, in UTC.
pub(super) struct TimeText(pub(super) UnixMillis);

impl Serialize for TimeText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = DateTime::from_timestamp_millis(self.0.0)
            .ok_or_else(|| S::Error::custom(format!("{} has no date", self.0)))?;
        serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl<'de> Deserialize<'de> for TimeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let time = DateTime::parse_from_rfc3339(&text)
            .map_err(|error| D::Error::custom(format!("'{text}' is not a time: {error}")))?;
        let time = UnixMillis(time.timestamp_millis());
        if !time.has_date() {
            let reason = format!("'{text}' is not within the years 0000 to 9999 of UTC");
            return Err(D::Error::custom(reason));
        }
        Ok(Self(time))
    }
}
