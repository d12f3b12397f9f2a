//! What one batch knows of the state, and what it finds out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::TaskContext;

use super::store::StateStore;
use crate::model::UnixMillis;

/// What one batch knows of the state, and what it finds out. The nodes of a plan find it in the
/// session they run in.
#[derive(Debug)]
pub(crate) struct StateBatch {
    pub(super) store: Arc<StateStore>,
    /// Event times up to it are closed.
    pub(super) watermark: Option<UnixMillis>,
    /// The watermark of the batch before.
    pub(super) watermark_before: Option<UnixMillis>,
    /// Whether it reads anything.
    pub(super) reads: bool,
    tally: Mutex<Tally>,
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

impl StateBatch {
    pub(crate) fn new(
        store: Arc<StateStore>,
        watermark: Option<UnixMillis>,
        watermark_before: Option<UnixMillis>,
        reads: bool,
    ) -> Self {
        Self {
            store,
            watermark,
            watermark_before,
            reads,
            tally: Mutex::default(),
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

    /// What was found out, once all has run.
    pub(crate) fn finish(&self) -> Tally {
        std::mem::take(&mut *self.tally())
    }
}
