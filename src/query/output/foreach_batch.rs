//! The function of the user that is given the rows of a batch.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::common::Result as DataFusionResult;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::TryStreamExt;

use super::BatchFunction;
use crate::error::{Error, ErrorKind};
use crate::model::BatchId;

/// An error that the rows gave the function, kept to tell it from one of the function itself.
type Kept = Arc<Mutex<Option<Arc<DataFusionError>>>>;

/// Calls `function` with the rows of a batch.
///
/// # Errors
/// What made computing the rows fail, also where the function does not pass it on: rows are missing then.
/// Else [`UserFunction`](ErrorKind::UserFunction) with what the function said, or an error of this crate
/// that it has given.
pub(super) async fn call(
    function: &BatchFunction,
    id: BatchId,
    rows: SendableRecordBatchStream,
) -> DataFusionResult<()> {
    let kept = Kept::default();
    let done = function(id, keeping(rows, &kept)).await;
    if let Some(error) = lock(&kept).take() {
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

/// `rows`, whose error is also put into `kept`.
fn keeping(rows: SendableRecordBatchStream, kept: &Kept) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let kept = Arc::clone(kept);
    let rows = rows.map_err(move |error| {
        let error = Arc::new(error);
        lock(&kept).get_or_insert_with(|| Arc::clone(&error));
        DataFusionError::Shared(error)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
