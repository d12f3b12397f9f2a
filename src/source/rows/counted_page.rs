//! A page with counted rows, which can be cut anywhere, even inside an aggregated record.

use datafusion::arrow::array::Array;

use super::page_slice::{PageSlice, RowIndex};
use super::row_counts::{RowCounts, check_sequence_numbers, count_rows, records_until};
use crate::error::Result;
use crate::kinesis::RecordsPage;
use crate::model::{SequenceNumber, ShardPosition, UnixMillis};

/// Memory of a record besides its payload and key: sequence number, arrival time, offsets.
pub(crate) const RECORD_OVERHEAD_BYTES: usize = 96;

/// Memory of a page besides its records.
const PAGE_OVERHEAD_BYTES: usize = 1_024;

/// A page, with the number of rows in each Kinesis record.
#[derive(Debug)]
pub(crate) struct CountedPage {
    page: RecordsPage,
    /// The number of records to use; later ones are left to another run.
    records: usize,
    counts: RowCounts,
    /// The rows at the start that were read before.
    skipped: u64,
    /// Every record of the shard that had arrived by then is in this page or an earlier one.
    read_to: Option<UnixMillis>,
}

/// A number of rows, and the size of the Kinesis records that contain them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extent {
    pub(crate) rows: u64,
    pub(crate) bytes: usize,
}

impl CountedPage {
    /// Counts the rows of `page`, for which it opens every aggregated record. The page must have sequence
    /// numbers.
    ///
    /// Skips the rows up to `after`. If `until` is set, drops the first record that arrived later and all after
    /// it; the page must then have arrival times.
    ///
    /// # Errors
    /// The sequence numbers are missing or malformed.
    pub(crate) fn new(
        page: RecordsPage,
        after: &ShardPosition,
        until: Option<UnixMillis>,
    ) -> Result<Self> {
        check_sequence_numbers(&page)?;
        let records = records_until(&page, until);
        let counts = count_rows(&page, records);
        let mut counted = Self {
            page,
            records,
            counts,
            skipped: 0,
            read_to: None,
        };
        if let ShardPosition::After {
            sequence,
            sub_sequence: Some(sub),
        } = after
            && records > 0
            && counted.number(0) == sequence.as_str()
        {
            counted.skipped = counted.rows_before(1).min(sub.saturating_add(1));
        }
        Ok(counted)
    }

    /// The page with the time up to which it and earlier pages contain every record.
    #[must_use]
    pub(crate) fn reading_to(self, read_to: Option<UnixMillis>) -> Self {
        Self { read_to, ..self }
    }

    /// Every record of the shard that had arrived by then is in this page or an earlier one.
    pub(crate) fn read_to(&self) -> Option<UnixMillis> {
        self.read_to
    }

    /// When the last used record arrived, if the page has arrival times.
    pub(crate) fn last_arrival(&self) -> Option<UnixMillis> {
        let last = self.records.checked_sub(1)?;
        let times = self.page.arrival().filter(|times| times.is_valid(last))?;
        Some(UnixMillis(times.value(last).div_euclid(1_000)))
    }

    /// Whether all records of the page are used.
    pub(crate) fn is_whole(&self) -> bool {
        self.records == self.page.len()
    }

    /// Whether no record is used.
    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The rows at the start of the page that were read before.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The rows, including skipped ones.
    pub(crate) fn rows(&self) -> u64 {
        self.rows_before(self.records)
    }

    /// The size of payloads and keys, as the service counts them.
    pub(crate) fn size_bytes(&self) -> usize {
        self.page.size_bytes()
    }

    /// The memory of the page.
    pub(crate) fn held_bytes(&self) -> usize {
        let counts = match &self.counts {
            RowCounts::OnePerRecord => 0,
            RowCounts::Before { rows, .. } => rows.len() * size_of::<u64>(),
        };
        let records = self.page.len() * RECORD_OVERHEAD_BYTES;
        PAGE_OVERHEAD_BYTES + self.page.size_bytes() + records + counts
    }

