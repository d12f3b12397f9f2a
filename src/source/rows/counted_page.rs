//! A page whose rows are counted, so that it can be cut anywhere, inside an aggregated record too.

use datafusion::arrow::array::Array;

use super::page_slice::{PageSlice, RowIndex};
use super::row_counts::{Counts, check_numbers, count, records_until};
use crate::error::Result;
use crate::kinesis::RecordsPage;
use crate::model::{SequenceNumber, ShardPosition, UnixMillis};

/// Memory of a record beside its payload and key: number, arrival time, offsets.
pub(crate) const RECORD_OVERHEAD_BYTES: usize = 96;

/// Memory of a page beside its records.
const PAGE_OVERHEAD_BYTES: usize = 1_024;

/// Kinesis records with the number of rows in each.
#[derive(Debug)]
pub(crate) struct CountedPage {
    page: RecordsPage,
    /// Records of the page that are taken; what is behind them is left for another run.
    records: usize,
    counts: Counts,
    /// Rows that were read before.
    skipped: u64,
    /// All that had arrived by then in the shard lies in the page or before it.
    read_to: Option<UnixMillis>,
}

/// Rows from some place on, and the bytes of the Kinesis records they lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extent {
    pub(crate) rows: u64,
    pub(crate) bytes: usize,
}

impl CountedPage {
    /// Counts the rows of `page`, which has sequence numbers; opens every aggregate once.
    ///
    /// `after` is where reading stood: rows up to it are skipped. Records from the first one on that
    /// arrived later than `until` are left out, which takes arrival times.
    ///
    /// # Errors
    /// The sequence numbers are missing or no numbers.
    pub(crate) fn new(
        page: RecordsPage,
        after: &ShardPosition,
        until: Option<UnixMillis>,
    ) -> Result<Self> {
        check_numbers(&page)?;
        let records = records_until(&page, until);
        let counts = count(&page, records);
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

    /// The same with what is known of the time: all that had arrived by then in the shard lies in the
    /// page or before it.
    #[must_use]
    pub(crate) fn reading_to(self, read_to: Option<UnixMillis>) -> Self {
        Self { read_to, ..self }
    }

    /// All that had arrived by then in the shard lies in the page or before it.
    pub(crate) fn read_to(&self) -> Option<UnixMillis> {
        self.read_to
    }

    /// When the last record that is taken had arrived, where the page has such times.
    pub(crate) fn last_arrival(&self) -> Option<UnixMillis> {
        let last = self.records.checked_sub(1)?;
        let times = self.page.arrival().filter(|times| times.is_valid(last))?;
        Some(UnixMillis(times.value(last).div_euclid(1_000)))
    }

    /// Whether all records of the page are taken.
    pub(crate) fn is_whole(&self) -> bool {
        self.records == self.page.len()
    }

    /// Whether there is no record to take.
    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Rows that were read before the page came, and lie in it.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// All rows, those skipped included.
    pub(crate) fn rows(&self) -> u64 {
        self.rows_before(self.records)
    }

    /// Payloads and keys, as the service counts them.
    pub(crate) fn size_bytes(&self) -> usize {
        self.page.size_bytes()
    }

    /// What the page takes in memory.
    pub(crate) fn held_bytes(&self) -> usize {
        let counts = match &self.counts {
            Counts::OnePerRecord => 0,
            Counts::Before { rows, .. } => rows.len() * size_of::<u64>(),
        };
        let records = self.page.len() * RECORD_OVERHEAD_BYTES;
        PAGE_OVERHEAD_BYTES + self.page.size_bytes() + records + counts
    }

    /// As many rows from `row` on as both caps allow. The cap of rows cuts anywhere, the one of
    /// bytes between Kinesis records only.
    pub(crate) fn extent(&self, row: u64, rows: u64, bytes: usize) -> Extent {
        let first = self.place(row).record;
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

    /// The rows from `row` on of the Kinesis record it lies in, up to `rows`.
    pub(crate) fn record_at(&self, row: u64, rows: u64) -> Extent {
        let end = self.rows_before(self.place(row).record + 1);
        self.extent_to(row, end.min(row.saturating_add(rows)))
    }

    /// Rows `first..end`.
    pub(crate) fn slice(&self, first: u64, end: u64) -> PageSlice {
        PageSlice {
            page: self.page.clone(),
            first: self.place(first),
            end: self.place(end),
            checked: self.counts.are_checked(),
        }
    }

    /// The position behind `rows` rows of the page, which are more than none.
    pub(crate) fn position_behind(&self, rows: u64) -> ShardPosition {
        let place = self.place(rows);
        let (record, sub_sequence) = match place.sub.checked_sub(1) {
            Some(last) => (place.record, Some(last)),
            None => (place.record.saturating_sub(1), None),
        };
        self.after(record, sub_sequence)
    }

    /// The position behind the last record that is taken, of which there is one.
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
            sequence: number.expect("the numbers were checked when the page came"),
            sub_sequence,
        }
    }

    fn number(&self, record: usize) -> &str {
        let numbers = self.page.sequence_number();
        let numbers = numbers.expect("the numbers were there when the page came");
        numbers.value(record)
    }

    fn extent_to(&self, row: u64, end: u64) -> Extent {
        if end <= row {
            return Extent::default();
        }
        let behind = match &self.counts {
            Counts::OnePerRecord => self.place(end).record,
            Counts::Before { rows, .. } => rows.partition_point(|before| *before < end),
        };
        Extent {
            rows: end - row,
            bytes: self.bytes(self.place(row).record, behind),
        }
    }

    fn rows_before(&self, record: usize) -> u64 {
        match &self.counts {
            Counts::OnePerRecord => record as u64,
            Counts::Before { rows, .. } => rows[record],
        }
    }

    /// Where `row` lies; behind the last row, the end of the page.
    fn place(&self, row: u64) -> RowIndex {
        match &self.counts {
            Counts::OnePerRecord => RowIndex {
                record: usize::try_from(row).unwrap_or(usize::MAX).min(self.records),
                sub: 0,
            },
            Counts::Before { rows, .. } => {
                let record = rows.partition_point(|before| *before <= row) - 1;
                RowIndex {
                    record,
                    sub: row - rows[record],
                }
            }
        }
    }

    /// Payloads and keys of the records `first..end`.
    fn bytes(&self, first: usize, end: usize) -> usize {
        let span = |offsets: &[i32]| {
            let bytes = offsets[end] - offsets[first];
            usize::try_from(bytes).expect("offsets of an array never fall")
        };
        let keys = self.page.partition_key();
        span(self.page.data().value_offsets()) + keys.map_or(0, |keys| span(keys.value_offsets()))
    }
}
