//! Loads the state of a query's aggregation at a start, and saves it with the watermark after each batch.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::read_numbers::shards_by_number;
use crate::checkpoint::BilledRequests;
use crate::error::{Error, ErrorKind, Result, from_datafusion};
use crate::model::{
    AGGREGATION, Batch, Committed, InputProgress, OperatorProgress, OperatorWatermarks, UnixMillis,
};
use crate::query::events::{EventTimeProgress, StateOperatorProgress};
use crate::query::plan::{AggregationPlan, Member};
use crate::source::BatchReads;
use crate::source::streaming::Coverage;
use crate::source::watermark::{Watermarks, read_to};
use crate::state::{
    AGGREGATION_SCHEMA_VERSION, BatchWatermarks, FirstNeeded, GroupSampler, StateBatch,
    StateDirectory, StatePurger, StateStore,
};

/// The groups of an aggregation and its watermark, kept between batches.
#[derive(Debug)]
pub(in crate::query) struct AggregationState {
    /// The name under which commits record it.
    id: String,
    /// The sources of the query that it reads, by their index.
    sources: Vec<usize>,
    store: Arc<StateStore>,
    sampler: Arc<GroupSampler>,
    /// `None` if the query has no checkpoint, so that nothing outlives the run.
    directory: Option<StateDirectory>,
    /// The watermark delay; `None` without a watermark.
    delay: Option<Duration>,
    /// After how long without a record the watermark follows the clock; `None` if it never does.
    idle_timeout: Option<Duration>,
    watermarks: Option<Watermarks>,
    /// The watermark and event times of the newest committed batch.
    before: InputProgress,
    /// The file before which all state files are deleted.
    purged_before: Arc<Mutex<Option<FirstNeeded>>>,
}

/// The saved state of a batch.
#[derive(Debug)]
pub(super) struct SavedState {
    /// What the commit records for the next batch.
    pub(super) committed: OperatorProgress,
    /// No record that was read arrived later; `None` if the watermark does not depend on it.
    pub(super) last_arrival: Option<UnixMillis>,
    pub(super) operator: StateOperatorProgress,
    pub(super) event_time: Option<EventTimeProgress>,
}

impl AggregationState {
    /// The state of the aggregation `member`, which has a `store` of its own.
    pub(in crate::query) fn new(
        member: &Member,
        aggregation: &AggregationPlan,
        store: StateStore,
        directory: Option<StateDirectory>,
    ) -> Self {
        let store = Arc::new(store);
        Self {
            id: member.operator_id(),
            sources: member.source_indices().to_vec(),
            sampler: Arc::new(GroupSampler::new(&store)),
            store,
            directory,
            delay: aggregation.delay,
            idle_timeout: aggregation.idle_timeout,
            watermarks: None,
            before: InputProgress::default(),
            purged_before: Arc::default(),
        }
    }

    /// Shows some groups to those who look at the query from outside.
    pub(in crate::query) fn sampler(&self) -> Arc<GroupSampler> {
        Arc::clone(&self.sampler)
    }

    /// What AWS bills for requests to the state files of this run.
    pub(super) fn billed_requests(&self) -> BilledRequests {
        let directory = self.directory.as_ref();
        directory.map_or_else(BilledRequests::default, StateDirectory::billed_requests)
    }

    /// Restores the state of the newest committed batch, for a query of `sources` sources; none for an operator that is
    /// new. All records in the log had arrived by `last_arrival`.
    ///
    /// # Errors
    /// The state files cannot be read, or belong to another aggregation.
    pub(in crate::query) async fn restore(
        &mut self,
        before: &Committed,
        sources: usize,
        last_arrival: Option<UnixMillis>,
    ) -> Result<()> {
        let operator = before.operator(&self.id);
        if let Some(operator) = operator {
            expect_aggregation(operator)?;
        }
        let input = operator.and_then(|operator| operator.inputs.first());
        let before = input.cloned().unwrap_or_default();
        self.sampler.changing();
        self.store.clear();
        if let Some(directory) = &mut self.directory {
            let began = tokio::time::Instant::now();
            // If nothing is committed, the files that this start has written so far are discarded, too.
            let files = operator.and_then(|operator| operator.files.clone());
            let files = files.unwrap_or_default();
            directory.restore(files, &self.store).await?;
            tracing::info!(
                operator = self.id, groups = self.store.len(), bytes = self.store.bytes(), took = ?began.elapsed(),
                "restored the state of GROUP BY"
            );
        }
        if let Some(watermark) = before.watermark {
            self.store.close(watermark).map_err(from_datafusion)?;
        }
        self.watermarks = self.delay.map(|delay| {
            Watermarks::new(delay, &before, sources)
                .with_idle_timeout(self.idle_timeout, last_arrival)
        });
        self.before = before;
        Ok(())
    }

