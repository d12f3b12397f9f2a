//! Parses starting positions: a keyword, a time, or JSON with positions per shard.

mod json;
mod shard_position;
mod time;

use std::collections::BTreeMap;

use super::value::Parsed;
use crate::error::{Error, Result};
use crate::model::{ShardId, ShardPosition, StartingPosition, StreamName};

/// What was expected instead of an invalid keyword or time.
const EXPECTED: &str = "expected 'LATEST', 'TRIM_HORIZON', 'EARLIEST', \
    'AT_TIMESTAMP 2023-08-30T19:00:05Z' (or with an offset such as -08:00), \
    or a JSON object of positions per shard";

/// A parsed starting position before the table's stream is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum UnresolvedPosition {
    /// The same position for all shards.
    AllShards(StartingPosition),
    /// Positions per shard, for one or more streams.
    PerShard(Vec<StreamPositions>),
}

/// The positions of one stream's shards.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StreamPositions {
    /// The stream, if named.
    stream: Option<String>,
    /// `None` for a shard that starts at records that arrive from now on.
    shards: BTreeMap<ShardId, Option<ShardPosition>>,
}

/// Parses a starting position.
pub(super) fn starting_position(text: &str) -> Parsed<UnresolvedPosition> {
    let text = text.trim();
    if text.starts_with('{') {
        return json::document(text).map(UnresolvedPosition::PerShard);
    }
    if let Some(sources) = json::spark_log(text) {
        return sources.map(UnresolvedPosition::PerShard);
    }
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let position = match (word.to_ascii_uppercase().as_str(), rest) {
        ("LATEST", "") => StartingPosition::Latest,
        ("TRIM_HORIZON" | "EARLIEST", "") => StartingPosition::TrimHorizon,
        ("AT_TIMESTAMP", time) => StartingPosition::AtTimestamp(time::parse(time)?),
        _ => return Err(EXPECTED.to_owned()),
    };
    Ok(UnresolvedPosition::AllShards(position))
}

impl UnresolvedPosition {
    /// Resolves the positions for `stream`.
    ///
    /// # Errors
    /// There are no positions for this stream, or several that differ.
    pub(super) fn resolve(self, stream: &StreamName) -> Result<StartingPosition> {
        let sources = match self {
            Self::AllShards(position) => return Ok(position),
            Self::PerShard(sources) => sources,
        };
        let fits = |source: &&StreamPositions| {
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
                "has positions for {others}, expected positions for '{stream}'"
            )));
        };
        if fitting.any(|other| other != found) {
            return Err(refused(&format!(
                "has more than one set of positions for stream '{stream}', and they differ: expected one set"
            )));
        }
        if found.shards.is_empty() {
            return Err(refused(
                "names no shard: expected a position for at least one",
            ));
        }
        let placed = found.shards.iter();
        let placed =
            placed.filter_map(|(shard, position)| Some((shard.clone(), position.clone()?)));
        Ok(StartingPosition::PerShard(placed.collect()))
    }
}

fn refused(why: &str) -> Error {
    Error::invalid_option(format!("option 'kinesis.startingPosition' {why}"))
}
