//! From the text of an entry to plain data.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{
    CommitEntry, HeadingEntry, MetadataEntry, OffsetsEntry, Range, Unreadable, VERSION, Writer,
};
use crate::checkpoint::{QueryMetadata, SourceMetadata};
use crate::model::{
    Batch, BatchId, Epoch, InitialPositions, ShardId, ShardRange, StreamIdentity, StreamName,
    StreamRanges,
};

/// Reads what [`offsets`](super::offsets) writes.
pub(in crate::checkpoint) fn read_offsets(text: &[u8]) -> Result<(Batch, Writer), Unreadable> {
    let entry: OffsetsEntry<'static> = decode(text)?;
    let sources = entry.sources.into_iter().map(|source| {
        let stream = StreamName::new(&source.stream).map_err(Unreadable::foreign)?;
        let shards = source.shards.into_iter().map(|(shard, range)| {
            let range = match range {
                Range::Empty(place) => ShardRange::empty(place.0),
                Range::Rows(rows) => ShardRange {
                    after: rows.after.0,
                    upto: rows.upto.0,
                    rows: rows.rows,
                },
            };
            if range.is_backwards() {
                let reason = format!("the range of shard {shard} ends before it begins");
                return Err(Unreadable::foreign(reason));
            }
            Ok((ShardId::new(&*shard), range))
        });
        let shards = shards.collect::<Result<_, Unreadable>>()?;
        Ok(StreamRanges {
            stream,
            created_at: source.created_at.map(|time| time.0),
            read_to: source.read_to.map(|time| time.0),
            shards,
        })
    });
    let batch = Batch {
        id: BatchId(entry.batch),
        time: entry.time.0,
        sources: sources.collect::<Result<_, Unreadable>>()?,
    };
    let writer = Writer {
        epoch: Epoch(entry.epoch),
        run: entry.run.into_owned(),
    };
    Ok((batch, writer))
}

/// Reads what [`commit`](super::commit) writes.
pub(in crate::checkpoint) fn read_commit(text: &[u8]) -> Result<BatchId, Unreadable> {
    let entry: CommitEntry<'static> = decode(text)?;
    Ok(BatchId(entry.batch))
}

/// Reads what [`metadata`](super::metadata) writes.
pub(in crate::checkpoint) fn read_metadata(text: &[u8]) -> Result<QueryMetadata, Unreadable> {
    let entry: MetadataEntry<'static> = decode(text)?;
    let sources = entry.sources.into_iter().map(|source| {
        let stream = StreamIdentity::parse(&source.stream);
        let shards = source.start.shards.into_iter();
        let shards = shards.map(|(shard, place)| (ShardId::new(&*shard), place.0));
        Ok(SourceMetadata {
            stream: stream.map_err(Unreadable::foreign)?,
            created_at: source.created_at.0,
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
        sink: entry.sink.into_owned(),
    })
}

/// Which batch an entry of either log is about, and who wrote it.
pub(in crate::checkpoint) fn read_heading(text: &[u8]) -> Result<(BatchId, Writer), Unreadable> {
    let entry: HeadingEntry = decode(text)?;
    let writer = Writer {
        epoch: Epoch(entry.epoch),
        run: entry.run,
    };
    Ok((BatchId(entry.batch), writer))
}

/// Looks at the version first, so that a newer one is called that.
fn decode<T: DeserializeOwned>(text: &[u8]) -> Result<T, Unreadable> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_slice(text).map_err(Unreadable::foreign)?;
    if version > VERSION {
        return Err(Unreadable::Newer(version));
    }
    serde_json::from_slice(text).map_err(Unreadable::foreign)
}
