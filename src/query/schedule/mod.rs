//! What a query does between batches: waits for its trigger and for data, looks for its stop lock,
//! and answers who waits for it.

pub(super) mod log_coverage;
pub(super) mod timers;
pub(super) mod trigger;

use std::future::pending;
use std::time::Duration;

use futures::future::select_all;
use tokio::time::{Instant, sleep_until};

use crate::error::Result;
use crate::model::Trigger;
use crate::query::batch::state::Stateful;
use crate::query::events::listener::StreamingQueryIdle;
use crate::query::handle::control::Wish;
use crate::query::schedule::timers::Timer;
use crate::query::status::QueryEnd;
use crate::query::task::Runner;
use crate::source::streaming::{Readiness, StreamReader};

/// How often the stop lock is looked for at most.
const STOP_LOCK_INTERVAL: Duration = Duration::from_millis(500);

/// How long nothing happens before the listeners hear of it, each time.
const IDLE_INTERVAL: Duration = Duration::from_secs(10);

/// How often it is looked between two ticks of an interval whether all shards are read to their
/// tips, while somebody waits for that.
const CATCH_UP_INTERVAL: Duration = Duration::from_millis(20);

/// How often a query without data looks whether the clock has moved its watermark to the end of a group.
const CLOCK_INTERVAL: Duration = Duration::from_secs(1);

/// What comes after a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::query) enum Wake {
    /// There is data for a batch.
    Batch,
    /// There is none, and has not been for so long that the log is to say it; or what the watermark has
    /// come to by now closes groups.
    Mark,
    /// The query is done, or is to stop.
    End(QueryEnd),
}

/// What the readers have, taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data {
    None,
    /// Some, and a shard that is worth waiting for until then.
    Until(Instant),
    Some,
}

impl Runner {
    /// Waits until the trigger has fired and there is data, or for the end.
    ///
    /// # Errors
    /// What ended a reader for good.
    pub(in crate::query) async fn next_wake(
        &mut self,
        readers: &[StreamReader],
        timer: &mut Timer,
    ) -> Result<Wake> {
        loop {
            let awaited = self.answer(readers);
            self.tell_losses(readers);
            self.tell_of_waiting(readers, timer);
            if self.shared.is_stopping() {
                return Ok(Wake::End(QueryEnd::Stopped));
            }
            if self.finds_stop_lock(timer).await {
                return Ok(Wake::End(QueryEnd::StopLock));
            }
            let early = self.clock.now();
            if let Some(wait) = timer.wait_from(early) {
                let until = Instant::now() + wait;
                self.shared
                    .set_status("Waiting for next trigger", false, false);
                let poll = awaited.then(|| Instant::now() + CATCH_UP_INTERVAL);
                self.pause(&[], earlier(Some(until), poll), timer).await;
                continue;
            }
            let fired = *timer.fired.get_or_insert_with(Instant::now);
            match self.data(readers, fired)? {
                Data::Some => return Ok(Wake::Batch),
                Data::Until(time) => {
                    self.shared
                        .set_status("Waiting for shards to catch up", true, true);
                    self.pause(readers, Some(time), timer).await;
                }
                Data::None => {
                    if self.owes_mark(readers) || self.owes_closing(readers) {
                        return Ok(Wake::Mark);
                    }
                    if self.until.is_some() && readers.iter().all(StreamReader::is_exhausted) {
                        return Ok(Wake::End(QueryEnd::Finished));
                    }
                    if timer.has_interval() && is_over(readers, timer) {
                        timer.advance(early);
                        continue;
                    }
                    timer.fired = None;
                    self.shared
                        .set_status("Waiting for data to arrive", false, false);
                    // What the readers did after the look above wakes the pause.
                    self.answer(readers);
                    let closes = self
                        .stateful
                        .as_ref()
                        .is_some_and(Stateful::closes_by_clock);
                    let look = closes.then(|| Instant::now() + CLOCK_INTERVAL);
                    self.pause(readers, look, timer).await;
                    timer.due = self.clock.now();
                }
            }
        }
    }

    /// Tells those who wait for all that has come whether it is committed; whether some still wait.
    fn answer(&self, readers: &[StreamReader]) -> bool {
        self.shared.answer(|time| {
            readers
                .iter()
                .all(|reader| reader.has_taken_all_before(time))
        })
    }

