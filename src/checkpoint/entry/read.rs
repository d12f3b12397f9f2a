//! Parses entries.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::checksum::opened;
use super::values::TimeText;
use super::{
    AggregationEntry, CHECKSUM_VERSION, CommitEntry, DescribedOperator, HeadingEntry, InputEntry,
    MetadataEntry, OPERATORS_VERSION, OffsetsEntry, OperatorEntry, QueryEntry, Range,
    STATE_VERSION, StateEntry, UNVERSIONED_STATE, Unreadable, VERSION, Writer, from_hours,
};
use crate::checkpoint::query_metadata::{
    AggregationMetadata, OperatorDescription, OperatorMetadata, QueryMetadata, QueryText,
    SourceMetadata,
};
use crate::model::{
    AGGREGATION, Batch, BatchId, Committed, Epoch, InitialPositions, InputProgress,
    OperatorProgress, ShardId, ShardRange, SnapshotFiles, StateFiles, StreamIdentity, StreamName,
    StreamRanges, UnixMillis,
};

/// Parses an entry written by [`offsets`](super::offsets).
pub(crate) fn read_offsets(text: &[u8]) -> Result<(Batch, Writer), Unreadable> {
    let entry: OffsetsEntry<'static> = decode(text)?;
    let mut sources = entry.sources.iter();
    let says_retention = sources.any(|source| source.retention_hours.is_some());
    for (member, is_there, versions) in [
        ("watermark", entry.watermark.is_some(), ONE_STATE),
        ("query", entry.query.is_some(), SINCE_CHECKSUM),
        ("retention_hours", says_retention, SINCE_CHECKSUM),
        ("watermarks", !entry.watermarks.is_empty(), SINCE_OPERATORS),
    ] {
        expect_version(entry.version, member, is_there, &versions)?;
    }
    let sources = entry.sources.into_iter().map(|source| {
        let stream = StreamName::new(&source.stream).map_err(Unreadable::foreign)?;
        let shards = source.shards.into_iter().map(|(shard, range)| {
            let range = shard_range(&shard, range)?;
            Ok((ShardId::new(&*shard), range))
        });
        let shards = shards.collect::<Result<_, Unreadable>>()?;
        Ok(StreamRanges {
            stream,
            created_at: source.created_at.map(|time| time.0),
            read_to: source.read_to.map(|time| time.0),
            retention: source.retention_hours.map(from_hours),
            shards,
        })
    });
    let batch = Batch {
        id: BatchId(entry.batch),
        time: entry.time.0,
        watermarks: watermarks(entry.watermark, entry.watermarks),
        sources: sources.collect::<Result<_, Unreadable>>()?,
    };
    let writer = Writer {
        epoch: Epoch(entry.epoch),
        run: entry.run.into_owned(),
        runs: entry.query.map(query_text),
    };
    Ok((batch, writer))
}

