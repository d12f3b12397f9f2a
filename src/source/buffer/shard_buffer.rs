//! What has been read of a shard and no batch is through with yet.

use std::collections::VecDeque;

use super::planner::Supply;
use crate::model::{ShardPosition, ShardRange, UnixMillis};
use crate::source::rows::PageSlice;
use crate::source::rows::{CountedPage, Extent};

/// The pages of one shard: some taken by a batch that is still running, the others to be taken.
#[derive(Debug)]
pub(crate) struct ShardBuffer {
    pages: VecDeque<CountedPage>,
    /// Pages that were let go, so that pages can be told by number.
    gone: u64,
    /// The page the next row is taken from, by its place in `pages`, and the row in it.
    next_page: usize,
    next_row: u64,
    pending_rows: u64,
    /// Payloads and keys of the pages these rows lie in.
    pending_bytes: usize,
    held_bytes: usize,
    /// Behind the last row that was taken.
    position: ShardPosition,
    /// Behind the last row that was read.
    end: ShardPosition,
    /// All that had arrived by then lies in the pages that were taken whole.
    taken_to: Option<UnixMillis>,
    ended: bool,
    /// The rows to be taken are known by number only.
    forgotten: bool,
    /// Ends of the batches that are not through yet, and the pages they are done with.
    marks: VecDeque<(ShardPosition, u64)>,
}

/// What one batch takes of a shard.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) range: ShardRange,
    pub(crate) rows: u64,
    /// `None` where the rows have to be read again.
    pub(crate) slices: Option<Vec<PageSlice>>,
}

impl ShardBuffer {
    pub(crate) fn starting_at(position: ShardPosition) -> Self {
        Self {
            pages: VecDeque::new(),
            gone: 0,
            next_page: 0,
            next_row: 0,
            pending_rows: 0,
            pending_bytes: 0,
            held_bytes: 0,
            ended: position == ShardPosition::ShardEnd,
            end: position.clone(),
            position,
            taken_to: None,
            forgotten: false,
            marks: VecDeque::new(),
        }
    }

    /// Adds what was read next.
    pub(crate) fn push(&mut self, page: CountedPage) {
        if page.is_empty() {
            return;
        }
        self.pending_rows += page.rows() - page.skipped();
        self.end = page.end();
        if self.forgotten {
            return;
        }
        if self.next_page == self.pages.len() {
            self.next_row = page.skipped();
        }
        self.pending_bytes += page.size_bytes();
        self.held_bytes += page.held_bytes();
        self.pages.push_back(page);
    }

    /// Nothing follows: the shard is closed and read.
    pub(crate) fn close(&mut self) {
        self.ended = true;
        self.end = ShardPosition::ShardEnd;
    }

    /// Lets go of the rows to be taken and of all that come before the next batch; they stay counted.
    pub(crate) fn forget(&mut self) {
        for page in self.pages.drain(self.next_page..) {
            self.held_bytes -= page.held_bytes();
        }
        self.pending_bytes = 0;
        self.forgotten = true;
    }

    /// Rows no batch has taken yet.
    pub(crate) fn pending_rows(&self) -> u64 {
        self.pending_rows
    }

    /// Payloads and keys of the pages these rows lie in.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Memory of all pages, those of a running batch included.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether all rows were taken and no more will come.
    pub(crate) fn is_drained(&self) -> bool {
        self.ended && self.pending_rows == 0
    }

    /// Behind the last row that was taken.
    pub(crate) fn position(&self) -> &ShardPosition {
        &self.position
    }

    /// All that had arrived by then lies in the pages that were taken whole.
    pub(crate) fn taken_to(&self) -> Option<UnixMillis> {
        self.taken_to
    }

    /// Behind the last row that was read.
    pub(crate) fn end(&self) -> &ShardPosition {
        &self.end
    }

    /// Cuts off the next `rows` rows, all of them if there are no more; with the last one goes what
    /// lies behind it and holds no row, the end of the shard included.
    pub(crate) fn take(&mut self, rows: u64) -> Taken {
        let after = self.position.clone();
        let rows = rows.min(self.pending_rows);
        let slices = if self.forgotten {
            // Only counted: such rows cannot be cut.
            self.pending_rows = 0;
            self.forgotten = false;
            None
        } else {
            Some(self.cut(rows))
        };
        if self.pending_rows == 0 {
            self.position = self.end.clone();
        }
        if self.position != after {
            let done = self.gone + self.next_page as u64;
            self.marks.push_back((self.position.clone(), done));
        }
        Taken {
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
                    self.position = page.position_behind(end);
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

    /// Lets go of the pages of the batch that ended at `end`, and of those before it.
    pub(crate) fn committed(&mut self, end: &ShardPosition) {
        let Some(mark) = self.marks.iter().position(|(ends, _)| ends == end) else {
            return;
        };
        let Some((_, done)) = self.marks.drain(..=mark).next_back() else {
            return;
        };
        while self.gone < done
            && let Some(page) = self.pages.pop_front()
        {
            self.held_bytes -= page.held_bytes();
            self.next_page = self.next_page.saturating_sub(1);
            self.gone += 1;
        }
    }

    /// The pages with rows to be taken, and the first such row of each.
    fn pending(&self) -> impl Iterator<Item = (&CountedPage, u64)> {
        let pages = self.pages.range(self.next_page.min(self.pages.len())..);
        pages.enumerate().map(|(number, page)| {
            let row = if number == 0 { self.next_row } else { 0 };
            (page, row)
        })
    }
}

impl Supply for ShardBuffer {
    fn extent(&self, rows: u64, bytes: usize) -> Extent {
        if self.forgotten {
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
