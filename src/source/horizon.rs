//! Whether retention has taken records between what was read of a shard and what comes next.
//!
//! The service gives no error for a place that retention has overtaken: reading goes on with the
//! oldest record there is, or its pages stay empty for ever. What was read up to a time younger than
//! the horizon, which is now less the retention, is followed by all there ever was. Beyond that the
//! last record that was read is asked for once more: if it comes first, nothing behind it is gone.
//!
//! Retention may be shortened behind the reader's back. No stream keeps records for less than 24 hours,
//! so what was read up to a younger time needs no care. Behind that, a shorter retention than the known
//! one would show itself: it is a whole number of hours, so the horizon lies that many hours before a
//! request, and reading jumps over it. A page that passes such a time is not taken before the service
//! has said what the retention is now. The same holds for each decision that records are gone.

mod gap;
mod kept;
mod past;

use std::time::Duration;

pub(super) use self::gap::{Gap, WAY_OUT};
use self::kept::HOUR;
pub(crate) use self::kept::Kept;
pub(super) use self::past::{Past, Wish};
use super::tip::Answer;
use crate::kinesis::limits::MIN_RETENTION;
use crate::model::{SequenceNumber, ShardPosition, UnixMillis};

/// How near the horizon a reader begins to prove that it has missed nothing, and takes for gone what it
/// cannot prove. Clocks, and the time a request takes, are no further apart.
pub(super) const MARGIN: Duration = Duration::from_secs(60);

/// Empty pages in a row that say that they end at the horizon, before they are taken for those of a
/// place that leads nowhere.
const PINNED_PAGES: u32 = 5;

/// Answers at the tip, without a record and one after the other, before a shard is taken for empty.
const LOOKS_AT_TIP: u32 = 3;

/// Where the next iterator is to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// To what follows the position.
    Onward,
    /// To the record of the position, whether or not it was read.
    Record,
    /// To the oldest record: the position leads nowhere.
    Oldest,
}

/// A page, as far as it tells of the horizon.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'a> {
    pub(super) answer: &'a Answer,
    /// The number of the first record, and when it arrived.
    pub(super) first: Option<(&'a str, Option<UnixMillis>)>,
    /// When the last record arrived.
    pub(super) last_arrival: Option<UnixMillis>,
    /// Whether the shard has ended.
    pub(super) ended: bool,
}

/// Watches one reader of a shard for what it misses.
#[derive(Debug)]
pub(super) struct Watch {
    kept: Kept,
    past: Past,
    /// Whether what is missing is told; otherwise only pages that stay empty are seen.
    tells: bool,
    aim: Aim,
    /// Whether the last page has proved the place behind it, which nothing follows yet.
    proven: bool,
    /// Whether that page came right before the request in flight.
    is_proven: bool,
    /// Whether the request in flight may pass over records that a shorter retention has taken.
    is_deep: bool,
    /// Whether records may be gone, and no page has decided it.
    is_open: bool,
    pinned_pages: u32,
    looks_at_tip: u32,
}

impl Watch {
    /// Over a reader that starts with what `past` knows.
    pub(super) fn new(kept: Kept, past: Past) -> Self {
        Self {
            kept,
            past,
            tells: true,
            aim: Aim::Onward,
            proven: false,
            is_proven: false,
            is_deep: false,
            is_open: false,
            pinned_pages: 0,
            looks_at_tip: 0,
        }
    }

    /// Over a reader that finds out by itself what it misses, and must not be led nowhere.
    pub(super) fn silent(kept: Kept) -> Self {
        Self {
            tells: false,
            ..Self::new(kept, Past::default())
        }
    }

    /// Takes note of what is known of the retention by now.
    pub(super) fn knows(&mut self, kept: Kept) {
        self.kept = kept;
    }

    /// All that had arrived by then was read, or is not wanted.
    pub(super) fn read_to(&self) -> Option<UnixMillis> {
        self.past.read_to
    }

    /// Where the next iterator is to lead.
    pub(super) fn aim(&self) -> Aim {
        self.aim
    }

    /// Whether numbers and arrival times of the next page are needed.
    pub(super) fn needs_numbers(&self, position: &ShardPosition) -> bool {
        let unknown = self.is_deep || number_of(position).is_none();
        self.aim != Aim::Onward || (self.tells && unknown)
    }

    /// Whether the last page says nothing of what was read: it was empty, and what retention has taken
    /// is not known yet, or the place may lead nowhere.
    pub(super) fn is_unsure(&self) -> bool {
        self.pinned_pages > 0 || self.is_open
    }

    /// Before a request for what follows `position` at `now`: whether its iterator must be a new one.
    pub(super) fn look(&mut self, position: &ShardPosition, now: UnixMillis) -> bool {
        self.is_proven = std::mem::take(&mut self.proven);
        self.is_deep = self.tells && self.is_older_than(self.kept.safe_edge(now));
        !self.is_proven && self.begins_proof(position, now)
    }

