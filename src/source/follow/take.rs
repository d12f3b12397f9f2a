//! From the buffers to a batch.

use std::collections::BTreeMap;

use super::followed::{Followed, Progress};
use super::state::State;
use crate::model::{ShardId, StreamName, StreamRanges, UnixMillis};
use crate::source::buffer::{ShardBuffer, Taken};
use crate::source::buffered::BatchReads;
use crate::source::planner::{Waiting, plan};
use crate::source::read::{ShardRead, Until};

/// A batch of one stream.
#[derive(Debug)]
pub(crate) struct PlannedRead {
    /// For every tracked shard.
    pub(crate) ranges: StreamRanges,
    /// The rows in them.
    pub(crate) reads: BatchReads,
    /// How many these are; those a hash filter leaves out are counted.
    pub(crate) rows: u64,
}

impl State {
    /// Cuts a batch off; gives it and the shards that may be read from now on.
    pub(super) fn take(
        &mut self,
        stream: StreamName,
        created_at: UnixMillis,
    ) -> (PlannedRead, Vec<ShardId>) {
        let mut planned = PlannedRead {
            ranges: StreamRanges {
                stream,
                created_at: Some(created_at),
                read_to: None,
                shards: BTreeMap::new(),
            },
            reads: BatchReads::default(),
            rows: 0,
        };
        let mut drained = Vec::new();
        let mut shares = self.shares().into_iter();
        let row_cap = self.rules.caps.rows_per_shard;
        let mut ranges = Vec::with_capacity(self.shards.len());
        for (shard, followed) in &mut self.shards {
            let before = followed.tally(row_cap);
            let share = if before.rows > 0 { shares.next() } else { None };
            let taken = followed.take(share);
            self.tally.remove(before);
            self.tally.add(followed.tally(row_cap));
            // Nothing of it is left: it has ended, or is lost.
            let over = followed.progress == Progress::Done && followed.buffer.pending_rows() == 0;
            if over && !taken.range.is_empty() {
                drained.push(shard.clone());
            }
            ranges.push((shard.clone(), taken.range.clone()));
            planned.add(shard, followed, taken);
        }
        planned.ranges.shards = ranges.into_iter().collect();
        let started = drained
            .iter()
            .flat_map(|shard| self.consume_if_drained(shard));
        let started = started.collect();
        (planned, started)
    }

    /// The rows of each shard that has any.
    fn shares(&self) -> Vec<u64> {
        let shards = self.shards.values();
        let shards = shards.filter(|shard| shard.buffer.pending_rows() > 0);
        let waiting: Vec<Waiting<'_, ShardBuffer>> = shards
            .map(|shard| Waiting {
                supply: &shard.buffer,
                passed_over: shard.passed_over,
            })
            .collect();
        plan(&waiting, self.rules.caps)
    }
}

impl Followed {
    /// Takes its share; none where it has no rows.
    fn take(&mut self, share: Option<u64>) -> Taken {
        self.passed_over = match share {
            Some(0) => self.passed_over.saturating_add(1),
            _ => 0,
        };
        self.buffer.take(share.unwrap_or(0))
    }
}

impl PlannedRead {
    fn add(&mut self, shard: &ShardId, followed: &Followed, taken: Taken) {
        if taken.rows == 0 {
            return;
        }
        self.rows += taken.rows;
        self.reads.reads.push(ShardRead {
            shard: shard.clone(),
            hash_range: followed.hash_range,
            start: taken.range.after,
            until: Until::Position(taken.range.upto),
            limit: None,
            rows: Some(taken.rows),
        });
        if let Some(slices) = taken.slices {
            self.reads.buffered.insert(shard.clone(), slices);
        }
    }
}
