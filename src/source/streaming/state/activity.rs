//! Determines which shards may still have rows to read, for the watermark.

use std::time::Duration;

use super::StreamState;
use super::shard::{ReadProgress, ShardState};
use crate::model::{ShardId, UnixMillis};

/// The progress of the taken batches of a stream, as needed for a watermark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// The tracked shards, ordered by id.
    pub(crate) shards: Vec<ShardActivity>,
    /// Every record that had arrived by then was taken.
    pub(crate) read_to: Option<UnixMillis>,
    /// An upper bound of the arrival times of all records read so far.
    pub(crate) last_arrival: Option<UnixMillis>,
}

impl Coverage {
    /// That of a stream that an operator does not read: it holds no watermark back.
    pub(crate) fn not_read() -> Self {
        Self {
            read_to: Some(UnixMillis::LAST),
            ..Self::default()
        }
    }
}

/// The facts about a tracked shard that matter for a watermark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShardActivity {
    /// The shard.
    pub(crate) shard: ShardId,
    /// The known shards that it was created from; they may no longer be tracked.
    pub(crate) parents: Vec<ShardId>,
    /// Which rows may follow.
    pub(crate) activity: Activity,
    /// For how long no record has arrived in it, by the service's clock; zero if a row is pending, or
    /// nothing is known.
    pub(crate) quiet: Duration,
}

/// Which rows of a shard may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    /// Rows that exist already: some are pending, or it is not known that none are.
    Active,
    /// Only rows that are written from now on: all rows were taken, and the service has since reported that
    /// nothing follows them.
    Idle,
    /// None: it was read to its end, or is lost, and all its rows were taken.
    Ended,
}

impl StreamState {
    /// How far the taken batches have read; `until` is the frozen tip.
    ///
    /// Walks over all shards.
    pub(in crate::source::streaming) fn coverage(&self, until: Option<UnixMillis>) -> Coverage {
        let shards = self.shards.iter().map(|(id, shard)| ShardActivity {
            shard: id.clone(),
            parents: self.lineage.parents(id).to_vec(),
            activity: shard.activity(),
            quiet: shard.quiet(until),
        });
        Coverage {
            shards: shards.collect(),
            read_to: self.read_to(until),
            last_arrival: self.last_arrival,
        }
    }
}

impl ShardState {
    fn activity(&self) -> Activity {
        if self.buffer.is_drained() {
            Activity::Ended
        } else if self.is_idle() {
            Activity::Idle
        } else {
            Activity::Active
        }
    }

    /// How long no record has arrived, up to the time to which all records were read and taken.
    fn quiet(&self, until: Option<UnixMillis>) -> Duration {
        if self.buffer.pending_rows() > 0 {
            return Duration::ZERO;
        }
        let read_to = self.emptied_to();
        let read_to = until.map_or(read_to, |until| read_to.min(Some(until)));
        match (read_to, self.quiet_since) {
            (Some(read_to), Some(since)) => read_to.since(since),
            _ => Duration::ZERO,
        }
    }

    /// Whether all its rows were taken, and the last answer of the service was that there are no more.
    pub(super) fn is_idle(&self) -> bool {
        // No answer follows the one at the frozen tip, so that one decides.
        let is_polled = matches!(self.progress, ReadProgress::AtTip | ReadProgress::Done);
        let is_taken = self.buffer.pending_rows() == 0 && !self.buffer.is_drained();
        is_polled && self.found_nothing && is_taken
    }
}