fn watermarks(
    of_aggregation: Option<TimeText>,
    by_operator: BTreeMap<Cow<'_, str>, Vec<Option<TimeText>>>,
) -> BTreeMap<String, Vec<Option<UnixMillis>>> {
    let of_aggregation = of_aggregation.map(|time| (AGGREGATION.into(), vec![Some(time)]));
    let times = |inputs: Vec<Option<TimeText>>| {
        let inputs = inputs.into_iter();
        inputs.map(|time| time.map(|time| time.0)).collect()
    };
    let all = of_aggregation.into_iter().chain(by_operator);
    all.map(|(id, inputs): (Cow<'_, str>, _)| (id.into_owned(), times(inputs)))
        .collect()
}

fn query_text(entry: QueryEntry<'_>) -> QueryText {
    QueryText {
        sink: entry.sink.into_owned(),
        statement: Some(entry.statement.into_owned()),
    }
}

fn shard_range(shard: &str, range: Range) -> Result<ShardRange, Unreadable> {
    let range = match range {
        Range::Empty(position) => ShardRange::empty(position.0),
        Range::Rows(rows) => ShardRange {
            after: rows.after.0,
            upto: rows.upto.0,
            rows: rows.rows,
        },
    };
    let reason = match range.rows {
        _ if range.is_backwards() => "ends before it begins".to_owned(),
        Some(rows @ 1..) if range.is_empty() => format!("is empty but has {rows} rows"),
        _ if range.is_empty() => return Ok(ShardRange::empty(range.upto)),
        _ => return Ok(range),
    };
    let reason = format!("the range of shard {shard} {reason}");
    Err(Unreadable::foreign(reason))
}

/// Parses an entry written by [`commit`](super::commit).
pub(crate) fn read_commit(text: &[u8]) -> Result<CommitRead, Unreadable> {
    let entry: CommitEntry<'static> = decode(text)?;
    let has_last_arrival = entry.last_arrival.is_some();
    for (member, is_there, versions) in [
        ("watermark", entry.watermark.is_some(), ONE_STATE),
        ("event_times", !entry.event_times.is_empty(), ONE_STATE),
        ("state", entry.state.is_some(), ONE_STATE),
        ("last_arrival", has_last_arrival, SINCE_CHECKSUM),
        ("operators", !entry.operators.is_empty(), SINCE_OPERATORS),
    ] {
        expect_version(entry.version, member, is_there, &versions)?;
    }
    let input = InputEntry {
        watermark: entry.watermark,
        event_times: entry.event_times,
    };
    let aggregation = aggregation_of(input, entry.state);
    let operators = entry.operators.into_iter().map(operator);
    let left = Committed {
        last_arrival: entry.last_arrival.map(|time| time.0),
        operators: aggregation.into_iter().chain(operators).collect(),
    };
    let writer = Writer {
        epoch: Epoch(entry.epoch),
        run: entry.run.into_owned(),
        runs: None,
    };
    Ok((BatchId(entry.batch), left, writer))
}

/// The batch of a commit, its contents, and its writer.
type CommitRead = (BatchId, Committed, Writer);

/// The one operator of an entry from before [`OPERATORS_VERSION`].
fn aggregation_of(
    input: InputEntry<'_>,
    state: Option<StateEntry<'_>>,
) -> Option<OperatorProgress> {
    let has_event_time = input.watermark.is_some() || !input.event_times.is_empty();
    if !has_event_time && state.is_none() {
        return None;
    }
    let input = Some(input).filter(|_| has_event_time);
    Some(OperatorProgress {
        id: AGGREGATION.to_owned(),
        kind: AGGREGATION.to_owned(),
        schema_version: UNVERSIONED_STATE,
        inputs: input.into_iter().map(input_progress).collect(),
        files: state.map(state_files),
    })
}

fn operator(entry: OperatorEntry<'_>) -> OperatorProgress {
    OperatorProgress {
        id: entry.id.into_owned(),
        kind: entry.kind.into_owned(),
        schema_version: entry.schema_version,
        inputs: entry.inputs.into_iter().map(input_progress).collect(),
        files: entry.files.map(state_files),
    }
}

fn input_progress(entry: InputEntry<'_>) -> InputProgress {
    let event_times = entry.event_times.into_iter().map(|shards| {
        let shards = shards.into_iter();
        let shards = shards.map(|(shard, time)| (ShardId::new(&*shard), time.0));
        shards.collect()
    });
    InputProgress {
        watermark: entry.watermark.map(|time| time.0),
        event_times: event_times.collect(),
    }
}

fn state_files(entry: StateEntry<'_>) -> StateFiles {
    let snapshot = entry.snapshot.map(|snapshot| SnapshotFiles {
        batch: BatchId(snapshot.batch),
        parts: texts(snapshot.parts),
    });
    StateFiles {
        snapshot,
        deltas: texts(entry.deltas),
    }
}

fn texts(texts: Vec<Cow<'_, str>>) -> Vec<String> {
    texts.into_iter().map(Cow::into_owned).collect()
}

/// Parses an entry written by [`metadata`](super::metadata).
pub(crate) fn read_metadata(text: &[u8]) -> Result<QueryMetadata, Unreadable> {
    let entry: MetadataEntry<'static> = decode(text)?;
    let says_origin = |state: &AggregationEntry<'_>| state.origin.is_some();
    let says_origin = entry.state.as_ref().is_some_and(says_origin);
    let mut sources = entry.sources.iter();
    let says_retention = sources.any(|source| source.retention_hours.is_some());
    for (member, is_there, versions) in [
        ("state", entry.state.is_some(), ONE_STATE),
        ("statement", entry.statement.is_some(), SINCE_CHECKSUM),
        ("retention_hours", says_retention, SINCE_CHECKSUM),
        ("origin", says_origin, SINCE_CHECKSUM),
        ("operators", !entry.operators.is_empty(), SINCE_OPERATORS),
    ] {
        expect_version(entry.version, member, is_there, &versions)?;
    }
    let aggregation = entry.state.map(|state| OperatorMetadata {
        id: AGGREGATION.to_owned(),
        description: OperatorDescription::Aggregation(aggregation_metadata(state)),
    });
    let operators = entry.operators.into_iter().map(described_operator);
    let operators = aggregation.map(Ok).into_iter().chain(operators);
    let operators = operators.collect::<Result<Vec<_>, _>>()?;
    let sources = entry.sources.into_iter().map(|source| {
        let stream = StreamIdentity::parse(&source.stream);
        let shards = source.start.shards.into_iter();
        let shards = shards.map(|(shard, position)| (ShardId::new(&*shard), position.0));
        Ok(SourceMetadata {
            stream: stream.map_err(Unreadable::foreign)?,
            created_at: source.created_at.0,
            retention: source.retention_hours.map(from_hours),
            start: InitialPositions {
                shards: shards.collect(),
                others: source.start.others.0,
            },
        })
    });
    Ok(QueryMetadata {
        id: entry.id.into_owned(),
        created_at: entry.created_at.0,
        sources: sources.collect::<Result<_, Unreadable>>()?,
        runs: QueryText {
            sink: entry.sink.into_owned(),
            statement: entry.statement.map(Cow::into_owned),
        },
        operators,
    })
}

fn described_operator(entry: DescribedOperator<'_>) -> Result<OperatorMetadata, Unreadable> {
    if entry.kind != AGGREGATION {
        return Err(Unreadable::UnknownOperator {
            id: entry.id.into_owned(),
            kind: entry.kind.into_owned(),
        });
    }
    let description: AggregationEntry<'static> =
        serde_json::from_value(entry.description).map_err(Unreadable::foreign)?;
    Ok(OperatorMetadata {
        id: entry.id.into_owned(),
        description: OperatorDescription::Aggregation(aggregation_metadata(description)),
    })
}

fn aggregation_metadata(entry: AggregationEntry<'_>) -> AggregationMetadata {
    AggregationMetadata {
        group_by: texts(entry.group_by),
        aggregates: texts(entry.aggregates),
        event_time: entry.event_time.map(Cow::into_owned),
        origin: entry.origin.map(Cow::into_owned),
        event_time_origin: entry.event_time_origin.map(Cow::into_owned),
    }
}

/// The batch and the writer of an entry of either log.
pub(crate) fn read_heading(text: &[u8]) -> Result<(BatchId, Writer), Unreadable> {
    let entry: HeadingEntry<'static> = decode(text)?;
    let writer = Writer {
        epoch: Epoch(entry.epoch),
        run: entry.run,
        runs: entry.query.map(query_text),
    };
    Ok((BatchId(entry.batch), writer))
}

/// The versions whose entries have a member.
type Versions = RangeInclusive<u32>;

/// The members of a query's one state, which the list of operators replaced.
const ONE_STATE: Versions = STATE_VERSION..=OPERATORS_VERSION - 1;
const SINCE_CHECKSUM: Versions = CHECKSUM_VERSION..=VERSION;
const SINCE_OPERATORS: Versions = OPERATORS_VERSION..=VERSION;

/// Refuses a member that entries of its version do not have.
fn expect_version(
    version: u32,
    member: &str,
    is_there: bool,
    versions: &Versions,
) -> Result<(), Unreadable> {
    if is_there && !versions.contains(&version) {
        let reason = format!("unknown field `{member}` in an entry of version {version}");
        return Err(Unreadable::foreign(reason));
    }
    Ok(())
}

/// Checks the version first, so that a newer one is reported as such, then the checksum, then parses.
fn decode<T: DeserializeOwned>(text: &[u8]) -> Result<T, Unreadable> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_slice(text).map_err(Unreadable::foreign)?;
    if version > VERSION {
        return Err(Unreadable::Newer(version));
    }
    if version >= CHECKSUM_VERSION {
        return serde_json::from_slice(&opened(text)?).map_err(Unreadable::foreign);
    }
    serde_json::from_slice(text).map_err(Unreadable::foreign)
}
