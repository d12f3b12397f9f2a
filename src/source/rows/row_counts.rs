//! Counts the rows of a page, and checks its sequence numbers and arrival times.

use datafusion::arrow::array::Array;

use crate::aggregation::{Opened, are_intact, looks_aggregated, open, open_checked};
use crate::error::{Error, Result};
use crate::kinesis::RecordsPage;
use crate::model::{SequenceNumber, UnixMillis};

/// The rows of each record of a page.
#[derive(Debug)]
pub(crate) enum RowCounts {
    /// No record is aggregated.
    OnePerRecord,
    /// Some records are aggregated.
    Before {
        /// The number of rows before each record, and finally of all rows.
        rows: Vec<u64>,
        /// Whether the checksum of each record that looks aggregated is right.
        checked: bool,
    },
}

impl RowCounts {
    /// Whether no checksum needs to be verified again.
    pub(crate) fn are_checked(&self) -> bool {
        match self {
            Self::OnePerRecord => true,
            Self::Before { checked, .. } => *checked,
        }
    }
}

/// The number of records before the first one that arrived later than `until`.
pub(crate) fn records_until(page: &RecordsPage, until: Option<UnixMillis>) -> usize {
    let (Some(until), Some(arrival)) = (until, page.arrival()) else {
        return page.len();
    };
    let last_micros = until.0.saturating_mul(1_000).saturating_add(999);
    let mut times = arrival.iter();
    let later = times.position(|time| time.is_some_and(|time| time > last_micros));
    later.unwrap_or(page.len())
}

/// Counts the rows of the first `records` records.
pub(crate) fn count_rows(page: &RecordsPage, records: usize) -> RowCounts {
    let data = page.data();
    if !(0..records).any(|record| looks_aggregated(data.value(record))) {
        return RowCounts::OnePerRecord;
    }
    let checked = are_intact((0..records).map(|record| data.value(record)));
    let open = if checked { open_checked } else { open };
    let mut total = 0;
    let mut rows = Vec::with_capacity(records + 1);
    rows.push(total);
    for record in 0..records {
        let data = data.value(record);
        total += match open(data) {
            Opened::Aggregate(users) => users.len() as u64,
            Opened::Damaged | Opened::Plain => 1,
        };
        rows.push(total);
    }
    RowCounts::Before { rows, checked }
}

/// Checks that each sequence number can be part of a position. Checked here, because later uses of the page
/// cannot return errors.
pub(crate) fn check_sequence_numbers(page: &RecordsPage) -> Result<()> {
    let Some(numbers) = page.sequence_number() else {
        return Err(Error::internal("a page has no sequence numbers"));
    };
    let is_valid = |record: &usize| SequenceNumber::is_valid(numbers.value(*record).as_bytes());
    match (0..numbers.len()).find(|record| !is_valid(record)) {
        None => Ok(()),
        Some(record) => Err(Error::internal(format!(
            "the service returned sequence number '{}', expected 1 to 128 decimal digits",
            numbers.value(record)
        ))),
    }
}
