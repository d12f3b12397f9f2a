//! A cut-out of a page, from one row to another.

use std::ops::Range;

use crate::kinesis::RecordsPage;

/// Rows of a page from one place to another. A place counts Kinesis records of the page, and user
/// records in it.
#[derive(Debug, Clone)]
pub(crate) struct PageSlice {
    /// Kinesis records as they were fetched, shared with the buffer.
    pub(crate) page: RecordsPage,
    /// The first row.
    pub(crate) first: RowIndex,
    /// The row behind the last one.
    pub(crate) end: RowIndex,
    /// Whether every record that looks like an aggregate was found to be one by its checksum.
    pub(crate) checked: bool,
}

/// A place between two rows of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowIndex {
    /// Kinesis records of the page before the place.
    pub(crate) record: usize,
    /// User records of `record` before the place.
    pub(crate) sub: u64,
}

impl RowIndex {
    /// Before the first row of `record`.
    pub(crate) fn before(record: usize) -> Self {
        Self { record, sub: 0 }
    }
}

impl PageSlice {
    /// All rows of `page` from `first` to `end`, which may lie behind its last record.
    pub(crate) fn new(page: RecordsPage, first: RowIndex, end: RowIndex) -> Self {
        let end = end.min(RowIndex::before(page.len()));
        Self {
            page,
            first,
            end,
            checked: false,
        }
    }

    /// The Kinesis records its rows are from.
    pub(crate) fn records(&self) -> Range<usize> {
        let end = self.end.record + usize::from(self.end.sub > 0);
        let end = end.min(self.page.len());
        self.first.record.min(end)..end
    }

    /// Data and partition keys of these records.
    pub(crate) fn size_bytes(&self) -> usize {
        self.page.size_of(self.records())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first >= self.end || self.first.record >= self.page.len()
    }

    /// The first user record of `record` behind the slice.
    pub(crate) fn subs_end(&self, record: usize) -> u64 {
        if record == self.end.record {
            self.end.sub
        } else {
            u64::MAX
        }
    }
}
