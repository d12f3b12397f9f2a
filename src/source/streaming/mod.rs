//! The readers of a streaming query: one for each shard, living as long as the query, filling buffers
//! that batches are cut from.
//!
//! ```text
//!  discovery ──ListShards──▶ lineage ──may be read──▶ reader of a shard ──GetRecords──▶ buffer
//!                               ▲                                                        │
//!                               └──────── all rows taken, end read ◀── take() ◀──────────┘
//! ```
//!
//! Readers never give up on what may pass: throttles and failures of the service hold up their own
//! shard and nothing else.

mod data_loss;
mod failures;
mod settings;
mod shard_task;
mod shared_state;
mod start;
mod state;
mod supervisor;
mod warnings;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;

pub(crate) use self::settings::StreamReaderSettings;
use self::shared_state::Shared;
pub(crate) use self::start::StreamStart;
use self::state::State;
pub(crate) use self::state::{
    Activity, Coverage, ReaderStatus, Readiness, ShardActivity, StreamBatch,
};
use super::context::ReadContext;
use super::lineage::new_shards;
use super::read::{BatchReads, ShardRead, Until};
use super::retention::{Past, Wish};
use super::starts::beginning;
use crate::error::Result;
use crate::kinesis::{Backoff, ShardFilter, list_all_shards};
use crate::model::{Offsets, Shard, ShardId, ShardPosition, ShardRange, StreamRanges, UnixMillis};

/// Reads all shards of a stream, and all that they are split and merged into. Dropping it ends the
/// readers.
#[derive(Debug)]
pub(crate) struct StreamReader {
    shared: Arc<Shared>,
    /// Ends its task, and with it the readers, when it is dropped.
    _supervisor: JoinSet<()>,
}

impl StreamReader {
    /// Lists the shards and starts to read those that may be read.
    ///
    /// # Errors
    /// The listing fails for good, or none of the shards with a starting position is listed.
    pub(crate) async fn start(
        context: ReadContext,
        from: StreamStart,
        settings: StreamReaderSettings,
        random: fastrand::Rng,
    ) -> Result<Self> {
        let name = context.stream.name().as_str();
        // What the readers say in the log names their stream. Of the level of an error, so that it is there for
        // whatever is logged.
        let span = tracing::error_span!("stream", name);
        let begun = Self::begin(context, from, settings, random);
        begun.instrument(span).await
    }

