//! Decides for one reader of a shard whether records may have expired before it read them.
//! [`retention`](super) explains why the decision is correct.

use super::evidence::{EmptyPages, Followed, MAX_PINNED_PAGES, PageEvidence};
use super::gap::Gap;
use super::history::ReadHistory;
use super::window::RetentionWindow;
use crate::model::{SequenceNumber, ShardPosition, UnixMillis};

/// Where the next request seeks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seek {
    /// The record after the position.
    Next,
    /// The record of the position, even if it was read already: the proof that it has not expired.
    LastRead,
    /// The oldest record, because the position leads nowhere.
    Oldest,
}

/// Finds records that one reader of a shard may have missed.
#[derive(Debug)]
pub(crate) struct GapDetector {
    window: RetentionWindow,
    history: ReadHistory,
    /// Whether to report gaps. If not, it only moves readers away from positions that lead nowhere.
    reports_gaps: bool,
    seek: Seek,
    /// Whether the last page contained the record of the position and nothing else: the next request needs no
    /// proof.
    next_is_proven: bool,
    /// Whether the request in flight needs no proof.
    is_proven: bool,
    /// Whether the request in flight may skip records that a shortened retention has removed.
    may_skip: bool,
    /// Whether there may be a gap, which no page has decided yet.
    is_gap_open: bool,
    empty_pages: EmptyPages,
}

impl GapDetector {
    /// A detector for a reader with this history.
    pub(crate) fn new(window: RetentionWindow, history: ReadHistory) -> Self {
        Self {
            window,
            history,
            reports_gaps: true,
            seek: Seek::Next,
            next_is_proven: false,
            is_proven: false,
            may_skip: false,
            is_gap_open: false,
            empty_pages: EmptyPages::default(),
        }
    }

    /// A detector for a reader that has its own check for missing records, but must not stay at a position
    /// that leads nowhere.
    pub(crate) fn silent(window: RetentionWindow) -> Self {
        Self {
            reports_gaps: false,
            ..Self::new(window, ReadHistory::default())
        }
    }

    /// Updates the retention window.
    pub(crate) fn update_window(&mut self, window: RetentionWindow) {
        self.window = window;
    }

    /// Every record that had arrived by then was read, or is not wanted.
    pub(crate) fn read_to(&self) -> Option<UnixMillis> {
        self.history.read_to
    }

    /// Where the next request seeks.
    pub(crate) fn seek(&self) -> Seek {
        self.seek
    }

    /// Whether the next request needs no proof, but the one after it may.
    pub(crate) fn is_next_proven(&self) -> bool {
        self.next_is_proven
    }

    /// Whether the proof needs sequence numbers and arrival times of the next page.
    pub(crate) fn needs_sequence_numbers(&self, position: &ShardPosition) -> bool {
        let is_unproven = self.may_skip || sequence_of(position).is_none();
        self.seek != Seek::Next || (self.reports_gaps && is_unproven)
    }

    /// Whether the last page proves nothing about what was read: it was empty, and it is not decided yet
    /// whether records have expired or whether the position leads nowhere.
    pub(crate) fn is_undecided(&self) -> bool {
        self.empty_pages.pinned > 0 || self.is_gap_open
    }

    /// Call before a request at `position`. Returns whether the request needs a new iterator, because it
    /// starts a proof.
    pub(crate) fn begin_request(&mut self, position: &ShardPosition, now: UnixMillis) -> bool {
        self.is_proven = std::mem::take(&mut self.next_is_proven);
        let horizon = self.window.safe_horizon_of_any_retention(now);
        self.may_skip = self.reports_gaps && self.is_behind(horizon);
        !self.is_proven && self.begin_proof(position, now)
    }

    /// Whether the request in flight may skip records that a shortened retention has removed.
    pub(crate) fn may_skip(&self) -> bool {
        self.may_skip
    }

    /// Call after a page for `position`, once the present retention is known. Returns whether the page must
    /// be dropped because a proof is needed first.
    pub(crate) fn rejects(&mut self, position: &ShardPosition, evidence: PageEvidence<'_>) -> bool {
        self.begin_proof(position, evidence.answer.sent_at)
    }

    /// Whether the meaning of a page depends on the present retention of the stream.
    pub(crate) fn depends_on_retention(
        &self,
        position: &ShardPosition,
        evidence: PageEvidence<'_>,
    ) -> bool {
        let sequence = sequence_of(position);
        let (followed, empty_pages) = self.followed(sequence, evidence);
        if empty_pages.pinned >= MAX_PINNED_PAGES {
            return true;
        }
        let sent_at = evidence.answer.sent_at;
        let horizon = self.window.safe_horizon_of_any_retention(sent_at);
        if !self.reports_gaps || !self.is_behind(horizon) {
            return false;
        }
        match self.seek {
            Seek::Next if sequence.is_some() => {
                !self.is_proven && evidence.passes_whole_hours(self.history.read_to)
            }
            _ => self.is_doubtful(sequence, evidence, followed) && followed != Followed::Undecided,
        }
    }

