//! How a starting position is spelled: a word, a time, or JSON of positions per shard.

mod json;
mod shard_position;
mod time;

use std::collections::BTreeMap;

use super::value::Parsed;
use crate::error::{Error, Result};
use crate::model::{ShardId, ShardPosition, StartingPosition, StreamName};

/// What was expected where a word or a time was written.
const EXPECTED: &str = "expected 'LATEST', 'TRIM_HORIZON', 'EARLIEST', \
    'AT_TIMESTAMP 2023-08-30T19:00:05Z' (or with an offset such as -08:00), \
    or a JSON object of positions per shard";

/// A starting position as it was written, before the stream of the table is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Written {
    /// The same for all shards.
    Alike(StartingPosition),
    /// A place of its own for each shard, source by source.
    PerShard(Vec<SourcePlaces>),
}

/// The places of the shards of one stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SourcePlaces {
    /// The stream, where that is said.
    stream: Option<String>,
    /// None for a shard that starts with what arrives from now on.
    shards: BTreeMap<ShardId, Option<ShardPosition>>,
}

/// Reads a starting position.
pub(super) fn starting_position(text: &str) -> Parsed<Written> {
    let text = text.trim();
    if text.starts_with('{') {
        return json::document(text).map(Written::PerShard);
    }
    if let Some(sources) = json::spark_log(text) {
        return sources.map(Written::PerShard);
    }
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let position = match (word.to_ascii_uppercase().as_str(), rest) {
        ("LATEST", "") => StartingPosition::Latest,
        ("TRIM_HORIZON" | "EARLIEST", "") => StartingPosition::TrimHorizon,
        ("AT_TIMESTAMP", time) => StartingPosition::AtTimestamp(time::parse(time)?),
        _ => return Err(EXPECTED.to_owned()),
    };
    Ok(Written::Alike(position))
}

impl Written {
    /// What it means for `stream`.
    ///
    /// # Errors
    /// It has no positions of this stream, or different ones.
    pub(super) fn of(self, stream: &StreamName) -> Result<StartingPosition> {
        let sources = match self {
            Self::Alike(position) => return Ok(position),
            Self::PerShard(sources) => sources,
        };
        let fits = |source: &&SourcePlaces| {
            let named = source.stream.as_deref();
            named.is_none_or(|named| named == stream.as_str())
        };
        let mut fitting = sources.iter().filter(fits);
        let Some(found) = fitting.next() else {
            let others = sources.iter().filter_map(|source| source.stream.as_deref());
            let others: Vec<String> = others.map(|name| format!("'{name}'")).collect();
            let others = match others.as_slice() {
                [] => "no stream".to_owned(),
                [one] => format!("stream {one}"),
                several => format!("streams {}", several.join(", ")),
            };
            return Err(refused(&format!(
                "has positions of {others}, expected those of '{stream}'"
            )));
        };
        if fitting.any(|other| other != found) {
            return Err(refused(&format!(
                "has positions of stream '{stream}' more than once, and they differ: expected those \
                 of one source"
            )));
        }
        if found.shards.is_empty() {
            return Err(refused(
                "names no shard: expected a position of one at least",
            ));
        }
        let placed = found.shards.iter();
        let placed = placed.filter_map(|(shard, place)| Some((shard.clone(), place.clone()?)));
        Ok(StartingPosition::PerShard(placed.collect()))
    }
}

fn refused(why: &str) -> Error {
    Error::invalid_option(format!("option 'kinesis.startingPosition' {why}"))
}
