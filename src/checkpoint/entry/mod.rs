//! The text of an entry: JSON that a person can read.
//!
//! An entry with an unknown member is refused. A member that this version does not know may change
//! what the batch reads or computes, and going on without it would be a guess; whoever adds one
//! raises the version.

mod checksum;
mod read;
mod values;
mod write;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::query_metadata::QueryText;
use crate::model::Epoch;
use values::{PositionText, TimeText};

pub(crate) use checksum::sealed;
pub(crate) use read::{read_commit, read_heading, read_metadata, read_offsets};
pub(crate) use write::{commit, metadata, offsets};

/// The version that is written, and the highest that is read.
pub(super) const VERSION: u32 = CHECKSUM_VERSION;

/// The version that added the watermark and the state of a GROUP BY.
const STATE_VERSION: u32 = 2;

/// The version that added the checksum, the statement of a query, the retention of a stream, and when the
/// last record arrived.
const CHECKSUM_VERSION: u32 = 3;

const SECONDS_PER_HOUR: u64 = 3_600;

/// Which start of a query wrote an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Writer {
    /// The epoch it took.
    pub(crate) epoch: Epoch,
    /// Drawn at random by each start, to tell it from another that counts its epochs anew.
    pub(crate) run: String,
    /// What it runs, where that is not what the query was created with. Only entries of `offsets` say it.
    pub(crate) runs: Option<QueryText>,
}

/// What an entry is about, and who wrote it: what both logs have in common.
#[derive(Debug, Deserialize)]
struct HeadingEntry<'a> {
    batch: u64,
    epoch: u64,
    run: String,
    #[serde(default)]
    query: Option<QueryEntry<'a>>,
}

/// What a query runs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryEntry<'a> {
    sink: Cow<'a, str>,
    statement: Cow<'a, str>,
}

/// An entry of `offsets`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OffsetsEntry<'a> {
    version: u32,
    batch: u64,
    epoch: u64,
    run: Cow<'a, str>,
    time: TimeText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watermark: Option<TimeText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    query: Option<QueryEntry<'a>>,
    sources: Vec<SourceRanges<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceRanges<'a> {
    stream: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_at: Option<TimeText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_to: Option<TimeText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention_hours: Option<u64>,
    shards: BTreeMap<Cow<'a, str>, Range>,
}

/// What is read of a shard, or the place where nothing is.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a shard position, or an object with one in `after` and one in `upto`"
)]
enum Range {
    Empty(PositionText),
    Rows(Rows),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    after: PositionText,
    upto: PositionText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
}

/// An entry of `commits`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitEntry<'a> {
    version: u32,
    batch: u64,
    epoch: u64,
    run: Cow<'a, str>,
    time: TimeText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watermark: Option<TimeText>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    event_times: Vec<BTreeMap<Cow<'a, str>, TimeText>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_arrival: Option<TimeText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<StateEntry<'a>>,
}

/// The names of the files of a state.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateEntry<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snapshot: Option<SnapshotEntry<'a>>,
    deltas: Vec<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SnapshotEntry<'a> {
    batch: u64,
    parts: Vec<Cow<'a, str>>,
}

/// The entry `metadata`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetadataEntry<'a> {
    version: u32,
    id: Cow<'a, str>,
    created_at: TimeText,
    sources: Vec<SourceEntry<'a>>,
    sink: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statement: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<AggregationEntry<'a>>,
}

/// What the state of a query is of.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AggregationEntry<'a> {
    group_by: Vec<Cow<'a, str>>,
    aggregates: Vec<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_time: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_time_origin: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceEntry<'a> {
    /// The ARN where it is known, the name otherwise.
    stream: Cow<'a, str>,
    created_at: TimeText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention_hours: Option<u64>,
    start: StartEntry<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StartEntry<'a> {
    shards: BTreeMap<Cow<'a, str>, PositionText>,
    others: PositionText,
}

/// A retention as it is written.
fn hours(retention: Duration) -> u64 {
    retention.as_secs() / SECONDS_PER_HOUR
}

/// A retention as it was written.
fn from_hours(hours: u64) -> Duration {
    Duration::from_secs(hours.saturating_mul(SECONDS_PER_HOUR))
}

/// Why an entry cannot be read; prints so as to follow its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It has this version, which is higher than ours.
    Newer(u32),
    /// It is torn, or not of a checkpoint, or of another one.
    Foreign(String),
}

impl Unreadable {
    fn foreign(reason: impl fmt::Display) -> Self {
        Self::Foreign(format!("is not what was written there: {reason}"))
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(version) => write!(
                f,
                "was written by a newer version of this program (entry version {version}, this one \
                 reads up to {VERSION})"
            ),
            Self::Foreign(reason) => f.write_str(reason),
        }
    }
}