    fn begin_proof(&mut self, position: &ShardPosition, now: UnixMillis) -> bool {
        let is_near_horizon = self.is_behind(self.window.safe_horizon(now));
        let needs_proof = self.reports_gaps && is_near_horizon && sequence_of(position).is_some();
        let begins = needs_proof && self.seek == Seek::Next;
        if begins {
            self.seek_to(Seek::LastRead);
        }
        begins
    }

    /// Whether some record that arrived by `time` may be unread.
    fn is_behind(&self, time: UnixMillis) -> bool {
        self.history.read_to.is_none_or(|read_to| read_to < time)
    }

    /// Updates the proof with the page for `position`; returns the gap before it, if there is one.
    pub(crate) fn observe(
        &mut self,
        position: &ShardPosition,
        evidence: PageEvidence<'_>,
    ) -> Option<Gap> {
        let sequence = sequence_of(position);
        let (followed, empty_pages) = self.followed(sequence, evidence);
        self.empty_pages = empty_pages;
        let proves = self.proves(sequence, evidence, followed);
        let is_doubtful = self.is_doubtful(sequence, evidence, followed);
        let is_expired = self.is_behind(self.window.safe_horizon(evidence.answer.sent_at));
        let is_gap = self.reports_gaps && is_doubtful && is_expired;
        let is_dead_end = followed == Followed::DeadEnd && self.seek != Seek::Oldest;
        self.is_gap_open = is_gap && (followed == Followed::Undecided || is_dead_end);
        if is_dead_end {
            self.seek_to(Seek::Oldest);
        }
        if self.is_gap_open {
            return None;
        }
        let gap = is_gap.then(|| self.gap(evidence));
        if is_gap {
            // The gap is reported once; reading continues with the first record of the page.
            self.history = ReadHistory {
                read_to: Some(self.window.horizon(evidence.answer.sent_at)),
                accepts_any_first: true,
            };
        }
        match (followed, self.seek) {
            (Followed::Record, Seek::LastRead | Seek::Oldest) => {
                self.next_is_proven = proves && evidence.answer.records == 1;
                self.seek_to(Seek::Next);
            }
            (Followed::TipOrEnd, Seek::LastRead) if !evidence.ended => {
                self.seek_to(Seek::Oldest);
            }
            _ => {}
        }
        self.learn_read_to(evidence);
        gap
    }

    fn followed(
        &self,
        sequence: Option<&SequenceNumber>,
        evidence: PageEvidence<'_>,
    ) -> (Followed, EmptyPages) {
        evidence.followed(sequence, self.empty_pages, self.window.retention)
    }

    /// Whether the record of the position comes first, so that nothing after it has expired.
    fn proves(
        &self,
        sequence: Option<&SequenceNumber>,
        evidence: PageEvidence<'_>,
        followed: Followed,
    ) -> bool {
        self.seek == Seek::LastRead
            && followed == Followed::Record
            && evidence.begins_with(sequence)
    }

    /// Whether nothing in the page proves that it follows what was read.
    fn is_doubtful(
        &self,
        sequence: Option<&SequenceNumber>,
        evidence: PageEvidence<'_>,
        followed: Followed,
    ) -> bool {
        match self.seek {
            Seek::Next if sequence.is_some() => followed == Followed::DeadEnd,
            Seek::LastRead => !self.proves(sequence, evidence, followed),
            Seek::Next | Seek::Oldest => !self.history.accepts_any_first,
        }
    }

    fn seek_to(&mut self, seek: Seek) {
        self.seek = seek;
        self.empty_pages = EmptyPages::default();
    }

    /// Updates `read_to` from a page. The last page of a shard proves nothing about its children.
    fn learn_read_to(&mut self, evidence: PageEvidence<'_>) {
        if evidence.ended || self.empty_pages.pinned > 0 {
            return;
        }
        let read_to = evidence.answer.covered_by_lag().or(evidence.last_arrival);
        // From now on the next record must follow those that were read.
        self.history.accepts_any_first &= read_to.is_none();
        self.history.read_to = self.history.read_to.max(read_to);
    }

    fn gap(&self, evidence: PageEvidence<'_>) -> Gap {
        let oldest = evidence.first;
        Gap {
            read_to: self.history.read_to,
            oldest: oldest.map(|(sequence, arrived)| (sequence.to_owned(), arrived)),
            window: self.window,
        }
    }
}

/// The record that a position is at or after.
pub(crate) fn sequence_of(position: &ShardPosition) -> Option<&SequenceNumber> {
    match position {
        ShardPosition::At(sequence) | ShardPosition::After { sequence, .. } => Some(sequence),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
