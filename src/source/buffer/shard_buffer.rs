//! The pages of one shard that were read but not yet committed.

use std::collections::VecDeque;

use super::planner::PendingRows;
use crate::model::{ShardPosition, ShardRange, UnixMillis};
use crate::source::rows::{CountedPage, Extent, PageSlice};

/// The pages of one shard: those that a running batch has taken, then the pending ones.
#[derive(Debug)]
pub(crate) struct ShardBuffer {
    pages: VecDeque<CountedPage>,
    /// The number of pages that were released; the number of a page is this plus its index in `pages`.
    released: u64,
    /// The index in `pages` of the page with the next row, and the row in it.
    next_page: usize,
    next_row: u64,
    pending_rows: u64,
    /// The size of the pages with pending rows.
    pending_bytes: usize,
    held_bytes: usize,
    /// After the last row that was taken.
    position: ShardPosition,
    /// After the last row that was read.
    end: ShardPosition,
    /// Every record that had arrived by then is in a page that was taken completely.
    taken_to: Option<UnixMillis>,
    has_ended: bool,
    /// Whether the pending rows are only counted, because their pages were dropped.
    is_counting_only: bool,
    /// The ends of batches that are not committed yet, each with the number of the first page after it.
    batch_ends: VecDeque<(ShardPosition, u64)>,
}

/// What one batch takes of a shard.
#[derive(Debug)]
pub(crate) struct TakenRows {
    pub(crate) range: ShardRange,
    pub(crate) rows: u64,
    /// `None` if the rows have to be read again.
    pub(crate) slices: Option<Vec<PageSlice>>,
}

impl ShardBuffer {
    pub(crate) fn starting_at(position: ShardPosition) -> Self {
        Self {
            pages: VecDeque::new(),
            released: 0,
            next_page: 0,
            next_row: 0,
            pending_rows: 0,
            pending_bytes: 0,
            held_bytes: 0,
            has_ended: position == ShardPosition::ShardEnd,
            end: position.clone(),
            position,
            taken_to: None,
            is_counting_only: false,
            batch_ends: VecDeque::new(),
        }
    }

    /// Appends the next page.
    pub(crate) fn push(&mut self, page: CountedPage) {
        if page.is_empty() {
            return;
        }
        self.pending_rows += page.rows() - page.skipped();
        self.end = page.end();
        if self.is_counting_only {
            return;
        }
        if self.next_page == self.pages.len() {
            self.next_row = page.skipped();
        }
        self.pending_bytes += page.size_bytes();
        self.held_bytes += page.held_bytes();
        self.pages.push_back(page);
    }

    /// Records that the shard was read to its end.
    pub(crate) fn close(&mut self) {
        self.has_ended = true;
        self.end = ShardPosition::ShardEnd;
    }

    /// Drops the pending pages, and any that arrive before the next batch; their rows are only counted.
    pub(crate) fn drop_pages(&mut self) {
        for page in self.pages.drain(self.next_page..) {
            self.held_bytes -= page.held_bytes();
        }
        self.pending_bytes = 0;
        self.is_counting_only = true;
    }

    /// The rows that no batch has taken.
    pub(crate) fn pending_rows(&self) -> u64 {
        self.pending_rows
    }

    /// The size of the pages with pending rows.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// The memory of all pages, including those of a running batch.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether all rows were taken and no more will come.
    pub(crate) fn is_drained(&self) -> bool {
        self.has_ended && self.pending_rows == 0
    }

    /// After the last row that was taken.
    pub(crate) fn position(&self) -> &ShardPosition {
        &self.position
    }

    /// Every record that had arrived by then is in a page that was taken completely.
    pub(crate) fn taken_to(&self) -> Option<UnixMillis> {
        self.taken_to
    }

    /// After the last row that was read.
    pub(crate) fn end(&self) -> &ShardPosition {
        &self.end
    }

    /// Takes the next `rows` rows, or all if there are fewer. The records without rows that follow the last
    /// row, and the end of the shard, are taken with it.
    pub(crate) fn take(&mut self, rows: u64) -> TakenRows {
        let after = self.position.clone();
        let rows = rows.min(self.pending_rows);
        let slices = if self.is_counting_only {
            // Counted rows cannot be split.
            self.pending_rows = 0;
            self.is_counting_only = false;
            None
        } else {
            Some(self.cut(rows))
        };
        if self.pending_rows == 0 {
            self.position = self.end.clone();
        }
        if self.position != after {
            let next = self.released + self.next_page as u64;
            self.batch_ends.push_back((self.position.clone(), next));
        }
        TakenRows {
            range: ShardRange {
                after,
                upto: self.position.clone(),
                rows: Some(rows),
            },
            rows,
            slices,
        }
    }

    fn cut(&mut self, rows: u64) -> Vec<PageSlice> {
        let mut slices = Vec::new();
        let mut left = rows;
        self.pending_rows -= rows;
        while let Some(page) = self.pages.get(self.next_page) {
            let end = page.rows().min(self.next_row + left);
            if end > self.next_row {
                slices.push(page.slice(self.next_row, end));
                left -= end - self.next_row;
                self.next_row = end;
                if end < page.rows() {
                    self.position = page.position_after(end);
                }
            }
            if self.next_row < page.rows() {
                break;
            }
            self.position = page.end();
            self.taken_to = self.taken_to.max(page.read_to());
            self.pending_bytes -= page.size_bytes();
            self.next_page += 1;
            self.next_row = 0;
        }
        slices
    }

    /// Drops the pages of the batch that ended at `end`, and of earlier ones.
    pub(crate) fn release(&mut self, end: &ShardPosition) {
        let Some(batch) = self.batch_ends.iter().position(|(ends, _)| ends == end) else {
            return;
        };
        let Some((_, next)) = self.batch_ends.drain(..=batch).next_back() else {
            return;
        };
        while self.released < next
            && let Some(page) = self.pages.pop_front()
        {
            self.held_bytes -= page.held_bytes();
            self.next_page = self.next_page.saturating_sub(1);
            self.released += 1;
        }
    }

    /// The pages with pending rows, and the first such row of each.
    fn pending(&self) -> impl Iterator<Item = (&CountedPage, u64)> {
        let pages = self.pages.range(self.next_page.min(self.pages.len())..);
        pages.enumerate().map(|(number, page)| {
            let row = if number == 0 { self.next_row } else { 0 };
            (page, row)
        })
    }
}

impl PendingRows for ShardBuffer {
    fn extent(&self, rows: u64, bytes: usize) -> Extent {
        if self.is_counting_only {
            return Extent {
                rows: self.pending_rows,
                bytes: 0,
            };
        }
        let mut extent = Extent::default();
        for (page, row) in self.pending() {
            let more = page.extent(row, rows - extent.rows, bytes - extent.bytes);
            extent.rows += more.rows;
            extent.bytes += more.bytes;
            if row + more.rows < page.rows() {
                break;
            }
        }
        extent
    }

    fn first_record(&self, rows: u64) -> Extent {
        let first = self.pending().find(|(page, row)| *row < page.rows());
        first.map_or_else(Extent::default, |(page, row)| page.record_at(row, rows))
    }
}

#[cfg(test)]
mod tests;
