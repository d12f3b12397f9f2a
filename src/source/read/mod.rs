//! Reads one shard up to a known end: the tip of a bounded scan, or the end of an exact range of a
//! batch.

mod batch_reads;
mod context;
mod counters;
mod range_end;
mod recent_pages;
mod row_reader;
mod shard_read;
mod shard_reader;
#[cfg(test)]
mod tests;

pub(crate) use self::batch_reads::BatchReads;
pub(crate) use self::context::ReadContext;
pub(crate) use self::counters::ReadCounters;
pub(crate) use self::row_reader::RowReader;
pub(crate) use self::shard_read::{ShardRead, Until};
