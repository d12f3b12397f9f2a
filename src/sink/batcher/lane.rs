//! Lanes: queues of records that are sent in order, usually one per shard.

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};
use std::time::Duration;

use tokio::time::Instant;

use super::entry::{Entry, History};
use crate::aggregation::AggregateBuilder;

/// One queue of records in order. Rejected records return to the front.
#[derive(Debug)]
pub(in crate::sink) struct Lane {
    /// Records ready to send.
    pub(in crate::sink) sealed: VecDeque<Entry>,
    /// The aggregate that still accepts user records; it comes after all of `sealed`.
    pub(in crate::sink) open: Option<Box<OpenAggregate>>,
    /// Records sent without a response yet; at most one if the lane keeps order.
    pub(in crate::sink) in_flight: usize,
    /// Whether the lane is queued for sending.
    pub(in crate::sink) queued: bool,
    /// Set while the next record must wait.
    pub(in crate::sink) not_before: Option<Instant>,
    /// The minimum time between two records; zero until the service rejects one.
    pub(in crate::sink) send_interval: Duration,
}

impl Lane {
    const EMPTY: Self = Self {
        sealed: VecDeque::new(),
        open: None,
        in_flight: 0,
        queued: false,
        not_before: None,
        send_interval: Duration::ZERO,
    };
}

/// The lanes of a writer by index. A lane is allocated on first use, so a writer that sends to few
/// of many shards pays one pointer for each of the others.
#[derive(Debug)]
pub(in crate::sink) struct Lanes(Vec<Option<Box<Lane>>>);

impl Lanes {
    pub(in crate::sink) fn new(count: usize) -> Self {
        Self(std::iter::repeat_with(|| None).take(count).collect())
    }

    /// The number of lanes, allocated or not.
    pub(in crate::sink) fn len(&self) -> usize {
        self.0.len()
    }

    /// Removes and returns the open aggregate of a lane.
    pub(in crate::sink) fn take_open(&mut self, index: usize) -> Option<Box<OpenAggregate>> {
        self.0[index].as_mut()?.open.take()
    }

    /// The allocated lanes.
    pub(in crate::sink) fn into_allocated(self) -> impl Iterator<Item = Lane> {
        self.0.into_iter().flatten().map(|lane| *lane)
    }

    #[cfg(test)]
    pub(in crate::sink) fn allocated(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

impl Index<usize> for Lanes {
    type Output = Lane;

    fn index(&self, index: usize) -> &Lane {
        static EMPTY: Lane = Lane::EMPTY;
        self.0[index].as_deref().unwrap_or(&EMPTY)
    }
}

impl IndexMut<usize> for Lanes {
    fn index_mut(&mut self, index: usize) -> &mut Lane {
        self.0[index].get_or_insert_with(|| Box::new(Lane::EMPTY))
    }
}

/// An aggregate that still accepts user records.
#[derive(Debug)]
pub(in crate::sink) struct OpenAggregate {
    pub(in crate::sink) builder: AggregateBuilder,
    /// When it is sent, full or not.
    pub(in crate::sink) due: Instant,
    pub(in crate::sink) charged_bytes: usize,
    pub(in crate::sink) history: History,
}
