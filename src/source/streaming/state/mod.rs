//! The state of a stream reader: its shards, their buffers, and what the next batch may take.
//!
//! A pure state machine. Tasks feed it pages ([`arrived`](StreamState::arrived)), listings
//! ([`listed`](StreamState::listed)) and failures; batches are cut from it ([`take`](StreamState::take)). It
//! returns which shards need a reader, and counts its changes in `version`, so that waiting queries wake up.

mod activity;
mod batch;
mod listing;
mod page_arrival;
mod reader_health;
mod shard;
mod shard_counters;
mod shard_status;
mod status;
mod tracking;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use self::activity::{Activity, Coverage, ShardActivity};
pub(crate) use self::batch::StreamBatch;
pub(super) use self::listing::{ListingOutcome, RecreatedShard};
pub(super) use self::page_arrival::{AfterPage, PageArrival};
pub(crate) use self::reader_health::ReaderHealth;
#[cfg(test)]
pub(super) use self::shard::ReadProgress;
use self::shard::{ShardState, Totals};
pub use self::shard_counters::{RateRange, ShardError};
pub use self::shard_status::{ShardStage, ShardStatus};
pub(crate) use self::status::ReaderStatus;
use super::warning_limiter::WarningLimiter;
use crate::error::{Error, Result};
use crate::kinesis::{ApiError, ApiErrorKind, RecordDistribution};
use crate::model::{HashRange, Offsets, ShardId, UnixMillis};
use crate::options::HashFilter;
use crate::source::buffer::{Budget, Caps};
use crate::source::lineage::{Lineage, Stage};

/// Whether there is data for a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// There are no rows.
    NoData,
    /// There are rows. Shards that are catching up have until then to add more
    /// (`kinesis.maxFetchTimePerShardSec`).
    WaitUntil(Instant),
    /// There are rows.
    Ready,
}

/// The settings of a stream reader that its state depends on.
#[derive(Debug)]
pub(super) struct StateConfig {
    pub(super) caps: Caps,
    /// Whether a batch may leave rows for the next one.
    pub(super) is_capped: bool,
    pub(super) max_fetch_time: Option<Duration>,
    pub(super) budget: Budget,
    pub(super) is_tip_frozen: bool,
    pub(super) hash_filter: HashFilter,
    pub(super) distribution: RecordDistribution,
    pub(super) fail_on_data_loss: bool,
    /// Whether a shard that becomes idle is a change.
    pub(super) track_activity: bool,
}

/// How long a batch is filled while shards are read towards a frozen tip. Nobody waits for the first rows of such a
/// query, and a few large batches take less work than many small ones.
const FILLING_TIME: Duration = Duration::from_secs(1);

/// Counts of failures since the start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FailureCounts {
    /// Requests that were throttled.
    pub(super) throttled: u64,
    /// Requests that failed otherwise and were retried.
    pub(super) retries: u64,
    /// Losses of data.
    pub(super) losses: u64,
}

/// A time to which a query waits for all shards to be read.
#[derive(Debug, Clone, Copy)]
struct CatchUpTarget {
    time: UnixMillis,
    /// The shards that are not read up to then yet.
    open_shards: usize,
}

/// The shards of a stream and their buffers.
#[derive(Debug)]
pub(super) struct StreamState {
    pub(super) config: StateConfig,
    pub(super) shards: BTreeMap<ShardId, ShardState>,
    pub(super) lineage: Lineage,
    totals: Totals,
    pub(super) failures: FailureCounts,
    /// Pages that arrived since the start.
    pages: u64,
    pub(super) warnings: WarningLimiter,
    /// Separate, so that other warnings do not suppress those about lost records.
    pub(super) loss_warnings: WarningLimiter,
    /// Counts the changes that may matter for the next batch.
    pub(super) version: u64,
    /// The version when the readiness was last checked.
    checked_version: u64,
    /// Why the query ends.
    failure: Option<Error>,
    /// Whether it ends because the stream was recreated.
    pub(super) is_recreated: bool,
    catch_up_target: Option<CatchUpTarget>,
    /// The batches contain every record of the tracked shards that had arrived by then.
    pub(super) taken_to: Option<UnixMillis>,
    /// When the last batch was cut.
    cut_at: Option<Instant>,
    /// An upper bound of the arrival times of all records read so far.
    last_arrival: Option<UnixMillis>,
    /// When a shard was first read to its end with all rows taken, without a batch that records it since.
    pub(super) unlogged_end_since: Option<Instant>,
    /// Whether a shard has ended without naming its children, so that a listing has to find them.
    pub(super) is_listing_due: bool,
    /// The number of listings that were taken in.
    pub(super) listings: u64,
    /// The number of listings that were requested.
    pub(super) listings_requested: u64,
    /// The number of the request whose listing was taken in last.
    last_listing: u64,
}

impl StreamState {
    pub(super) fn new(config: StateConfig) -> Self {
        Self {
            config,
            shards: BTreeMap::new(),
            lineage: Lineage::default(),
            totals: Totals::default(),
            failures: FailureCounts::default(),
            pages: 0,
            warnings: WarningLimiter::default(),
            loss_warnings: WarningLimiter::default(),
            version: 0,
            checked_version: 0,
            failure: None,
            is_recreated: false,
            catch_up_target: None,
            taken_to: None,
            cut_at: None,
            last_arrival: None,
            unlogged_end_since: None,
            is_listing_due: false,
            listings: 0,
            listings_requested: 0,
            last_listing: 0,
        }
    }

    /// Whether anything has changed since the last check of the readiness.
    pub(super) fn is_changed(&self) -> bool {
        self.version != self.checked_version
    }

