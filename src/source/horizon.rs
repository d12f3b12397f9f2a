//! Whether retention has taken records between what was read of a shard and what comes next.
//!
//! The service gives no error for a place that retention has overtaken: reading goes on with the
//! oldest record there is, or its pages stay empty for ever. What was read up to a time younger than
//! the horizon, which is now less the retention, is followed by all there ever was. Beyond that the
//! last record that was read is asked for once more: if it comes first, nothing behind it is gone.

mod gap;
mod past;

use std::time::Duration;

pub(super) use self::gap::{Gap, WAY_OUT};
pub(super) use self::past::Past;
use super::tip::Answer;
use crate::model::{SequenceNumber, ShardPosition, UnixMillis};

/// How near the horizon a reader begins to prove that it has missed nothing, and takes for gone what it
/// cannot prove. Clocks, and the time a request takes, are no further apart.
pub(super) const MARGIN: Duration = Duration::from_secs(60);

/// Empty pages in a row that say that they end at the horizon, before they are taken for those of a
/// place that leads nowhere.
const PINNED_PAGES: u32 = 5;

/// Answers at the tip, without a record and one after the other, before a shard is taken for empty.
const LOOKS_AT_TIP: u32 = 3;

/// The oldest time that is out of the reach of retention for the next moments.
pub(super) fn edge(now: UnixMillis, retention: Duration) -> UnixMillis {
    now.minus(retention).plus(MARGIN)
}

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
    retention: Duration,
    past: Past,
    /// Whether what is missing is told; otherwise only pages that stay empty are seen.
    tells: bool,
    aim: Aim,
    /// Whether the last page has proved the place behind it, which nothing follows yet.
    proven: bool,
    /// Whether records may be gone, and no page has decided it.
    is_open: bool,
    pinned_pages: u32,
    looks_at_tip: u32,
}

impl Watch {
    /// Over a reader that starts with what `past` knows.
    pub(super) fn new(retention: Duration, past: Past) -> Self {
        Self {
            retention,
            past,
            tells: true,
            aim: Aim::Onward,
            proven: false,
            is_open: false,
            pinned_pages: 0,
            looks_at_tip: 0,
        }
    }

    /// Over a reader that finds out by itself what it misses, and must not be led nowhere.
    pub(super) fn silent(retention: Duration) -> Self {
        Self {
            tells: false,
            ..Self::new(retention, Past::default())
        }
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
        self.aim != Aim::Onward || (self.tells && number_of(position).is_none())
    }

    /// Whether the last page says nothing of what was read: it was empty, and what retention has taken
    /// is not known yet, or the place may lead nowhere.
    pub(super) fn is_unsure(&self) -> bool {
        self.pinned_pages > 0 || self.is_open
    }

    /// Before a request for what follows `position` at `now`: whether its iterator must be a new one.
    pub(super) fn look(&mut self, position: &ShardPosition, now: UnixMillis) -> bool {
        let near = |read_to| read_to < edge(now, self.retention);
        let near = self.past.read_to.is_none_or(near);
        let proven = std::mem::take(&mut self.proven);
        let doubts = self.tells && near && !proven && number_of(position).is_some();
        let begins = doubts && self.aim == Aim::Onward;
        if begins {
            self.lead(Aim::Record);
        }
        begins
    }

    /// Takes note of the page that came for `position`; gives what is gone.
    pub(super) fn saw(&mut self, position: &ShardPosition, sight: Sight<'_>) -> Option<Gap> {
        let number = number_of(position);
        let came = self.came(number, sight);
        let proven = self.aim == Aim::Record && came == Came::Record && is_first(number, sight);
        let doubted = match self.aim {
            Aim::Onward if number.is_some() => came == Came::Nowhere,
            Aim::Record => !proven,
            Aim::Onward | Aim::Oldest => !self.past.is_chosen,
        };
        let edge = edge(sight.answer.asked_at, self.retention);
        let overtaken = self.past.read_to.is_none_or(|read_to| read_to < edge);
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
                read_to: Some(sight.answer.asked_at.minus(self.retention)),
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

    /// What the pages since the last record come to.
    fn came(&mut self, number: Option<&SequenceNumber>, sight: Sight<'_>) -> Came {
        let behind = sight.answer.behind_latest.unwrap_or_default();
        let empty = sight.first.is_none();
        let pinned = empty && !sight.ended && behind + MARGIN >= self.retention;
        self.pinned_pages = count(self.pinned_pages, pinned);
        self.looks_at_tip = count(self.looks_at_tip, empty && behind.is_zero());
        if !empty {
            Came::Record
        } else if sight.ended || self.looks_at_tip >= LOOKS_AT_TIP {
            Came::Nothing
        } else if number.is_some() && self.pinned_pages >= PINNED_PAGES {
            Came::Nowhere
        } else {
            Came::Undecided
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
            retention: self.retention,
        }
    }
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
