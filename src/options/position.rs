//! How a starting position is spelled: a word, a time, or the awslabs connector's offset JSON.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Map, Value};

use super::value::{self, Parsed};
use crate::model::{SequenceNumber, ShardId, ShardPosition, StartingPosition, UnixMillis};

/// What was expected where a word or a time was written.
const EXPECTED: &str = "expected 'LATEST', 'TRIM_HORIZON', 'EARLIEST', \
    'AT_TIMESTAMP 2023-08-30T19:00:05Z' (or with an offset such as -08:00), \
    or a JSON object of positions per shard";

/// A position and, when it is JSON that says so, the stream it belongs to.
pub(super) fn starting_position(text: &str) -> Parsed<(StartingPosition, Option<String>)> {
    let text = text.trim();
    if text.starts_with('{') {
        return per_shard(text);
    }
    let upper = text.to_ascii_uppercase();
    let position = match upper.as_str() {
        "LATEST" => StartingPosition::Latest,
        "TRIM_HORIZON" | "EARLIEST" => StartingPosition::TrimHorizon,
        other => {
            let time = other
                .strip_prefix("AT_TIMESTAMP")
                .filter(|rest| rest.starts_with([' ', '\t']))
                .ok_or(EXPECTED)?;
            let time = DateTime::parse_from_rfc3339(time.trim()).map_err(|_| EXPECTED)?;
            StartingPosition::AtTimestamp(UnixMillis(time.timestamp_millis()))
        }
    };
    Ok((position, None))
}

fn per_shard(text: &str) -> Parsed<(StartingPosition, Option<String>)> {
    let shards: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| format!("expected a JSON object of positions per shard: {error}"))?;
    let mut positions = BTreeMap::new();
    let mut stream = None;
    for (key, value) in &shards {
        let fields = value
            .as_object()
            .ok_or_else(|| format!("expected a JSON object under '{key}'"))?;
        if key == "metadata" {
            stream = string(fields, "streamName");
            continue;
        }
        let position = shard_position(fields).map_err(|error| format!("under '{key}' {error}"))?;
        if let Some(position) = position {
            positions.insert(ShardId::new(key.as_str()), position);
        }
    }
    Ok((StartingPosition::PerShard(positions), stream))
}

/// `None` for LATEST: a shard without a place of its own starts with what arrives from now on.
fn shard_position(fields: &Map<String, Value>) -> Parsed<Option<ShardPosition>> {
    let place = string(fields, "iteratorPosition").unwrap_or_default();
    let kind = string(fields, "iteratorType")
        .ok_or("expected 'iteratorType'")?
        .to_ascii_uppercase();
    let sequence =
        || SequenceNumber::new(&place).map_err(|error| format!("'iteratorPosition': {error}"));
    let position = match kind.as_str() {
        "LATEST" => return Ok(None),
        "TRIM_HORIZON" => ShardPosition::TrimHorizon,
        "SHARD_END" => ShardPosition::ShardEnd,
        "AT_TIMESTAMP" => {
            let range = 0..=UnixMillis::LAST.0;
            let millis = value::number(&place, &range).map_err(|expected| {
                format!("'iteratorPosition' = '{place}': {expected}, milliseconds since 1970")
            })?;
            ShardPosition::AtTimestamp(UnixMillis(millis))
        }
        "AT_SEQUENCE_NUMBER" => ShardPosition::At(sequence()?),
        "AFTER_SEQUENCE_NUMBER" => ShardPosition::After {
            sequence: sequence()?,
            sub_sequence: sub_sequence(fields)?,
        },
        other => {
            return Err(format!(
                "'iteratorType' = '{other}': expected TRIM_HORIZON, LATEST, AT_TIMESTAMP, \
                 AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER or SHARD_END"
            ));
        }
    };
    Ok(Some(position))
}

/// The place inside an aggregated record; none when all of it was read.
fn sub_sequence(fields: &Map<String, Value>) -> Parsed<Option<u64>> {
    let whole = string(fields, "isLast").is_some_and(|last| last.eq_ignore_ascii_case("true"));
    match string(fields, "subSequenceNumber").as_deref() {
        None | Some("-1") => Ok(None),
        Some(_) if whole => Ok(None),
        Some(digits) => digits.parse().map(Some).map_err(|_| {
            format!("'subSequenceNumber' = '{digits}': expected a whole number from -1 on")
        }),
    }
}

/// A member as text, also where it was written as a bare number or boolean.
fn string(fields: &Map<String, Value>, name: &str) -> Option<String> {
    match fields.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}
