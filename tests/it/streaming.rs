//! Streaming queries over a simulated stream, with paused time.

mod changed_statement;
pub(crate) mod checkpoint_log;
mod consumer_ownership;
mod crash_points;
mod damaged_checkpoints;
mod data_loss;
mod dataframes;
mod deleted_while_subscribed;
#[cfg(feature = "dynamodb")]
mod dynamodb_log;
pub(crate) mod fault_proxy;
pub(crate) mod fencing;
mod first_tick;
mod health;
mod housekeeping;
mod idle;
mod in_order;
mod joined_files;
mod latency;
mod latest;
mod log_locations;
mod loss_at_random;
mod many_shards;
#[cfg(feature = "metrics")]
pub(crate) mod metrics;
mod observed;
mod pipelines;
mod pushed;
mod recreated_stream;
mod recreated_while_running;
mod refusals;
mod rejected_writes;
mod reporting;
mod rerun;
mod restarts;
mod scripted_committer;
mod storms;
mod termination;
mod triggers;
mod unreliable_stores;
mod watched_committer;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::as_string_array;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion_kinesis::model::BatchId;
use datafusion_kinesis::query::{Step, StepHook, StreamingQuery, StreamingQueryBuilder};
use futures::{FutureExt, StreamExt, TryStreamExt};
use tokio::sync::Notify;

use crate::support::World;

/// Reads from the oldest record.
pub(crate) const FROM_THE_START: &str = "'kinesis.startingPosition' 'TRIM_HORIZON'";

/// A world with a source stream `words` and a target stream `out`.
async fn world(shards: u32) -> World {
    let world = World::new();
    world.unbounded_table("words", shards, FROM_THE_START).await;
    world.table("out", 2, "").await;
    world
}

/// Selects the rows of `words` with their keys.
pub(crate) fn words(world: &World) -> StreamingQueryBuilder {
    StreamingQuery::builder(
        &world.ctx,
        "SELECT partitionKey, CAST(data AS VARCHAR) FROM words",
    )
}

/// An idempotent sink that keeps batches by number, and asserts that a rerun batch has the same
/// rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<BTreeMap<u64, Vec<String>>>>);

impl Sink {
    /// Collects the second column.
    async fn take(
        self,
        batch: BatchId,
        rows: SendableRecordBatchStream,
    ) -> Result<(), DataFusionError> {
        let batches: Vec<_> = rows.try_collect().await?;
        let mut lines = Vec::new();
        for batch in &batches {
            let column = cast(batch.column(1), &DataType::Utf8)?;
            let column = as_string_array(&column)?;
            lines.extend(column.iter().flatten().map(str::to_owned));
        }
        lines.sort();
        let mut taken = self.0.lock().unwrap();
        if let Some(before) = taken.get(&batch.0) {
            assert_eq!(*before, lines, "batch {batch} ran again");
        }
        taken.insert(batch.0, lines);
        Ok(())
    }

    pub(crate) fn of(&self, builder: StreamingQueryBuilder) -> StreamingQueryBuilder {
        let sink = self.clone();
        builder.foreach_batch(move |batch, rows| sink.clone().take(batch, rows))
    }

    /// All rows as sorted numbers.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let taken = self.0.lock().unwrap();
        let mut numbers: Vec<u64> = taken
            .values()
            .flatten()
            .map(|n| n.parse().unwrap())
            .collect();
        numbers.sort_unstable();
        numbers
    }

    /// All rows, batch by batch.
    pub(crate) fn rows(&self) -> Vec<String> {
        let taken = self.0.lock().unwrap();
        taken.values().flatten().cloned().collect()
    }

    pub(crate) fn batches(&self) -> Vec<u64> {
        self.0.lock().unwrap().keys().copied().collect()
    }
}

/// Freezes a query when it reaches `step` for the `nth` time.
#[derive(Debug)]
pub(crate) struct Freeze {
    frozen: Arc<Notify>,
    pub(crate) hook: StepHook,
}

impl Freeze {
    pub(crate) fn at(step: Step, nth: usize) -> Self {
        let frozen = Arc::new(Notify::new());
        let (notify, reached) = (Arc::clone(&frozen), Arc::new(Mutex::new(0)));
        let hook = StepHook::new(move |now, _batch| {
            let mut reached = reached.lock().unwrap();
            *reached += usize::from(now == step);
            if now != step || *reached != nth {
                return std::future::ready(()).boxed();
            }
            notify.notify_one();
            std::future::pending().boxed()
        });
        Self { frozen, hook }
    }

    pub(crate) async fn reached(&self) {
        self.frozen.notified().await;
    }
}
