//! Cuts a batch from the buffers.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::StreamState;
use super::activity::Coverage;
use super::shard::ShardState;
use crate::model::{ShardId, StreamName, StreamRanges, UnixMillis};
use crate::source::buffer::{PendingShard, ShardBuffer, TakenRows, plan};
use crate::source::read::{BatchReads, ShardRead, Until};
use crate::source::streaming::settings::StreamReaderSettings;

/// The part of a batch that comes from one stream.
#[derive(Debug)]
pub(crate) struct StreamBatch {
    /// The ranges of all tracked shards.
    pub(crate) ranges: StreamRanges,
    /// The reads of the ranges with rows.
    pub(crate) reads: BatchReads,
    /// The number of rows, before the hash filter.
    pub(crate) rows: u64,
    /// How far earlier batches have read; empty if activity is not tracked.
    pub(crate) before: Coverage,
}

impl StreamState {
    /// Cuts a batch; returns it, and the shards that may be read now.
    pub(in crate::source::streaming) fn take(
        &mut self,
        stream: StreamName,
        settings: &StreamReaderSettings,
        retention: Duration,
        now: Instant,
    ) -> (StreamBatch, Vec<ShardId>) {
        let since_last = self.cut_at.replace(now).map(|last| now - last);
        let mut batch = StreamBatch {
            ranges: StreamRanges {
                stream,
                created_at: Some(settings.created_at),
                read_to: None,
                retention: Some(retention),
                shards: BTreeMap::new(),
            },
            reads: BatchReads::default(),
            rows: 0,
            // Before the cut, because the event times of this batch are not known yet.
            before: if settings.track_activity {
                self.coverage(settings.until)
            } else {
                Coverage::default()
            },
        };
        let (mut drained, mut became_idle) = (Vec::new(), false);
        let mut shares = self.row_shares().into_iter();
        let row_cap = self.config.caps.rows_per_shard;
        let mut ranges = Vec::with_capacity(self.shards.len());
        for (id, shard) in &mut self.shards {
            let before = shard.totals(row_cap);
            let was_idle = shard.is_idle();
            let share = if before.rows > 0 { shares.next() } else { None };
            let taken = shard.take(share);
            shard.counters.taken(taken.rows, since_last);
            self.totals.remove(before);
            self.totals.add(shard.totals(row_cap));
            became_idle |= !was_idle && shard.is_idle();
            if shard.is_finished() && !taken.range.is_empty() {
                drained.push(id.clone());
            }
            ranges.push((id.clone(), taken.range.clone()));
            batch.add(id, shard, taken);
        }
        self.version += u64::from(settings.track_activity && became_idle);
        batch.ranges.shards = ranges.into_iter().collect();
        self.unlogged_end_since = None;
        self.taken_to = self.read_to(settings.until);
        batch.ranges.read_to = self.taken_to;
        let started = drained
            .iter()
            .flat_map(|shard| self.finish_if_drained(shard));
        let started = started.collect();
        (batch, started)
    }

    /// Batches contain every record that had arrived by then, once a batch takes the pending rows: the minimum
    /// over the shards, and never less than before.
    ///
    /// Walks over all shards.
    pub(in crate::source::streaming) fn read_to(
        &self,
        until: Option<UnixMillis>,
    ) -> Option<UnixMillis> {
        if self.is_listing_due {
            // There are shards that are not known yet.
            return self.taken_to;
        }
        let unread = self.shards.iter().filter(|(_, shard)| !shard.is_finished());
        // A shard that waits for its parents has no record older than theirs.
        let counted = unread.filter(|(id, shard)| !self.waits_for_parent(id, shard));
        let times = counted.map(|(_, shard)| shard.emptied_to().or(self.taken_to));
        let all = match (times.min(), until) {
            (None, until) => until,
            // Records that arrived later are not taken.
            (Some(time), Some(until)) => time.min(Some(until)),
            (Some(time), None) => time,
        };
        all.max(self.taken_to)
    }

    fn waits_for_parent(&self, id: &ShardId, shard: &ShardState) -> bool {
        shard.is_waiting() && self.parents(id).any(|parent| !parent.is_finished())
    }

    /// How many rows the next batch takes from each shard with pending rows.
    fn row_shares(&self) -> Vec<u64> {
        let shards = self.shards.values();
        let shards = shards.filter(|shard| shard.buffer.pending_rows() > 0);
        let pending: Vec<PendingShard<'_, ShardBuffer>> = shards
            .map(|shard| PendingShard {
                rows: &shard.buffer,
                passed_over: shard.passed_over,
            })
            .collect();
        plan(&pending, self.config.caps)
    }
}

impl ShardState {
    /// Takes the rows that a batch takes from this shard; none if `share` is `None`.
    fn take(&mut self, share: Option<u64>) -> TakenRows {
        self.passed_over = match share {
            Some(0) => self.passed_over.saturating_add(1),
            _ => 0,
        };
        self.buffer.take(share.unwrap_or(0))
    }
}

impl StreamBatch {
    fn add(&mut self, id: &ShardId, shard: &ShardState, taken: TakenRows) {
        if taken.rows == 0 {
            return;
        }
        self.rows += taken.rows;
        self.reads.reads.push(ShardRead {
            shard: id.clone(),
            hash_range: shard.hash_range,
            start: taken.range.after,
            until: Until::Position(taken.range.upto),
            limit: None,
            rows: Some(taken.rows),
            number: 0,
        });
        if let Some(slices) = taken.slices {
            self.reads.buffered.insert(id.clone(), slices);
        }
    }
}
