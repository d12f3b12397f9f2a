//! What a page shows: whether it follows what was read, and whether that depends on the present retention.

use std::time::Duration;

use super::proof::{Aim, MARGIN, Sight, Watch, number_of};
use super::window::HOUR;
use crate::kinesis::limits::MIN_RETENTION;
use crate::model::{SequenceNumber, ShardPosition};
use crate::source::request::Answer;

/// Empty pages in a row that say that they end at the horizon, before they are taken for those of a
/// place that leads nowhere.
pub(crate) const PINNED_PAGES: u32 = 5;

/// Answers at the tip, without a record and one after the other, before a shard is taken for empty.
const LOOKS_AT_TIP: u32 = 3;

impl Watch {
    /// Whether what a page says depends on how long the stream keeps its records now.
    pub(crate) fn depends_on_retention(&self, position: &ShardPosition, sight: Sight<'_>) -> bool {
        let number = number_of(position);
        let seen = self.seen(number, sight);
        if seen.pinned_pages >= PINNED_PAGES {
            return true;
        }
        let asked_at = sight.answer.asked_at;
        if !self.tells || !self.is_older_than(self.kept.safe_edge(asked_at)) {
            return false;
        }
        match self.aim {
            Aim::Onward if number.is_some() => !self.is_proven && self.passes_whole_hours(sight),
            _ => self.doubts(number, sight, seen.came) && seen.came != Came::Undecided,
        }
    }

    /// Whether a page goes from before to behind a time that may be the horizon of a shorter retention:
    /// whole hours before the request, at least 24.
    fn passes_whole_hours(&self, sight: Sight<'_>) -> bool {
        let Some(read_to) = self.past.read_to else {
            return true;
        };
        let Answer { asked_at, .. } = *sight.answer;
        let arrived = sight.first.and_then(|(_, arrived)| arrived);
        let next = arrived.or_else(|| sight.answer.covered_by_lag());
        let oldest = asked_at.since(read_to) + MARGIN;
        let youngest = asked_at.since(next.unwrap_or(asked_at));
        let youngest = youngest.saturating_sub(MARGIN).max(MIN_RETENTION);
        whole_hours(youngest + HOUR - Duration::from_millis(1)) <= oldest
    }

    /// Whether the record of the position comes first: then nothing behind it is gone.
    pub(crate) fn proves(
        &self,
        number: Option<&SequenceNumber>,
        sight: Sight<'_>,
        came: Came,
    ) -> bool {
        self.aim == Aim::Record && came == Came::Record && is_first(number, sight)
    }

    /// Whether nothing in the page proves that it follows what was read.
    pub(crate) fn doubts(
        &self,
        number: Option<&SequenceNumber>,
        sight: Sight<'_>,
        came: Came,
    ) -> bool {
        match self.aim {
            Aim::Onward if number.is_some() => came == Came::Nowhere,
            Aim::Record => !self.proves(number, sight, came),
            Aim::Onward | Aim::Oldest => !self.past.is_chosen,
        }
    }

    /// What the pages since the last record come to, with this one.
    pub(crate) fn seen(&self, number: Option<&SequenceNumber>, sight: Sight<'_>) -> Seen {
        let behind = sight.answer.behind_latest.unwrap_or_default();
        let empty = sight.first.is_none();
        // The lag of such pages is the retention, and that may have changed.
        let hours = whole_hours(behind + MARGIN);
        let like_retention = hours >= MIN_RETENTION && hours + MARGIN >= behind;
        let beyond = behind + MARGIN >= self.kept.retention;
        let pinned = empty && !sight.ended && (like_retention || beyond);
        let pinned_pages = count(self.pinned_pages, pinned);
        let looks_at_tip = count(self.looks_at_tip, empty && behind.is_zero());
        let came = if !empty {
            Came::Record
        } else if sight.ended || looks_at_tip >= LOOKS_AT_TIP {
            Came::Nothing
        } else if number.is_some() && pinned_pages >= PINNED_PAGES && beyond {
            Came::Nowhere
        } else {
            Came::Undecided
        };
        Seen {
            came,
            pinned_pages,
            looks_at_tip,
        }
    }
}

/// What the pages since the last record come to.
pub(crate) struct Seen {
    pub(crate) came: Came,
    pub(crate) pinned_pages: u32,
    pub(crate) looks_at_tip: u32,
}

/// What followed a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// A record.
    Record,
    /// The tip or the end of the shard.
    Nothing,
    /// Pages that stay empty.
    Nowhere,
    /// Not enough to tell.
    Undecided,
}

/// The whole hours of `span`.
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

fn is_first(number: Option<&SequenceNumber>, sight: Sight<'_>) -> bool {
    let first = sight.first.map(|(number, _)| number);
    number.is_some_and(|number| Some(number.as_str()) == first)
}
