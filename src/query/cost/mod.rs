//! Estimates what a query costs per hour: pure, from counts and list prices.
//!
//! What is held, such as shards, is counted as it is after a batch. What is used, such as bytes and requests, is
//! counted since the start, and its rate is that of the last ten minutes or so.

mod estimate;
mod meter;
mod usage;

pub use self::estimate::EstimatedCost;
pub(super) use self::meter::{
    CostMeter, MeteredBatch, MeteredPuts, MeteredSource, PublishedMetrics,
};
