//! A lane: records that must not overtake each other.

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};
use std::time::Duration;

use tokio::time::Instant;

use super::entry::{Entry, History};
use crate::aggregation::AggregateBuilder;

/// One ordering domain. Its records are sent first in, first out; those that come back refused go
/// to the front again.
#[derive(Debug)]
pub(in crate::sink) struct Lane {
    /// Ready to send.
    pub(in crate::sink) sealed: VecDeque<Entry>,
    /// The aggregate that still takes user records; they come after all of `sealed`.
    pub(in crate::sink) open: Option<Box<OpenAggregate>>,
    /// Records sent and not answered; at most one in a lane that keeps an order.
    pub(in crate::sink) in_flight: usize,
    /// Whether it stands in the queue of lanes to send from.
    pub(in crate::sink) queued: bool,
    /// Set while the next record has to wait.
    pub(in crate::sink) not_before: Option<Instant>,
    /// The time between two records; zero until the service refuses one.
    pub(in crate::sink) pace: Duration,
}

impl Lane {
    const EMPTY: Self = Self {
        sealed: VecDeque::new(),
        open: None,
        in_flight: 0,
        queued: false,
        not_before: None,
        pace: Duration::ZERO,
    };
}

/// The lanes of a writer by index. A lane is allocated when it is first changed: a writer that sends
/// to few of many shards pays a pointer for each of the others.
#[derive(Debug)]
pub(in crate::sink) struct Lanes(Vec<Option<Box<Lane>>>);

impl Lanes {
    pub(in crate::sink) fn new(count: usize) -> Self {
        Self(std::iter::repeat_with(|| None).take(count).collect())
    }

    /// How many there can be.
    pub(in crate::sink) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes the open aggregate of a lane, if there is one.
    pub(in crate::sink) fn take_open(&mut self, index: usize) -> Option<Box<OpenAggregate>> {
        self.0[index].as_mut()?.open.take()
    }

    /// The lanes that have been allocated.
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

/// An aggregate in the making.
#[derive(Debug)]
pub(in crate::sink) struct OpenAggregate {
    pub(in crate::sink) builder: AggregateBuilder,
    /// When it goes out, full or not.
    pub(in crate::sink) due: Instant,
    pub(in crate::sink) charged_bytes: usize,
    pub(in crate::sink) history: History,
}
