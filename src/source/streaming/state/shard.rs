//! One shard as a query follows it.

use crate::model::{HashRange, SequenceNumber, ShardPosition, UnixMillis};
use crate::source::buffer::ShardBuffer;
use crate::source::retention::Past;

/// How far the reader of a shard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Not begun: its parents come first.
    Waiting,
    /// There is more, or may be.
    CatchingUp,
    /// The last page held all there was.
    AtTip,
    /// This run reads no more of it: it has ended, is lost, or goes on behind the frozen tip.
    Done,
}

/// A shard: its buffer, and what the last answer of the service said.
#[derive(Debug)]
pub(crate) struct Followed {
    /// Set where user records outside it are left out.
    pub(crate) hash_range: Option<HashRange>,
    pub(crate) buffer: ShardBuffer,
    pub(crate) progress: Progress,
    /// Whether it takes no more records.
    pub(crate) closed: bool,
    /// Whether it has more to read and no room for it.
    pub(crate) blocked: bool,
    /// Whether the last request failed and waits to be sent again: no batch waits for that.
    pub(crate) failing: bool,
    /// Whether the last answer was a page at the tip without a record, or one at a frozen tip that held
    /// all there was, and no request has failed or waited since.
    pub(crate) found_nothing: bool,
    /// All that was there at this time has been read.
    pub(crate) covered: Option<UnixMillis>,
    /// All that had arrived by then was read before the first row that waits.
    pub(crate) taken_to: Option<UnixMillis>,
    /// When the newest record that was read had arrived; when the reader found nothing first, where it has
    /// read none.
    pub(crate) quiet_since: Option<UnixMillis>,
    /// What is known to have been read, by where reading started and by all pages since; never earlier
    /// than `covered`. A shard that ended keeps what was known before its last page.
    pub(crate) past: Past,
    /// The number before its first record, once it was listed: a stream made anew has shards of the
    /// same names with other numbers.
    pub(crate) begins_after: Option<SequenceNumber>,
    /// The number of the last listing that had a parent of it.
    pub(crate) had_parents: u64,
    /// Whether there is a task that reads it.
    pub(crate) has_reader: bool,
    /// Batches in a row that had no room for a row of it.
    pub(crate) passed_over: u32,
}

/// What all shards come to, kept up to date so that no look at it costs a walk over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// Rows no batch has taken.
    pub(crate) rows: u64,
    /// Payloads and keys of these rows.
    pub(crate) pending_bytes: usize,
    /// Memory of all buffers.
    pub(crate) held_bytes: usize,
    /// Shards whose parents are not read.
    pub(crate) waiting: usize,
    /// Shards that are being read.
    pub(crate) reading: usize,
    /// Shards a batch may wait for.
    pub(crate) catching_up: usize,
    /// Shards that have no room for more.
    pub(crate) blocked: usize,
}

impl Followed {
    pub(crate) fn new(
        position: ShardPosition,
        past: Past,
        hash_range: Option<HashRange>,
        closed: bool,
    ) -> Self {
        let ended = position == ShardPosition::ShardEnd;
        Self {
            hash_range,
            buffer: ShardBuffer::starting_at(position),
            progress: if ended {
                Progress::Done
            } else {
                Progress::Waiting
            },
            closed: closed || ended,
            blocked: false,
            failing: false,
            found_nothing: false,
            covered: None,
            taken_to: None,
            quiet_since: None,
            past,
            begins_after: None,
            had_parents: 0,
            has_reader: false,
            passed_over: 0,
        }
    }

    /// Takes note that all its records arrived after `time`.
    pub(crate) fn holds_nothing_before(&mut self, time: UnixMillis) {
        let start = self.buffer.end();
        if matches!(
            start,
            ShardPosition::TrimHorizon | ShardPosition::AtTimestamp(_)
        ) {
            self.past = self.past.not_before(time);
        }
    }

    pub(crate) fn is_being_read(&self) -> bool {
        matches!(self.progress, Progress::CatchingUp | Progress::AtTip)
    }

    /// Whether the last page held all there was, no request has failed or waited since, and a batch has
    /// taken all rows.
    pub(crate) fn is_taken_to_the_tip(&self) -> bool {
        let looks = self.progress == Progress::AtTip && !self.failing && !self.blocked;
        looks && self.buffer.pending_rows() == 0
    }

    /// Whether all that was in the shard at `time` has been read.
    pub(crate) fn is_read_at(&self, time: UnixMillis) -> bool {
        self.progress == Progress::Done || self.covered.is_some_and(|covered| covered >= time)
    }

    /// The part of the shard in the tally, where a batch takes up to `row_cap` rows of it.
    pub(crate) fn tally(&self, row_cap: u64) -> Tally {
        let rows = self.buffer.pending_rows();
        let held_up = self.blocked || self.failing;
        let catching_up = self.progress == Progress::CatchingUp && !held_up && rows < row_cap;
        Tally {
            rows,
            pending_bytes: self.buffer.pending_bytes(),
            held_bytes: self.buffer.held_bytes(),
            waiting: usize::from(self.progress == Progress::Waiting),
            reading: usize::from(self.is_being_read()),
            catching_up: usize::from(catching_up),
            blocked: usize::from(self.blocked && self.is_being_read()),
        }
    }
}

impl Tally {
    pub(crate) fn add(&mut self, part: Self) {
        self.rows += part.rows;
        self.pending_bytes += part.pending_bytes;
        self.held_bytes += part.held_bytes;
        self.waiting += part.waiting;
        self.reading += part.reading;
        self.catching_up += part.catching_up;
        self.blocked += part.blocked;
    }

    /// Whether a shard that came from `before` to this changes what can be done next.
    pub(crate) fn is_news_after(self, before: Self) -> bool {
        let unread = |tally: Self| tally.waiting + tally.reading;
        self.rows > before.rows
            || self.catching_up < before.catching_up
            || self.blocked > before.blocked
            || unread(self) < unread(before)
    }

    pub(crate) fn remove(&mut self, part: Self) {
        self.rows -= part.rows;
        self.pending_bytes -= part.pending_bytes;
        self.held_bytes -= part.held_bytes;
        self.waiting -= part.waiting;
        self.reading -= part.reading;
        self.catching_up -= part.catching_up;
        self.blocked -= part.blocked;
    }
}
