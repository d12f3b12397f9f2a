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

use std::time::Duration;

use super::evidence::{Came, Seen};
use super::gap::Gap;
use super::history::Past;
use super::window::Kept;
use crate::model::{SequenceNumber, ShardPosition, UnixMillis};
use crate::source::request::Answer;

/// How near the horizon a reader begins to prove that it has missed nothing, and takes for gone what it
/// cannot prove. Clocks, and the time a request takes, are no further apart.
pub(crate) const MARGIN: Duration = Duration::from_secs(60);

/// Where the next iterator is to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// To what follows the position.
    Onward,
    /// To the record of the position, whether or not it was read.
    Record,
    /// To the oldest record: the position leads nowhere.
    Oldest,
}

/// A page, as far as it tells of the horizon.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(crate) answer: &'a Answer,
    /// The number of the first record, and when it arrived.
    pub(crate) first: Option<(&'a str, Option<UnixMillis>)>,
    /// When the last record arrived.
    pub(crate) last_arrival: Option<UnixMillis>,
    /// Whether the shard has ended.
    pub(crate) ended: bool,
}

/// Watches one reader of a shard for what it misses.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(super) kept: Kept,
    pub(super) past: Past,
    /// Whether what is missing is told; otherwise only pages that stay empty are seen.
    pub(super) tells: bool,
    pub(super) aim: Aim,
    /// Whether the last page has proved the place behind it, which nothing follows yet.
    pub(super) proven: bool,
    /// Whether that page came right before the request in flight.
    pub(super) is_proven: bool,
    /// Whether the request in flight may pass over records that a shorter retention has taken.
    pub(super) is_deep: bool,
    /// Whether records may be gone, and no page has decided it.
    pub(super) is_open: bool,
    pub(super) pinned_pages: u32,
    pub(super) looks_at_tip: u32,
}

impl Watch {
    /// Over a reader that starts with what `past` knows.
    pub(crate) fn new(kept: Kept, past: Past) -> Self {
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
    pub(crate) fn silent(kept: Kept) -> Self {
        Self {
            tells: false,
            ..Self::new(kept, Past::default())
        }
    }

    /// Takes note of what is known of the retention by now.
    pub(crate) fn knows(&mut self, kept: Kept) {
        self.kept = kept;
    }

    /// All that had arrived by then was read, or is not wanted.
    pub(crate) fn read_to(&self) -> Option<UnixMillis> {
        self.past.read_to
    }

    /// Where the next iterator is to lead.
    pub(crate) fn aim(&self) -> Aim {
        self.aim
    }

    /// Whether numbers and arrival times of the next page are needed.
    pub(crate) fn needs_numbers(&self, position: &ShardPosition) -> bool {
        let unknown = self.is_deep || number_of(position).is_none();
        self.aim != Aim::Onward || (self.tells && unknown)
    }

    /// Whether the last page says nothing of what was read: it was empty, and what retention has taken
    /// is not known yet, or the place may lead nowhere.
    pub(crate) fn is_unsure(&self) -> bool {
        self.pinned_pages > 0 || self.is_open
    }

    /// Before a request for what follows `position` at `now`: whether its iterator must be a new one.
    pub(crate) fn look(&mut self, position: &ShardPosition, now: UnixMillis) -> bool {
        self.is_proven = std::mem::take(&mut self.proven);
        self.is_deep = self.tells && self.is_older_than(self.kept.safe_edge(now));
        !self.is_proven && self.begins_proof(position, now)
    }

    /// After a page for `position`, and what the retention is now: whether the page is no use because the
    /// record of the position has to be asked for first.
    pub(crate) fn rejects(&mut self, position: &ShardPosition, sight: Sight<'_>) -> bool {
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
    pub(super) fn is_older_than(&self, time: UnixMillis) -> bool {
        self.past.read_to.is_none_or(|read_to| read_to < time)
    }

    /// Takes note of the page that came for `position`; gives what is gone.
    pub(crate) fn saw(&mut self, position: &ShardPosition, sight: Sight<'_>) -> Option<Gap> {
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

/// The record a position stands at or behind.
pub(crate) fn number_of(position: &ShardPosition) -> Option<&SequenceNumber> {
    match position {
        ShardPosition::At(sequence) | ShardPosition::After { sequence, .. } => Some(sequence),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
