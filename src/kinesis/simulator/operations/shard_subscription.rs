//! Subscriptions to a shard.
//!
//! A subscription is pulled by its reader: it has no task of its own, and dropping it ends it. Its timers run on
//! Tokio's time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::get_records::{PageSink, Tip, fill};
use super::get_shard_iterator::IteratorTarget;
use crate::kinesis::limits::MAX_RECORDS_PER_FETCH;
use crate::kinesis::simulator::errors::error;
use crate::kinesis::simulator::faults::{EventFault, Faults};
use crate::kinesis::simulator::state::consumers::{HeldLease, LeaseEnd};
use crate::kinesis::simulator::state::rate_limits::PushBudget;
use crate::kinesis::simulator::state::record_log::Extent;
use crate::kinesis::simulator::state::shard::{Content, ShardState};
use crate::kinesis::simulator::state::stream::Stream;
use crate::kinesis::{ApiError, ApiResult, ChildShard, IteratorPosition, Operation};
use crate::model::{Clock, SequenceNumber, UnixMillis};

const OPERATION: Operation = Operation::SubscribeToShard;

/// How long a subscription lasts (API reference, SubscribeToShard).
const LIFETIME: Duration = Duration::from_secs(300);

/// The time from an event to one without records.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The most bytes of payloads and partition keys in one event, unless a single record is larger. AWS documents no
/// limit.
const MAX_BYTES_PER_EVENT: usize = 1024 * 1024;

/// What a subscription reads.
#[derive(Debug)]
pub(in crate::kinesis) struct Source {
    pub(in crate::kinesis) stream: Arc<Stream>,
    pub(in crate::kinesis) shard: Arc<ShardState>,
    pub(in crate::kinesis) clock: Arc<dyn Clock>,
    pub(in crate::kinesis::simulator) faults: Arc<Faults>,
}

/// A subscription that passes the records of its events to a sink.
#[derive(Debug)]
pub(in crate::kinesis) struct ShardSubscription {
    source: Source,
    position: Position,
    lease: watch::Receiver<Option<LeaseEnd>>,
    /// `None` if limits are not enforced.
    budget: Option<Arc<Mutex<PushBudget>>>,
    expires: Instant,
    next_heartbeat: Instant,
    /// A fault: the next event has no records.
    is_held_back: bool,
    has_ended: bool,
}

/// What a subscription reads next.
#[derive(Debug, Clone)]
pub(in crate::kinesis) enum Position {
    /// The record at this index.
    Record(u64),
    /// No records, ever; the continuation stays.
    Nothing(SequenceNumber),
}

/// An event, apart from its records.
#[derive(Debug)]
pub(in crate::kinesis) struct EventEnd {
    pub(in crate::kinesis) last_sequence: Option<SequenceNumber>,
    pub(in crate::kinesis) continuation: Option<SequenceNumber>,
    pub(in crate::kinesis) behind_latest: Duration,
    pub(in crate::kinesis) children: Vec<ChildShard>,
}

/// What a subscription does now.
enum Step {
    Push(Option<ApiResult<EventEnd>>),
    /// Wait for a change, or until then.
    Wait(Instant),
}

impl Position {
    pub(in crate::kinesis) fn of(target: IteratorTarget, position: &IteratorPosition) -> Self {
        match (target, position) {
            (IteratorTarget::RecordsFrom(index), _) => Self::Record(index),
            (
                IteratorTarget::Nothing,
                IteratorPosition::At(number) | IteratorPosition::After(number),
            ) => Self::Nothing(number.clone()),
            // Only positions at numbers can be trimmed.
            (IteratorTarget::Nothing, _) => Self::Record(0),
        }
    }
}

impl ShardSubscription {
    /// A subscription that begins now. Its first event `is_held_back` by a fault: it has no records.
    pub(in crate::kinesis) fn new(
        source: Source,
        position: Position,
        lease: HeldLease,
        enforce_limits: bool,
        is_held_back: bool,
    ) -> Self {
        let started = Instant::now();
        Self {
            source,
            position,
            lease: lease.end,
            budget: enforce_limits.then_some(lease.budget),
            expires: started + LIFETIME,
            next_heartbeat: started + HEARTBEAT,
            is_held_back,
            has_ended: false,
        }
    }

    /// The next event, with its records in `sink`, as [`Subscription::next`](crate::kinesis::Subscription::next) describes it.
    pub(in crate::kinesis) async fn next_into(
        &mut self,
        sink: &mut dyn PageSink,
    ) -> Option<ApiResult<EventEnd>> {
        let shard = Arc::clone(&self.source.shard);
        loop {
            // Before looking, so that no change in between is missed.
            let changed = shard.changed();
            let until = match self.step(sink) {
                Step::Push(event) => return event,
                Step::Wait(until) => until,
            };
            tokio::select! {
                () = changed => {}
                // Fails only after the lease has ended, which the next step sees.
                _ = self.lease.changed() => {}
                () = sleep_until(until) => {}
            }
        }
    }

