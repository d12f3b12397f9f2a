//! What a batch reads of one stream, and what of it is already in memory.

use std::collections::HashMap;

use super::shard_read::ShardRead;
use crate::model::ShardId;
use crate::source::rows::PageSlice;

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
