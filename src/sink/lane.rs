//! A lane: records that must not overtake each other.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::entry::{Entry, History};
use crate::aggregation::AggregateBuilder;

/// One ordering domain. Its records are sent first in, first out; those that come back refused go
/// to the front again.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Ready to send.
    pub(super) sealed: VecDeque<Entry>,
    /// The aggregate that still takes user records; they come after all of `sealed`.
    pub(super) open: Option<Box<OpenAggregate>>,
    /// Records sent and not answered; at most one in a lane that keeps an order.
    pub(super) in_flight: usize,
    /// Whether it stands in the queue of lanes to send from.
    pub(super) queued: bool,
    /// Set while the next record has to wait.
    pub(super) not_before: Option<Instant>,
    /// The time between two records; zero until the service refuses one.
    pub(super) pace: Duration,
}

/// An aggregate in the making.
#[derive(Debug)]
pub(super) struct OpenAggregate {
    pub(super) builder: AggregateBuilder,
    /// When it goes out, full or not.
    pub(super) due: Instant,
    pub(super) charged_bytes: usize,
    pub(super) history: History,
}
