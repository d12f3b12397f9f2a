//! Decides which records are sent together, in which order, and when they are retried.
//!
//! This module is pure: the current time and random numbers are arguments, and requests are return
//! values.
//!
//! Records are distributed over lanes. A lane that keeps order has at most one record in flight:
//! PutRecords guarantees no order among the records of a call, and each of them can fail on its
//! own. Therefore the next record of a lane waits until the previous one is acknowledged.
//!
//! The writers to a saturated shard do not coordinate. To share it fairly, each lane has a minimum
//! interval between two records, which doubles when a record is rejected and shrinks slowly after
//! successes. In addition, a window bounds the number of unacknowledged records. This way every
//! writer gets records through before their time to live ends.

mod billed_puts;
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

use self::entry::{Entry, EntryState, History, plain_put};
use self::lane::Lanes;
use self::window::Window;
use crate::aggregation::{AggregateBuilder, UserRecord};
use crate::model::HashKey;

/// The outer partition key of every aggregate, the same as in the Kinesis Producer Library.
const OUTER_KEY: &str = "a";

/// The number of lanes for plain records; partition keys are hashed to a lane. Enough for eight
/// full requests.
const KEY_LANES: usize = 4_096;

/// Payloads of small records share allocations of this size.
const ARENA_BYTES: usize = 64 * 1024;

/// The most idle aggregate builders kept for reuse.
const SPARE_BUILDERS: usize = 16;

/// The unacknowledged records of one writer.
#[derive(Debug)]
pub(super) struct Batcher {
    limits: Limits,
    layout: Layout,
    lanes: Lanes,
    /// Lanes with a new record to send, oldest first.
    ready: VecDeque<usize>,
    /// Lanes with a record to retry, oldest first.
    retries: VecDeque<usize>,
    window: Window,
    /// When to check a lane again. A timer that is no longer needed is not removed, but ignored
    /// when it fires.
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    in_flight: usize,
    buffered_bytes: usize,
    unsettled_rows: u64,
    /// Set when a record was written to a shard other than predicted.
    mispredicted: bool,
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
            retries: VecDeque::new(),
            window: Window::new(matches!(layout, Layout::Aggregated(_))),
            timers: BinaryHeap::new(),
            in_flight: 0,
            buffered_bytes: 0,
            unsettled_rows: 0,
            mispredicted: false,
            spare_builders: Vec::new(),
            arena: BytesMut::new(),
            outer_key: OUTER_KEY.into(),
            random,
            layout,
        }
    }

    /// Whether the buffer is full, so that the caller should wait before it pushes more.
    pub(super) fn is_full(&self) -> bool {
        self.buffered_bytes >= self.limits.max_buffered_bytes
    }

    /// The number of user records not yet acknowledged.
    pub(super) fn unsettled_rows(&self) -> u64 {
        self.unsettled_rows
    }

    /// Whether records were written to shards other than predicted. Nothing is sent until
    /// [`reroute`](Self::reroute).
    pub(super) fn is_mispredicted(&self) -> bool {
        self.mispredicted
    }

    /// Whether the lane of a record depends on its hash key.
    pub(super) fn needs_hash_keys(&self) -> bool {
        matches!(&self.layout, Layout::Aggregated(map) if map.len() > 1)
    }

    /// Adds one user record. `hash_key` is its hash key, if it was computed before.
    pub(super) fn push(
        &mut self,
        record: &UserRecord<'_>,
        hash_key: Option<HashKey>,
        now: Instant,
    ) {
        self.push_with(record, hash_key, &History::default(), now);
    }

    fn push_with(
        &mut self,
        record: &UserRecord<'_>,
        hash_key: Option<HashKey>,
        history: &History,
        now: Instant,
    ) {
        let lane = match &self.layout {
            Layout::Aggregated(map) if map.len() > 1 => {
                map.index_of(hash_key.unwrap_or_else(|| record.hash_key()))
            }
            Layout::Aggregated(_) | Layout::Spread => 0,
            Layout::Single => lane_of_key(record.partition_key),
        };
        self.unsettled_rows += 1;
        if matches!(self.layout, Layout::Aggregated(_))
            && self.push_aggregated(lane, record, history, now)
        {
            return;
        }
        let data = self.store_payload(record.data);
        let put = plain_put(record, data);
        let charged_bytes = put.size_bytes() + size_of::<Entry>();
        self.buffered_bytes += charged_bytes;
        let state = EntryState {
            lane,
            rows: 1,
            aggregated: false,
            has_checksum: true,
            charged_bytes,
            history: history.clone(),
            admitted: false,
            written_to: None,
        };
        self.lanes[lane].sealed.push_back(Entry { put, state });
        self.queue(lane);
    }

    /// Queues the lane if it may send a record now.
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

    /// Puts the lane back at the front of its queue.
    fn queue_first(&mut self, index: usize) {
        self.lanes[index].queued = true;
        self.queue_of(index).push_front(index);
    }

    fn queue_of(&mut self, index: usize) -> &mut VecDeque<usize> {
        if self.is_admitted(index) {
            &mut self.retries
        } else {
            &mut self.ready
        }
    }

    /// Whether the lane's next record has been sent before.
    fn is_admitted(&self, index: usize) -> bool {
        let front = self.lanes[index].sealed.front();
        front.is_some_and(|entry| entry.state.admitted)
    }

    /// Copies small payloads into a shared allocation, so that most records cost none of their own.
    fn store_payload(&mut self, data: &[u8]) -> Bytes {
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