    /// After a page for `position`, and what the retention is now: whether the page is no use because the
    /// record of the position has to be asked for first.
    pub(super) fn rejects(&mut self, position: &ShardPosition, sight: Sight<'_>) -> bool {
        self.begins_proof(position, sight.answer.asked_at)
    }

    fn begins_proof(&mut self, position: &ShardPosition, now: UnixMillis) -> bool {
        let near = self.is_older_than(self.kept.edge(now));
        let doubts = self.tells && near && number_of(position).is_some();
        let begins = doubts && self.aim == Aim::Onward;
        if begins {
            self.lead(Aim::Record);
        }
        begins
    }

    /// Whether not all that had arrived by `time` was read, for all that is known.
    fn is_older_than(&self, time: UnixMillis) -> bool {
        self.past.read_to.is_none_or(|read_to| read_to < time)
    }

    /// Whether what a page says depends on how long the stream keeps its records now.
    pub(super) fn depends_on_retention(&self, position: &ShardPosition, sight: Sight<'_>) -> bool {
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

    /// Takes note of the page that came for `position`; gives what is gone.
    pub(super) fn saw(&mut self, position: &ShardPosition, sight: Sight<'_>) -> Option<Gap> {
        let number = number_of(position);
        let Seen {
            came,
            pinned_pages,
            looks_at_tip,
        } = self.seen(number, sight);
        self.pinned_pages = pinned_pages;
        self.looks_at_tip = looks_at_tip;
        let proven = self.proves(number, sight, came);
        let doubted = self.doubts(number, sight, came);
        let overtaken = self.is_older_than(self.kept.edge(sight.answer.asked_at));
        let missing = self.tells && doubted && overtaken;
        let leads_nowhere = came == Came::Nowhere && self.aim != Aim::Oldest;
        self.is_open = missing && (came == Came::Undecided || leads_nowhere);
        if leads_nowhere {
            self.lead(Aim::Oldest);
        }
        if self.is_open {
            return None;
        }
        let gap = missing.then(|| self.gap(sight));
        if missing {
            // It is told, and reading goes on with whatever comes first.
            self.past = Past {
                read_to: Some(self.kept.horizon(sight.answer.asked_at)),
                is_chosen: true,
            };
        }
        match (came, self.aim) {
            (Came::Record, Aim::Record | Aim::Oldest) => {
                self.proven = proven && sight.answer.records == 1;
                self.lead(Aim::Onward);
            }
            (Came::Nothing, Aim::Record) if !sight.ended => self.lead(Aim::Oldest),
            _ => {}
        }
        self.learn(sight);
        gap
    }

    /// Whether the record of the position comes first: then nothing behind it is gone.
    fn proves(&self, number: Option<&SequenceNumber>, sight: Sight<'_>, came: Came) -> bool {
        self.aim == Aim::Record && came == Came::Record && is_first(number, sight)
    }

    /// Whether nothing in the page proves that it follows what was read.
    fn doubts(&self, number: Option<&SequenceNumber>, sight: Sight<'_>, came: Came) -> bool {
        match self.aim {
            Aim::Onward if number.is_some() => came == Came::Nowhere,
            Aim::Record => !self.proves(number, sight, came),
            Aim::Onward | Aim::Oldest => !self.past.is_chosen,
        }
    }

    /// What the pages since the last record come to, with this one.
    fn seen(&self, number: Option<&SequenceNumber>, sight: Sight<'_>) -> Seen {
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

    fn lead(&mut self, aim: Aim) {
        self.aim = aim;
        self.pinned_pages = 0;
        self.looks_at_tip = 0;
    }

    /// Takes from a page up to when all is read. The last one of a shard says nothing of those that
    /// follow it.
    fn learn(&mut self, sight: Sight<'_>) {
        if sight.ended || self.pinned_pages > 0 {
            return;
        }
        let told = sight.answer.covered_by_lag().or(sight.last_arrival);
        // From here on what comes next counts.
        self.past.is_chosen &= told.is_none();
        self.past.read_to = self.past.read_to.max(told);
    }

    fn gap(&self, sight: Sight<'_>) -> Gap {
        let oldest = sight.first;
        Gap {
            read_to: self.past.read_to,
            oldest: oldest.map(|(number, arrived)| (number.to_owned(), arrived)),
            kept: self.kept,
        }
    }
}

/// What the pages since the last record come to.
struct Seen {
    came: Came,
    pinned_pages: u32,
    looks_at_tip: u32,
}

/// What followed a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
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

/// The record a position stands at or behind.
pub(super) fn number_of(position: &ShardPosition) -> Option<&SequenceNumber> {
    match position {
        ShardPosition::At(sequence) | ShardPosition::After { sequence, .. } => Some(sequence),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