    async fn begin(
        context: ReadContext,
        from: StreamStart,
        settings: StreamReaderSettings,
        mut random: fastrand::Rng,
    ) -> Result<Self> {
        let mut backoff = Backoff::endless(context.retry, random.fork());
        let filter = ShardFilter::FromTrimHorizon;
        let asked_at = context.clock.now();
        let present = context.retention.present();
        let noted = from.retention().unwrap_or(present);
        context.retention.was(noted, asked_at);
        let kept = context.retention.kept();
        let listed =
            list_all_shards(&*context.kinesis, &context.stream, filter, &mut backoff).await?;
        let read_to = from.read_to(noted);
        let (offsets, created_at) = match from {
            StreamStart::Initial {
                start, created_at, ..
            } => (beginning(&listed, &start)?, Some(created_at)),
            StreamStart::Resume { offsets, .. } => (with_new_shards(offsets, &listed), None),
        };
        let past = |position: &ShardPosition| match created_at {
            Some(at) => {
                let wish = Wish {
                    at,
                    retention: noted,
                };
                Past::of_wish(position, wish, asked_at, kept)
            }
            None => Past::of_log(position, read_to),
        };
        let (starts, started) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(Arc::new(context), settings, starts));
        shared.with(|state| state.taken_to = read_to);
        shared.begin(offsets, past, &listed);
        let mut supervisor = JoinSet::new();
        let supervising = supervisor::supervise(Arc::clone(&shared), started, random);
        supervisor.spawn(supervising.in_current_span());
        Ok(Self {
            shared,
            _supervisor: supervisor,
        })
    }

    /// Whether there is a batch to be planned, for a trigger that fired at `fired`.
    ///
    /// # Errors
    /// A reader ended for good: access is denied, the stream is gone.
    pub(crate) fn readiness(&self, fired: Instant) -> Result<Readiness> {
        self.shared
            .with(|state| state.readiness(fired, Instant::now()))
    }

    /// Cuts off what the buffers hold, up to the caps. The next call goes on behind it.
    ///
    /// The ranges are those of all tracked shards. Where the readiness was
    /// [`Ready`](Readiness::Ready) the batch is to be run even if it has no rows: records without rows
    /// fill memory until it is [`committed`](Self::committed).
    pub(crate) fn take(&self) -> StreamBatch {
        let stream = self.shared.context.stream.name().clone();
        let settings = &self.shared.settings;
        let retention = self.retention();
        let cut = |state: &mut State| state.take(stream, settings, retention);
        let (planned, started) = self.shared.with(cut);
        self.shared.start(started);
        planned
    }

    /// A batch that was planned before this reader started; all of it is read from the service.
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

    /// Lets go of the rows up to `ends`, where a taken batch ended, and reads on.
    pub(crate) fn committed(&self, ends: &Offsets) {
        self.shared.with(|state| state.committed(ends));
        self.shared.make_room();
    }

    /// Waits until something came, ended or failed since the last [`readiness`](Self::readiness); or a shard
    /// turned idle, where the settings have it so.
    pub(crate) async fn changed(&self) {
        self.shared.changed().await;
    }

    /// Whether all rows up to the frozen tip were taken.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.shared.with(|state| state.is_exhausted())
    }

    /// Whether all rows that were in the stream at `time` were taken. Once that may have become true,
    /// [`changed`](Self::changed) resolves.
    pub(crate) fn has_taken_all_before(&self, time: UnixMillis) -> bool {
        self.shared.with(|state| state.has_taken_all_before(time))
    }

    /// All that had arrived by then in the tracked shards is behind the last batch, or would be behind
    /// one that is [taken](Self::take) now and empties the buffers.
    pub(crate) fn read_to(&self) -> Option<UnixMillis> {
        let until = self.shared.settings.until;
        self.shared.with(|state| state.read_to(until))
    }

    /// Whether the end of a shard has been read for this long, and no batch was taken since that has it.
    pub(crate) fn has_unlogged_shard_end(&self, age: Duration) -> bool {
        let since = self.shared.with(|state| state.end_due);
        since.is_some_and(|since| since.elapsed() >= age)
    }

    /// How long the stream keeps its records, as far as is known.
    pub(crate) fn retention(&self) -> Duration {
        self.shared.context.retention.present()
    }

    /// Losses of data that were found since the start.
    pub(crate) fn losses(&self) -> u64 {
        self.shared.with(|state| state.failures.losses)
    }

    /// Whether it failed because the stream was deleted and made anew: the positions are of one that
    /// is no more.
    pub(crate) fn is_stream_recreated(&self) -> bool {
        self.shared.with(|state| state.remade)
    }

    /// How far the batches that were [taken](Self::take) have come.
    ///
    /// Costs a walk over the shards.
    pub(crate) fn coverage(&self) -> Coverage {
        let until = self.shared.settings.until;
        self.shared.with(|state| state.coverage(until))
    }

    /// How far the readers are.
    pub(crate) fn status(&self) -> ReaderStatus {
        let now = self.shared.now();
        self.shared.with(|state| state.status(now))
    }
}

/// Shards that came into being after the offsets were written start at their beginning.
fn with_new_shards(mut offsets: Offsets, listed: &[Shard]) -> Offsets {
    for shard in new_shards(listed, |shard| offsets.contains_key(shard)) {
        offsets.insert(shard.id.clone(), ShardPosition::TrimHorizon);
    }
    offsets
}

#[cfg(test)]
mod tests;
