//! A query with an aggregation: its groups, how they are kept, and its watermark.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Result, failure};
use crate::model::{Batch, BatchId, Committed, UnixMillis};
use crate::query::batch::read_numbers::shards_by_number;
use crate::query::events::progress::{EventTimeProgress, StateOperatorProgress};
use crate::source::BatchReads;
use crate::source::streaming::Coverage;
use crate::source::watermark::{Watermarks, read_to};
use crate::state::{StateBatch, StateDirectory, StatePurger, StateStore};

/// What a query with an aggregation has besides a query without one.
#[derive(Debug)]
pub(in crate::query) struct Stateful {
    store: Arc<StateStore>,
    /// None where the query begins anew at each start.
    directory: Option<StateDirectory>,
    /// How much later than others a row may come.
    delay: Option<Duration>,
    /// After how long without a record the watermark follows the clock.
    idle_timeout: Option<Duration>,
    watermarks: Option<Watermarks>,
    /// What the newest committed batch has left.
    before: Committed,
    /// Up to which batch old files are deleted.
    purged: Arc<Mutex<Option<BatchId>>>,
}

/// What a batch has done to the state.
#[derive(Debug)]
pub(in crate::query) struct Saved {
    /// What it leaves for the next one.
    pub(in crate::query) left: Committed,
    pub(in crate::query) operator: StateOperatorProgress,
    pub(in crate::query) event_time: Option<EventTimeProgress>,
}

impl Stateful {
    pub(in crate::query) fn new(
        store: StateStore,
        directory: Option<StateDirectory>,
        delay: Option<Duration>,
        idle_timeout: Option<Duration>,
    ) -> Self {
        Self {
            store: Arc::new(store),
            directory,
            delay,
            idle_timeout,
            watermarks: None,
            before: Committed::default(),
            purged: Arc::default(),
        }
    }

    /// Goes on from what a batch has left over `sources` sources; all records of the log had arrived by
    /// `last_arrival`.
    ///
    /// # Errors
    /// Its files cannot be read, or are those of another aggregation.
    pub(in crate::query) async fn restore(
        &mut self,
        before: &Committed,
        sources: usize,
        last_arrival: Option<UnixMillis>,
    ) -> Result<()> {
        self.store.clear();
        if let Some(directory) = &mut self.directory {
            let began = tokio::time::Instant::now();
            // Where nothing is committed, what this start has written so far counts for nothing either.
            let files = before.state.clone().unwrap_or_default();
            directory.restore(files, &self.store).await?;
            tracing::info!(
                groups = self.store.len(), bytes = self.store.bytes(), took = ?began.elapsed(),
                "the state of GROUP BY is read"
            );
        }
        if let Some(watermark) = before.watermark {
            self.store.close(watermark).map_err(failure)?;
        }
        self.watermarks = self.delay.map(|delay| {
            Watermarks::new(delay, before, sources)
                .with_idle_timeout(self.idle_timeout, last_arrival)
        });
        self.before = before.clone();
        Ok(())
    }

    pub(in crate::query) fn has_watermark(&self) -> bool {
        self.delay.is_some()
    }

    /// The watermark of a batch that is planned now.
    pub(in crate::query) fn advance(&mut self, before: &[Coverage]) -> Option<UnixMillis> {
        self.watermarks.as_mut()?.advance(before)
    }

    /// Whether groups may be closed although no record comes: the watermark follows the clock.
    pub(in crate::query) fn closes_by_clock(&self) -> bool {
        let watermarks = self.watermarks.as_ref();
        watermarks.is_some_and(Watermarks::follows_clock) && self.store.may_close(UnixMillis::LAST)
    }

