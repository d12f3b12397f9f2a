//! The rows of a table of files, kept in memory between the batches of a query.

use std::time::Duration;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{ScanResult, Session};
use datafusion::common::Result as DataFusionResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The largest table that is kept. A larger one is read for each batch.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// Rows that are read anew after some time.
#[derive(Debug)]
pub(super) struct KeptRows {
    period: Duration,
    rows: Mutex<Option<Rows>>,
}

#[derive(Debug)]
struct Rows {
    since: Instant,
    /// `None` if they need too much memory.
    batches: Option<(Vec<RecordBatch>, MemoryReservation)>,
}

impl KeptRows {
    /// No rows yet. They are kept for `period`.
    pub(super) fn new(period: Duration) -> Self {
        Self {
            period,
            rows: Mutex::default(),
        }
    }

    /// The kept rows, which are those of `scan` if they were read too long ago. `None` if they need too much memory.
    pub(super) async fn get(
        &self,
        session: &dyn Session,
        scan: impl Future<Output = DataFusionResult<ScanResult>>,
    ) -> DataFusionResult<Option<Vec<RecordBatch>>> {
        let mut rows = self.rows.lock().await;
        let is_fresh = |rows: &Rows| rows.since.elapsed() < self.period;
        if !rows.as_ref().is_some_and(is_fresh) {
            // Frees the memory of the old rows first.
            *rows = None;
            let since = Instant::now();
            let batches = read(session, scan.await?).await?;
            *rows = Some(Rows { since, batches });
        }
        let batches = rows.as_ref().and_then(|rows| rows.batches.as_ref());
        Ok(batches.map(|(batches, _)| batches.clone()))
    }
}

/// All rows of a scan, unless they need too much memory.
async fn read(
    session: &dyn Session,
    scan: ScanResult,
) -> DataFusionResult<Option<(Vec<RecordBatch>, MemoryReservation)>> {
    let consumer = MemoryConsumer::new("rows of a table of files");
    let reserved = consumer.register(&session.runtime_env().memory_pool);
    let mut rows = execute_stream(scan.into_inner(), session.task_ctx())?;
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let bytes = batch.get_array_memory_size();
        if reserved.size() + bytes > MAX_BYTES || reserved.try_grow(bytes).is_err() {
            tracing::debug!(
                bytes = reserved.size(),
                "a table of files is too large to be kept in memory"
            );
            return Ok(None);
        }
        batches.push(batch);
    }
    Ok(Some((batches, reserved)))
}
