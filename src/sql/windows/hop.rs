//! Windows of one size that start every so often, and the panes they are made of.

use std::iter::successors;

use datafusion::arrow::array::{Array, Int64Array, RecordBatch, UInt64Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::common::Result;

use super::time_steps::{floor, numbers, times};
use crate::error::Error;

/// In how many windows a time may lie: each costs a group.
const MOST_WINDOWS: i64 = 100_000;

/// A group column that is the start of a window that hops; lengths are in the unit of the column.
///
/// Windows start at the multiples of the slide, counted from 1970-01-01T00:00:00Z in both directions, and
/// hold the times from their start up to, and without, their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HopWindow {
    /// Which group column it is.
    pub(crate) column: usize,
    slide: i64,
    size: i64,
}

impl HopWindow {
    pub(super) fn try_new(column: usize, slide: i64, size: i64) -> Result<Self> {
        if slide > size {
            return Err(Error::unsupported(
                "hop(ts, slide, size): the slide is longer than the size, so some rows would be in \
                 no window: expected a slide of at most the size; filter the rows between windows \
                 out and use tumble(ts, slide) for that",
            )
            .into());
        }
        if size / slide > MOST_WINDOWS {
            return Err(Error::unsupported(format!(
                "hop(ts, slide, size): each row lies in {} windows: expected at most {MOST_WINDOWS}; \
                 use a longer slide",
                size / slide
            ))
            .into());
        }
        Ok(Self {
            column,
            slide,
            size,
        })
    }

    /// From the start of a window to the start of the next.
    pub(crate) fn slide(&self) -> i64 {
        self.slide
    }

    /// From the start of a window to its end.
    pub(crate) fn size(&self) -> i64 {
        self.size
    }

    /// The length of a pane: slide and size are multiples of it.
    pub(crate) fn pane(&self) -> i64 {
        let (mut a, mut b) = (self.slide, self.size);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    }

    /// How many windows a pane lies in, at most.
    pub(super) fn windows_per_pane(&self) -> usize {
        let most = self.size.div_euclid(self.slide).saturating_add(1);
        usize::try_from(most).unwrap_or(usize::MAX)
    }

    /// The starts of the windows that hold the pane that starts at `pane`, the oldest first.
    pub(crate) fn windows_of(&self, pane: i64) -> impl Iterator<Item = i64> + use<> {
        let slide = self.slide;
        // The first multiple of the slide after pane - size: the window before it has just ended.
        let ended = pane.checked_sub(self.size);
        let first = ended.and_then(|ended| floor(ended, slide)?.checked_add(slide));
        successors(first, move |window| window.checked_add(slide))
            .take_while(move |window| *window <= pane)
    }

    /// The starts of the panes of the window that starts at `window`, the oldest first.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "asked for by state over batches")
    )]
    pub(crate) fn panes_of(&self, window: i64) -> impl Iterator<Item = i64> + use<> {
        let (pane, size) = (self.pane(), self.size);
        successors(Some(window), move |start| start.checked_add(pane))
            .take_while(move |start| start.checked_sub(window).is_some_and(|at| at < size))
    }

    /// Rows of panes as rows of windows: one for each window the pane of a row lies in, with the window's
    /// start in place of the pane's. A row without a time stays one row.
    ///
    /// # Errors
    /// A batch whose column is no timestamp.
    pub(crate) fn expand(&self, panes: &RecordBatch) -> Result<RecordBatch> {
        let column = panes.column(self.column);
        let starts = numbers(column)?;
        let rows = panes.num_rows().saturating_mul(self.windows_per_pane());
        let (mut from, mut windows) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for (row, pane) in (0..).zip(&starts) {
            match pane {
                Some(pane) => {
                    for window in self.windows_of(pane) {
                        from.push(row);
                        windows.push(Some(window));
                    }
                }
                None => {
                    from.push(row);
                    windows.push(None);
                }
            }
        }
        let expanded = take_record_batch(panes, &UInt64Array::from(from))?;
        let windows = times(Int64Array::from(windows), column.data_type())?;
        let mut columns = expanded.columns().to_vec();
        columns[self.column] = windows;
        Ok(RecordBatch::try_new(expanded.schema(), columns)?)
    }
}