    /// What the readers have. One shard that is worth waiting for holds the whole batch; and `once`
    /// waits for all streams, to be one batch.
    fn data(&self, readers: &[StreamReader], fired: Instant) -> Result<Data> {
        let mut data = Data::None;
        let mut unread = false;
        for reader in readers {
            // All are asked: what one has told is no news any more.
            data = match (data, reader.readiness(fired)?) {
                (Data::Until(a), Readiness::WaitUntil(b)) => Data::Until(a.max(b)),
                (_, Readiness::WaitUntil(time)) => Data::Until(time),
                (Data::None, Readiness::Ready) => Data::Some,
                (data, Readiness::Ready) => data,
                (data, Readiness::NoData) => {
                    unread |= !reader.is_exhausted();
                    data
                }
            };
        }
        if unread && self.trigger == Trigger::Once {
            return Ok(Data::None);
        }
        Ok(data)
    }

    /// The trigger's work is done.
    pub(in crate::query) fn done(&self, timer: &mut Timer) {
        timer.worked();
        if let Some(took) = timer.advance(self.clock.now())
            && timer.tells_behind()
        {
            tracing::warn!(
                query = %self.shared, ?took, trigger = %self.trigger,
                "falling behind: the batch took longer than the trigger's interval"
            );
        }
    }

    /// Whether the stop lock was there.
    async fn finds_stop_lock(&self, timer: &mut Timer) -> bool {
        if timer
            .looked
            .is_some_and(|looked| looked.elapsed() < STOP_LOCK_INTERVAL)
        {
            return false;
        }
        let Some(stop_lock) = &self.stop_lock else {
            return false;
        };
        timer.looked = Some(Instant::now());
        match stop_lock.take().await {
            Ok(found) => {
                timer.lock_failed = false;
                if found {
                    tracing::info!(query = %self.shared, "stopping: there was a STOP_LOCK");
                }
                found
            }
            // Whether the checkpoint can be reached at all, the next batch finds out.
            Err(error) => {
                if !timer.lock_failed {
                    tracing::warn!(query = %self.shared, "cannot look for the STOP_LOCK: {error}");
                }
                timer.lock_failed = true;
                false
            }
        }
    }

    /// Waits until `until`, for news of `readers`, for a wish, or until it is time to look again.
    async fn pause(&self, readers: &[StreamReader], until: Option<Instant>, timer: &mut Timer) {
        let next_look = timer.looked.map(|looked| looked + STOP_LOCK_INTERVAL);
        let until = earlier(until, next_look);
        let news = async {
            match readers {
                [] => pending().await,
                readers => {
                    let changes = readers.iter().map(|reader| Box::pin(reader.changed()));
                    select_all(changes).await;
                }
            }
        };
        tokio::select! {
            biased;
            () = self.shared.wished(Wish::Stop) => {}
            () = self.shared.asked() => {}
            () = news => {}
            () = sleep_until_some(until) => {}
            () = sleep_until(timer.idle + IDLE_INTERVAL) => self.tell_idle(timer),
        }
    }

    /// Tells the log from time to time that the query waits, and how far it has read.
    fn tell_of_waiting(&self, readers: &[StreamReader], timer: &mut Timer) {
        let Some(idle) = timer.heartbeat() else {
            return;
        };
        let statuses: Vec<_> = readers.iter().map(StreamReader::status).collect();
        let shards: usize = statuses.iter().map(|status| status.open_shards).sum();
        let behind = statuses
            .iter()
            .filter_map(|status| status.max_behind_latest);
        let behind = behind.max().unwrap_or_default();
        let read_to = readers.iter().filter_map(StreamReader::read_to).min();
        let read_to = read_to.map_or_else(|| "unknown".to_owned(), |time| time.to_string());
        tracing::info!(
            query = %self.shared, ?idle, shards, ?behind, read_to,
            "waiting: there was nothing to read"
        );
    }

    fn tell_idle(&self, timer: &mut Timer) {
        timer.idle = Instant::now();
        self.listeners.idle(&StreamingQueryIdle {
            id: self.shared.id.clone(),
            run_id: self.shared.run_id.clone(),
            name: self.shared.name.clone(),
            timestamp: self.clock.now(),
        });
    }
}

/// Whether a tick without data is over. The first one waits for the first pages of all shards: what
/// is there when a query starts is not left to its second tick.
fn is_over(readers: &[StreamReader], timer: &Timer) -> bool {
    timer.opening.is_none_or(|began| {
        readers
            .iter()
            .all(|reader| reader.has_taken_all_before(began))
    })
}

async fn sleep_until_some(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}
