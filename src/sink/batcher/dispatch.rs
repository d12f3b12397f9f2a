//! Sending: what is due, what goes into a request, what an answer means.

use std::cmp::Reverse;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Batcher, Layout};
use crate::error::Result;
use crate::kinesis::{Backoff, PutOutcome};
use crate::model::HashKey;
use crate::sink::entry::{Entry, Request};
use crate::sink::settings::Settled;

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

impl Batcher {
    /// Does what has become due.
    pub(in crate::sink) fn advance(&mut self, now: Instant) -> Result<(), Expired> {
        while let Some(Reverse((at, lane))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            if self.lanes[lane].resend_at.is_some_and(|at| at <= now) {
                self.lanes[lane].resend_at = None;
                if let Some(front) = self.lanes[lane].sealed.front() {
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

    /// What can be sent now, as much as one request takes.
    pub(in crate::sink) fn next_request(&mut self, now: Instant) -> Option<Request> {
        let mut request = Request::default();
        while !self.misled {
            let Some(&index) = self.ready.front() else {
                break;
            };
            let lane = &mut self.lanes[index];
            if lane.resend_at.is_some() {
                lane.queued = false;
                self.ready.pop_front();
                continue;
            }
            let fits = |entry: &mut Entry| request.has_room_for(entry);
            if let Some(mut entry) = lane.sealed.pop_front_if(fits) {
                entry.tag.history.first_tried.get_or_insert(now);
                entry.tag.history.tries += 1;
                request.push(entry);
                lane.in_flight += 1;
                self.in_flight += 1;
            } else if !lane.sealed.is_empty() {
                break;
            }
            if lane.sealed.is_empty() || !matches!(self.layout, Layout::Spread) {
                lane.queued = false;
                self.ready.pop_front();
            }
        }
        (request.len() > 0).then_some(request)
    }

    /// Takes the answer to `request`, one outcome per record.
    pub(in crate::sink) fn complete(
        &mut self,
        request: Request,
        outcomes: Vec<PutOutcome>,
        now: Instant,
    ) -> Result<Settled, Expired> {
        let mut settled = Settled::default();
        // From the back, so that refused records of a lane stand at its front in their old order.
        for (mut entry, outcome) in request.into_entries().zip(outcomes).rev() {
            let lane = entry.tag.lane;
            self.in_flight -= 1;
            self.lanes[lane].in_flight -= 1;
            match outcome {
                Ok(written) => {
                    self.lanes[lane].backoff = None;
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
                    entry.tag.history.last_failure = Some(failure.message.into());
                    self.check_expiry(&entry, now)?;
                    self.wait(lane, &entry, now);
                    self.lanes[lane].sealed.push_front(entry);
                }
            }
            self.queue(lane);
        }
        Ok(settled)
    }

    /// Puts off the lane of a refused record, not beyond the record's time to live.
    fn wait(&mut self, lane: usize, entry: &Entry, now: Instant) {
        let (policy, random) = (self.limits.resend, &mut self.random);
        let lane_state = &mut self.lanes[lane];
        if lane_state.resend_at.is_some() {
            return;
        }
        let wait = (lane_state.backoff)
            .get_or_insert_with(|| Box::new(Backoff::new(policy, random.fork())))
            .next_wait()
            .unwrap_or(policy.max_interval);
        let expires_at = entry.tag.history.first_tried.unwrap_or(now) + self.limits.record_ttl;
        let resend_at = (now + wait).min(expires_at);
        self.lanes[lane].resend_at = Some(resend_at);
        self.timers.push(Reverse((resend_at, lane)));
    }

    pub(super) fn check_expiry(&self, entry: &Entry, now: Instant) -> Result<(), Expired> {
        let history = &entry.tag.history;
        let Some(last_failure) = &history.last_failure else {
            return Ok(());
        };
        let first_tried = history.first_tried.unwrap_or(now);
        if now.duration_since(first_tried) < self.limits.record_ttl {
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
        self.buffered_bytes -= entry.tag.charged_bytes;
        self.unsettled_rows -= entry.tag.rows;
        settled.rows += entry.tag.rows;
        settled.records += 1;
        settled.bytes += entry.put.size_bytes() as u64;
    }
}
