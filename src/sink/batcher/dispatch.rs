//! Builds requests from the lanes, returns rejected records to them for a retry, and slows lanes whose shard is
//! throttled.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::billed_puts::BilledPuts;
use super::entry::{Entry, Request};
use super::{Batcher, Layout};
use crate::error::Result;
use crate::kinesis::PutOutcome;
use crate::model::HashKey;

/// A record was rejected for longer than its time to live.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::sink) struct Expired {
    /// The partition key of the record, or of the first user record in it.
    pub(in crate::sink) partition_key: String,
    /// The hash key that it was routed by.
    pub(in crate::sink) hash_key: HashKey,
    pub(in crate::sink) attempts: u32,
    pub(in crate::sink) last_failure: Arc<str>,
}

/// The effect of one response or one reroute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::sink) struct Settled {
    pub(in crate::sink) rows: u64,
    pub(in crate::sink) records: u64,
    pub(in crate::sink) bytes: u64,
    pub(in crate::sink) throttled: u64,
    pub(in crate::sink) resent: u64,
    /// What the service bills for the records that it has accepted.
    pub(in crate::sink) billed: BilledPuts,
    /// The earliest first rejection among the records that this response rejected.
    pub(in crate::sink) rejected_since: Option<Instant>,
}

impl Batcher {
    /// Handles the timers that are due at `now`.
    pub(in crate::sink) fn advance(&mut self, now: Instant) -> Result<(), Expired> {
        while let Some(Reverse((at, lane))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            if self.lanes[lane].not_before.is_some_and(|at| at <= now) {
                self.lanes[lane].not_before = None;
                // If the caller calls rarely, the time to live may end before the second attempt.
                let front = self.lanes[lane].sealed.front();
                if let Some(front) = front.filter(|front| front.state.history.attempts > 1) {
                    self.check_expiry(front, now)?;
                }
                self.queue(lane);
            }
            if (self.lanes[lane].open.as_ref()).is_some_and(|open| open.due <= now) {
                self.seal(lane);
            }
        }
        Ok(())
    }

