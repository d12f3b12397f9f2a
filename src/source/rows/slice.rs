//! What a slice of a page holds.

use std::ops::Range;

use crate::kinesis::RecordsPage;
use crate::source::buffered::{PageSlice, RowPlace};

impl RowPlace {
    /// Before the first row of `record`.
    pub(in crate::source) fn before(record: usize) -> Self {
        Self { record, sub: 0 }
    }
}

impl PageSlice {
    /// All rows of `page` from `first` to `end`, which may lie behind its last record.
    pub(in crate::source) fn new(page: RecordsPage, first: RowPlace, end: RowPlace) -> Self {
        let end = end.min(RowPlace::before(page.len()));
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

    pub(super) fn is_empty(&self) -> bool {
        self.first >= self.end || self.first.record >= self.page.len()
    }

    /// The first user record of `record` behind the slice.
    pub(super) fn subs_end(&self, record: usize) -> u64 {
        if record == self.end.record {
            self.end.sub
        } else {
            u64::MAX
        }
    }
}
