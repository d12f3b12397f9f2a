//! A part of a page, from one row to another.

use std::ops::Range;

use crate::kinesis::RecordsPage;

/// Consecutive rows of a page.
#[derive(Debug, Clone)]
pub(crate) struct PageSlice {
    /// The Kinesis records as they were read, shared with the buffer.
    pub(crate) page: RecordsPage,
    /// The first row.
    pub(crate) first: RowIndex,
    /// The end of the last row.
    pub(crate) end: RowIndex,
    /// Whether the checksum of every record that looks aggregated was verified.
    pub(crate) checked: bool,
}

/// An index between two rows of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowIndex {
    /// The Kinesis records before it.
    pub(crate) record: usize,
    /// The user records of `record` before it.
    pub(crate) sub: u64,
}

impl RowIndex {
    /// The index before the first row of `record`.
    pub(crate) fn before(record: usize) -> Self {
        Self { record, sub: 0 }
    }
}

impl PageSlice {
    /// The rows of `page` from `first` to `end`, which may be after its last record.
    pub(crate) fn new(page: RecordsPage, first: RowIndex, end: RowIndex) -> Self {
        let end = end.min(RowIndex::before(page.len()));
        Self {
            page,
            first,
            end,
            checked: false,
        }
    }

    /// The Kinesis records that contain its rows.
    pub(crate) fn records(&self) -> Range<usize> {
        let end = self.end.record + usize::from(self.end.sub > 0);
        let end = end.min(self.page.len());
        self.first.record.min(end)..end
    }

    /// The size of the data and partition keys of these records.
    pub(crate) fn size_bytes(&self) -> usize {
        self.page.size_of(self.records())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first >= self.end || self.first.record >= self.page.len()
    }

    /// The first user record of `record` after the slice.
    pub(crate) fn subs_end(&self, record: usize) -> u64 {
        if record == self.end.record {
            self.end.sub
        } else {
            u64::MAX
        }
    }
}
