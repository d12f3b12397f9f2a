//! The state of one shard, and totals over all shards.

use super::shard_counters::ShardCounters;
use crate::model::{HashRange, SequenceNumber, ShardPosition, UnixMillis};
use crate::source::buffer::ShardBuffer;
use crate::source::retention::ReadHistory;

/// How far a shard has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source::streaming) enum ReadProgress {
    /// Not started: its parents have to be read first.
    Waiting,
    /// There is more to read, or there may be.
    CatchingUp,
    /// The last page ended at the tip.
    AtTip,
    /// This run reads no more of it: the shard has ended, is lost, or continues after the frozen tip.
    Done,
}

/// A shard: its buffer, and what the last response of the service showed.
#[derive(Debug)]
pub(in crate::source::streaming) struct ShardState {
    /// Its hash keys, once it has been listed.
    pub(super) listed_range: Option<HashRange>,
    /// What has happened to it, for those who look at the query.
    pub(super) counters: ShardCounters,
    /// Set if user records outside it are dropped.
    pub(super) hash_range: Option<HashRange>,
    pub(in crate::source::streaming) buffer: ShardBuffer,
    pub(in crate::source::streaming) progress: ReadProgress,
    /// Whether the shard accepts no more records.
    pub(super) is_closed: bool,
    /// Whether there is more to read, but no room for it.
    pub(super) is_blocked: bool,
    /// Whether the last request failed and will be retried. Batches do not wait for such a shard.
    pub(in crate::source::streaming) is_failing: bool,
    /// Whether the last answer was an empty page at the tip, or ended at the frozen tip, and no request has
    /// failed or waited since.
    pub(in crate::source::streaming) found_nothing: bool,
    /// Every record that had arrived by this time has been read.
    pub(in crate::source::streaming) covered: Option<UnixMillis>,
    /// Every record that had arrived by then was read before the first pending row.
    pub(super) taken_to: Option<UnixMillis>,
    /// When the newest record that was read had arrived; before the first record, when the reader first found
    /// nothing.
    pub(super) quiet_since: Option<UnixMillis>,
    /// What has been read, from the start and from all pages since; `read_to` is never earlier than `covered`.
    /// A shard that has ended keeps what was known before its last page.
    pub(in crate::source::streaming) history: ReadHistory,
    /// The sequence number before the first record, once the shard has been listed. The shards of a recreated
    /// stream have the same ids and different sequence numbers.
    pub(in crate::source::streaming) starts_after: Option<SequenceNumber>,
    /// The number of the last listing that contained one of its parents.
    pub(super) parents_listed: u64,
    pub(super) has_reader: bool,
    /// In how many consecutive batches no row of it had room.
    pub(super) passed_over: u32,
}

/// Totals over all shards, kept up to date so that no call has to walk over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Totals {
    /// Rows that no batch has taken.
    pub(super) rows: u64,
    /// The size of the pages with these rows.
    pub(super) pending_bytes: usize,
    /// The memory of all buffers.
    pub(super) held_bytes: usize,
    /// Shards that wait for their parents.
    pub(super) waiting: usize,
    /// Shards that are being read.
    pub(super) reading: usize,
    /// Shards that a batch may wait for.
    pub(super) catching_up: usize,
    /// Shards without room for the next page.
    pub(super) blocked: usize,
}

impl ShardState {
    pub(super) fn new(
        position: ShardPosition,
        history: ReadHistory,
        hash_range: Option<HashRange>,
        is_closed: bool,
    ) -> Self {
        let has_ended = position == ShardPosition::ShardEnd;
        Self {
            listed_range: None,
            counters: ShardCounters::default(),
            hash_range,
            buffer: ShardBuffer::starting_at(position),
            progress: if has_ended {
                ReadProgress::Done
            } else {
                ReadProgress::Waiting
            },
            is_closed: is_closed || has_ended,
            is_blocked: false,
            is_failing: false,
            found_nothing: false,
            covered: None,
            taken_to: None,
            quiet_since: None,
            history,
            starts_after: None,
            parents_listed: 0,
            has_reader: false,
            passed_over: 0,
        }
    }

    /// Records that all its records arrived after `time`.
    pub(super) fn set_no_records_before(&mut self, time: UnixMillis) {
        let start = self.buffer.end();
        if matches!(
            start,
            ShardPosition::TrimHorizon | ShardPosition::AtTimestamp(_)
        ) {
            self.history = self.history.with_no_records_before(time);
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.progress == ReadProgress::Waiting
    }

    pub(super) fn is_done(&self) -> bool {
        self.progress == ReadProgress::Done
    }

    fn is_being_read(&self) -> bool {
        matches!(
            self.progress,
            ReadProgress::CatchingUp | ReadProgress::AtTip
        )
    }

    /// Whether nothing is left of it: it has ended or is lost, and all its rows were taken.
    pub(super) fn is_finished(&self) -> bool {
        self.is_done() && self.buffer.pending_rows() == 0
    }

    /// Whether the last page ended at the tip, no request has failed or waited since, and all rows were taken.
    pub(super) fn is_taken_to_the_tip(&self) -> bool {
        let is_polled =
            self.progress == ReadProgress::AtTip && !self.is_failing && !self.is_blocked;
        is_polled && self.buffer.pending_rows() == 0
    }

    /// Whether every record that was in the shard at `time` has been read.
    pub(super) fn is_read_at(&self, time: UnixMillis) -> bool {
        self.is_done() || self.covered.is_some_and(|covered| covered >= time)
    }

    /// Every record that had arrived by then was taken, or was read before the first pending row.
    pub(super) fn emptied_to(&self) -> Option<UnixMillis> {
        match self.buffer.pending_rows() {
            0 => self.history.read_to.max(self.taken_to),
            _ => self.buffer.taken_to().max(self.taken_to),
        }
    }

    /// Its contribution to the totals, if a batch takes up to `row_cap` rows of it.
    pub(super) fn totals(&self, row_cap: u64) -> Totals {
        let rows = self.buffer.pending_rows();
        let is_held_up = self.is_blocked || self.is_failing;
        let is_catching_up =
            self.progress == ReadProgress::CatchingUp && !is_held_up && rows < row_cap;
        Totals {
            rows,
            pending_bytes: self.buffer.pending_bytes(),
            held_bytes: self.buffer.held_bytes(),
            waiting: usize::from(self.is_waiting()),
            reading: usize::from(self.is_being_read()),
            catching_up: usize::from(is_catching_up),
            blocked: usize::from(self.is_blocked && self.is_being_read()),
        }
    }
}

impl Totals {
    pub(super) fn add(&mut self, part: Self) {
        self.rows += part.rows;
        self.pending_bytes += part.pending_bytes;
        self.held_bytes += part.held_bytes;
        self.waiting += part.waiting;
        self.reading += part.reading;
        self.catching_up += part.catching_up;
        self.blocked += part.blocked;
    }

    pub(super) fn remove(&mut self, part: Self) {
        self.rows -= part.rows;
        self.pending_bytes -= part.pending_bytes;
        self.held_bytes -= part.held_bytes;
        self.waiting -= part.waiting;
        self.reading -= part.reading;
        self.catching_up -= part.catching_up;
        self.blocked -= part.blocked;
    }

    /// Whether a change of a shard's totals from `before` to `self` may matter for the next batch.
    pub(super) fn is_change_from(self, before: Self) -> bool {
        let unread = |totals: Self| totals.waiting + totals.reading;
        self.rows > before.rows
            || self.catching_up < before.catching_up
            || self.blocked > before.blocked
            || unread(self) < unread(before)
    }
}
