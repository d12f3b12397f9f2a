//! What a batch with state leaves behind for the next one.

use std::collections::BTreeMap;

use super::{BatchId, ShardId, UnixMillis};

/// What a batch leaves behind for the next one besides its offsets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The watermark of the batch: event times up to it are closed; `None` where the query has none, or
    /// none yet.
    pub(crate) watermark: Option<UnixMillis>,
    /// The largest event time that was seen in each shard, source by source, of the shards that still
    /// count; empty where none was seen.
    pub(crate) event_times: Vec<BTreeMap<ShardId, UnixMillis>>,
    /// No record that was read arrived later; `None` where the watermark does not follow the clock on a
    /// quiet stream, or nothing was read yet.
    pub(crate) last_arrival: Option<UnixMillis>,
    /// The files that hold the state as it is behind the batch; `None` where the query has none.
    pub(crate) state: Option<StateFiles>,
}

/// Names of objects below `state/` at the checkpoint location; together they are the state behind a
/// batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StateFiles {
    /// The newest snapshot.
    pub(crate) snapshot: Option<SnapshotFiles>,
    /// What has changed since, batch by batch, the oldest first.
    pub(crate) deltas: Vec<String>,
}

/// The whole state as it was behind a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapshotFiles {
    /// The batch.
    pub(crate) batch: BatchId,
    /// Names of the objects; each holds a part of the state.
    pub(crate) parts: Vec<String>,
}
