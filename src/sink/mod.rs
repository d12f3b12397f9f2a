//! From rows to PutRecords.
//!
//! A [`SinkWriter`] takes batches of rows and writes them to a [`SinkStream`]; many writers share
//! one stream. What holds for all of them:
//!
//! - **Nothing is lost.** A row counts as written once the service has acknowledged it. A request
//!   whose acknowledgement was lost is sent again, so a record can come twice, never not at all.
//!   So is an aggregate that a reshard brought to a shard which does not take all of its records:
//!   readers of the Kinesis Client Library would drop it.
//! - **Order per partition key.** Rows of one key that one writer sends to one shard stand there in
//!   the order they were pushed. Where rows come twice, their first copies are in order, and so are
//!   their last. There is no order where the service picks the shard.
//! - **Bounded.** A writer holds `max_buffered_bytes`; then [`SinkWriter::write`] waits.
//! - **Aggregated** where the partition key picks the shard: one aggregate per predicted shard at
//!   a time, outer key `a`, explicit hash key of its first user record. A user record that stays
//!   alone or is larger than an aggregate goes out as it is. Without aggregation, the next record of
//!   a key waits for the acknowledgement of the one before: streams of few keys are written slowly.

mod batcher;
mod counters;
mod rows;
mod settings;
mod shard_map;
mod stream;
mod writer;

pub use counters::SinkCounters;
pub use settings::SinkSettings;
pub use stream::SinkStream;
pub use writer::SinkWriter;

#[cfg(test)]
mod tests;
