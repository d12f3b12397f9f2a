//! Parses JSON positions: an object per stream, an offset log entry of this crate, or a Spark
//! offset file.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::{StreamPositions, shard_position};
use crate::model::{ShardId, ShardPosition};
use crate::options::value::Parsed;

/// Parses an entry of a query's `offsets` log, using the ends of its ranges; or an object with one
/// member per shard and an optional `metadata` that names the stream.
pub(super) fn document(text: &str) -> Parsed<Vec<StreamPositions>> {
    let Members(members) = serde_json::from_str(text)
        .map_err(|error| format!("expected a JSON object of positions per shard: {error}"))?;
    match members.get("sources") {
        Some(sources) => log_entry(sources),
        None => Ok(vec![shard_object(&members)?]),
    }
}

/// Parses a file of `offsets` in a Spark checkpoint: the line `v1`, a line about the batch, and a
/// line per source, or `-` if the source has no offset. Ignores sources that are not Kinesis
/// streams. Returns `None` if the text is something else.
pub(super) fn spark_log(text: &str) -> Option<Parsed<Vec<StreamPositions>>> {
    let (version, lines) = text.split_once('\n')?;
    let version = version.trim_end();
    let number = version.strip_prefix('v')?;
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if version != "v1" {
        return Some(Err(format!(
            "looks like a Spark offset file of version '{version}': expected 'v1'"
        )));
    }
    // The first line is about the batch.
    let lines = lines.lines().map(str::trim).zip(2..).skip(1);
    let sources = lines.filter(|(line, _)| line.starts_with('{'));
    let sources = sources.filter_map(|(line, number)| {
        let source = spark_source(line).map_err(|error| format!("on line {number}: {error}"));
        source.transpose()
    });
    Some(sources.collect())
}

/// `None` if the source is not a Kinesis stream.
fn spark_source(line: &str) -> Parsed<Option<StreamPositions>> {
    let Members(members) = serde_json::from_str(line)
        .map_err(|error| format!("expected the positions of a source as JSON: {error}"))?;
    let stream = members.get("metadata").and_then(|it| it.get("streamName"));
    match stream {
        Some(_) => shard_object(&members).map(Some),
        None => Ok(None),
    }
}

/// Parses an object with one member per shard, and `metadata`.
fn shard_object(members: &Map<String, Value>) -> Parsed<StreamPositions> {
    let mut stream = None;
    if let Some(metadata) = members.get("metadata") {
        let metadata = metadata
            .as_object()
            .ok_or("expected a JSON object under 'metadata'")?;
        let name = metadata.get("streamName").and_then(Value::as_str);
        stream = name.map(str::to_owned);
    }
    let shards = members.iter().filter(|(key, _)| *key != "metadata");
    Ok(StreamPositions {
        stream,
        shards: positions(shards, "")?,
    })
}

/// Parses the sources of a log entry; other members are ignored.
fn log_entry(sources: &Value) -> Parsed<Vec<StreamPositions>> {
    let sources = sources
        .as_array()
        .ok_or("expected a list under 'sources'")?;
    let source = |(number, source): (usize, &Value)| {
        let stream = source.get("stream").and_then(Value::as_str);
        let stream = stream.ok_or_else(|| {
            format!("expected the name of a stream under 'sources[{number}].stream'")
        })?;
        let within = format!("sources[{number}].shards");
        let shards = source.get("shards").and_then(Value::as_object);
        let shards =
            shards.ok_or_else(|| format!("expected a JSON object of shards under '{within}'"))?;
        Ok(StreamPositions {
            stream: Some(stream.to_owned()),
            shards: positions(shards.iter(), &format!("{within}."))?,
        })
    };
    sources.iter().enumerate().map(source).collect()
}

fn positions<'a>(
    shards: impl Iterator<Item = (&'a String, &'a Value)>,
    within: &str,
) -> Parsed<BTreeMap<ShardId, Option<ShardPosition>>> {
    shards
        .map(|(shard, value)| {
            let position = shard_position::parse(value);
            let position = position.map_err(|error| format!("under '{within}{shard}' {error}"))?;
            Ok((ShardId::new(shard.as_str()), position))
        })
        .collect()
}

/// The members of a JSON object without duplicate keys.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Map::new();
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            if members.contains_key(&key) {
                return Err(A::Error::custom(format!("duplicate key '{key}'")));
            }
            members.insert(key, value);
        }
        Ok(Members(members))
    }
}