    fn step(&mut self, sink: &mut dyn PageSink) -> Step {
        let lease_end = *self.lease.borrow();
        let now = Instant::now();
        if self.has_ended || (lease_end.is_none() && now >= self.expires) {
            self.has_ended = true;
            return Step::Push(None);
        }
        if let Some(end) = lease_end {
            self.has_ended = true;
            return Step::Push(Some(Err(self.ended_by(end))));
        }
        let pause = self.pause();
        if !pause.is_zero() {
            return Step::Wait(self.expires.min(now + pause));
        }
        if !self.has_news() && now < self.next_heartbeat {
            return Step::Wait(self.expires.min(self.next_heartbeat));
        }
        match self.source.faults.of_event() {
            Some(fault) => {
                self.has_ended = true;
                Step::Push(match fault {
                    EventFault::Failed(error) => Some(Err(error)),
                    EventFault::Ended => None,
                })
            }
            None => {
                self.next_heartbeat = now + HEARTBEAT;
                Step::Push(Some(Ok(self.event(sink))))
            }
        }
    }

    /// How long the limit of throughput delays the next event.
    fn pause(&self) -> Duration {
        self.locked_budget().map_or(Duration::ZERO, |mut budget| {
            budget.wait(self.source.clock.now())
        })
    }

    fn locked_budget(&self) -> Option<MutexGuard<'_, PushBudget>> {
        let budget = self.budget.as_ref()?.lock();
        Some(budget.unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there is a record to push, or the end of the shard.
    fn has_news(&self) -> bool {
        let Position::Record(index) = self.position else {
            return false;
        };
        let content = self.source.shard.read();
        content.closure.is_some() || index < content.log.next()
    }

    fn event(&mut self, sink: &mut dyn PageSink) -> EventEnd {
        let now = self.source.clock.now();
        let (retention, encryption) = {
            let state = self.source.stream.read();
            (state.retention, state.encryption.clone())
        };
        let shard = Arc::clone(&self.source.shard);
        let content = shard.read();
        let index = match &self.position {
            Position::Record(index) => *index,
            Position::Nothing(number) => {
                sink.begin(0, 0);
                return EventEnd {
                    last_sequence: None,
                    continuation: Some(number.clone()),
                    behind_latest: retention,
                    children: vec![],
                };
            }
        };
        let from = index.max(content.oldest(now, retention));
        let from = from.min(content.log.next());
        let extent = if std::mem::take(&mut self.is_held_back) {
            Extent {
                indexes: from..from,
                size_bytes: 0,
            }
        } else {
            content
                .log
                .extent(from, MAX_RECORDS_PER_FETCH, MAX_BYTES_PER_EVENT)
        };
        if let Some(mut budget) = self.locked_budget() {
            budget.charge_event(extent.size_bytes, now);
        }
        let last_sequence = fill(sink, &shard, &content, &extent, &encryption);
        self.position = Position::Record(extent.indexes.end);
        self.ending(&content, extent.indexes.end, last_sequence, now)
    }

    fn ending(
        &mut self,
        content: &Content,
        index: u64,
        last_sequence: Option<SequenceNumber>,
        now: UnixMillis,
    ) -> EventEnd {
        let tip = Tip::after(content, index, now);
        self.has_ended = tip.closure.is_some();
        let continuation = match (tip.closure, &last_sequence) {
            (Some(_), _) => None,
            (None, Some(last)) => Some(last.clone()),
            // The counter is the index after the last record, so this is above that record and below the next one, and
            // it rises with the time.
            (None, None) => Some(self.source.shard.origin.number(index, now).to_sequence()),
        };
        EventEnd {
            last_sequence,
            continuation,
            behind_latest: tip.behind_latest,
            children: tip
                .closure
                .map_or_else(Vec::new, |closure| closure.children.clone()),
        }
    }

    fn ended_by(&self, end: LeaseEnd) -> ApiError {
        let shard = &self.source.shard.id;
        let stream = self.source.stream.name();
        let (code, why) = match end {
            LeaseEnd::TakenOver => (
                "ResourceInUseException",
                "another one of the same consumer took it over",
            ),
            LeaseEnd::Deregistered => {
                ("ResourceNotFoundException", "the consumer was deregistered")
            }
            LeaseEnd::StreamDeleted => ("ResourceNotFoundException", "the stream was deleted"),
        };
        let message = format!("The subscription to shard {shard} of stream {stream} ended: {why}.");
        error(OPERATION, code, message)
    }
}
