//! From plain data to the text of an entry.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use super::{
    AggregationEntry, CommitEntry, MetadataEntry, OffsetsEntry, PositionText, QueryEntry, Range,
    Rows, SnapshotEntry, SourceEntry, SourceRanges, StartEntry, StateEntry, TimeText, VERSION,
    Writer, hours, sealed,
};
use crate::checkpoint::{QueryMetadata, QueryText, StateMetadata};
use crate::error::{Error, Result};
use crate::model::{Batch, BatchId, Committed, ShardId, StateFiles, StreamRanges, UnixMillis};

/// The entry of a planned batch.
pub(crate) fn offsets(batch: &Batch, writer: &Writer) -> Result<Bytes> {
    let query = writer.runs.as_ref().and_then(query_entry);
    encode(&OffsetsEntry {
        version: VERSION,
        batch: batch.id.0,
        epoch: writer.epoch.0,
        run: writer.run.as_str().into(),
        time: TimeText(batch.time),
        watermark: batch.watermark.map(TimeText),
        query,
        sources: batch.sources.iter().map(source_ranges).collect(),
    })
}

fn query_entry(runs: &QueryText) -> Option<QueryEntry<'_>> {
    Some(QueryEntry {
        sink: runs.sink.as_str().into(),
        statement: runs.statement.as_deref()?.into(),
    })
}

fn source_ranges(source: &StreamRanges) -> SourceRanges<'_> {
    let shards = source.shards.iter().map(|(shard, range)| {
        let upto = PositionText(range.upto.clone());
        let range = if range.is_empty() {
            Range::Empty(upto)
        } else {
            let after = PositionText(range.after.clone());
            Range::Rows(Rows {
                after,
                upto,
                rows: range.rows,
            })
        };
        (shard.as_str().into(), range)
    });
    SourceRanges {
        stream: source.stream.as_str().into(),
        created_at: source.created_at.map(TimeText),
        read_to: source.read_to.map(TimeText),
        retention_hours: source.retention.map(hours),
        shards: shards.collect(),
    }
}

/// The entry of a batch that was done at `time` and has left `left`.
pub(crate) fn commit(
    batch: BatchId,
    time: UnixMillis,
    left: &Committed,
    writer: &Writer,
) -> Result<Bytes> {
    let event_times = if left.event_times.iter().all(BTreeMap::is_empty) {
        Vec::new()
    } else {
        left.event_times.iter().map(event_times).collect()
    };
    encode(&CommitEntry {
        version: VERSION,
        batch: batch.0,
        epoch: writer.epoch.0,
        run: writer.run.as_str().into(),
        time: TimeText(time),
        watermark: left.watermark.map(TimeText),
        event_times,
        last_arrival: left.last_arrival.map(TimeText),
        state: left.state.as_ref().map(state_files),
    })
}

fn event_times(shards: &BTreeMap<ShardId, UnixMillis>) -> BTreeMap<Cow<'_, str>, TimeText> {
    let shards = shards.iter();
    let shards = shards.map(|(shard, time)| (shard.as_str().into(), TimeText(*time)));
    shards.collect()
}

fn state_files(files: &StateFiles) -> StateEntry<'_> {
    let snapshot = files.snapshot.as_ref().map(|snapshot| SnapshotEntry {
        batch: snapshot.batch.0,
        parts: texts(&snapshot.parts),
    });
    StateEntry {
        snapshot,
        deltas: texts(&files.deltas),
    }
}

/// The entry of a query.
pub(crate) fn metadata(metadata: &QueryMetadata) -> Result<Bytes> {
    let sources = metadata.sources.iter().map(|source| {
        let name = source.stream.name().as_str();
        let shards = source.start.shards.iter();
        let shards =
            shards.map(|(shard, place)| (shard.as_str().into(), PositionText(place.clone())));
        SourceEntry {
            stream: source.stream.arn().unwrap_or(name).into(),
            created_at: TimeText(source.created_at),
            retention_hours: source.retention.map(hours),
            start: StartEntry {
                shards: shards.collect(),
                others: PositionText(source.start.others.clone()),
            },
        }
    });
    encode(&MetadataEntry {
        version: VERSION,
        id: metadata.id.as_str().into(),
        created_at: TimeText(metadata.created_at),
        sources: sources.collect(),
        sink: metadata.runs.sink.as_str().into(),
        statement: metadata.runs.statement.as_deref().map(Cow::from),
        state: metadata.state.as_ref().map(aggregation),
    })
}

fn aggregation(state: &StateMetadata) -> AggregationEntry<'_> {
    AggregationEntry {
        group_by: texts(&state.group_by),
        aggregates: texts(&state.aggregates),
        event_time: state.event_time.as_deref().map(Cow::from),
        origin: state.origin.as_deref().map(Cow::from),
        event_time_origin: state.event_time_origin.as_deref().map(Cow::from),
    }
}

fn texts(texts: &[String]) -> Vec<Cow<'_, str>> {
    texts.iter().map(|text| text.as_str().into()).collect()
}

fn encode<T: Serialize>(entry: &T) -> Result<Bytes> {
    let text = serde_json::to_vec_pretty(entry).map_err(|error| {
        Error::internal(format!("a checkpoint entry cannot be written: {error}")).with_source(error)
    })?;
    let entry = sealed(&text);
    let entry = entry.ok_or_else(|| Error::internal("a checkpoint entry is no JSON object"))?;
    Ok(entry.into())
}
