//! What a batch reads, and what of it is in memory already.

use std::collections::HashMap;

use super::read::ShardRead;
use crate::kinesis::RecordsPage;
use crate::model::ShardId;

/// Rows of a page from one place to another. A place counts Kinesis records of the page, and user
/// records in it.
#[derive(Debug, Clone)]
pub(crate) struct PageSlice {
    /// Kinesis records as they were fetched, shared with the buffer.
    pub(crate) page: RecordsPage,
    /// The first row.
    pub(crate) first: RowPlace,
    /// The row behind the last one.
    pub(crate) end: RowPlace,
    /// Whether every record that looks like an aggregate was found to be one by its checksum.
    pub(crate) checked: bool,
}

/// A place between two rows of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowPlace {
    /// Kinesis records of the page before the place.
    pub(crate) record: usize,
    /// User records of `record` before the place.
    pub(crate) sub: u64,
}

/// What a batch reads of one stream, ready for a plan.
#[derive(Debug, Default)]
pub(crate) struct BatchReads {
    /// Ranges with rows only: from where to which position of which shard.
    pub(crate) reads: Vec<ShardRead>,
    /// Rows of `reads` that are in memory; those of other shards are read from Kinesis.
    pub(crate) buffered: HashMap<ShardId, Vec<PageSlice>>,
}

impl BatchReads {
    /// Numbers the reads from `base` on, in their order; gives the number that follows the last one.
    pub(crate) fn number_from(&mut self, base: u32) -> u32 {
        let mut next = base;
        for read in &mut self.reads {
            read.number = next;
            next = next.saturating_add(1);
        }
        next
    }
}
