//! Which records go out together, in which order, and when again.
//!
//! Pure: time and chance come in as arguments, requests go out as values.
//!
//! Records are spread over lanes, and a lane that keeps an order has one record in flight at most:
//! PutRecords promises no order among the records of a call, and any of them can fail alone. So the
//! next record of a lane waits until the one before it is acknowledged.
//!
//! Writers of one saturated shard know nothing of each other. Each lane keeps a pace that doubles
//! with refusals and shortens slowly, and a window bounds how many records are on trial, so that all
//! writers get their turn before a time to live ends.

mod dispatch;
mod entry;
mod lane;
mod limits;
mod open_aggregate;
mod reroute;
mod window;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

pub(super) use dispatch::{Expired, Settled};
pub(super) use entry::Request;
pub(super) use limits::{Layout, Limits};
pub(super) use reroute::RerouteError;

use self::entry::{Entry, History, Tag, plain_put};
use self::lane::Lanes;
use self::window::Window;
use crate::aggregation::{AggregateBuilder, UserRecord};

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
    lanes: Lanes,
    /// Lanes with something new to send, oldest first.
    ready: VecDeque<usize>,
    /// Lanes with something to send again, oldest first.
    again: VecDeque<usize>,
    window: Window,
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
            ready: VecDeque::new(),
            again: VecDeque::new(),
            window: Window::new(matches!(layout, Layout::Aggregated(_))),
            timers: BinaryHeap::new(),
            in_flight: 0,
            buffered_bytes: 0,
            unsettled_rows: 0,
            misled: false,
            spare_builders: Vec::new(),
            arena: BytesMut::new(),
            outer_key: OUTER_KEY.into(),
            random,
            layout,
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
            admitted: false,
            landed: None,
        };
        self.lanes[lane].sealed.push_back(Entry { put, tag });
        self.queue(lane);
    }

    /// Puts the lane in the queue, if there is something it may send.
    fn queue(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        let one_at_a_time = !matches!(self.layout, Layout::Spread);
        let blocked =
            lane.queued || lane.sealed.is_empty() || (one_at_a_time && lane.in_flight > 0);
        if !blocked {
            lane.queued = true;
            self.queue_of(index).push_back(index);
        }
    }

    /// Puts the lane where it was just taken from.
    fn queue_first(&mut self, index: usize) {
        self.lanes[index].queued = true;
        self.queue_of(index).push_front(index);
    }

    fn queue_of(&mut self, index: usize) -> &mut VecDeque<usize> {
        if self.is_admitted(index) {
            &mut self.again
        } else {
            &mut self.ready
        }
    }

    /// Whether what the lane sends next was sent before.
    fn is_admitted(&self, index: usize) -> bool {
        let front = self.lanes[index].sealed.front();
        front.is_some_and(|entry| entry.tag.admitted)
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

fn lanes_of(layout: &Layout) -> Lanes {
    let count = match layout {
        Layout::Aggregated(map) => map.len(),
        Layout::Single => KEY_LANES,
        Layout::Spread => 1,
    };
    Lanes::new(count)
}

fn lane_of_key(partition_key: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    partition_key.hash(&mut hasher);
    (hasher.finish() % KEY_LANES as u64) as usize
}

#[cfg(test)]
mod tests;
