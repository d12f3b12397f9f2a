//! What the readers of a stream have come to, all behind one lock that is held for moments.

mod activity;
mod batch;
mod listing;
mod pages;
mod shard;
mod status;
mod tracking;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use self::activity::{Activity, Coverage, ShardActivity};
pub(crate) use self::batch::StreamBatch;
pub(crate) use self::listing::{Listed, Remade};
pub(crate) use self::pages::{Arrival, PageEnd};
pub(crate) use self::shard::Progress;
use self::shard::{Followed, Tally};
pub(crate) use self::status::ReaderStatus;
use super::warnings::Warnings;
use crate::error::{Error, Result};
use crate::kinesis::RecordDistribution;
use crate::model::{HashRange, Offsets, ShardId, UnixMillis};
use crate::options::HashFilter;
use crate::source::buffer::Budget;
use crate::source::buffer::Caps;
use crate::source::lineage::{Lineage, Stage};

/// Whether there is anything for a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// No row has come.
    NoData,
    /// There are rows, and by `kinesis.maxFetchTimePerShardSec` shards that are catching up have until
    /// then to bring more.
    WaitUntil(Instant),
    /// There are rows.
    Ready,
}

/// What does not change while a query runs.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) caps: Caps,
    /// Whether a batch may be less than all there is.
    pub(crate) capped: bool,
    pub(crate) max_fetch_time: Option<Duration>,
    pub(crate) budget: Budget,
    /// Whether the tip is frozen.
    pub(crate) frozen: bool,
    pub(crate) hash_filter: HashFilter,
    pub(crate) distribution: RecordDistribution,
    pub(crate) fail_on_data_loss: bool,
    /// Whether a shard that turns idle is news.
    pub(crate) track_activity: bool,
}

/// How often calls failed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Failures {
    pub(crate) throttled: u64,
    pub(crate) retries: u64,
    pub(crate) renewals: u64,
    /// Losses of data that were found.
    pub(crate) losses: u64,
}

/// The shards and what is in their buffers.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) rules: Rules,
    pub(crate) shards: BTreeMap<ShardId, Followed>,
    pub(crate) lineage: Lineage,
    pub(crate) tally: Tally,
    pub(crate) failures: Failures,
    pub(crate) warnings: Warnings,
    /// Those of records that are lost; the others must not crowd them out.
    pub(crate) loss_warnings: Warnings,
    /// Counts changes that a batch may be about; and the count at the last look.
    pub(crate) version: u64,
    seen: u64,
    /// Why the query ends.
    failure: Option<Error>,
    /// Whether that is because the stream was made anew.
    pub(crate) remade: bool,
    /// Somebody waits for all shards to be read at this time, and for so many of them.
    goal: Option<(UnixMillis, usize)>,
    /// All that had arrived by then in the shards that are tracked has been taken.
    pub(crate) taken_to: Option<UnixMillis>,
    /// No record that was read arrived later.
    pub(crate) last_arrival: Option<UnixMillis>,
    /// Since when a shard is read to its end and all its rows are taken, and no batch has said so.
    pub(crate) end_due: Option<Instant>,
    /// Whether a shard ended and did not say what follows it.
    pub(crate) listing_due: bool,
    /// Listings that were taken in.
    pub(crate) listings: u64,
    /// Listings that were asked for.
    pub(crate) listings_begun: u64,
    /// Which of them was taken in last.
    pub(crate) last_listing: u64,
}