    /// Whether a batch without rows would close groups. `coverage` costs a walk over the shards.
    pub(in crate::query) fn owes_batch(&self, coverage: impl FnOnce() -> Vec<Coverage>) -> bool {
        let Some(watermarks) = &self.watermarks else {
            return false;
        };
        let moves = |time: &UnixMillis| self.before.watermark.is_none_or(|before| *time > before);
        let may_close = |time: Option<UnixMillis>| {
            let time = time.filter(moves);
            time.is_some_and(|time| self.store.may_close(time))
        };
        if !watermarks.follows_clock() && !may_close(watermarks.farthest(None)) {
            return false;
        }
        let coverage = coverage();
        if !may_close(watermarks.farthest(read_to(&coverage))) {
            return false;
        }
        let mut trial = watermarks.clone();
        let next = trial.advance(&coverage).filter(moves);
        next.is_some_and(|next| self.store.may_close(next))
    }

    /// What the nodes of the plan of `batch` share.
    pub(in crate::query) fn begin(
        &self,
        batch: &Batch,
        reads: &[Arc<BatchReads>],
    ) -> Arc<StateBatch> {
        let reads = reads.iter().any(|reads| !reads.reads.is_empty());
        let store = Arc::clone(&self.store);
        let before = self.before.watermark;
        Arc::new(StateBatch::new(store, batch.watermark, before, reads))
    }

    /// Writes what `batch` has done to the state.
    pub(in crate::query) async fn save(
        &mut self,
        batch: &Batch,
        reads: &[Arc<BatchReads>],
        found: &StateBatch,
    ) -> Result<Saved> {
        let began = tokio::time::Instant::now();
        let found = found.finish();
        let (mut event_times, mut last_arrival) = (Vec::new(), None);
        if let Some(watermarks) = &mut self.watermarks {
            let shards = shards_by_number(reads);
            for (number, time) in &found.event_times {
                if let Some((source, shard)) = shards.get(*number as usize) {
                    watermarks.seen(*source, shard, *time);
                }
            }
            // A batch that runs again has the watermark of its first run.
            watermarks.replayed(batch.watermark);
            event_times = watermarks.event_times();
            last_arrival = watermarks.last_arrival();
        }
        let state = match &mut self.directory {
            Some(directory) => {
                let store = &self.store;
                Some(directory.write(batch.id, &found.changed, store).await?)
            }
            None => None,
        };
        let most = found.event_times.values().max().copied();
        Ok(Saved {
            left: Committed {
                watermark: batch.watermark,
                event_times,
                last_arrival,
                state,
            },
            operator: StateOperatorProgress {
                rows_total: self.store.len() as u64,
                rows_updated: found
                    .changed
                    .iter()
                    .map(|rows| rows.num_rows() as u64)
                    .sum(),
                rows_removed: found.removed,
                rows_dropped_by_watermark: found.late,
                memory_bytes: self.store.bytes(),
                partitions: self.store.partitions(),
                commit_time: began.elapsed(),
            },
            event_time: self.delay.map(|_| EventTimeProgress {
                min: found.least,
                max: most,
                watermark: batch.watermark,
            }),
        })
    }

    /// `batch` is committed with what it has left.
    pub(in crate::query) fn committed(&mut self, batch: &Batch, left: Committed) {
        self.before = left;
        if let Some(directory) = &mut self.directory {
            directory.committed(batch.id, &self.store);
        }
    }

    /// What deletes old files of the state, where it has files.
    pub(in crate::query) fn purger(&self) -> Option<Purger> {
        let directory = self.directory.as_ref()?;
        Some(Purger {
            files: directory.purger(),
            purged: Arc::clone(&self.purged),
        })
    }
}

/// Deletes old files of a state, beside its batches.
#[derive(Debug)]
pub(in crate::query) struct Purger {
    files: StatePurger,
    purged: Arc<Mutex<Option<BatchId>>>,
}

impl Purger {
    /// Deletes the files that no entry of the log needs any more, of which `oldest` is the first.
    pub(in crate::query) async fn purge(self, oldest: &Committed) {
        let state = oldest.state.as_ref();
        let snapshot = state.and_then(|state| state.snapshot.as_ref());
        let purged = || self.purged.lock().unwrap_or_else(PoisonError::into_inner);
        let first = snapshot.map(|snapshot| snapshot.batch);
        let Some(first) = first.filter(|first| Some(*first) > *purged()) else {
            return;
        };
        self.files.purge(first).await;
        *purged() = Some(first);
    }
}
