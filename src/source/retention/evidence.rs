//! What a page shows: whether it follows what was read, and whether that depends on the present retention.

use std::time::Duration;

use super::proof::{GapDetector, MARGIN, PageEvidence, Seek, sequence_of};
use super::window::HOUR;
use crate::kinesis::limits::MIN_RETENTION;
use crate::model::{SequenceNumber, ShardPosition};
use crate::source::request::Answer;

/// How many empty pages in a row must claim to end at the horizon before their position is taken for one that
/// leads nowhere.
pub(super) const MAX_PINNED_PAGES: u32 = 5;

/// How many empty pages in a row must come from the tip before a shard is taken for empty.
const MIN_EMPTY_PAGES_AT_TIP: u32 = 3;

/// What followed a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    /// A record.
    Record,
    /// The tip, or the end of the shard.
    TipOrEnd,
    /// Pages that stay empty: the position leads nowhere.
    DeadEnd,
    /// Not decided yet.
    Undecided,
}

/// What the pages since the last record show.
pub(super) struct Finding {
    pub(super) followed: Followed,
    pub(super) pinned_pages: u32,
    pub(super) empty_pages_at_tip: u32,
}

impl GapDetector {
    /// Whether the meaning of a page depends on the present retention of the stream.
    pub(crate) fn depends_on_retention(
        &self,
        position: &ShardPosition,
        evidence: PageEvidence<'_>,
    ) -> bool {
        let sequence = sequence_of(position);
        let finding = self.finding(sequence, evidence);
        if finding.pinned_pages >= MAX_PINNED_PAGES {
            return true;
        }
        let asked_at = evidence.answer.asked_at;
        let horizon = self.window.safe_horizon_of_any_retention(asked_at);
        if !self.reports_gaps || !self.is_behind(horizon) {
            return false;
        }
        match self.seek {
            Seek::Next if sequence.is_some() => {
                !self.is_proven && self.passes_whole_hours(evidence)
            }
            _ => {
                self.is_doubtful(sequence, evidence, finding.followed)
                    && finding.followed != Followed::Undecided
            }
        }
    }

    /// Whether a page passes from before to after a time that may be the horizon of a shortened retention: a
    /// whole number of hours before the request, at least 24.
    fn passes_whole_hours(&self, evidence: PageEvidence<'_>) -> bool {
        let Some(read_to) = self.history.read_to else {
            return true;
        };
        let Answer { asked_at, .. } = *evidence.answer;
        let arrived = evidence.first.and_then(|(_, arrived)| arrived);
        let next = arrived.or_else(|| evidence.answer.covered_by_lag());
        let oldest = asked_at.since(read_to) + MARGIN;
        let youngest = asked_at.since(next.unwrap_or(asked_at));
        let youngest = youngest.saturating_sub(MARGIN).max(MIN_RETENTION);
        whole_hours(youngest + HOUR - Duration::from_millis(1)) <= oldest
    }

    /// Whether the record of the position comes first, so that nothing after it has expired.
    pub(super) fn proves(
        &self,
        sequence: Option<&SequenceNumber>,
        evidence: PageEvidence<'_>,
        followed: Followed,
    ) -> bool {
        self.seek == Seek::LastRead && followed == Followed::Record && is_first(sequence, evidence)
    }

    /// Whether nothing in the page proves that it follows what was read.
    pub(super) fn is_doubtful(
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

    /// What the pages since the last record show, this one included.
    pub(super) fn finding(
        &self,
        sequence: Option<&SequenceNumber>,
        evidence: PageEvidence<'_>,
    ) -> Finding {
        let lag = evidence.answer.behind_latest.unwrap_or_default();
        let is_empty = evidence.first.is_none();
        // Empty pages at a dead end have a lag of the whole retention, which may have changed.
        let hours = whole_hours(lag + MARGIN);
        let is_like_retention = hours >= MIN_RETENTION && hours + MARGIN >= lag;
        let is_beyond = lag + MARGIN >= self.window.retention;
        let is_pinned = is_empty && !evidence.ended && (is_like_retention || is_beyond);
        let pinned_pages = count(self.pinned_pages, is_pinned);
        let empty_pages_at_tip = count(self.empty_pages_at_tip, is_empty && lag.is_zero());
        let followed = if !is_empty {
            Followed::Record
        } else if evidence.ended || empty_pages_at_tip >= MIN_EMPTY_PAGES_AT_TIP {
            Followed::TipOrEnd
        } else if sequence.is_some() && pinned_pages >= MAX_PINNED_PAGES && is_beyond {
            Followed::DeadEnd
        } else {
            Followed::Undecided
        };
        Finding {
            followed,
            pinned_pages,
            empty_pages_at_tip,
        }
    }
}

/// `span`, rounded down to whole hours.
fn whole_hours(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs() / HOUR.as_secs() * HOUR.as_secs())
}

fn count(so_far: u32, one_more: bool) -> u32 {
    if one_more {
        so_far.saturating_add(1)
    } else {
        0
    }
}

fn is_first(sequence: Option<&SequenceNumber>, evidence: PageEvidence<'_>) -> bool {
    let first = evidence.first.map(|(sequence, _)| sequence);
    sequence.is_some_and(|sequence| Some(sequence.as_str()) == first)
}