    /// Ends the query with `error`, unless it has already failed.
    pub(super) fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
        self.version += 1;
    }

    /// Whether there is data for a batch, for a trigger that fired at `fired`.
    pub(super) fn readiness(&mut self, fired: Instant, now: Instant) -> Result<Readiness> {
        self.checked_version = self.version;
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        if self.totals.rows == 0 {
            // Records without rows also fill the memory.
            let is_stuck = self.totals.blocked > 0 && self.totals.pending_bytes > 0;
            return Ok(if is_stuck {
                Readiness::Ready
            } else {
                Readiness::NoData
            });
        }
        if !self.config.is_capped {
            let is_all_read = self.totals.reading == 0;
            return Ok(if is_all_read {
                Readiness::Ready
            } else {
                Readiness::NoData
            });
        }
        let full_bytes = self.config.caps.bytes;
        let (waits, enough_bytes) = match self.config.max_fetch_time {
            Some(time) => (Some(time), full_bytes),
            // The next batch is read while this one is processed.
            None => (
                self.config.is_tip_frozen.then_some(FILLING_TIME),
                full_bytes / 2,
            ),
        };
        let is_enough = self.totals.pending_bytes >= enough_bytes;
        let deadline = waits.map(|time| fired + time);
        Ok(match deadline {
            Some(deadline) if self.totals.catching_up > 0 && !is_enough && now < deadline => {
                Readiness::WaitUntil(deadline)
            }
            _ => Readiness::Ready,
        })
    }

    /// Whether all rows up to the frozen tip were taken.
    pub(super) fn is_exhausted(&self) -> bool {
        let Totals {
            rows,
            waiting,
            reading,
            ..
        } = self.totals;
        self.config.is_tip_frozen && rows == 0 && waiting == 0 && reading == 0
    }

    /// Whether all rows that were in the stream at `time` were taken; counts as a change once they were.
    pub(super) fn has_taken_all_before(&mut self, time: UnixMillis) -> bool {
        let shards = self.shards.values();
        let open_shards = shards.filter(|shard| !shard.is_read_at(time)).count();
        self.catch_up_target = Some(CatchUpTarget { time, open_shards });
        open_shards == 0 && self.totals.rows == 0 && !self.is_listing_due
    }

    /// Changes a shard, and the totals with it; `None` if the shard is not tracked.
    pub(super) fn update<T>(
        &mut self,
        shard: &ShardId,
        change: impl FnOnce(&mut ShardState) -> T,
    ) -> Option<T> {
        let row_cap = self.config.caps.rows_per_shard;
        let shard = self.shards.get_mut(shard)?;
        let before = shard.totals(row_cap);
        let was_idle = shard.is_idle();
        let target = self.catch_up_target.as_mut();
        let target = target.filter(|target| !shard.is_read_at(target.time));
        let result = change(shard);
        let after = shard.totals(row_cap);
        self.totals.remove(before);
        self.totals.add(after);
        let became_idle = self.config.track_activity && !was_idle && shard.is_idle();
        self.version += u64::from(became_idle || after.is_change_from(before));
        if let Some(target) = target
            && shard.is_read_at(target.time)
        {
            target.open_shards = target.open_shards.saturating_sub(1);
            self.version += u64::from(target.open_shards == 0);
        }
        Some(result)
    }

    /// Whether a shard has to wait for its parents although it already has a reader.
    pub(super) fn is_held_back(&self, shard: &ShardId) -> bool {
        let shard = self.shards.get(shard);
        shard.is_some_and(ShardState::is_waiting)
    }

    /// Whether nothing more is read of a shard.
    pub(super) fn is_done(&self, shard: &ShardId) -> bool {
        let shard = self.shards.get(shard);
        shard.is_none_or(ShardState::is_done)
    }

    /// The room for the next page of `shard`; `None` until a batch frees some.
    pub(super) fn page_room(&mut self, shard: &ShardId) -> Option<usize> {
        let (budget, held) = (self.config.budget, self.totals.held_bytes);
        let shards = self.totals.reading;
        let spills = !self.config.is_capped;
        self.update(shard, |shard| {
            let own = shard.buffer.held_bytes();
            let room = budget.page_bytes(own, held, shards);
            let room = room.or(spills.then(Budget::min_page_bytes));
            shard.is_blocked = room.is_none();
            shard.found_nothing &= room.is_some();
            room
        })
        .flatten()
    }

    /// Counts a failed request for `shard`, at `time`.
    pub(super) fn request_failed(&mut self, shard: &ShardId, error: &ApiError, time: UnixMillis) {
        let is_throttled = error.kind() == ApiErrorKind::Throttled;
        match is_throttled {
            true => self.failures.throttled += 1,
            false => self.failures.retries += 1,
        }
        self.update(shard, |tracked| {
            tracked.is_failing = true;
            tracked.found_nothing = false;
            tracked
                .counters
                .failed(is_throttled, time, error.to_string());
        });
    }

    /// Handles a shard that the service does not know: the next listing decides whether it is lost.
    pub(super) fn missing(&mut self, shard: &ShardId) {
        if self.lineage.stage(shard) == Some(Stage::Reading) {
            self.lineage.set_stage(shard, Stage::Missing);
        }
    }

    /// Releases the rows of a committed batch that ended at `ends`.
    pub(super) fn release(&mut self, ends: &Offsets) {
        for (shard, end) in ends {
            self.update(shard, |shard| shard.buffer.release(end));
        }
    }

    pub(super) fn hash_range(&self, shard: &ShardId) -> Option<HashRange> {
        self.shards.get(shard).and_then(|shard| shard.hash_range)
    }
}
