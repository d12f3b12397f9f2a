//! Session windows: rows of a key whose times are at most a gap apart.

use std::cmp::Ordering;

use datafusion::arrow::array::{Array, ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::Result;
use datafusion::common::utils::normalize_float_zero;

use super::time_steps::{numbers, times};

/// Two group columns that are the start and end of a session.
///
/// A single row is a session from its time to its time plus the gap. Sessions of a key that overlap or touch
/// are merged, as in Spark and Flink: a row exactly one gap after the last still belongs to the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionWindow {
    /// The index of the group column that is its start.
    pub(crate) start: usize,
    /// The index of the group column that is its end.
    pub(crate) end: usize,
    /// The gap, in the unit of the columns.
    pub(super) gap: i64,
}

impl SessionWindow {
    /// The same window for a batch that has the two columns at other indices.
    pub(crate) fn at(&self, start: usize, end: usize) -> Self {
        Self {
            start,
            end,
            gap: self.gap,
        }
    }

    /// The indices of the other group columns, out of `groups`: the key of a session.
    pub(crate) fn keys(&self, groups: usize) -> Vec<usize> {
        (0..groups)
            .filter(|column| ![self.start, self.end].contains(column))
            .collect()
    }

    /// Assigns each of `rows`, which is a session or part of one, the start and end of the session that it
    /// merges into. Rows may come in any order and keep it. `keys` are the other group columns. Rows without
    /// a time are not changed, and form one group per key.
    ///
    /// # Errors
    /// The columns are not timestamps, or the keys cannot be compared.
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
        for (index, values) in [(self.start, merged_starts), (self.end, merged_ends)] {
            let merged = Int64Array::new(values.into(), starts.nulls().cloned());
            columns[index] = times(merged, rows.column(index).data_type())?;
        }
        Ok(RecordBatch::try_new(rows.schema(), columns)?)
    }
}

/// The keys of rows in a comparable format, if there are key columns.
struct Keys(Option<Rows>);

impl Keys {
    fn try_new(rows: &RecordBatch, keys: &[usize]) -> Result<Self> {
        if keys.is_empty() {
            return Ok(Self(None));
        }
        // 0.0 and -0.0 are the same group.
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