    /// The watermarks of a batch that is planned now, by operator and input, given how far the earlier
    /// batches have read each source.
    pub(in crate::query) fn advance_watermark(
        &mut self,
        before: &[Coverage],
    ) -> OperatorWatermarks {
        let before = self.own(before);
        let watermarks = self.watermarks.as_mut();
        let watermark = watermarks.and_then(|watermarks| watermarks.advance(&before));
        let watermark = watermark.map(|time| (self.id.clone(), vec![Some(time)]));
        watermark.into_iter().collect()
    }

    /// The coverage of all sources, in which those that the operator does not read hold nothing back.
    fn own<'a>(&self, coverage: &'a [Coverage]) -> Cow<'a, [Coverage]> {
        let is_own = |index: usize| self.sources.contains(&index);
        if (0..coverage.len()).all(is_own) {
            return Cow::Borrowed(coverage);
        }
        let all = coverage.iter().enumerate();
        let own = all.map(|(index, coverage)| match is_own(index) {
            true => coverage.clone(),
            false => Coverage::not_read(),
        });
        own.collect()
    }

    /// Whether time alone may close groups, without any record: the watermark follows the clock.
    pub(in crate::query) fn closes_by_clock(&self) -> bool {
        let watermarks = self.watermarks.as_ref();
        watermarks.is_some_and(Watermarks::follows_clock) && self.store.may_close(UnixMillis::LAST)
    }

    /// Whether a batch without rows would close groups. `coverage` walks over the shards, so it is called
    /// only if an upper bound of the watermark could close any.
    pub(in crate::query) fn needs_empty_batch(
        &self,
        coverage: impl FnOnce() -> Vec<Coverage>,
    ) -> bool {
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
        let coverage = self.own(&coverage);
        if !may_close(watermarks.farthest(read_to(&coverage))) {
            return false;
        }
        let mut trial = watermarks.clone();
        let next = trial.advance(&coverage).filter(moves);
        next.is_some_and(|next| self.store.may_close(next))
    }

    /// The state that the plan nodes of `batch` share.
    pub(super) fn begin(&self, batch: &Batch, reads: &[Arc<BatchReads>]) -> Arc<StateBatch> {
        let mut own = self.sources.iter();
        let has_rows = own.any(|index| !reads[*index].reads.is_empty());
        self.sampler.changing();
        let store = Arc::clone(&self.store);
        let times = BatchWatermarks {
            watermark: batch.watermark(&self.id, 0),
            previous_watermark: self.before.watermark,
            has_rows,
        };
        Arc::new(StateBatch::new(store, times))
    }

    /// Writes the changes that `batch` made to the state.
    pub(super) async fn save(
        &mut self,
        batch: &Batch,
        reads: &[Arc<BatchReads>],
        changes: &StateBatch,
    ) -> Result<SavedState> {
        let began = tokio::time::Instant::now();
        let changes = changes.finish();
        let watermark = batch.watermark(&self.id, 0);
        let (mut event_times, mut last_arrival) = (Vec::new(), None);
        if let Some(watermarks) = &mut self.watermarks {
            let shards = shards_by_number(reads);
            for (number, time) in &changes.event_times {
                if let Some((source, shard)) = shards.get(*number as usize) {
                    watermarks.seen(*source, shard, *time);
                }
            }
            // A rerun has the watermark of the first run.
            watermarks.replayed(watermark);
            event_times = watermarks.event_times();
            last_arrival = watermarks.last_arrival();
        }
        let files = match &mut self.directory {
            Some(directory) => {
                let store = &self.store;
                Some(directory.write(batch.id, &changes.changed, store).await?)
            }
            None => None,
        };
        let latest = changes.event_times.values().max().copied();
        Ok(SavedState {
            committed: OperatorProgress {
                id: self.id.clone(),
                kind: AGGREGATION.to_owned(),
                schema_version: AGGREGATION_SCHEMA_VERSION,
                inputs: self
                    .delay
                    .map(|_| InputProgress {
                        watermark,
                        event_times,
                    })
                    .into_iter()
                    .collect(),
                files,
            },
            last_arrival,
            operator: StateOperatorProgress {
                rows_total: self.store.len() as u64,
                rows_updated: changes
                    .changed
                    .iter()
                    .map(|rows| rows.num_rows() as u64)
                    .sum(),
                rows_removed: changes.removed,
                rows_dropped_by_watermark: changes.late,
                memory_bytes: self.store.bytes(),
                partitions: self.store.partitions(),
                commit_time: began.elapsed(),
                files: self.directory.as_ref().map(StateDirectory::progress),
            },
            event_time: self.delay.map(|_| EventTimeProgress {
                min: changes.least,
                max: latest,
                watermark,
            }),
        })
    }

    /// Updates the state after the commit of `batch`, which recorded `committed`.
    pub(super) fn committed(&mut self, batch: &Batch, committed: &Committed) {
        let operator = committed.operator(&self.id);
        let input = operator.and_then(|operator| operator.inputs.first());
        self.before = input.cloned().unwrap_or_default();
        if let Some(directory) = &mut self.directory {
            directory.committed(batch.id, &self.store);
        }
        self.sampler.settled(batch.id);
    }

    /// The name under which commits record it.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// A purge of old state files; `None` if the state is kept in memory only.
    pub(super) fn purge(&self) -> Option<StatePurge> {
        let directory = self.directory.as_ref()?;
        Some(StatePurge {
            files: directory.purger(),
            purged_before: Arc::clone(&self.purged_before),
        })
    }
}

