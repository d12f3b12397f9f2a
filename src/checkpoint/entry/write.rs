//! From plain data to the text of an entry.

use bytes::Bytes;
use serde::Serialize;

use super::{
    CommitEntry, MetadataEntry, OffsetsEntry, Place, Range, Rows, SourceEntry, SourceRanges,
    StartEntry, Time, VERSION, Writer,
};
use crate::checkpoint::QueryMetadata;
use crate::error::{Error, Result};
use crate::model::{Batch, BatchId, StreamRanges, UnixMillis};

/// The entry of a planned batch.
pub(in crate::checkpoint) fn offsets(batch: &Batch, writer: &Writer) -> Result<Bytes> {
    encode(&OffsetsEntry {
        version: VERSION,
        batch: batch.id.0,
        epoch: writer.epoch.0,
        run: writer.run.as_str().into(),
        time: Time(batch.time),
        sources: batch.sources.iter().map(source_ranges).collect(),
    })
}

fn source_ranges(source: &StreamRanges) -> SourceRanges<'_> {
    let shards = source.shards.iter().map(|(shard, range)| {
        let upto = Place(range.upto.clone());
        let range = if range.is_empty() {
            Range::Empty(upto)
        } else {
            let after = Place(range.after.clone());
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
        created_at: source.created_at.map(Time),
        read_to: source.read_to.map(Time),
        shards: shards.collect(),
    }
}

/// The entry of a batch that was done at `time`.
pub(in crate::checkpoint) fn commit(
    batch: BatchId,
    time: UnixMillis,
    writer: &Writer,
) -> Result<Bytes> {
    encode(&CommitEntry {
        version: VERSION,
        batch: batch.0,
        epoch: writer.epoch.0,
        run: writer.run.as_str().into(),
        time: Time(time),
    })
}

/// The entry of a query.
pub(in crate::checkpoint) fn metadata(metadata: &QueryMetadata) -> Result<Bytes> {
    let sources = metadata.sources.iter().map(|source| {
        let name = source.stream.name().as_str();
        let shards = source.start.shards.iter();
        let shards = shards.map(|(shard, place)| (shard.as_str().into(), Place(place.clone())));
        SourceEntry {
            stream: source.stream.arn().unwrap_or(name).into(),
            created_at: Time(source.created_at),
            start: StartEntry {
                shards: shards.collect(),
                others: Place(source.start.others.clone()),
            },
        }
    });
    encode(&MetadataEntry {
        version: VERSION,
        id: metadata.id.as_str().into(),
        created_at: Time(metadata.created_at),
        sources: sources.collect(),
        sink: metadata.sink.as_str().into(),
    })
}

fn encode<T: Serialize>(entry: &T) -> Result<Bytes> {
    let mut text = serde_json::to_vec_pretty(entry).map_err(|error| {
        Error::internal(format!("a checkpoint entry cannot be written: {error}")).with_source(error)
    })?;
    text.push(b'\n');
    Ok(text.into())
}
