//! Hopping windows and the panes they consist of.

use std::iter::successors;

use datafusion::arrow::array::{Array, Int64Array, RecordBatch, UInt64Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::common::Result;

use super::time_steps::{floor, numbers, times};
use crate::error::Error;

/// The maximum number of windows per row; each costs a group.
const MAX_WINDOWS: i64 = 100_000;

/// A group column that is the start of a hopping window. Lengths are in the unit of the column.
///
/// Windows start at multiples of the slide from 1970-01-01T00:00:00Z, in both directions. They include their
/// start and exclude their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HopWindow {
    /// The index of the group column.
    pub(crate) column: usize,
    slide: i64,
    size: i64,
}

impl HopWindow {
    pub(super) fn try_new(column: usize, slide: i64, size: i64) -> Result<Self> {
        if slide > size {
            return Err(Error::unsupported(
                "hop(ts, slide, size): the slide is longer than the size, so some rows would belong to no \
                 window: expected a slide of at most the size; for gaps between windows, filter those \
                 rows out and use tumble(ts, slide)",
            )
            .into());
        }
        if size / slide > MAX_WINDOWS {
            return Err(Error::unsupported(format!(
                "hop(ts, slide, size): each row belongs to {} windows: expected at most {MAX_WINDOWS}; \
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

    /// The length of a pane: the greatest common divisor of slide and size.
    pub(crate) fn pane(&self) -> i64 {
        let (mut a, mut b) = (self.slide, self.size);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    }

    /// The maximum number of windows that a pane belongs to.
    pub(super) fn windows_per_pane(&self) -> usize {
        let most = self.size.div_euclid(self.slide).saturating_add(1);
        usize::try_from(most).unwrap_or(usize::MAX)
    }

    /// The starts of the windows that contain the pane starting at `pane`, in ascending order.
    pub(crate) fn windows_of(&self, pane: i64) -> impl Iterator<Item = i64> + use<> {
        let slide = self.slide;
        // The first multiple of the slide after pane - size. The window before it ends at or before the pane.
        let ended = pane.checked_sub(self.size);
        let first = ended.and_then(|ended| floor(ended, slide)?.checked_add(slide));
        successors(first, move |window| window.checked_add(slide))
            .take_while(move |window| *window <= pane)
    }

    /// Expands rows of panes to rows of windows: one for each window that contains the row's pane, with the
    /// start of the window instead of that of the pane. A row without a time stays one row.
    ///
    /// # Errors
    /// The column is not a timestamp.
    pub(crate) fn expand(&self, panes: &RecordBatch) -> Result<RecordBatch> {
        let column = panes.column(self.column);
        let starts = numbers(column)?;
        let rows = panes.num_rows().saturating_mul(self.windows_per_pane());
        let (mut rows_taken, mut windows) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for (row, pane) in (0..).zip(&starts) {
            match pane {
                Some(pane) => {
                    for window in self.windows_of(pane) {
                        rows_taken.push(row);
                        windows.push(Some(window));
                    }
                }
                None => {
                    rows_taken.push(row);
                    windows.push(None);
                }
            }
        }
        let expanded = take_record_batch(panes, &UInt64Array::from(rows_taken))?;
        let windows = times(Int64Array::from(windows), column.data_type())?;
        let mut columns = expanded.columns().to_vec();
        columns[self.column] = windows;
        Ok(RecordBatch::try_new(expanded.schema(), columns)?)
    }
}
