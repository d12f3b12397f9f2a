//! JSON of positions: one object for one stream, an entry of a log of ours, a file of Spark's.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::{SourcePlaces, shard_position};
use crate::model::{ShardId, ShardPosition};
use crate::options::value::Parsed;

/// An entry of `offsets` of a streaming query, with the ends of what it read of each source; or one
/// object with the places of shards, and a member `metadata` that may name their stream.
pub(super) fn document(text: &str) -> Parsed<Vec<SourcePlaces>> {
    let Members(members) = serde_json::from_str(text)
        .map_err(|error| format!("expected a JSON object of positions per shard: {error}"))?;
    match members.get("sources") {
        Some(sources) => entry(sources),
        None => Ok(vec![object(&members)?]),
    }
}

/// A file of `offsets` in a checkpoint of Spark: `v1`, a line about the batch, and a line for each
/// source, `-` where it has none. Sources that are no streams are left out. `None` where the text is
/// something else.
pub(super) fn spark_log(text: &str) -> Option<Parsed<Vec<SourcePlaces>>> {
    let (version, lines) = text.split_once('\n')?;
    let version = version.trim_end();
    let number = version.strip_prefix('v')?;
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if version != "v1" {
        return Some(Err(format!(
            "begins as a file of Spark's of version '{version}': expected 'v1'"
        )));
    }
    // The first of them is about the batch.
    let lines = lines.lines().map(str::trim).zip(2..).skip(1);
    let sources = lines.filter(|(line, _)| line.starts_with('{'));
    let sources = sources.filter_map(|(line, number)| {
        let source = spark_source(line).map_err(|error| format!("on line {number}: {error}"));
        source.transpose()
    });
    Some(sources.collect())
}

/// `None` where the line is of a source that is no stream.
fn spark_source(line: &str) -> Parsed<Option<SourcePlaces>> {
    let Members(members) = serde_json::from_str(line)
        .map_err(|error| format!("expected the positions of a source as JSON: {error}"))?;
    let stream = members.get("metadata").and_then(|it| it.get("streamName"));
    match stream {
        Some(_) => object(&members).map(Some),
        None => Ok(None),
    }
}

/// One member for each shard, and `metadata`.
fn object(members: &Map<String, Value>) -> Parsed<SourcePlaces> {
    let mut stream = None;
    if let Some(metadata) = members.get("metadata") {
        let metadata = metadata
            .as_object()
            .ok_or("expected a JSON object under 'metadata'")?;
        let name = metadata.get("streamName").and_then(Value::as_str);
        stream = name.map(str::to_owned);
    }
    let shards = members.iter().filter(|(key, _)| *key != "metadata");
    Ok(SourcePlaces {
        stream,
        shards: places(shards, "")?,
    })
}

/// What the entry of a batch says of its sources. Members that are not needed here are not looked at.
fn entry(sources: &Value) -> Parsed<Vec<SourcePlaces>> {
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
        Ok(SourcePlaces {
            stream: Some(stream.to_owned()),
            shards: places(shards.iter(), &format!("{within}."))?,
        })
    };
    sources.iter().enumerate().map(source).collect()
}

fn places<'a>(
    shards: impl Iterator<Item = (&'a String, &'a Value)>,
    within: &str,
) -> Parsed<BTreeMap<ShardId, Option<ShardPosition>>> {
    shards
        .map(|(shard, value)| {
            let place = shard_position::parse(value);
            let place = place.map_err(|error| format!("under '{within}{shard}' {error}"))?;
            Ok((ShardId::new(shard.as_str()), place))
        })
        .collect()
}

/// The members of an object, each of which stands there once.
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
                return Err(A::Error::custom(format!("'{key}' stands there twice")));
            }
            members.insert(key, value);
        }
        Ok(Members(members))
    }
}
