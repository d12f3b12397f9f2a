//! Parses the position of one shard: as text, in the awslabs connector's form, or as the range of a
//! batch.

use serde_json::{Map, Value};

use super::time;
use crate::model::{SequenceNumber, ShardPosition, UnixMillis};
use crate::options::value::{self, Parsed};

const EXPECTED: &str = "expected a position such as 'AFTER 4959', 'AT 4959', 'TRIM_HORIZON', \
    'AT_TIMESTAMP 2023-08-30T19:00:05Z' or 'SHARD_END', or an object with 'iteratorType' or 'upto'";

/// Returns `None` for `LATEST`: the shard starts at records that arrive from now on.
pub(super) fn parse(value: &Value) -> Parsed<Option<ShardPosition>> {
    match value {
        Value::String(text) => position_text(text),
        Value::Object(fields) if fields.contains_key("upto") => match &fields["upto"] {
            Value::String(text) => position_text(text).map_err(|error| format!("'upto': {error}")),
            other => Err(format!("'upto' = {other}: expected a position as text")),
        },
        Value::Object(fields) if fields.contains_key("iteratorType") => connector_position(fields),
        Value::Object(_) => Err(EXPECTED.to_owned()),
        other => Err(format!("{other}: {EXPECTED}")),
    }
}

/// Parses a position in its text form, or a keyword.
fn position_text(text: &str) -> Parsed<Option<ShardPosition>> {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let word = word.to_ascii_uppercase();
    let position = match (word.as_str(), rest.trim()) {
        ("LATEST", "") => return Ok(None),
        ("TRIM_HORIZON" | "EARLIEST", "") => ShardPosition::TrimHorizon,
        ("SHARD_END", "") => ShardPosition::ShardEnd,
        ("AT_TIMESTAMP", time) => {
            let time = time::parse(time).map_err(|expected| format!("'{text}': {expected}"))?;
            ShardPosition::AtTimestamp(time)
        }
        ("AT" | "AFTER", argument) => {
            let position = format!("{word} {argument}").parse();
            position.map_err(|_| format!("'{text}': {EXPECTED}"))?
        }
        _ => return Err(format!("'{text}': {EXPECTED}")),
    };
    Ok(Some(position))
}

fn connector_position(fields: &Map<String, Value>) -> Parsed<Option<ShardPosition>> {
    let argument = string(fields, "iteratorPosition").unwrap_or_default();
    let kind = string(fields, "iteratorType").unwrap_or_default();
    let position = match kind.to_ascii_uppercase().as_str() {
        "LATEST" => return Ok(None),
        "TRIM_HORIZON" => ShardPosition::TrimHorizon,
        "SHARD_END" => ShardPosition::ShardEnd,
        "AT_TIMESTAMP" => {
            let range = 0..=UnixMillis::LAST.0;
            let millis = value::number(&argument, &range).map_err(|expected| {
                format!("'iteratorPosition' = '{argument}': {expected}, milliseconds since 1970")
            })?;
            ShardPosition::AtTimestamp(UnixMillis(millis))
        }
        "AT_SEQUENCE_NUMBER" => ShardPosition::At(sequence(fields, &argument)?),
        "AFTER_SEQUENCE_NUMBER" => ShardPosition::After {
            sequence: sequence(fields, &argument)?,
            sub_sequence: sub_sequence(fields)?,
        },
        _ => {
            return Err(format!(
                "'iteratorType' = '{kind}': expected TRIM_HORIZON, LATEST, AT_TIMESTAMP, \
                 AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER or SHARD_END"
            ));
        }
    };
    Ok(Some(position))
}

fn sequence(fields: &Map<String, Value>, digits: &str) -> Parsed<SequenceNumber> {
    // A JSON number of this length would lose its last digits.
    if fields.get("iteratorPosition").is_some_and(Value::is_f64) {
        return Err(format!(
            "'iteratorPosition' = {digits}: expected the sequence number in quotes"
        ));
    }
    SequenceNumber::new(digits).map_err(|error| format!("'iteratorPosition': {error}"))
}

/// The index inside an aggregated record; `None` if all of it was read.
fn sub_sequence(fields: &Map<String, Value>) -> Parsed<Option<u64>> {
    let whole = string(fields, "isLast").is_some_and(|last| last.eq_ignore_ascii_case("true"));
    match string(fields, "subSequenceNumber").as_deref() {
        None | Some("-1") => Ok(None),
        Some(_) if whole => Ok(None),
        Some(digits) => digits.parse().map(Some).map_err(|_| {
            format!("'subSequenceNumber' = '{digits}': expected a whole number of at least -1")
        }),
    }
}

/// A member as text, even if written as a bare number or boolean.
fn string(fields: &Map<String, Value>, name: &str) -> Option<String> {
    match fields.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}
