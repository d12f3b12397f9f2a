//! [`StateBatch`]: the state and the changes of one batch, shared by its plan nodes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};

use super::memory::{BatchOutput, BatchWatermarks, StateStore};
use crate::model::UnixMillis;

/// The state during one batch, and the changes that the batch makes. The nodes of the plan find it in their
/// session.
#[derive(Debug)]
pub(crate) struct StateBatch {
    pub(super) store: Arc<StateStore>,
    pub(super) times: BatchWatermarks,
    changes: Mutex<BatchChanges>,
    /// The memory of the changed groups and the output.
    reservation: Mutex<Option<MemoryReservation>>,
}

/// The changes of a batch.
#[derive(Debug, Default)]
pub(crate) struct BatchChanges {
    /// The new and changed groups, with their present states.
    pub(crate) changed: Vec<RecordBatch>,
    /// How many groups the watermark has closed.
    pub(crate) removed: u64,
    /// How many rows were dropped as late.
    pub(crate) late: u64,
    /// The largest event time of each shard, by the number of the shard in the batch.
    pub(crate) event_times: BTreeMap<u32, UnixMillis>,
    /// The smallest event time of all.
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
            changes: Mutex::default(),
            reservation: Mutex::default(),
        }
    }

    /// The batch in whose session a node runs.
    ///
    /// # Errors
    /// The plan does not run as a batch of a streaming query.
    pub(super) fn of(context: &TaskContext) -> Result<Arc<Self>> {
        let found = context.session_config().get_extension::<Self>();
        found.ok_or_else(|| internal_datafusion_err!("a stateful plan runs outside of a batch"))
    }

    pub(super) fn changes(&self) -> MutexGuard<'_, BatchChanges> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves the memory of the rows that the batch holds besides the state until it is done. `are_changed`
    /// means that the output shares its memory with the changed groups.
    ///
    /// # Errors
    /// The memory pool is exhausted; the error says what to do.
    pub(super) fn account(
        &self,
        outputs: &[BatchOutput],
        are_changed: bool,
        context: &TaskContext,
    ) -> Result<()> {
        let changed = self.changes().changed.iter().map(size).sum::<usize>();
        let output_bytes = outputs.iter().map(|output| match output {
            BatchOutput::Rows(rows) if !are_changed => size(rows),
            // Counted already.
            BatchOutput::Rows(_) | BatchOutput::All(_) => 0,
        });
        let bytes = changed + output_bytes.sum::<usize>();
        let consumer = MemoryConsumer::new("groups that a batch has changed");
        let reservation = consumer.register(context.memory_pool());
        let grown = reservation.try_grow(bytes);
        grown.map_err(|error| self.store.explain_memory(error))?;
        *self
            .reservation
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(reservation);
        Ok(())
    }

    /// The changes, once the whole plan has run.
    pub(crate) fn finish(&self) -> BatchChanges {
        std::mem::take(&mut *self.changes())
    }
}
