//! What a page shows about the records before it: whether they may have expired.

use std::time::Duration;

use super::window::{HOUR, MARGIN};
use crate::kinesis::limits::MIN_RETENTION;
use crate::model::{SequenceNumber, UnixMillis};
use crate::source::request::Answer;

/// How many empty pages in a row must claim to end at the horizon before their position is considered a dead
/// end.
pub(super) const MAX_PINNED_PAGES: u32 = 5;

/// How many empty pages in a row must come from the tip before a shard is considered empty.
const MIN_EMPTY_PAGES_AT_TIP: u32 = 3;

/// The properties of a page that matter for the proof.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageEvidence<'a> {
    pub(crate) answer: &'a Answer,
    /// The sequence number of the first record, and when it arrived.
    pub(crate) first: Option<(&'a str, Option<UnixMillis>)>,
    /// When the last record arrived.
    pub(crate) last_arrival: Option<UnixMillis>,
    /// Whether the shard has ended.
    pub(crate) ended: bool,
}

/// Empty pages since the last record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct EmptyPages {
    /// Those that claim to end at the horizon.
    pub(super) pinned: u32,
    /// Those from the tip.
    pub(super) at_tip: u32,
}

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

impl PageEvidence<'_> {
    /// What followed a position, after the page and the `empty` pages before it; `sequence` is the record of
    /// the position, and `retention` the last known one. Also returns the empty pages including this one.
    pub(super) fn followed(
        self,
        sequence: Option<&SequenceNumber>,
        empty: EmptyPages,
        retention: Duration,
    ) -> (Followed, EmptyPages) {
        let lag = self.answer.behind_latest.unwrap_or_default();
        let is_empty = self.first.is_none();
        // Empty pages at a dead end have a lag of the whole retention, which may have changed.
        let hours = whole_hours(lag + MARGIN);
        let is_like_retention = hours >= MIN_RETENTION && hours + MARGIN >= lag;
        let is_beyond = lag + MARGIN >= retention;
        let is_pinned = is_empty && !self.ended && (is_like_retention || is_beyond);
        let empty = EmptyPages {
            pinned: count(empty.pinned, is_pinned),
            at_tip: count(empty.at_tip, is_empty && lag.is_zero()),
        };
        let followed = if !is_empty {
            Followed::Record
        } else if self.ended || empty.at_tip >= MIN_EMPTY_PAGES_AT_TIP {
            Followed::TipOrEnd
        } else if sequence.is_some() && empty.pinned >= MAX_PINNED_PAGES && is_beyond {
            Followed::DeadEnd
        } else {
            Followed::Undecided
        };
        (followed, empty)
    }

    /// Whether the record of the position comes first.
    pub(super) fn begins_with(self, sequence: Option<&SequenceNumber>) -> bool {
        let first = self.first.map(|(sequence, _)| sequence);
        sequence.is_some_and(|sequence| Some(sequence.as_str()) == first)
    }

    /// Whether the page passes from before to after a time that may be the horizon of a shortened retention: a
    /// whole number of hours before the request, at least 24. Everything that had arrived by `read_to` was read
    /// before.
    pub(super) fn passes_whole_hours(self, read_to: Option<UnixMillis>) -> bool {
        let Some(read_to) = read_to else {
            return true;
        };
        let Answer { sent_at, .. } = *self.answer;
        let arrived = self.first.and_then(|(_, arrived)| arrived);
        let next = arrived.or_else(|| self.answer.covered_by_lag());
        let oldest = sent_at.since(read_to) + MARGIN;
        let youngest = sent_at.since(next.unwrap_or(sent_at));
        let youngest = youngest.saturating_sub(MARGIN).max(MIN_RETENTION);
        whole_hours(youngest + HOUR - Duration::from_millis(1)) <= oldest
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
