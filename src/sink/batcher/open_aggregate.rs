//! Fills open aggregates and seals them into records to send.

use std::cmp::Reverse;

use bytes::Bytes;
use tokio::time::Instant;

use super::entry::{Entry, EntryState, History, aggregate_put, plain_put};
use super::lane::OpenAggregate;
use super::{Batcher, SPARE_BUILDERS};
use crate::aggregation::{AggregateBuilder, Push, UserRecord};

impl Batcher {
    /// Adds `record` to the lane's open aggregate. Returns `false` if the record is too large for
    /// any aggregate; the lane's aggregate is then sealed.
    pub(super) fn push_aggregated(
        &mut self,
        lane: usize,
        record: &UserRecord<'_>,
        history: &History,
        now: Instant,
    ) -> bool {
        for _ in 0..2 {
            let open = match &mut self.lanes[lane].open {
                Some(open) => open,
                none => {
                    let max_bytes = self.limits.max_aggregate_bytes;
                    let due = now + self.limits.max_buffered;
                    self.timers.push(Reverse((due, lane)));
                    none.insert(Box::new(OpenAggregate {
                        builder: (self.spare_builders.pop())
                            .unwrap_or_else(|| AggregateBuilder::new(max_bytes)),
                        due,
                        charged_bytes: 0,
                        history: History::default(),
                    }))
                }
            };
            let before = open.builder.size_bytes();
            if open.builder.try_push(record) == Push::Added {
                // Charges the encoded growth, not only key and data: for many small rows, framing
                // is most of it.
                let charged_bytes = open.builder.size_bytes() - before;
                open.charged_bytes += charged_bytes;
                open.history.merge(history);
                self.buffered_bytes += charged_bytes;
                return true;
            }
            self.seal(lane);
        }
        false
    }

    /// Seals the lane's aggregate. A single user record is not wrapped.
    pub(super) fn seal(&mut self, lane: usize) {
        let Some(mut open) = self.lanes.take_open(lane) else {
            return;
        };
        let rows = open.builder.len();
        if let Some(first) = open.builder.first() {
            let put = if rows == 1 {
                plain_put(&first, Bytes::copy_from_slice(first.data))
            } else {
                let first = first.hash_key();
                aggregate_put(
                    open.builder.finish_without_checksum(),
                    &self.outer_key,
                    first,
                )
            };
            let state = EntryState {
                lane,
                rows: rows as u64,
                aggregated: rows > 1,
                has_checksum: rows == 1,
                charged_bytes: open.charged_bytes,
                history: open.history,
                admitted: false,
                written_to: None,
            };
            self.lanes[lane].sealed.push_back(Entry { put, state });
            self.queue(lane);
        }
        if self.spare_builders.len() < SPARE_BUILDERS {
            open.builder.clear();
            self.spare_builders.push(open.builder);
        }
    }

    /// Seals all open aggregates, full or not.
    pub(in crate::sink) fn seal_all(&mut self) {
        for lane in 0..self.lanes.len() {
            self.seal(lane);
        }
    }
}
