//! The reads of one stream in one batch, and those of their rows that are already in memory.

use std::collections::HashMap;

use super::shard_read::ShardRead;
use crate::model::ShardId;
use crate::source::rows::PageSlice;

/// The reads of one stream in one batch, ready for a plan.
#[derive(Debug, Default)]
pub(crate) struct BatchReads {
    /// One read per shard with rows.
    pub(crate) reads: Vec<ShardRead>,
    /// The rows of shards that are in memory; other shards are read from Kinesis.
    pub(crate) buffered: HashMap<ShardId, Vec<PageSlice>>,
}

impl BatchReads {
    /// Numbers the reads in order, starting at `base`; returns the number after the last one.
    pub(crate) fn number_from(&mut self, base: u32) -> u32 {
        let mut next = base;
        for read in &mut self.reads {
            read.number = next;
            next = next.saturating_add(1);
        }
        next
    }
}