impl State {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            shards: BTreeMap::new(),
            lineage: Lineage::default(),
            tally: Tally::default(),
            failures: Failures::default(),
            warnings: Warnings::default(),
            loss_warnings: Warnings::default(),
            listings: 0,
            listings_begun: 0,
            last_listing: 0,
            version: 0,
            seen: 0,
            failure: None,
            remade: false,
            goal: None,
            taken_to: None,
            last_arrival: None,
            end_due: None,
            listing_due: false,
        }
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.version != self.seen
    }

    /// Ends the query; the first reason counts.
    pub(crate) fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
        self.version += 1;
    }

    pub(crate) fn readiness(&mut self, fired: Instant, now: Instant) -> Result<Readiness> {
        self.seen = self.version;
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        if self.tally.rows == 0 {
            // Records without rows fill memory, too.
            let stuck = self.tally.blocked > 0 && self.tally.pending_bytes > 0;
            return Ok(if stuck {
                Readiness::Ready
            } else {
                Readiness::NoData
            });
        }
        if !self.rules.capped {
            let all = self.tally.reading == 0;
            return Ok(if all {
                Readiness::Ready
            } else {
                Readiness::NoData
            });
        }
        let enough = self.tally.pending_bytes >= self.rules.caps.bytes;
        let deadline = self.rules.max_fetch_time.map(|time| fired + time);
        Ok(match deadline {
            Some(deadline) if self.tally.catching_up > 0 && !enough && now < deadline => {
                Readiness::WaitUntil(deadline)
            }
            _ => Readiness::Ready,
        })
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        let Tally {
            rows,
            waiting,
            reading,
            ..
        } = self.tally;
        self.rules.frozen && rows == 0 && waiting == 0 && reading == 0
    }

    pub(crate) fn has_taken_all_before(&mut self, time: UnixMillis) -> bool {
        let shards = self.shards.values();
        let open = shards.filter(|shard| !shard.is_read_at(time)).count();
        self.goal = Some((time, open));
        open == 0 && self.tally.rows == 0 && !self.listing_due
    }

    /// Changes a shard and all that is counted over the shards; `None` where it is not tracked.
    pub(crate) fn update<T>(
        &mut self,
        shard: &ShardId,
        change: impl FnOnce(&mut Followed) -> T,
    ) -> Option<T> {
        let cap = self.rules.caps.rows_per_shard;
        let followed = self.shards.get_mut(shard)?;
        let before = followed.tally(cap);
        let was_idle = followed.is_idle();
        let goal = self.goal.as_mut();
        let goal = goal.filter(|(time, _)| !followed.is_read_at(*time));
        let result = change(followed);
        let after = followed.tally(cap);
        self.tally.remove(before);
        self.tally.add(after);
        let turned_idle = self.rules.track_activity && !was_idle && followed.is_idle();
        self.version += u64::from(turned_idle || after.is_news_after(before));
        if let Some((time, open)) = goal
            && followed.is_read_at(*time)
        {
            *open = open.saturating_sub(1);
            self.version += u64::from(*open == 0);
        }
        Some(result)
    }

    /// Whether a shard with a reader waits for its parents after all.
    pub(crate) fn is_held_back(&self, shard: &ShardId) -> bool {
        let followed = self.shards.get(shard);
        followed.is_some_and(|followed| followed.progress == Progress::Waiting)
    }

    pub(crate) fn is_done(&self, shard: &ShardId) -> bool {
        let followed = self.shards.get(shard);
        followed.is_none_or(|followed| followed.progress == Progress::Done)
    }

    /// The room for the next page of `shard`; `None` for none before a batch is through.
    pub(crate) fn page_room(&mut self, shard: &ShardId) -> Option<usize> {
        let (budget, held) = (self.rules.budget, self.tally.held_bytes);
        let shards = self.tally.reading;
        let spills = !self.rules.capped;
        self.update(shard, |followed| {
            let own = followed.buffer.held_bytes();
            let room = budget.page_bytes(own, held, shards);
            let room = room.or(spills.then(Budget::least_page_bytes));
            followed.blocked = room.is_none();
            followed.found_nothing &= room.is_some();
            room
        })
        .flatten()
    }

    /// The service does not know the shard: the next listing decides whether it is gone.
    pub(crate) fn missing(&mut self, shard: &ShardId) {
        if self.lineage.stage(shard) == Some(Stage::Reading) {
            self.lineage.set_stage(shard, Stage::Missing);
        }
    }

    pub(crate) fn committed(&mut self, ends: &Offsets) {
        for (shard, end) in ends {
            self.update(shard, |followed| followed.buffer.committed(end));
        }
    }

    pub(crate) fn hash_range(&self, shard: &ShardId) -> Option<HashRange> {
        self.shards
            .get(shard)
            .and_then(|followed| followed.hash_range)
    }
}
