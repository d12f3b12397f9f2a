//! Finds the rows of a page that belong to a read: where the unread rows begin, and where an exact range
//! ends.
//!
//! Sequence numbers are compared once per page; only the page that contains the end is searched.
//!
//! Lost records are detected at the end of a range, and at a start inside an aggregated record. Records that
//! are missing after a start between two records are detected only by the number of rows: sequence numbers
//! have gaps, and the record before the start may have expired legitimately.

use std::cmp::Ordering;
use std::fmt;

use crate::error::{Error, Result};
use crate::kinesis::RecordsPage;
use crate::model::{SequenceNumber, ShardPosition};
use crate::source::rows::RowIndex;

/// How many empty pages in a row must come from the tip before missing records count as lost. One would
/// suffice if every server reported its tip correctly.
const MIN_EMPTY_PAGES_AT_TIP: u32 = 3;

/// Why a range can no longer be read completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RangeLoss {
    /// The range starts inside a record that has expired; this record comes first instead.
    Start(String),
    /// The last record of the range has expired; this record follows instead.
    End(String),
    /// The shard ended before the range did.
    ShardEnded,
    /// The shard is open and has no more records.
    Tip,
    /// Both ends were found, but not all rows between them.
    Rows {
        /// The rows that were found.
        found: u64,
        /// The rows when the range was planned.
        planned: u64,
    },
}

impl fmt::Display for RangeLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(found) => {
                write!(f, "the record it starts in is gone, {found} comes first")
            }
            Self::End(found) => {
                write!(f, "the record it ends with is gone, {found} comes instead")
            }
            Self::ShardEnded => f.write_str("the shard ends before the range does"),
            Self::Tip => f.write_str("the open shard holds no record up to the end of the range"),
            Self::Rows { found, planned } => {
                let gone = planned.saturating_sub(*found);
                write!(f, "{gone} of its {planned} rows are gone")
            }
        }
    }
}

/// The part of a page that belongs to a range.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RangePart {
    pub(super) first: RowIndex,
    pub(super) end: RowIndex,
    /// Whether no later page contains a part of the range.
    pub(super) done: bool,
    pub(super) loss: Option<RangeLoss>,
}

/// Finds the end of an exact range.
#[derive(Debug)]
pub(super) struct RangeEnd {
    upto: ShardPosition,
    empty_pages_at_tip: u32,
}

impl RangeEnd {
    /// The range ends with the row at `upto`, or with the shard.
    pub(super) fn new(upto: ShardPosition) -> Self {
        Self {
            upto,
            empty_pages_at_tip: 0,
        }
    }

    /// The part of `page`, which follows `from`, that belongs to the range. `shard_ended` is set for the last
    /// page of the shard, `at_tip` if the shard had no more records.
    ///
    /// # Errors
    /// The range ends neither at a record nor at the end of the shard.
    pub(super) fn take(
        &mut self,
        page: &RecordsPage,
        from: &ShardPosition,
        shard_ended: bool,
        at_tip: bool,
    ) -> Result<RangePart> {
        self.empty_pages_at_tip = if at_tip && page.is_empty() {
            self.empty_pages_at_tip + 1
        } else {
            0
        };
        let (end, is_found) = match &self.upto {
            ShardPosition::ShardEnd => (RowIndex::before(page.len()), shard_ended),
            ShardPosition::After {
                sequence,
                sub_sequence,
            } => match page.last_sequence() {
                Some(last) if last >= sequence => {
                    let (record, order) = search(page, sequence)?;
                    if order != Ordering::Equal {
                        let end = RowIndex::before(record);
                        let found = sequence_at(page, record).unwrap_or_default();
                        let loss = RangeLoss::End(found.to_owned());
                        return Ok(part(page, from, end, true, Some(loss)));
                    }
                    (index_after(record, *sub_sequence), true)
                }
                _ => (RowIndex::before(page.len()), false),
            },
            other => {
                return Err(Error::internal(format!(
                    "a range ends at {other}: expected a record or the end of the shard"
                )));
            }
        };
        let is_at_tip = self.empty_pages_at_tip >= MIN_EMPTY_PAGES_AT_TIP;
        let loss = match (is_found, shard_ended) {
            (true, _) => None,
            (false, true) => Some(RangeLoss::ShardEnded),
            (false, false) => is_at_tip.then_some(RangeLoss::Tip),
        };
        let done = is_found || loss.is_some();
        Ok(part(page, from, end, done, loss))
    }
}

fn part(
    page: &RecordsPage,
    from: &ShardPosition,
    end: RowIndex,
    done: bool,
    loss: Option<RangeLoss>,
) -> RangePart {
    let first = first_row(page, from);
    let start_is_gone = inside_record(from).is_some() && first.sub == 0;
    let loss = loss.or_else(|| match sequence_at(page, 0) {
        Some(found) if start_is_gone => Some(RangeLoss::Start(found.to_owned())),
        None if start_is_gone && done => Some(RangeLoss::ShardEnded),
        _ => None,
    });
    RangePart {
        first,
        end,
        done,
        loss,
    }
}

/// The index of the first record at or after `sequence`, and `Equal` or `Greater`. There must be one.
fn search(page: &RecordsPage, sequence: &SequenceNumber) -> Result<(usize, Ordering)> {
    let numbers = page
        .sequence_number()
        .ok_or_else(|| Error::internal("a page of a range has no sequence numbers"))?;
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

/// The index after a user record of `record`, or after all of them.
fn index_after(record: usize, sub: Option<u64>) -> RowIndex {
    match sub {
        None => RowIndex::before(record + 1),
        Some(sub) => RowIndex {
            record,
            sub: sub.saturating_add(1),
        },
    }
}

fn sequence_at(page: &RecordsPage, record: usize) -> Option<&str> {
    let numbers = page.sequence_number()?;
    (record < page.len()).then(|| numbers.value(record))
}

/// If `position` is inside an aggregated record: that record, and how many of its user records were read.
pub(super) fn inside_record(position: &ShardPosition) -> Option<(&SequenceNumber, u64)> {
    match position {
        ShardPosition::After {
            sequence,
            sub_sequence: Some(sub),
        } => Some((sequence, sub.saturating_add(1))),
        _ => None,
    }
}

/// The first unread row of the page that follows `position`. If the record of the position has expired, the
/// page begins with a later one, which is unread.
pub(super) fn first_row(page: &RecordsPage, position: &ShardPosition) -> RowIndex {
    let read = inside_record(position)
        .filter(|(sequence, _)| sequence_at(page, 0) == Some(sequence.as_str()))
        .map_or(0, |(_, read)| read);
    RowIndex {
        record: 0,
        sub: read,
    }
}

#[cfg(test)]
mod tests;
