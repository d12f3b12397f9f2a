//! The logical plan of a stateful query: finds the aggregation, its event time and its identity, and inserts nodes.

mod attach;
mod barrier;
mod column_lineage;
mod compatibility;
mod event_time_node;
mod row_time;
mod streams;

pub(crate) use attach::{Attached, attach};
pub(crate) use barrier::{AboveBarrier, OptimizerBarrier};
pub(crate) use compatibility::{ALTERNATIVES, NamePatterns, expect_same_aggregation, listed};
pub(crate) use event_time_node::EventTimeNode;
pub(crate) use row_time::ExpiryColumn;
pub(crate) use streams::Streams;
