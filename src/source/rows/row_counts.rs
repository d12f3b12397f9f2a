//! What there is to know of a page before it is cut: its numbers, its rows, and where it ends.

use datafusion::arrow::array::{Array, StringArray};

use crate::aggregation::{Opened, looks_aggregated, open};
use crate::error::{Error, Result};
use crate::kinesis::RecordsPage;
use crate::model::UnixMillis;

/// The rows of each record of a page.
#[derive(Debug)]
pub(crate) enum Counts {
    /// No record is an aggregate.
    OnePerRecord,
    /// Some are.
    Before {
        /// Rows before each record, and at last all rows.
        rows: Vec<u64>,
        /// Whether each record that looks like an aggregate is one by its checksum.
        checked: bool,
    },
}

impl Counts {
    /// Whether no checksum of an aggregate has to be looked at once more.
    pub(crate) fn are_checked(&self) -> bool {
        match self {
            Self::OnePerRecord => true,
            Self::Before { checked, .. } => *checked,
        }
    }
}

/// Records before the first one that arrived later than `until`.
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
pub(crate) fn count(page: &RecordsPage, records: usize) -> Counts {
    let data = page.data();
    if !(0..records).any(|record| looks_aggregated(data.value(record))) {
        return Counts::OnePerRecord;
    }
    let mut total = 0;
    let mut checked = true;
    let mut rows = Vec::with_capacity(records + 1);
    rows.push(total);
    for record in 0..records {
        let data = data.value(record);
        total += match open(data) {
            Opened::Aggregate(users) => users.len() as u64,
            Opened::Damaged => 1,
            Opened::Plain => {
                checked &= !looks_aggregated(data);
                1
            }
        };
        rows.push(total);
    }
    Counts::Before { rows, checked }
}

/// Checks here, where an error has a way out, that a place can be named by any of the numbers.
pub(crate) fn check_numbers(page: &RecordsPage) -> Result<()> {
    let Some(numbers) = page.sequence_number() else {
        return Err(Error::internal("a page came without its sequence numbers"));
    };
    match (0..numbers.len()).find(|record| !is_number(numbers, *record)) {
        None => Ok(()),
        Some(record) => Err(Error::internal(format!(
            "the service gave sequence number '{}', expected 1 to 128 decimal digits",
            numbers.value(record)
        ))),
    }
}

fn is_number(numbers: &StringArray, record: usize) -> bool {
    let digits = numbers.value(record).as_bytes();
    matches!(digits.len(), 1..=128)
        && digits.iter().all(u8::is_ascii_digit)
        && (digits[0] != b'0' || digits.len() == 1)
}
