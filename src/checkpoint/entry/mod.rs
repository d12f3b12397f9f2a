//! The JSON format of entries, in all its versions.
//!
//! An entry with an unknown member is refused: such a member may change what the batch reads or computes. A change
//! that adds a member raises the version.

mod checksum;
mod read;
mod values;
mod write;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::query_metadata::QueryText;
use crate::model::Epoch;
use values::{PositionText, TimeText};

pub(crate) use checksum::sealed;
pub(crate) use read::{read_commit, read_heading, read_metadata, read_offsets};
pub(crate) use write::{commit, metadata, offsets};

/// The version that is written, and the highest that is read.
pub(super) const VERSION: u32 = OPERATORS_VERSION;

/// The version that added the watermark and the state of a GROUP BY.
const STATE_VERSION: u32 = 2;

/// The version that added the checksum, the statement of a query, the retention of a stream, and the time of the
/// last arrival.
const CHECKSUM_VERSION: u32 = 3;

/// The version that replaced the single state of a query with a list of operators.
const OPERATORS_VERSION: u32 = 4;

/// The version of an aggregation's state in entries before [`OPERATORS_VERSION`].
const UNVERSIONED_STATE: u32 = 1;

const SECONDS_PER_HOUR: u64 = 3_600;

/// The run of a query that wrote an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Writer {
    /// Its epoch.
    pub(crate) epoch: Epoch,
    /// A random number that distinguishes it from a run of the same epoch, in case epochs were lost.
    pub(crate) run: String,
    /// Its statement and sink, if they differ from those the query was created with; only in `offsets`.
    pub(crate) runs: Option<QueryText>,
}

/// The members that entries of both logs have in common.
#[derive(Debug, Deserialize)]
struct HeadingEntry<'a> {
    batch: u64,
    epoch: u64,
    run: String,
    #[serde(default)]
    query: Option<QueryEntry<'a>>,
}

/// A changed statement and its sink.
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
    /// Before [`OPERATORS_VERSION`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watermark: Option<TimeText>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    watermarks: BTreeMap<Cow<'a, str>, Vec<Option<TimeText>>>,
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

/// The range of a shard, or its position if nothing is read.
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
    /// Before [`OPERATORS_VERSION`], like `event_times` and `state`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watermark: Option<TimeText>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    event_times: Vec<EventTimes<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_arrival: Option<TimeText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<StateEntry<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    operators: Vec<OperatorEntry<'a>>,
}

/// The largest event time of each shard of a source.
type EventTimes<'a> = BTreeMap<Cow<'a, str>, TimeText>;

/// The state of an operator.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OperatorEntry<'a> {
    id: Cow<'a, str>,
    kind: Cow<'a, str>,
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<InputEntry<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    files: Option<StateEntry<'a>>,
}

/// Event time on an input of an operator.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InputEntry<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watermark: Option<TimeText>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    event_times: Vec<EventTimes<'a>>,
}

/// The files of an operator's state.
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
    /// Before [`OPERATORS_VERSION`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<AggregationEntry<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    operators: Vec<DescribedOperator<'a>>,
}

/// An operator and what it computes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedOperator<'a> {
    id: Cow<'a, str>,
    kind: Cow<'a, str>,
    /// Depends on the kind; an [`AggregationEntry`] for an aggregation.
    description: Value,
}

/// What an aggregation computes.
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
    /// The ARN if it is known, the name otherwise.
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

/// A retention in the unit of entries.
fn hours(retention: Duration) -> u64 {
    retention.as_secs() / SECONDS_PER_HOUR
}

/// The retention that an entry gives.
fn from_hours(hours: u64) -> Duration {
    Duration::from_secs(hours.saturating_mul(SECONDS_PER_HOUR))
}

/// Why an entry cannot be read; its text follows the name of the entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It has this version, which is newer than [`VERSION`].
    Newer(u32),
    /// It names an operator of a kind that this version does not have.
    UnknownOperator { id: String, kind: String },
    /// It is incomplete or edited, or not an entry of this program.
    Foreign(String),
}

impl Unreadable {
    fn foreign(reason: impl fmt::Display) -> Self {
        Self::Foreign(format!("is not a valid entry: {reason}"))
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
            Self::UnknownOperator { id, kind } => write!(
                f,
                "was written by another version of this program: it names operator '{id}' of kind \
                 '{kind}', which this one does not have"
            ),
            Self::Foreign(reason) => f.write_str(reason),
        }
    }
}
