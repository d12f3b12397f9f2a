//! Aggregates while they take user records, and how they become records to send.

use std::cmp::Reverse;

use bytes::Bytes;
use tokio::time::Instant;

use super::entry::{Entry, History, Tag, aggregate_put, plain_put};
use super::lane::OpenAggregate;
use super::{Batcher, SPARE_BUILDERS};
use crate::aggregation::{AggregateBuilder, Push, UserRecord};

impl Batcher {
    /// `false` for a record too large for any aggregate; what came before it is sealed then.
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
                // The whole growth: many small rows are mostly what is around them.
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

    /// Closes the lane's aggregate. A user record that stayed alone is not wrapped.
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
                aggregate_put(open.builder.finish(), &self.outer_key, first)
            };
            let tag = Tag {
                lane,
                rows: rows as u64,
                aggregated: rows > 1,
                charged_bytes: open.charged_bytes,
                history: open.history,
                admitted: false,
                landed: None,
            };
            self.lanes[lane].sealed.push_back(Entry { put, tag });
            self.queue(lane);
        }
        if self.spare_builders.len() < SPARE_BUILDERS {
            open.builder.clear();
            self.spare_builders.push(open.builder);
        }
    }

    /// Closes every aggregate now, full or not.
    pub(in crate::sink) fn seal_all(&mut self) {
        for lane in 0..self.lanes.len() {
            self.seal(lane);
        }
    }
}
