//! Writes entries.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use super::values::{PositionText, TimeText};
use super::{
    AggregationEntry, CommitEntry, DescribedOperator, EventTimes, InputEntry, MetadataEntry,
    OffsetsEntry, OperatorEntry, QueryEntry, Range, Rows, SnapshotEntry, SourceEntry, SourceRanges,
    StartEntry, StateEntry, VERSION, Writer, hours, sealed,
};
use crate::checkpoint::query_metadata::{
    AggregationMetadata, OperatorDescription, OperatorMetadata, QueryMetadata, QueryText,
};
use crate::error::{Error, Result};
use crate::model::{
    AGGREGATION, Batch, BatchId, Committed, InputProgress, OperatorProgress, ShardId, StateFiles,
    StreamRanges, UnixMillis,
};

/// The entry of a planned batch.
pub(crate) fn offsets(batch: &Batch, writer: &Writer) -> Result<Bytes> {
    let query = writer.runs.as_ref().and_then(query_entry);
    encode(&OffsetsEntry {
        version: VERSION,
        batch: batch.id.0,
        epoch: writer.epoch.0,
        run: writer.run.as_str().into(),
        time: TimeText(batch.time),
        watermark: None,
        watermarks: batch.watermarks.iter().map(watermarks).collect(),
        query,
        sources: batch.sources.iter().map(source_ranges).collect(),
    })
}

fn watermarks<'a>(
    (id, inputs): (&'a String, &Vec<Option<UnixMillis>>),
) -> (Cow<'a, str>, Vec<Option<TimeText>>) {
    let inputs = inputs.iter().map(|time| time.map(TimeText));
    (id.as_str().into(), inputs.collect())
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

/// The entry of a batch that was committed at `time`.
pub(crate) fn commit(
    batch: BatchId,
    time: UnixMillis,
    left: &Committed,
    writer: &Writer,
) -> Result<Bytes> {
    encode(&CommitEntry {
        version: VERSION,
        batch: batch.0,
        epoch: writer.epoch.0,
        run: writer.run.as_str().into(),
        time: TimeText(time),
        watermark: None,
        event_times: Vec::new(),
        last_arrival: left.last_arrival.map(TimeText),
        state: None,
        operators: left.operators.iter().map(operator).collect(),
    })
}

fn operator(operator: &OperatorProgress) -> OperatorEntry<'_> {
    OperatorEntry {
        id: operator.id.as_str().into(),
        kind: operator.kind.as_str().into(),
        schema_version: operator.schema_version,
        inputs: operator.inputs.iter().map(input).collect(),
        files: operator.files.as_ref().map(state_files),
    }
}

fn input(input: &InputProgress) -> InputEntry<'_> {
    // Maps that are all empty carry no information.
    let any = input.event_times.iter().any(|shards| !shards.is_empty());
    let sources = input.event_times.iter().filter(|_| any);
    InputEntry {
        watermark: input.watermark.map(TimeText),
        event_times: sources.map(event_times).collect(),
    }
}

fn event_times(shards: &BTreeMap<ShardId, UnixMillis>) -> EventTimes<'_> {
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

/// The entry `metadata`.
pub(crate) fn metadata(metadata: &QueryMetadata) -> Result<Bytes> {
    let sources = metadata.sources.iter().map(|source| {
        let name = source.stream.name().as_str();
        let shards = source.start.shards.iter();
        let shards =
            shards.map(|(shard, position)| (shard.as_str().into(), PositionText(position.clone())));
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
    let operators = metadata.operators.iter().map(described_operator);
    encode(&MetadataEntry {
        version: VERSION,
        id: metadata.id.as_str().into(),
        created_at: TimeText(metadata.created_at),
        sources: sources.collect(),
        sink: metadata.runs.sink.as_str().into(),
        statement: metadata.runs.statement.as_deref().map(Cow::from),
        state: None,
        operators: operators.collect::<Result<_>>()?,
    })
}

fn described_operator(operator: &OperatorMetadata) -> Result<DescribedOperator<'_>> {
    let OperatorDescription::Aggregation(description) = &operator.description;
    Ok(DescribedOperator {
        id: operator.id.as_str().into(),
        kind: AGGREGATION.into(),
        description: serde_json::to_value(aggregation(description)).map_err(unwritable)?,
    })
}

fn aggregation(state: &AggregationMetadata) -> AggregationEntry<'_> {
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
    let text = serde_json::to_vec_pretty(entry).map_err(unwritable)?;
    let entry = sealed(&text);
    let entry = entry.ok_or_else(|| Error::internal("a checkpoint entry is not a JSON object"))?;
    Ok(entry.into())
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::internal(format!("a checkpoint entry cannot be written: {error}")).with_source(error)
}
