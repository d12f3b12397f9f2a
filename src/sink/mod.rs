//! Writes rows to a stream with PutRecords.
//!
//! A [`SinkWriter`] takes batches of rows and writes them to a [`SinkStream`], which many writers
//! share. Guarantees:
//!
//! - **At least once.** A row counts as written once the service has acknowledged it. A request
//!   whose acknowledgement was lost is sent again, so a record can be written twice but is never
//!   dropped. An aggregate that a reshard put on a shard whose hash range does not cover all of its
//!   records is also sent again, because readers that use the Kinesis Client Library would discard
//!   it.
//! - **Order per partition key.** Rows of one key that one writer sends to one shard are stored in
//!   the order they were pushed. If rows are written twice, their first copies are in order, and so
//!   are their last copies. There is no order if the service chooses the shard.
//! - **Bounded memory.** A writer buffers at most `max_buffered_bytes`, then [`SinkWriter::write`]
//!   waits.
//! - **Aggregation** if the partition key determines the shard: one open aggregate per predicted
//!   shard, with outer key `a` and the explicit hash key of its first user record. A user record
//!   that is alone in its aggregate, or larger than an aggregate may be, is sent plain. Without
//!   aggregation, the next record of a key waits until the previous one is acknowledged, so writing
//!   is slow if there are few keys.

mod batcher;
mod counters;
mod load;
mod rows;
mod settings;
mod shard_map;
mod stream;
mod writer;

pub(crate) use counters::SinkCounters;
pub use load::SinkStatus;
pub(crate) use settings::SinkSettings;
pub(crate) use stream::SinkStream;
pub(crate) use writer::SinkWriter;

#[cfg(test)]
mod tests;
