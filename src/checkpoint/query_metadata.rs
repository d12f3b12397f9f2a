//! What a checkpoint says about its query: the types of the entry `metadata`.

use std::time::Duration;

use crate::model::{InitialPositions, StreamIdentity, StreamName, UnixMillis};

/// What a query is, decided when it was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryMetadata {
    /// A UUID that is the same over all starts.
    pub(crate) id: String,
    /// When it was created.
    pub(crate) created_at: UnixMillis,
    /// Its sources, in the order of a [`Batch`](crate::model::Batch).
    pub(crate) sources: Vec<SourceMetadata>,
    /// What it runs, as it was when it was created.
    pub(crate) runs: QueryText,
    /// What it keeps between batches; `None` where it keeps nothing.
    pub(crate) state: Option<StateMetadata>,
}

/// What a query runs: where its rows go, and its statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryText {
    /// What it writes to, in words.
    pub(crate) sink: String,
    /// The SQL; `None` where an older version of this program did not write it down.
    pub(crate) statement: Option<String>,
}

/// What the state of a query is of, in words: it fits no other aggregation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateMetadata {
    /// The expressions of GROUP BY, in their order.
    pub(crate) group_by: Vec<String>,
    /// The aggregates, in their order.
    pub(crate) aggregates: Vec<String>,
    /// What the watermark goes by; `None` where there is none.
    pub(crate) event_time: Option<String>,
    /// A digest of what groups and aggregates are made of, whatever tables and columns are called; `None` in
    /// checkpoints that do not say it.
    pub(crate) origin: Option<String>,
    /// The same of what the watermark goes by.
    pub(crate) event_time_origin: Option<String>,
}

/// One source of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceMetadata {
    /// The stream.
    pub(crate) stream: StreamIdentity,
    /// When the stream was created: another one of the same name has other records.
    pub(crate) created_at: UnixMillis,
    /// How long the stream kept its records when the query was created; `None` where nobody has noted it.
    pub(crate) retention: Option<Duration>,
    /// Where the query starts on it.
    pub(crate) start: InitialPositions,
}

impl SourceMetadata {
    pub(super) fn stream_name(&self) -> &StreamName {
        self.stream.name()
    }
}
