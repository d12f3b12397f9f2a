//! Which records go out together, in which order, and when again.
//!
//! Pure: time and chance come in as arguments, requests go out as values.
//!
//! Records are spread over lanes, and a lane that keeps an order has one record in flight at most:
//! PutRecords promises no order among the records of a call, and any of them can fail alone. So the
//! next record of a lane waits until the one before it is acknowledged.

mod dispatch;
mod limits;
mod reroute;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

pub(super) use dispatch::Expired;
pub(super) use limits::{Layout, Limits};
pub(super) use reroute::RerouteError;

use super::entry::{Entry, History, Tag, aggregate_put, plain_put};
use super::lane::{Lane, OpenAggregate};
use crate::aggregation::{AggregateBuilder, Push, UserRecord};

/// The outer partition key of every aggregate, the one the Kinesis Producer Library uses.
const OUTER_KEY: &str = "a";

/// Lanes of records that go alone; keys share one by their hash. Enough for eight full requests.
const KEY_LANES: usize = 4_096;

/// Data of small records is kept together in pieces of this size.
const ARENA_BYTES: usize = 64 * 1024;

/// Buffers kept for the next aggregates.
const SPARE_BUILDERS: usize = 16;

/// The records of one writer from push to acknowledgement.
#[derive(Debug)]
pub(super) struct Batcher {
    limits: Limits,
    layout: Layout,
    lanes: Vec<Lane>,
    /// Lanes to send from, oldest first.
    ready: VecDeque<usize>,
    /// When to look at a lane again. What is no longer true when its time comes is passed over.
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    in_flight: usize,
    buffered_bytes: usize,
    unsettled_rows: u64,
    /// A record was written to another shard than predicted.
    misled: bool,
    spare_builders: Vec<AggregateBuilder>,
    arena: BytesMut,
    outer_key: Arc<str>,
    random: fastrand::Rng,
}

impl Batcher {
    pub(super) fn new(limits: Limits, layout: Layout, random: fastrand::Rng) -> Self {
        Self {
            lanes: lanes_of(&layout),
            limits,
            layout,
            ready: VecDeque::new(),
            timers: BinaryHeap::new(),
            in_flight: 0,
            buffered_bytes: 0,
            unsettled_rows: 0,
            misled: false,
            spare_builders: Vec::new(),
            arena: BytesMut::new(),
            outer_key: OUTER_KEY.into(),
            random,
        }
    }

    /// Whether the caller should wait before it pushes more.
    pub(super) fn is_full(&self) -> bool {
        self.buffered_bytes >= self.limits.max_buffered_bytes
    }

    /// User records that are not acknowledged.
    pub(super) fn unsettled_rows(&self) -> u64 {
        self.unsettled_rows
    }

    /// Whether records went to other shards than predicted: nothing is sent until
    /// [`reroute`](Self::reroute).
    pub(super) fn is_misled(&self) -> bool {
        self.misled
    }

    /// Takes one user record.
    pub(super) fn push(&mut self, record: &UserRecord<'_>, now: Instant) {
        self.push_with(record, &History::default(), now);
    }

    fn push_with(&mut self, record: &UserRecord<'_>, history: &History, now: Instant) {
        let lane = match &self.layout {
            Layout::Aggregated(map) if map.len() > 1 => map.index_of(record.hash_key()),
            Layout::Aggregated(_) | Layout::Spread => 0,
            Layout::Single => lane_of_key(record.partition_key),
        };
        self.unsettled_rows += 1;
        if matches!(self.layout, Layout::Aggregated(_))
            && self.push_aggregated(lane, record, history, now)
        {
            return;
        }
        let data = self.keep(record.data);
        let put = plain_put(record, data);
        let charged_bytes = put.size_bytes() + size_of::<Entry>();
        self.buffered_bytes += charged_bytes;
        let tag = Tag {
            lane,
            rows: 1,
            aggregated: false,
            charged_bytes,
            history: history.clone(),
            landed: None,
        };
        self.lanes[lane].sealed.push_back(Entry { put, tag });
        self.queue(lane);
    }

    /// `false` for a record too large for any aggregate; what came before it is sealed then.
    fn push_aggregated(
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
            if open.builder.try_push(record) == Push::Added {
                let charged_bytes = record.data.len() + record.partition_key.len();
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
    fn seal(&mut self, lane: usize) {
        let Some(mut open) = self.lanes[lane].open.take() else {
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
    pub(super) fn seal_all(&mut self) {
        for lane in 0..self.lanes.len() {
            self.seal(lane);
        }
    }

    /// Puts the lane in the queue, if there is something it may send.
    fn queue(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        let one_at_a_time = !matches!(self.layout, Layout::Spread);
        let blocked =
            lane.queued || lane.sealed.is_empty() || (one_at_a_time && lane.in_flight > 0);
        if !blocked {
            lane.queued = true;
            self.ready.push_back(index);
        }
    }

    /// Copies small data next to each other, so that a record costs no allocation of its own.
    fn keep(&mut self, data: &[u8]) -> Bytes {
        if data.len() > ARENA_BYTES / 4 {
            return Bytes::copy_from_slice(data);
        }
        if self.arena.capacity() - self.arena.len() < data.len() {
            self.arena = BytesMut::with_capacity(ARENA_BYTES);
        }
        self.arena.extend_from_slice(data);
        self.arena.split().freeze()
    }
}

fn lanes_of(layout: &Layout) -> Vec<Lane> {
    let count = match layout {
        Layout::Aggregated(map) => map.len(),
        Layout::Single => KEY_LANES,
        Layout::Spread => 1,
    };
    std::iter::repeat_with(Lane::default).take(count).collect()
}

fn lane_of_key(partition_key: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    partition_key.hash(&mut hasher);
    (hasher.finish() % KEY_LANES as u64) as usize
}

#[cfg(test)]
mod tests;
