//! The watermarks and state files that a commit records for the next batch.

use std::collections::BTreeMap;

use super::{BatchId, ShardId, UnixMillis};

/// The id of a query's first aggregation, and the kind of all aggregations.
///
/// Operator ids are stable names derived from the plan: the first operator of a kind is named after the
/// kind, any further one after its path in the plan.
pub(crate) const AGGREGATION: &str = "aggregation";

/// The id of the aggregation of a statement of a statement set.
pub(crate) fn aggregation_of(output: &str) -> String {
    format!("{output}/{AGGREGATION}")
}

/// What a commit records for the next batch, besides the offsets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Committed {
    /// An upper bound of the arrival times of all records read so far. `None` if the watermark does
    /// not follow the clock on a quiet stream, or if nothing has been read yet.
    pub(crate) last_arrival: Option<UnixMillis>,
    /// The query's stateful operators; empty if it has none.
    pub(crate) operators: Vec<OperatorProgress>,
}

impl Committed {
    /// The operator with this id.
    pub(crate) fn operator(&self, id: &str) -> Option<&OperatorProgress> {
        self.operators.iter().find(|operator| operator.id == id)
    }
}

/// The state of one operator after a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OperatorProgress {
    /// The operator's name, the same in every batch and after every restart.
    pub(crate) id: String,
    /// What the operator does, such as [`AGGREGATION`].
    pub(crate) kind: String,
    /// The version of the operator's state: what its files hold and what that means.
    pub(crate) schema_version: u32,
    /// The operator's inputs, in the order of the plan.
    pub(crate) inputs: Vec<InputProgress>,
    /// The files that hold the state; `None` if the query keeps its state in memory only.
    pub(crate) files: Option<StateFiles>,
}

/// Event time on one input of an operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct InputProgress {
    /// The batch's watermark: event times up to and including it are closed. `None` if the query has
    /// no watermark, or none yet.
    pub(crate) watermark: Option<UnixMillis>,
    /// For each source the largest event time seen in each shard that still counts; empty if none has
    /// been seen.
    pub(crate) event_times: Vec<BTreeMap<ShardId, UnixMillis>>,
}

/// Names of objects below `state/` at the checkpoint location; together they are an operator's state
/// after a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StateFiles {
    /// The newest snapshot.
    pub(crate) snapshot: Option<SnapshotFiles>,
    /// The changes since that snapshot, oldest first.
    pub(crate) deltas: Vec<String>,
}

/// An operator's whole state after a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapshotFiles {
    /// The batch.
    pub(crate) batch: BatchId,
    /// Names of the objects, each of which holds a part of the state.
    pub(crate) parts: Vec<String>,
}
