//! Columns that have the same value in all rows of a read, and columns taken from a page.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, StringArray, UInt32Array};

use crate::error::{Error, Result};
use crate::model::{ShardId, StreamName};

/// The values that all rows of a read share.
#[derive(Debug)]
pub(super) struct ReadColumns {
    stream: Repeated,
    shard: Repeated,
    /// The number of the read in its batch.
    pub(super) number: u32,
}

impl ReadColumns {
    pub(super) fn new(stream: &StreamName, shard: &ShardId) -> Self {
        Self {
            stream: Repeated::new(stream.as_str()),
            shard: Repeated::new(shard.as_str()),
            number: 0,
        }
    }

    pub(super) fn stream(&mut self, rows: usize) -> ArrayRef {
        self.stream.column(rows)
    }

    pub(super) fn shard(&mut self, rows: usize) -> ArrayRef {
        self.shard.column(rows)
    }

    pub(super) fn number(&self, rows: usize) -> ArrayRef {
        Arc::new(UInt32Array::from_value(self.number, rows))
    }
}

/// A text that all rows have. The batches of a read share one column of it.
#[derive(Debug)]
struct Repeated {
    text: Arc<str>,
    column: StringArray,
}

impl Repeated {
    fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            column: StringArray::new_null(0),
        }
    }

    fn column(&mut self, rows: usize) -> ArrayRef {
        let known = self.column.len();
        if rows > known {
            self.column = StringArray::new_repeated(&self.text, rows);
        } else if rows < known / 2 {
            // A part of a larger column counts with the memory of the whole one.
            return Arc::new(StringArray::new_repeated(&self.text, rows));
        }
        Arc::new(self.column.slice(0, rows))
    }
}

/// A column of a page. It exists because the columns of the rows determine which columns are
/// requested.
pub(super) fn of_page<A: Array + Clone + 'static>(column: Option<&A>) -> Result<ArrayRef> {
    match column {
        Some(column) => Ok(Arc::new(column.clone())),
        None => Err(Error::internal("a requested column is not in the page")),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::AsArray;

    use super::*;

    #[test]
    fn batches_of_similar_sizes_share_the_column_of_a_text() {
        let mut repeated = Repeated::new("words");
        let start = |column: &ArrayRef| column.as_string::<i32>().value_data().as_ptr();
        let first = repeated.column(1_000);
        let similar = repeated.column(600);
        let small = repeated.column(10);
        assert_eq!(start(&first), start(&similar));
        assert_ne!(start(&first), start(&small));
        let larger = repeated.column(2_000);
        for (column, rows) in [(first, 1_000), (similar, 600), (small, 10), (larger, 2_000)] {
            let texts = column.as_string::<i32>();
            assert_eq!(texts.len(), rows);
            assert!(texts.iter().all(|text| text == Some("words")));
        }
    }
}