    /// As many rows from `row` on as both caps allow. The row cap cuts anywhere, the byte cap only between
    /// Kinesis records.
    pub(crate) fn extent(&self, row: u64, rows: u64, bytes: usize) -> Extent {
        let first = self.index(row).record;
        let (mut low, mut high) = (first, self.records);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.bytes(first, middle) <= bytes {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        let end = self
            .rows_before(low)
            .clamp(row, self.rows().min(row.saturating_add(rows)));
        self.extent_to(row, end)
    }

    /// Up to `rows` rows from `row` on, within its Kinesis record.
    pub(crate) fn record_at(&self, row: u64, rows: u64) -> Extent {
        let end = self.rows_before(self.index(row).record + 1);
        self.extent_to(row, end.min(row.saturating_add(rows)))
    }

    /// The rows `first..end`.
    pub(crate) fn slice(&self, first: u64, end: u64) -> PageSlice {
        PageSlice {
            page: self.page.clone(),
            first: self.index(first),
            end: self.index(end),
            checked: self.counts.are_checked(),
        }
    }

    /// The position after the first `rows` rows, of which there is at least one.
    pub(crate) fn position_after(&self, rows: u64) -> ShardPosition {
        let index = self.index(rows);
        let (record, sub_sequence) = match index.sub.checked_sub(1) {
            Some(last) => (index.record, Some(last)),
            None => (index.record.saturating_sub(1), None),
        };
        self.after(record, sub_sequence)
    }

    /// The position after the last used record, of which there is at least one.
    pub(crate) fn end(&self) -> ShardPosition {
        match self.page.last_sequence() {
            Some(last) if self.is_whole() => ShardPosition::After {
                sequence: last.clone(),
                sub_sequence: None,
            },
            _ => self.after(self.records.saturating_sub(1), None),
        }
    }

    fn after(&self, record: usize, sub_sequence: Option<u64>) -> ShardPosition {
        let number = SequenceNumber::new(self.number(record));
        ShardPosition::After {
            sequence: number.expect("sequence numbers were checked when the page was counted"),
            sub_sequence,
        }
    }

    fn number(&self, record: usize) -> &str {
        let numbers = self.page.sequence_number();
        let numbers = numbers.expect("sequence numbers were checked when the page was counted");
        numbers.value(record)
    }

    fn extent_to(&self, row: u64, end: u64) -> Extent {
        if end <= row {
            return Extent::default();
        }
        let end_record = match &self.counts {
            RowCounts::OnePerRecord => self.index(end).record,
            RowCounts::Before { rows, .. } => rows.partition_point(|before| *before < end),
        };
        Extent {
            rows: end - row,
            bytes: self.bytes(self.index(row).record, end_record),
        }
    }

    fn rows_before(&self, record: usize) -> u64 {
        match &self.counts {
            RowCounts::OnePerRecord => record as u64,
            RowCounts::Before { rows, .. } => rows[record],
        }
    }

    /// The index of `row`; the end of the page if there are not as many rows.
    fn index(&self, row: u64) -> RowIndex {
        match &self.counts {
            RowCounts::OnePerRecord => RowIndex {
                record: usize::try_from(row).unwrap_or(usize::MAX).min(self.records),
                sub: 0,
            },
            RowCounts::Before { rows, .. } => {
                let record = rows.partition_point(|before| *before <= row) - 1;
                RowIndex {
                    record,
                    sub: row - rows[record],
                }
            }
        }
    }

    /// The size of payloads and keys of the records `first..end`.
    fn bytes(&self, first: usize, end: usize) -> usize {
        let span = |offsets: &[i32]| {
            let bytes = offsets[end] - offsets[first];
            usize::try_from(bytes).expect("offsets of an array never decrease")
        };
        let keys = self.page.partition_key();
        span(self.page.data().value_offsets()) + keys.map_or(0, |keys| span(keys.value_offsets()))
    }
}
