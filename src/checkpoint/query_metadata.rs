//! The types of the entry `metadata`, which describes the query of a checkpoint.

use std::time::Duration;

use crate::model::{InitialPositions, StreamIdentity, StreamName, UnixMillis};

/// The entry `metadata`: the facts fixed when the query was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryMetadata {
    /// A UUID, the same after every restart.
    pub(crate) id: String,
    /// When it was created.
    pub(crate) created_at: UnixMillis,
    /// Its sources, in the order of a [`Batch`](crate::model::Batch).
    pub(crate) sources: Vec<SourceMetadata>,
    /// The statement and the sink that it was created with.
    pub(crate) runs: QueryText,
    /// Its stateful operators; empty if it keeps no state between batches.
    pub(crate) operators: Vec<OperatorMetadata>,
}

impl QueryMetadata {
    /// The aggregation with this id, if the query has it.
    pub(crate) fn aggregation(&self, id: &str) -> Option<&AggregationMetadata> {
        let mut operators = self.operators.iter();
        let found = operators.find(|operator| operator.id == id)?;
        let OperatorDescription::Aggregation(aggregation) = &found.description;
        Some(aggregation)
    }
}

/// A stateful operator of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OperatorMetadata {
    /// The name under which commits record the operator's state.
    pub(crate) id: String,
    pub(crate) description: OperatorDescription,
}

/// What an operator computes, by its kind. Its state is valid only for an operator that computes the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OperatorDescription {
    Aggregation(AggregationMetadata),
}

/// The statement of a query and its sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryText {
    /// The sink, as text.
    pub(crate) sink: String,
    /// The SQL; `None` in checkpoints of versions that did not record it.
    pub(crate) statement: Option<String>,
}

/// The expressions of an aggregation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AggregationMetadata {
    /// The expressions of GROUP BY, in their order.
    pub(crate) group_by: Vec<String>,
    /// The aggregates, in their order.
    pub(crate) aggregates: Vec<String>,
    /// The event time; `None` without a watermark.
    pub(crate) event_time: Option<String>,
    /// A digest of how groups and aggregates derive from the columns of the tables, independent of aliases;
    /// `None` in checkpoints of versions that did not record it.
    pub(crate) origin: Option<String>,
    /// The same digest for the event time.
    pub(crate) event_time_origin: Option<String>,
}

/// One source of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceMetadata {
    /// The stream.
    pub(crate) stream: StreamIdentity,
    /// When the stream was created: a new stream of the same name has different records.
    pub(crate) created_at: UnixMillis,
    /// The retention of the stream when the query was created; `None` in checkpoints of versions that did not
    /// record it.
    pub(crate) retention: Option<Duration>,
    /// Where the query starts to read it.
    pub(crate) start: InitialPositions,
}

impl SourceMetadata {
    pub(super) fn stream_name(&self) -> &StreamName {
        self.stream.name()
    }
}
