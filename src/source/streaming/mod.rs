//! The readers of a streaming query: one task per shard that lives as long as the query and fills a buffer,
//! from which batches are cut.
//!
//! ```text
//!  supervisor ──ListShards──▶ lineage ──may be read──▶ shard task ──pages──▶ buffer
//!                                ▲                                             │
//!                                └────── end read, all rows taken ◀── take() ◀─┘
//! ```
//!
//! Decisions are in [`state`], which is pure. The tasks are thin: they get pages and listings, pass them to
//! the state, and act on its results. Readers retry temporary failures forever; a failing shard does not
//! delay the others.

mod data_loss;
mod settings;
mod shard_task;
mod shared_state;
mod start;
mod state;
mod supervisor;
mod warning_limiter;

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;

pub(crate) use self::settings::StreamReaderSettings;
use self::shared_state::SharedState;
pub(crate) use self::start::StreamStart;
use self::state::StreamState;
pub(crate) use self::state::{
    Activity, Coverage, ReaderHealth, ReaderStatus, Readiness, ShardActivity, StreamBatch,
};
pub use self::state::{RateRange, ShardError, ShardStage, ShardStatus};
use super::context::StreamContext;
use super::lineage::new_shards;
use super::read::{BatchReads, ShardRead, Until};
use super::retention::{ReadHistory, StartRequest};
use super::starts::resolve_initial;
use crate::error::Result;
use crate::kinesis::{Backoff, ShardFilter, list_all_shards};
use crate::model::{Offsets, Shard, ShardId, ShardPosition, ShardRange, StreamRanges, UnixMillis};

/// Reads all shards of a stream, and their descendants. Dropping it ends its tasks.
#[derive(Debug)]
pub(crate) struct StreamReader {
    shared: Arc<SharedState>,
    /// Ends the supervisor when it is dropped, and the other tasks with it.
    _supervisor: JoinSet<()>,
}

impl StreamReader {
    /// Lists the shards, and starts reading those that may be read.
    ///
    /// # Errors
    /// The listing fails permanently, or none of the shards with an initial position is listed.
    pub(crate) async fn start(
        context: StreamContext,
        start: StreamStart,
        settings: StreamReaderSettings,
        random: fastrand::Rng,
    ) -> Result<Self> {
        let name = context.stream_name().as_str();
        // Names the stream in all log messages of the tasks. Has level ERROR, so that no filter drops it while
        // messages pass.
        let span = tracing::error_span!("stream", name);
        let begun = Self::begin(context, start, settings, random);
        begun.instrument(span).await
    }

    async fn begin(
        context: StreamContext,
        start: StreamStart,
        settings: StreamReaderSettings,
        mut random: fastrand::Rng,
    ) -> Result<Self> {
        let mut backoff = Backoff::endless(context.retry, random.fork());
        let filter = ShardFilter::FromTrimHorizon;
        let sent_at = context.clock.now();
        let recorded_retention = start
            .retention()
            .unwrap_or_else(|| context.retention.current());
        context.retention.record_past(recorded_retention, sent_at);
        let window = context.retention.window();
        let listed =
            list_all_shards(&*context.kinesis, &context.stream, filter, &mut backoff).await?;
        let read_to = start.read_to(recorded_retention);
        let (offsets, created_at) = match start {
            StreamStart::Initial {
                start, created_at, ..
            } => (resolve_initial(&listed, &start)?, Some(created_at)),
            StreamStart::Resume { offsets, .. } => (with_new_shards(offsets, &listed), None),
        };
        let history = |position: &ShardPosition| match created_at {
            Some(at) => {
                let request = StartRequest {
                    at,
                    retention: recorded_retention,
                };
                ReadHistory::of_requested_start(position, request, sent_at, window)
            }
            None => ReadHistory::of_logged_start(position, read_to),
        };
        let (starts, started) = mpsc::unbounded_channel();
        let shared = Arc::new(SharedState::new(Arc::new(context), settings, starts));
        shared.with(|state| state.taken_to = read_to);
        shared.begin(offsets, history, &listed);
        let mut supervisor = JoinSet::new();
        let supervising = supervisor::supervise(Arc::clone(&shared), started, random);
        supervisor.spawn(supervising.in_current_span());
        Ok(Self {
            shared,
            _supervisor: supervisor,
        })
    }

    /// Whether there is data for a batch, for a trigger that fired at `fired`.
    ///
    /// # Errors
    /// A reader failed permanently: access is denied, or the stream was deleted.
    pub(crate) fn readiness(&self, fired: Instant) -> Result<Readiness> {
        self.shared
            .with(|state| state.readiness(fired, Instant::now()))
    }

    /// Cuts a batch from the buffers, up to the caps. The next call continues after it.
    ///
    /// The ranges are those of all tracked shards. If the reader was [`Ready`](Readiness::Ready), the batch must
    /// be run even if it has no rows, because records without rows fill the memory until they are
    /// [released](Self::release).
    pub(crate) fn take(&self) -> StreamBatch {
        let stream = self.shared.context.stream_name().clone();
        let settings = &self.shared.settings;
        let retention = self.retention();
        let now = Instant::now();
        let cut = |state: &mut StreamState| state.take(stream, settings, retention, now);
        let (batch, started) = self.shared.with(cut);
        self.shared.start(started);
        batch
    }

