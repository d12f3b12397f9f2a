//! Which rows of a page a read takes: where they begin, and where an exact read ends.
//!
//! Sequence numbers are compared once per page; only the page that holds the end is searched.
//!
//! A range is seen to be cut short by its end, and by a start inside a record. Records missing behind
//! a start between two records leave no trace but the number of rows: numbers have gaps, and the record
//! before the start may be gone by right.

use std::cmp::Ordering;
use std::fmt;

use crate::error::{Error, Result};
use crate::kinesis::RecordsPage;
use crate::model::{SequenceNumber, ShardPosition};
use crate::source::rows::RowIndex;

/// Answers at the tip, without a record and one after the other, before what is not there is taken
/// for lost. One would do if every server told the truth about its tip.
const LOOKS_AT_TIP: u32 = 3;

/// Why a range can no longer be read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The record the range starts inside of is gone; this one comes first.
    Start(String),
    /// The record the range ends with is gone; this one comes where it should.
    End(String),
    /// The shard ended before.
    ShardEnded,
    /// The shard holds nothing more, and is not closed.
    Tip,
    /// Both ends are there, or open, and not all rows between them.
    Rows {
        /// Rows that were there.
        came: u64,
        /// Rows when the range was planned.
        planned: u64,
    },
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(found) => {
                write!(f, "the record it starts in is gone, {found} comes first")
            }
            Self::End(found) => {
                write!(f, "the record it ends with is gone, {found} comes instead")
            }
            Self::ShardEnded => f.write_str("the shard ends before it does"),
            Self::Tip => f.write_str("the open shard holds no record up to its end"),
            Self::Rows { came, planned } => {
                let gone = planned.saturating_sub(*came);
                write!(f, "{gone} of its {planned} rows are gone")
            }
        }
    }
}

/// What a page has of a range.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) first: RowIndex,
    pub(crate) end: RowIndex,
    /// Whether nothing of the range comes after the page.
    pub(crate) done: bool,
    pub(crate) loss: Option<Loss>,
}

/// The end of an exact read.
#[derive(Debug)]
pub(crate) struct RangeEnd {
    upto: ShardPosition,
    looks_at_tip: u32,
}

impl RangeEnd {
    /// An end with the row at `upto`, or with the shard.
    pub(crate) fn new(upto: ShardPosition) -> Self {
        Self {
            upto,
            looks_at_tip: 0,
        }
    }

    /// What to take of `page`, which follows `from`; `at_tip` says that the shard held nothing more.
    ///
    /// # Errors
    /// The end is a place that is found only by going there.
    pub(crate) fn take(
        &mut self,
        page: &RecordsPage,
        from: &ShardPosition,
        at_tip: bool,
    ) -> Result<Taken> {
        self.looks_at_tip = if at_tip && page.is_empty() {
            self.looks_at_tip + 1
        } else {
            0
        };
        let (end, found) = match &self.upto {
            ShardPosition::ShardEnd => (RowIndex::before(page.len()), page.next.is_none()),
            ShardPosition::After {
                sequence,
                sub_sequence,
            } => match page.last_sequence() {
                Some(last) if last >= sequence => {
                    let (record, order) = search(page, sequence)?;
                    if order != Ordering::Equal {
                        let end = RowIndex::before(record);
                        let number = number_at(page, record).unwrap_or_default().to_owned();
                        return Ok(taken(page, from, end, true, Some(Loss::End(number))));
                    }
                    (place_behind(record, *sub_sequence), true)
                }
                _ => (RowIndex::before(page.len()), false),
            },
            other => {
                return Err(Error::internal(format!(
                    "a range ends at {other}: expected a record or the end of the shard"
                )));
            }
        };
        let loss = match page.next {
            _ if found => None,
            None => Some(Loss::ShardEnded),
            Some(_) => (self.looks_at_tip >= LOOKS_AT_TIP).then_some(Loss::Tip),
        };
        Ok(taken(page, from, end, found || loss.is_some(), loss))
    }
}

fn taken(
    page: &RecordsPage,
    from: &ShardPosition,
    end: RowIndex,
    done: bool,
    loss: Option<Loss>,
) -> Taken {
    let first = first_row(page, from);
    let start_is_gone = inside(from).is_some() && first.sub == 0;
    let loss = loss.or_else(|| match number_at(page, 0) {
        Some(found) if start_is_gone => Some(Loss::Start(found.to_owned())),
        None if start_is_gone && done => Some(Loss::ShardEnded),
        _ => None,
    });
    Taken {
        first,
        end,
        done,
        loss,
    }
}

/// The first record at `sequence` or behind it, and which of the two; there is one.
fn search(page: &RecordsPage, sequence: &SequenceNumber) -> Result<(usize, Ordering)> {
    let numbers = page.sequence_number().ok_or_else(|| {
        Error::internal("a page of a range has no sequence numbers to find its end by")
    })?;
    let (mut low, mut high) = (0, page.len());
    while low < high {
        let middle = low + (high - low) / 2;
        match sequence.cmp_digits(numbers.value(middle)) {
            Ordering::Equal => return Ok((middle, Ordering::Equal)),
            Ordering::Greater => low = middle + 1,
            Ordering::Less => high = middle,
        }
    }
    Ok((low, Ordering::Greater))
}

/// Behind a user record of `record`, or behind all of them.
fn place_behind(record: usize, sub: Option<u64>) -> RowIndex {
    match sub {
        None => RowIndex::before(record + 1),
        Some(sub) => RowIndex {
            record,
            sub: sub.saturating_add(1),
        },
    }
}

fn number_at(page: &RecordsPage, record: usize) -> Option<&str> {
    let numbers = page.sequence_number()?;
    (record < page.len()).then(|| numbers.value(record))
}

/// The record `position` stands in, and how many user records of it were read.
pub(crate) fn inside(position: &ShardPosition) -> Option<(&SequenceNumber, u64)> {
    match position {
        ShardPosition::After {
            sequence,
            sub_sequence: Some(sub),
        } => Some((sequence, sub.saturating_add(1))),
        _ => None,
    }
}

/// Where the unread rows of the page that follows `position` begin. A record that is gone takes
/// none of the next one with it.
pub(crate) fn first_row(page: &RecordsPage, position: &ShardPosition) -> RowIndex {
    let read = inside(position)
        .filter(|(sequence, _)| number_at(page, 0) == Some(sequence.as_str()))
        .map_or(0, |(_, read)| read);
    RowIndex {
        record: 0,
        sub: read,
    }
}

#[cfg(test)]
mod tests;
