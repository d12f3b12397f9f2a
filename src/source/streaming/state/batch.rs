//! From the buffers to a batch.

use std::collections::BTreeMap;
use std::time::Duration;

use super::State;
use super::activity::Coverage;
use super::shard::{Followed, Progress};
use crate::model::{ShardId, StreamName, StreamRanges, UnixMillis};
use crate::source::buffer::{ShardBuffer, Taken};
use crate::source::buffer::{Waiting, plan};
use crate::source::read::{BatchReads, ShardRead, Until};
use crate::source::streaming::settings::StreamReaderSettings;

/// A batch of one stream.
#[derive(Debug)]
pub(crate) struct StreamBatch {
    /// For every tracked shard.
    pub(crate) ranges: StreamRanges,
    /// The rows in them.
    pub(crate) reads: BatchReads,
    /// How many these are; those a hash filter leaves out are counted.
    pub(crate) rows: u64,
    /// How far earlier batches have come; nothing where the settings do not have it so.
    pub(crate) before: Coverage,
}

impl State {
    /// Cuts a batch off; gives it and the shards that may be read from now on.
    pub(crate) fn take(
        &mut self,
        stream: StreamName,
        settings: &StreamReaderSettings,
        retention: Duration,
    ) -> (StreamBatch, Vec<ShardId>) {
        let mut planned = StreamBatch {
            ranges: StreamRanges {
                stream,
                created_at: Some(settings.created_at),
                read_to: None,
                retention: Some(retention),
                shards: BTreeMap::new(),
            },
            reads: BatchReads::default(),
            rows: 0,
            // Before the cut: rows of this batch have not been seen yet.
            before: if settings.track_activity {
                self.coverage(settings.until)
            } else {
                Coverage::default()
            },
        };
        let (mut drained, mut turned_idle) = (Vec::new(), false);
        let mut shares = self.shares().into_iter();
        let row_cap = self.rules.caps.rows_per_shard;
        let mut ranges = Vec::with_capacity(self.shards.len());
        for (shard, followed) in &mut self.shards {
            let before = followed.tally(row_cap);
            let was_idle = followed.is_idle();
            let share = if before.rows > 0 { shares.next() } else { None };
            let taken = followed.take(share);
            self.tally.remove(before);
            self.tally.add(followed.tally(row_cap));
            turned_idle |= !was_idle && followed.is_idle();
            if followed.is_over() && !taken.range.is_empty() {
                drained.push(shard.clone());
            }
            ranges.push((shard.clone(), taken.range.clone()));
            planned.add(shard, followed, taken);
        }
        self.version += u64::from(settings.track_activity && turned_idle);
        planned.ranges.shards = ranges.into_iter().collect();
        self.end_due = None;
        self.taken_to = self.read_to(settings.until);
        planned.ranges.read_to = self.taken_to;
        let started = drained
            .iter()
            .flat_map(|shard| self.consume_if_drained(shard));
        let started = started.collect();
        (planned, started)
    }

    /// All that had arrived by then has been taken, once a batch takes the rows that are waiting: the
    /// least time over the shards, and none before the one that was told last.
    ///
    /// Costs a walk over the shards.
    pub(crate) fn read_to(&self, until: Option<UnixMillis>) -> Option<UnixMillis> {
        if self.listing_due {
            // There is a shard that nobody knows yet.
            return self.taken_to;
        }
        let unread = self.shards.iter().filter(|(_, shard)| !shard.is_over());
        let told = unread.filter(|(id, shard)| !self.has_unread_parent(id, shard));
        let times = told.map(|(_, shard)| shard.emptied_to().or(self.taken_to));
        let all = match (times.min(), until) {
            (None, until) => until,
            // What arrived later is left out of the page it came in.
            (Some(time), Some(until)) => time.min(Some(until)),
            (Some(time), None) => time,
        };
        all.max(self.taken_to)
    }

    /// Whether what a shard took came after what its parents tell of.
    fn has_unread_parent(&self, id: &ShardId, shard: &Followed) -> bool {
        shard.progress == Progress::Waiting && self.parents(id).any(|parent| !parent.is_over())
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

    /// Whether nothing of it is left: it has ended, or is lost.
    pub(crate) fn is_over(&self) -> bool {
        self.progress == Progress::Done && self.buffer.pending_rows() == 0
    }

    /// All that had arrived by then has been taken: what was read, up to the first row that waits.
    pub(crate) fn emptied_to(&self) -> Option<UnixMillis> {
        match self.buffer.pending_rows() {
            0 => self.past.read_to.max(self.taken_to),
            _ => self.buffer.taken_to().max(self.taken_to),
        }
    }
}

impl StreamBatch {
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
            number: 0,
        });
        if let Some(slices) = taken.slices {
            self.reads.buffered.insert(shard.clone(), slices);
        }
    }
}