    /// The reads of a batch that an earlier run planned. All of them go to the service.
    pub(crate) fn replay(&self, ranges: &StreamRanges) -> BatchReads {
        let read = |(shard, range): (&ShardId, &ShardRange)| ShardRead {
            shard: shard.clone(),
            hash_range: self.shared.with(|state| state.hash_range(shard)),
            start: range.after.clone(),
            until: Until::Position(range.upto.clone()),
            limit: None,
            rows: range.rows,
            number: 0,
        };
        let ranges = ranges.shards.iter();
        let has_rows = |range: &ShardRange| !range.is_empty() && range.rows != Some(0);
        let reads = ranges.filter(|(_, range)| has_rows(range)).map(read);
        BatchReads {
            reads: reads.collect(),
            ..BatchReads::default()
        }
    }

    /// Releases the rows of a committed batch that ended at `ends`, which makes room to read on.
    pub(crate) fn release(&self, ends: &Offsets) {
        self.shared.with(|state| state.release(ends));
        self.shared.notify_room();
    }

    /// Waits until rows have arrived, a shard has ended, or a reader has failed since the last check of the
    /// [readiness](Self::readiness); or until a shard becomes idle, if activity is tracked.
    pub(crate) async fn changed(&self) {
        self.shared.changed().await;
    }

    /// Whether all rows up to the frozen tip were taken.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.shared.with(|state| state.is_exhausted())
    }

    /// Whether all rows that were in the stream at `time` were taken. [`changed`](Self::changed) resolves when
    /// that may have become true.
    pub(crate) fn has_taken_all_before(&self, time: UnixMillis) -> bool {
        self.shared.with(|state| state.has_taken_all_before(time))
    }

    /// Every record of the tracked shards that had arrived by then is in a batch, or would be in one that is
    /// [taken](Self::take) now and empties the buffers.
    pub(crate) fn read_to(&self) -> Option<UnixMillis> {
        let until = self.shared.settings.until;
        self.shared.with(|state| state.read_to(until))
    }

    /// Whether the end of a shard was read at least `age` ago, and no batch since then records it.
    pub(crate) fn has_unlogged_shard_end(&self, age: Duration) -> bool {
        let since = self.shared.with(|state| state.unlogged_end_since);
        since.is_some_and(|since| since.elapsed() >= age)
    }

    /// The last known retention of the stream.
    pub(crate) fn retention(&self) -> Duration {
        self.shared.context.retention.current()
    }

    /// The losses of data since the start.
    pub(crate) fn losses(&self) -> u64 {
        self.shared.with(|state| state.failures.losses)
    }

    /// Whether it failed because the stream was deleted and created again, so that its positions are no longer
    /// valid.
    pub(crate) fn is_stream_recreated(&self) -> bool {
        self.shared.with(|state| state.is_recreated)
    }

    /// How far the batches that were [taken](Self::take) have read.
    ///
    /// Walks over all shards.
    pub(crate) fn coverage(&self) -> Coverage {
        let until = self.shared.settings.until;
        self.shared.with(|state| state.coverage(until))
    }

    /// The status of the readers.
    pub(crate) fn status(&self) -> ReaderStatus {
        self.shared.status()
    }

    /// Looks at the shards of this reader from outside of the query.
    pub(crate) fn observer(&self) -> ShardObserver {
        ShardObserver(Arc::downgrade(&self.shared))
    }
}

/// Looks at the shards of a reader, and does not keep the reader alive.
#[derive(Debug, Clone)]
pub(crate) struct ShardObserver(Weak<SharedState>);

impl ShardObserver {
    /// The status of each shard at present; none once the reader has ended.
    pub(crate) fn shards(&self) -> Vec<ShardStatus> {
        let Some(shared) = self.0.upgrade() else {
            return Vec::new();
        };
        let now = shared.now();
        shared.with(|state| state.shard_statuses(now))
    }

    /// Whether the reader works; `None` once it has ended.
    pub(crate) fn health(&self) -> Option<ReaderHealth> {
        let shared = self.0.upgrade()?;
        let now = shared.now();
        Some(shared.with(|state| state.health(now)))
    }

    /// The status of the reader at present; `None` once it has ended.
    pub(crate) fn status(&self) -> Option<ReaderStatus> {
        Some(self.0.upgrade()?.status())
    }
}

/// Adds the shards that were created since the offsets were recorded, from their start.
fn with_new_shards(mut offsets: Offsets, listed: &[Shard]) -> Offsets {
    for shard in new_shards(listed, |shard| offsets.contains_key(shard)) {
        offsets.insert(shard.id.clone(), ShardPosition::TrimHorizon);
    }
    offsets
}

#[cfg(test)]
mod tests;
