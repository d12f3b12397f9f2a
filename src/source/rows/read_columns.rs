//! Columns that have the same value in all rows of a read, and columns taken from a page.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, StringArray, UInt32Array};

use crate::error::{Error, Result};
use crate::model::{ShardId, StreamName};

/// The values that all rows of a read share.
#[derive(Debug)]
pub(super) struct ReadColumns {
    pub(super) stream: StreamName,
    pub(super) shard: ShardId,
    /// The number of the read in its batch.
    pub(super) number: u32,
}

impl ReadColumns {
    pub(super) fn stream(&self, rows: usize) -> ArrayRef {
        repeated(self.stream.as_str(), rows)
    }

    pub(super) fn shard(&self, rows: usize) -> ArrayRef {
        repeated(self.shard.as_str(), rows)
    }

    pub(super) fn number(&self, rows: usize) -> ArrayRef {
        Arc::new(UInt32Array::from_value(self.number, rows))
    }
}

fn repeated(text: &str, rows: usize) -> ArrayRef {
    Arc::new(StringArray::new_repeated(text, rows))
}

/// A column of a page. It exists because the columns of the rows determine which columns are
/// requested.
pub(super) fn of_page<A: Array + Clone + 'static>(column: Option<&A>) -> Result<ArrayRef> {
    match column {
        Some(column) => Ok(Arc::new(column.clone())),
        None => Err(Error::internal("a requested column is not in the page")),
    }
}
