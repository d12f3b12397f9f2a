//! [`ChunkSample`]: some groups of a chunk as text.

use std::fmt::{self, Write};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;

use super::chunk::{Chunk, ChunkColumns};
use super::{Groups, Layout};

/// The values of a group in the columns of the state; `None` for NULL.
pub(crate) type GroupTexts = Vec<Option<String>>;

/// How many characters of a value are taken.
const MAX_CHARS: usize = 200;

/// Some groups of a chunk, which later changes do not affect.
#[derive(Debug)]
pub(crate) struct ChunkSample {
    columns: Arc<ChunkColumns>,
    rows: Vec<usize>,
}

impl Groups {
    /// Some groups, at most `limit`.
    pub(crate) fn sample(&self, limit: usize) -> Vec<ChunkSample> {
        let mut left = limit;
        // What was added last is often found at the end.
        let chunks = self.chunks.iter().rev().flatten();
        let samples = chunks.map_while(|chunk| {
            let sample = (left > 0).then(|| chunk.sample(left))?;
            left -= sample.rows.len();
            Some(sample)
        });
        samples.collect()
    }
}

impl Chunk {
    fn sample(&self, limit: usize) -> ChunkSample {
        ChunkSample {
            columns: Arc::clone(&self.columns),
            rows: self.live_rows().take(limit).collect(),
        }
    }
}

impl ChunkSample {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The groups as text. Long values are cut off and end with `…`. States are not copied: one may be large.
    pub(crate) fn texts(&self, layout: &Layout) -> Result<Vec<GroupTexts>> {
        let ChunkColumns { keys, states, .. } = &*self.columns;
        let rows = self.rows.iter().map(|row| *row as u64);
        let keys = take(keys, &UInt64Array::from_iter_values(rows), None)?;
        let keys = layout.key_columns(keys.as_binary::<i32>().clone())?;
        let mut groups = vec![GroupTexts::new(); self.rows.len()];
        for column in &keys {
            add_texts(&mut groups, column, 0..self.rows.len())?;
        }
        for column in states {
            add_texts(&mut groups, column, self.rows.iter().copied())?;
        }
        Ok(groups)
    }
}

/// Adds the values of `column` in `rows`, one to each group.
fn add_texts(
    groups: &mut [GroupTexts],
    column: &ArrayRef,
    rows: impl Iterator<Item = usize>,
) -> Result<()> {
    let options = FormatOptions::default().with_null("NULL");
    let formatter = ArrayFormatter::try_new(column, &options)?;
    for (group, row) in groups.iter_mut().zip(rows) {
        let value = (!column.is_null(row)).then(|| {
            let mut start = Start::default();
            // Fails once there are enough characters.
            let _ = write!(start, "{}", formatter.value(row));
            start.text
        });
        group.push(value);
    }
    Ok(())
}

/// Takes the first characters of a text, then ends the writing.
#[derive(Debug, Default)]
struct Start {
    text: String,
    chars: usize,
}

impl Write for Start {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        match more.char_indices().nth(MAX_CHARS - self.chars) {
            Some((end, _)) => {
                self.text.push_str(&more[..end]);
                self.text.push('…');
                Err(fmt::Error)
            }
            None => {
                self.text.push_str(more);
                self.chars += more.chars().count();
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use datafusion::arrow::array::{Int64Array, ListArray, RecordBatch, StringArray};
    use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;

    fn rows(keys: StringArray, state: ArrayRef) -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("key", DataType::Utf8, true),
            Field::new("state", state.data_type().clone(), true),
        ]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(keys), state]).unwrap()
    }

    fn groups(rows: &RecordBatch) -> Groups {
        let layout = Layout::new(rows.schema(), 1, None, None).unwrap();
        let mut groups = Groups::new(Arc::new(layout));
        groups.load(rows).unwrap();
        groups
    }

    fn texts(groups: &Groups, limit: usize) -> Vec<GroupTexts> {
        let samples = groups.sample(limit).into_iter();
        let texts = samples.map(|sample| sample.texts(&groups.layout).unwrap());
        texts.flatten().collect()
    }

    #[test]
    fn a_sample_has_live_groups_only_and_not_too_many() {
        let counts = |keys: Range<i64>| {
            let texts = StringArray::from_iter_values(keys.clone().map(|key| key.to_string()));
            rows(texts, Arc::new(Int64Array::from_iter_values(keys)))
        };
        let mut groups = groups(&counts(0..100));
        groups.take(&counts(0..90)).unwrap();
        let expected = |keys: Range<i64>| -> Vec<GroupTexts> {
            let texts = keys.map(|key| vec![Some(key.to_string()); 2]);
            texts.collect()
        };
        assert_eq!(texts(&groups, 20), expected(90..100));
        assert_eq!(texts(&groups, 3), expected(90..93));
        assert_eq!(texts(&groups, 0), expected(0..0));
    }

    #[test]
    fn long_values_are_cut_off_and_null_is_no_text() {
        let long = "é".repeat(MAX_CHARS + 1);
        let fits = "é".repeat(MAX_CHARS);
        let keys = [Some(long.as_str()), Some(&fits), None];
        let many = (0..1_000_000).map(Some);
        let lists = [
            Some(many.collect::<Vec<_>>()),
            Some(vec![Some(7), None]),
            None,
        ];
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
        let groups = groups(&rows(StringArray::from_iter(keys), Arc::new(lists)));
        let found = texts(&groups, 20);
        assert_eq!(found[0][0], Some(format!("{fits}…")));
        let list = found[0][1].as_ref().unwrap();
        assert!(
            list.starts_with("[0, 1, 2, ") && list.ends_with('…'),
            "{list}"
        );
        assert_eq!(list.chars().count(), MAX_CHARS + 1);
        assert_eq!(found[1], [Some(fits), Some("[7, NULL]".to_owned())]);
        assert_eq!(found[2], [None, None]);
    }
}