/// Refuses the state of an operator that is no aggregation, or that a newer version has written.
///
/// # Errors
/// [`ErrorKind::Checkpoint`].
fn expect_aggregation(operator: &OperatorProgress) -> Result<()> {
    let id = &operator.id;
    if operator.kind != AGGREGATION || operator.inputs.len() > 1 {
        return Err(unknown_operator(operator));
    }
    if operator.schema_version > AGGREGATION_SCHEMA_VERSION {
        return Err(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "the state of operator '{id}' was written by a newer version of this program (state version {}, \
                 this one reads up to {AGGREGATION_SCHEMA_VERSION}); run the query with that version",
                operator.schema_version
            ),
        ));
    }
    Ok(())
}

/// The error about an operator of the checkpoint that no version of the query that this program runs can have.
pub(super) fn unknown_operator(operator: &OperatorProgress) -> Error {
    Error::new(
        ErrorKind::Checkpoint,
        format!(
            "the checkpoint holds the state of operator '{}' ({}, {} inputs), which this version of the program does \
             not run; run the query with the version that wrote it",
            operator.id,
            operator.kind,
            operator.inputs.len()
        ),
    )
}

/// Deletes old state files while batches run.
#[derive(Debug)]
pub(super) struct StatePurge {
    files: StatePurger,
    purged_before: Arc<Mutex<Option<FirstNeeded>>>,
}

impl StatePurge {
    /// Deletes the files that no log entry needs: those before the files that the oldest remaining commit names.
    pub(super) async fn run(self, oldest: &Committed) {
        let files = oldest
            .operators
            .iter()
            .filter_map(|operator| operator.files.as_ref());
        // Operators share a folder, so the one that needs the oldest files decides.
        let first = files.filter_map(FirstNeeded::of).min();
        let purged_before = || {
            self.purged_before
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let Some(first) = first.filter(|first| Some(*first) > *purged_before()) else {
            return;
        };
        self.files.purge(first).await;
        *purged_before() = Some(first);
    }
}
