//! From the text of an entry to plain data.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::checksum::opened;
use super::{
    AggregationEntry, CHECKSUM_VERSION, CommitEntry, HeadingEntry, MetadataEntry, OffsetsEntry,
    QueryEntry, Range, STATE_VERSION, StateEntry, Unreadable, VERSION, Writer, from_hours,
};
use crate::checkpoint::{QueryMetadata, QueryText, SourceMetadata, StateMetadata};
use crate::model::{
    Batch, BatchId, Committed, Epoch, InitialPositions, ShardId, ShardRange, SnapshotFiles,
    StateFiles, StreamIdentity, StreamName, StreamRanges,
};

/// Reads what [`offsets`](super::offsets) writes.
pub(crate) fn read_offsets(text: &[u8]) -> Result<(Batch, Writer), Unreadable> {
    let entry: OffsetsEntry<'static> = decode(text)?;
    let mut sources = entry.sources.iter();
    let says_retention = sources.any(|source| source.retention_hours.is_some());
    for (member, is_there, since) in [
        ("watermark", entry.watermark.is_some(), STATE_VERSION),
        ("query", entry.query.is_some(), CHECKSUM_VERSION),
        ("retention_hours", says_retention, CHECKSUM_VERSION),
    ] {
        expect_version(entry.version, member, is_there, since)?;
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
        watermark: entry.watermark.map(|time| time.0),
        sources: sources.collect::<Result<_, Unreadable>>()?,
    };
    let writer = Writer {
        epoch: Epoch(entry.epoch),
        run: entry.run.into_owned(),
        runs: entry.query.map(query_text),
    };
    Ok((batch, writer))
}

fn query_text(entry: QueryEntry<'_>) -> QueryText {
    QueryText {
        sink: entry.sink.into_owned(),
        statement: Some(entry.statement.into_owned()),
    }
}

fn shard_range(shard: &str, range: Range) -> Result<ShardRange, Unreadable> {
    let range = match range {
        Range::Empty(place) => ShardRange::empty(place.0),
        Range::Rows(rows) => ShardRange {
            after: rows.after.0,
            upto: rows.upto.0,
            rows: rows.rows,
        },
    };
    let reason = match range.rows {
        _ if range.is_backwards() => "ends before it begins".to_owned(),
        Some(rows @ 1..) if range.is_empty() => format!("is empty and has {rows} rows"),
        _ if range.is_empty() => return Ok(ShardRange::empty(range.upto)),
        _ => return Ok(range),
    };
    let reason = format!("the range of shard {shard} {reason}");
    Err(Unreadable::foreign(reason))
}

/// Reads what [`commit`](super::commit) writes.
pub(crate) fn read_commit(text: &[u8]) -> Result<CommitRead, Unreadable> {
    let entry: CommitEntry<'static> = decode(text)?;
    for (member, is_there) in [
        ("watermark", entry.watermark.is_some()),
        ("event_times", !entry.event_times.is_empty()),
        ("state", entry.state.is_some()),
    ] {
        expect_version(entry.version, member, is_there, STATE_VERSION)?;
    }
    let is_there = entry.last_arrival.is_some();
    expect_version(entry.version, "last_arrival", is_there, CHECKSUM_VERSION)?;
    let event_times = entry.event_times.into_iter().map(|shards| {
        let shards = shards.into_iter();
        let shards = shards.map(|(shard, time)| (ShardId::new(&*shard), time.0));
        shards.collect()
    });
    let left = Committed {
        watermark: entry.watermark.map(|time| time.0),
        event_times: event_times.collect(),
        last_arrival: entry.last_arrival.map(|time| time.0),
        state: entry.state.map(state_files),
    };
    let writer = Writer {
        epoch: Epoch(entry.epoch),
        run: entry.run.into_owned(),
        runs: None,
    };
    Ok((BatchId(entry.batch), left, writer))
}

/// What a commit says: of which batch it is, what that left, and who wrote it.
type CommitRead = (BatchId, Committed, Writer);

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

/// Reads what [`metadata`](super::metadata) writes.
pub(crate) fn read_metadata(text: &[u8]) -> Result<QueryMetadata, Unreadable> {
    let entry: MetadataEntry<'static> = decode(text)?;
    let says_origin = |state: &AggregationEntry<'_>| state.origin.is_some();
    let says_origin = entry.state.as_ref().is_some_and(says_origin);
    let mut sources = entry.sources.iter();
    let says_retention = sources.any(|source| source.retention_hours.is_some());
    for (member, is_there, since) in [
        ("state", entry.state.is_some(), STATE_VERSION),
        ("statement", entry.statement.is_some(), CHECKSUM_VERSION),
        ("retention_hours", says_retention, CHECKSUM_VERSION),
        ("origin", says_origin, CHECKSUM_VERSION),
    ] {
        expect_version(entry.version, member, is_there, since)?;
    }
    let state = entry.state.map(|state| StateMetadata {
        group_by: texts(state.group_by),
        aggregates: texts(state.aggregates),
        event_time: state.event_time.map(Cow::into_owned),
        origin: state.origin.map(Cow::into_owned),
        event_time_origin: state.event_time_origin.map(Cow::into_owned),
    });
    let sources = entry.sources.into_iter().map(|source| {
        let stream = StreamIdentity::parse(&source.stream);
        let shards = source.start.shards.into_iter();
        let shards = shards.map(|(shard, place)| (ShardId::new(&*shard), place.0));
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
        state,
    })
}

/// Which batch an entry of either log is about, and who wrote it.
pub(crate) fn read_heading(text: &[u8]) -> Result<(BatchId, Writer), Unreadable> {
    let entry: HeadingEntry<'static> = decode(text)?;
    let writer = Writer {
        epoch: Epoch(entry.epoch),
        run: entry.run,
        runs: entry.query.map(query_text),
    };
    Ok((BatchId(entry.batch), writer))
}

/// Refuses a member that entries of this version do not have.
fn expect_version(
    version: u32,
    member: &str,
    is_there: bool,
    since: u32,
) -> Result<(), Unreadable> {
    if is_there && version < since {
        let reason = format!("unknown field `{member}` in an entry of version {version}");
        return Err(Unreadable::foreign(reason));
    }
    Ok(())
}

/// Looks at the version first, so that a newer one is called that; then at the checksum, where entries of the
/// version have one.
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
