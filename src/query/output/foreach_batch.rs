//! Calls the user's function with the rows of a batch.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::common::Result as DataFusionResult;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::TryStreamExt;

use super::BatchFunction;
use crate::error::{Error, ErrorKind};
use crate::model::BatchId;

/// An error of the rows, recorded to distinguish it from an error of the function.
type RowError = Arc<Mutex<Option<Arc<DataFusionError>>>>;

/// Calls `function` with the rows of a batch.
///
/// # Errors
/// The error of the rows, even if the function does not return it, because then rows are missing. Otherwise
/// [`UserFunction`](ErrorKind::UserFunction) with the error of the function, or the error itself if it is
/// one of this crate.
pub(super) async fn call(
    function: &BatchFunction,
    id: BatchId,
    rows: SendableRecordBatchStream,
) -> DataFusionResult<()> {
    let row_error = RowError::default();
    let done = function(id, recording_error(rows, &row_error)).await;
    if let Some(error) = lock(&row_error).take() {
        return Err(DataFusionError::Shared(error));
    }
    done.map_err(|error| match Error::find_in(&error) {
        Some(_) => error,
        None => {
            let message = format!("foreach_batch failed: {}", error.strip_backtrace());
            let failed = Error::new(ErrorKind::UserFunction, message);
            failed.with_source(error).into()
        }
    })
}

/// Passes `rows` through, and records their first error in `row_error`.
fn recording_error(
    rows: SendableRecordBatchStream,
    row_error: &RowError,
) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let row_error = Arc::clone(row_error);
    let rows = rows.map_err(move |error| {
        let error = Arc::new(error);
        lock(&row_error).get_or_insert_with(|| Arc::clone(&error));
        DataFusionError::Shared(error)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