    /// When [`advance`](Self::advance) is due next; always after its last call.
    pub(in crate::sink) fn next_due(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// The next request to send, as large as allowed. Records to retry come first.
    pub(in crate::sink) fn next_request(&mut self) -> Option<Request> {
        let mut request = Request::default();
        while !self.mispredicted {
            let Some(index) = self.next_lane() else {
                break;
            };
            let lane = &mut self.lanes[index];
            lane.queued = false;
            if lane.not_before.is_some() {
                continue;
            }
            let fits = |entry: &mut Entry| request.has_room_for(entry);
            let Some(mut entry) = lane.sealed.pop_front_if(fits) else {
                self.queue_first(index);
                break;
            };
            lane.in_flight += 1;
            self.in_flight += 1;
            if !entry.state.admitted {
                entry.state.admitted = true;
                self.window.admit();
            }
            entry.state.history.attempts += 1;
            request.push(entry);
            self.queue(index);
        }
        request.add_checksums();
        (request.len() > 0).then_some(request)
    }

    /// Removes a lane from its queue: one with a record to retry, else one with a new record if the
    /// window allows it.
    fn next_lane(&mut self) -> Option<usize> {
        self.retries.pop_front().or_else(|| {
            let &index = self.ready.front()?;
            // A lane without an order may have got a record back while it was queued.
            let allowed = self.window.allows_new() || self.is_admitted(index);
            allowed.then(|| self.ready.pop_front()).flatten()
        })
    }

    /// Applies the outcomes of `request`, one per record.
    pub(in crate::sink) fn complete(
        &mut self,
        request: Request,
        outcomes: Vec<PutOutcome>,
        now: Instant,
    ) -> Result<Settled, Expired> {
        let mut settled = Settled::default();
        let mut accepted = Vec::new();
        // Iterates backwards, so that rejected records return to the front of their lane in their
        // original order.
        for (mut entry, outcome) in request.into_entries().zip(outcomes).rev() {
            let lane = entry.state.lane;
            self.in_flight -= 1;
            self.lanes[lane].in_flight -= 1;
            match outcome {
                Ok(written) => {
                    accepted.push(lane);
                    settled.billed.add(entry.put.size_bytes());
                    let as_predicted = match &self.layout {
                        Layout::Aggregated(map) => *map.id(lane) == written.shard,
                        Layout::Single | Layout::Spread => true,
                    };
                    self.mispredicted |= !as_predicted;
                    if as_predicted || !entry.state.aggregated {
                        self.settle(&entry, &mut settled);
                    } else {
                        entry.state.written_to = Some(written.shard);
                        self.lanes[lane].sealed.push_front(entry);
                    }
                }
                Err(failure) => {
                    settled.throttled += u64::from(failure.throttled);
                    settled.resent += 1;
                    entry.state.history.rejected(failure.message, now);
                    let since = entry.state.history.first_rejected.unwrap_or(now);
                    let longest = settled.rejected_since.get_or_insert(since);
                    *longest = since.min(*longest);
                    self.check_expiry(&entry, now)?;
                    self.slow_down(lane, &entry, now);
                    self.lanes[lane].sealed.push_front(entry);
                }
            }
            self.queue(lane);
        }
        self.window
            .learn(accepted.len(), settled.throttled as usize);
        for lane in accepted {
            self.speed_up(lane, now);
        }
        Ok(settled)
    }

    /// Doubles the lane's send interval. The lane's next record is the rejected one; it is sent no
    /// later than its time to live ends.
    fn slow_down(&mut self, lane: usize, entry: &Entry, now: Instant) {
        if self.lanes[lane].not_before.is_some() {
            return;
        }
        let (first, max) = (self.limits.first_interval, self.limits.max_interval);
        let interval = self.lanes[lane].send_interval.saturating_mul(2);
        self.lanes[lane].send_interval = interval.clamp(first, max);
        let expires_at = entry.state.history.first_rejected.unwrap_or(now) + self.limits.record_ttl;
        let not_before = self.next_slot(lane, now).min(expires_at);
        self.hold(lane, not_before);
    }

    /// Shortens the lane's send interval by a quarter. A lane that returned to full speed after its
    /// first success would take all capacity of a saturated shard from the other writers.
    fn speed_up(&mut self, lane: usize, now: Instant) {
        if self.lanes[lane].send_interval.is_zero() || self.lanes[lane].not_before.is_some() {
            return;
        }
        let interval = self.lanes[lane].send_interval * 3 / 4;
        self.lanes[lane].send_interval = if interval < self.limits.first_interval / 8 {
            Duration::ZERO
        } else {
            interval
        };
        let not_before = self.next_slot(lane, now);
        self.hold(lane, not_before);
    }

    /// The time after 50 % to 100 % of the lane's send interval; the jitter keeps writers from
    /// sending in lockstep.
    fn next_slot(&mut self, lane: usize, now: Instant) -> Instant {
        now + (self.lanes[lane].send_interval).mul_f64(0.5 + self.random.f64() / 2.0)
    }

    fn hold(&mut self, lane: usize, not_before: Instant) {
        self.lanes[lane].not_before = Some(not_before);
        self.timers.push(Reverse((not_before, lane)));
    }

    pub(super) fn check_expiry(&self, entry: &Entry, now: Instant) -> Result<(), Expired> {
        let history = &entry.state.history;
        let Some(last_failure) = &history.last_failure else {
            return Ok(());
        };
        let first_rejected = history.first_rejected.unwrap_or(now);
        if now.duration_since(first_rejected) < self.limits.record_ttl {
            return Ok(());
        }
        Err(Expired {
            partition_key: entry.first_key(),
            hash_key: (entry.put.explicit_hash_key)
                .unwrap_or_else(|| HashKey::of_partition_key(&entry.put.partition_key)),
            attempts: history.attempts,
            last_failure: Arc::clone(last_failure),
        })
    }

    /// Counts the record as written.
    pub(super) fn settle(&mut self, entry: &Entry, settled: &mut Settled) {
        self.forget(entry);
        settled.rows += entry.state.rows;
        settled.records += 1;
        settled.bytes += entry.put.size_bytes() as u64;
    }

    /// Stops counting the record against the batcher's limits.
    pub(super) fn forget(&mut self, entry: &Entry) {
        self.buffered_bytes -= entry.state.charged_bytes;
        self.unsettled_rows -= entry.state.rows;
        if entry.state.admitted {
            self.window.release();
        }
    }
}
