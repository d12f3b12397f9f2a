//! Sending: what is due, what goes into a request, what an answer means.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::entry::{Entry, Request};
use super::{Batcher, Layout};
use crate::error::Result;
use crate::kinesis::PutOutcome;
use crate::model::HashKey;

/// A record was refused for longer than it may be.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::sink) struct Expired {
    /// Of the record, or of the first user record in it.
    pub(in crate::sink) partition_key: String,
    /// What it was routed by.
    pub(in crate::sink) hash_key: HashKey,
    pub(in crate::sink) tries: u32,
    pub(in crate::sink) last_failure: Arc<str>,
}

/// What one answer of the service came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::sink) struct Settled {
    pub(in crate::sink) rows: u64,
    pub(in crate::sink) records: u64,
    pub(in crate::sink) bytes: u64,
    pub(in crate::sink) throttled: u64,
    pub(in crate::sink) resent: u64,
    /// Since when the record has been refused that has waited longest among those refused now.
    pub(in crate::sink) refused_since: Option<Instant>,
}

impl Batcher {
    /// Does what has become due.
    pub(in crate::sink) fn advance(&mut self, now: Instant) -> Result<(), Expired> {
        while let Some(Reverse((at, lane))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            if self.lanes[lane].not_before.is_some_and(|at| at <= now) {
                self.lanes[lane].not_before = None;
                // A caller that comes seldom may find that the time has run out before a second try.
                let front = self.lanes[lane].sealed.front();
                if let Some(front) = front.filter(|front| front.tag.history.tries > 1) {
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

    /// When [`advance`](Self::advance) has something to do; later than the last time it was called.
    pub(in crate::sink) fn next_due(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// What can be sent now, as much as one request takes; first what was refused before.
    pub(in crate::sink) fn next_request(&mut self) -> Option<Request> {
        let mut request = Request::default();
        while !self.misled {
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
            if !entry.tag.admitted {
                entry.tag.admitted = true;
                self.window.admit();
            }
            entry.tag.history.tries += 1;
            request.push(entry);
            self.queue(index);
        }
        (request.len() > 0).then_some(request)
    }

    /// Takes a lane out of its queue: one that has something to send again, or something new where
    /// that is allowed.
    fn next_lane(&mut self) -> Option<usize> {
        self.again.pop_front().or_else(|| {
            let &index = self.ready.front()?;
            // A lane without order may have got something back while it stood here.
            let allowed = self.window.allows_new() || self.is_admitted(index);
            allowed.then(|| self.ready.pop_front()).flatten()
        })
    }

    /// Takes the answer to `request`, one outcome per record.
    pub(in crate::sink) fn complete(
        &mut self,
        request: Request,
        outcomes: Vec<PutOutcome>,
        now: Instant,
    ) -> Result<Settled, Expired> {
        let mut settled = Settled::default();
        let mut accepted = Vec::new();
        // From the back, so that refused records of a lane stand at its front in their old order.
        for (mut entry, outcome) in request.into_entries().zip(outcomes).rev() {
            let lane = entry.tag.lane;
            self.in_flight -= 1;
            self.lanes[lane].in_flight -= 1;
            match outcome {
                Ok(written) => {
                    accepted.push(lane);
                    let as_predicted = match &self.layout {
                        Layout::Aggregated(map) => *map.id(lane) == written.shard,
                        Layout::Single | Layout::Spread => true,
                    };
                    self.misled |= !as_predicted;
                    if as_predicted || !entry.tag.aggregated {
                        self.settle(&entry, &mut settled);
                    } else {
                        entry.tag.landed = Some(written.shard);
                        self.lanes[lane].sealed.push_front(entry);
                    }
                }
                Err(failure) => {
                    settled.throttled += u64::from(failure.throttled);
                    settled.resent += 1;
                    entry.tag.history.refused(failure.message, now);
                    let since = entry.tag.history.first_refused.unwrap_or(now);
                    let longest = settled.refused_since.get_or_insert(since);
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

    /// Doubles the time between two records of the lane; the refused one is next, at the latest
    /// when its time to live ends.
    fn slow_down(&mut self, lane: usize, entry: &Entry, now: Instant) {
        if self.lanes[lane].not_before.is_some() {
            return;
        }
        let (fastest, slowest) = (self.limits.first_pace, self.limits.slowest_pace);
        let pace = self.lanes[lane].pace.saturating_mul(2);
        self.lanes[lane].pace = pace.clamp(fastest, slowest);
        let expires_at = entry.tag.history.first_refused.unwrap_or(now) + self.limits.record_ttl;
        let not_before = self.next_slot(lane, now).min(expires_at);
        self.hold(lane, not_before);
    }

    /// Shortens the time between two records of the lane by a quarter. A lane that went on at full
    /// speed after its first success would take a saturated shard away from all other writers.
    fn speed_up(&mut self, lane: usize, now: Instant) {
        if self.lanes[lane].pace.is_zero() || self.lanes[lane].not_before.is_some() {
            return;
        }
        let pace = self.lanes[lane].pace * 3 / 4;
        self.lanes[lane].pace = if pace < self.limits.first_pace / 8 {
            Duration::ZERO
        } else {
            pace
        };
        let not_before = self.next_slot(lane, now);
        self.hold(lane, not_before);
    }

    /// Between half the lane's pace and the whole of it from now, so that writers do not march in step.
    fn next_slot(&mut self, lane: usize, now: Instant) -> Instant {
        now + (self.lanes[lane].pace).mul_f64(0.5 + self.random.f64() / 2.0)
    }

    fn hold(&mut self, lane: usize, not_before: Instant) {
        self.lanes[lane].not_before = Some(not_before);
        self.timers.push(Reverse((not_before, lane)));
    }

    pub(super) fn check_expiry(&self, entry: &Entry, now: Instant) -> Result<(), Expired> {
        let history = &entry.tag.history;
        let Some(last_failure) = &history.last_failure else {
            return Ok(());
        };
        let first_refused = history.first_refused.unwrap_or(now);
        if now.duration_since(first_refused) < self.limits.record_ttl {
            return Ok(());
        }
        Err(Expired {
            partition_key: entry.first_key(),
            hash_key: (entry.put.explicit_hash_key)
                .unwrap_or_else(|| HashKey::of_partition_key(&entry.put.partition_key)),
            tries: history.tries,
            last_failure: Arc::clone(last_failure),
        })
    }

    /// The record is written.
    pub(super) fn settle(&mut self, entry: &Entry, settled: &mut Settled) {
        self.forget(entry);
        settled.rows += entry.tag.rows;
        settled.records += 1;
        settled.bytes += entry.put.size_bytes() as u64;
    }

    /// The record is no longer the batcher's, in this form at least.
    pub(super) fn forget(&mut self, entry: &Entry) {
        self.buffered_bytes -= entry.tag.charged_bytes;
        self.unsettled_rows -= entry.tag.rows;
        if entry.tag.admitted {
            self.window.release();
        }
    }
}
