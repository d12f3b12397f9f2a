//! Sessions: rows of one key whose times follow each other within a gap.

use std::cmp::Ordering;

use datafusion::arrow::array::{Array, ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::Result;
use datafusion::common::utils::normalize_float_zero;

use super::time_steps::{numbers, times};

/// Two group columns that are start and end of a session.
///
/// A row alone is a session from its time to a gap later. Sessions of one key that overlap or touch are
/// one, as in Spark and Flink: a row that comes exactly a gap after the last one still belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionWindow {
    /// Which group column its start is.
    pub(crate) start: usize,
    /// Which group column its end is.
    pub(crate) end: usize,
    /// In the unit of the columns.
    pub(super) gap: i64,
}

impl SessionWindow {
    /// How long a session goes on after its last row, in the unit of the columns.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "asked for by state over batches")
    )]
    pub(crate) fn gap(&self) -> i64 {
        self.gap
    }

    /// The same of a batch that has the columns in other places.
    pub(crate) fn at(&self, start: usize, end: usize) -> Self {
        Self {
            start,
            end,
            gap: self.gap,
        }
    }

    /// The group columns out of `groups` that are not the session: what a session is one of.
    pub(crate) fn keys(&self, groups: usize) -> Vec<usize> {
        (0..groups)
            .filter(|column| ![self.start, self.end].contains(column))
            .collect()
    }

    /// Rows that are each a session, or a part of one, in any order: gives them in their order, with start
    /// and end of the session that they merge into. `keys` are the other group columns; rows without a
    /// time stay without one, and so are one group of their key.
    ///
    /// # Errors
    /// A batch whose columns are no timestamps, or keys that cannot be compared.
    pub(crate) fn assign(&self, rows: &RecordBatch, keys: &[usize]) -> Result<RecordBatch> {
        let (start, end) = (rows.column(self.start), rows.column(self.end));
        let (starts, ends) = (numbers(start)?, numbers(end)?);
        let keys = Keys::try_new(rows, keys)?;
        let mut order: Vec<usize> = (0..rows.num_rows())
            .filter(|row| starts.is_valid(*row))
            .collect();
        order.sort_unstable_by(|a, b| {
            let time = || starts.value(*a).cmp(&starts.value(*b));
            keys.compare(*a, *b).then_with(time)
        });

        let mut merged_starts = starts.values().to_vec();
        let mut merged_ends = ends.values().to_vec();
        let mut rest = order.as_slice();
        while let Some((first, others)) = rest.split_first() {
            let mut last = ends.value(*first);
            let joins = |row: &&usize| {
                let same = keys.compare(*first, **row).is_eq() && starts.value(**row) <= last;
                if same {
                    last = last.max(ends.value(**row));
                }
                same
            };
            let members = 1 + others.iter().take_while(joins).count();
            let (session, after) = rest.split_at(members);
            for row in session {
                merged_starts[*row] = starts.value(*first);
                merged_ends[*row] = last;
            }
            rest = after;
        }

        let mut columns = rows.columns().to_vec();
        for (place, values) in [(self.start, merged_starts), (self.end, merged_ends)] {
            let merged = Int64Array::new(values.into(), starts.nulls().cloned());
            columns[place] = times(merged, rows.column(place).data_type())?;
        }
        Ok(RecordBatch::try_new(rows.schema(), columns)?)
    }
}

/// The keys of rows, where there are any.
struct Keys(Option<Rows>);

impl Keys {
    fn try_new(rows: &RecordBatch, keys: &[usize]) -> Result<Self> {
        if keys.is_empty() {
            return Ok(Self(None));
        }
        // Zeros of both signs are one group.
        let column = |key: &usize| normalize_float_zero(rows.column(*key));
        let columns: Vec<ArrayRef> = keys.iter().map(column).collect();
        let fields = columns
            .iter()
            .map(|column| SortField::new(column.data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        Ok(Self(Some(converter.convert_columns(&columns)?)))
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        match &self.0 {
            Some(rows) => rows.row(a).cmp(&rows.row(b)),
            None => Ordering::Equal,
        }
    }
}
