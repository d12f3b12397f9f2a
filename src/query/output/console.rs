//! Prints the first rows of each batch.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::util::pretty::pretty_format_batches_with_schema;
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;
use tokio::task::spawn_blocking;

use crate::model::BatchId;

/// How many rows of a batch are printed. The others are only counted.
const SHOWN_ROWS: usize = 20;

const LINE: &str = "-------------------------------------------";

/// Prints batches as tables.
pub(in crate::query) struct Console {
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
}

impl Console {
    /// Prints to `writer`.
    pub(in crate::query) fn new(writer: impl Write + Send + 'static) -> Self {
        Self {
            writer: Arc::new(Mutex::new(Box::new(writer))),
        }
    }

    /// Prints to the standard output of the process.
    pub(in crate::query) fn stdout() -> Self {
        Self::new(io::stdout())
    }

    /// Reads all of `rows`, prints the first ones, and returns their number.
    pub(super) async fn print(
        &self,
        batch: BatchId,
        mut rows: SendableRecordBatchStream,
    ) -> Result<u64> {
        let schema = rows.schema();
        let (mut shown, mut shown_rows, mut count) = (Vec::new(), 0, 0);
        while let Some(next) = rows.try_next().await? {
            let length = next.num_rows().min(SHOWN_ROWS - shown_rows);
            if length > 0 {
                shown.push(next.slice(0, length));
            }
            shown_rows += length;
            count += next.num_rows() as u64;
        }
        let text = page(batch, &schema, &shown, count)?;
        let writer = Arc::clone(&self.writer);
        // Writing may block indefinitely: standard output may be a pipe that nobody reads.
        let written = spawn_blocking(move || {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.write_all(text.as_bytes())?;
            writer.flush()
        });
        written.await.map_err(io::Error::other)??;
        Ok(count)
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Console")
    }
}

fn page(batch: BatchId, schema: &SchemaRef, shown: &[RecordBatch], count: u64) -> Result<String> {
    let table = pretty_format_batches_with_schema(Arc::clone(schema), shown)?;
    let rest = match count {
        count if count > SHOWN_ROWS as u64 => format!("the first {SHOWN_ROWS} of {count} rows\n"),
        _ => String::new(),
    };
    Ok(format!("{LINE}\nBatch: {batch}\n{LINE}\n{table}\n{rest}\n"))
}
