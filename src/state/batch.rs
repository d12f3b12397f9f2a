//! What one batch knows of the state, and what it finds out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};

use super::memory::{BatchOutput, BatchWatermarks, StateStore};
use crate::model::UnixMillis;

/// What one batch knows of the state, and what it finds out. The nodes of a plan find it in the
/// session they run in.
#[derive(Debug)]
pub(crate) struct StateBatch {
    pub(super) store: Arc<StateStore>,
    pub(super) times: BatchWatermarks,
    tally: Mutex<Tally>,
    /// The memory of the rows that it has changed and gives.
    reservation: Mutex<Option<MemoryReservation>>,
}

/// What a batch has found out.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// The groups that it has changed or made, as they are now.
    pub(crate) changed: Vec<RecordBatch>,
    /// Groups that the watermark has closed.
    pub(crate) removed: u64,
    /// Rows that came behind the watermark.
    pub(crate) late: u64,
    /// The largest event time of each shard, by its number in the batch.
    pub(crate) event_times: BTreeMap<u32, UnixMillis>,
    /// The least one of all.
    pub(crate) least: Option<UnixMillis>,
}

fn size(rows: &RecordBatch) -> usize {
    rows.get_array_memory_size()
}

impl StateBatch {
    pub(crate) fn new(store: Arc<StateStore>, times: BatchWatermarks) -> Self {
        Self {
            store,
            times,
            tally: Mutex::default(),
            reservation: Mutex::default(),
        }
    }

    /// That of the session a node runs in.
    ///
    /// # Errors
    /// The plan does not run as a batch of a streaming query.
    pub(super) fn of(context: &TaskContext) -> Result<Arc<Self>> {
        let found = context.session_config().get_extension::<Self>();
        found.ok_or_else(|| internal_datafusion_err!("a stateful plan runs outside of a batch"))
    }

    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the memory of the rows that the batch holds beside the state until it is done; `are_changed`
    /// is whether those it gives are those that it has changed.
    ///
    /// # Errors
    /// The pool does not have it; says what to do.
    pub(super) fn account(
        &self,
        given: &[BatchOutput],
        are_changed: bool,
        context: &TaskContext,
    ) -> Result<()> {
        let changed = self.tally().changed.iter().map(size).sum::<usize>();
        let given = given.iter().map(|given| match given {
            BatchOutput::Rows(rows) if !are_changed => size(rows),
            // In the memory of the state.
            BatchOutput::Rows(_) | BatchOutput::All(_) => 0,
        });
        let bytes = changed + given.sum::<usize>();
        let consumer = MemoryConsumer::new("groups that a batch has changed");
        let reservation = consumer.register(context.memory_pool());
        let grown = reservation.try_grow(bytes);
        grown.map_err(|error| self.store.beside(error))?;
        *self
            .reservation
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(reservation);
        Ok(())
    }

    /// What was found out, once all has run.
    pub(crate) fn finish(&self) -> Tally {
        std::mem::take(&mut *self.tally())
    }
}
