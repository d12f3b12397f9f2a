//! Searches for the record that fails.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{AsArray, RecordBatch, UInt64Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use futures::TryStreamExt;

use super::expression::failing_expression;
use super::message::{Cause, RecordFailure};
use super::plan_part::{PlanPart, parts};
use crate::error::{Error, ErrorKind, datafusion_kind};
use crate::source::RowColumn;

/// After this time the search ends, and the error is reported without a record.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(60);

/// Adds the record to `error`, an error of running `plan`, if a row caused the error and its record is found.
pub(crate) async fn with_record(
    plan: &Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
    error: DataFusionError,
) -> DataFusionError {
    let found = search(plan, context, &error).await;
    found.map_or(error, Into::into)
}

/// Finds the record of a stream for which `plan` fails the way it did with `error`.
pub(super) async fn search(
    plan: &Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
    error: &DataFusionError,
) -> Option<Error> {
    if datafusion_kind(error) != ErrorKind::InvalidRow {
        return None;
    }
    let searched = tokio::time::timeout(SEARCH_TIMEOUT, Box::pin(find(plan, context))).await;
    match searched {
        Ok(Ok(found)) => found,
        Ok(Err(failed)) => {
            tracing::debug!(error = %failed, "the record that failed was not found");
            None
        }
        Err(_) => {
            tracing::debug!("the record that failed was not found in time");
            None
        }
    }
}

async fn find(plan: &Arc<dyn ExecutionPlan>, context: &Arc<TaskContext>) -> Result<Option<Error>> {
    for part in parts(plan) {
        let mut batches = part.records(context)?;
        while let Some(records) = batches.try_next().await? {
            if failure_of(&part, &records, context).await?.is_some() {
                return bisect(&part, records, context).await;
            }
        }
    }
    Ok(None)
}

/// The error of computing `records`, if a value in them causes one.
async fn failure_of(
    part: &PlanPart<'_>,
    records: &RecordBatch,
    context: &Arc<TaskContext>,
) -> Result<Option<DataFusionError>> {
    match part.run(part.height(), records, context).await {
        Ok(_) => Ok(None),
        Err(error) if datafusion_kind(&error) == ErrorKind::InvalidRow => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

/// Copies `rows` of `records`. A slice would share the buffers of all records, and a cast to string validates
/// whole buffers.
fn copied(records: &RecordBatch, rows: Range<usize>) -> Result<RecordBatch> {
    let rows = rows.map(|row| row as u64);
    let rows = UInt64Array::from_iter_values(rows);
    Ok(take_record_batch(records, &rows)?)
}

/// Bisects `records` down to the one that fails.
async fn bisect(
    part: &PlanPart<'_>,
    mut records: RecordBatch,
    context: &Arc<TaskContext>,
) -> Result<Option<Error>> {
    let all = records.clone();
    while records.num_rows() > 1 {
        let half = records.num_rows() / 2;
        let first = copied(&records, 0..half)?;
        records = match failure_of(part, &first, context).await? {
            Some(_) => first,
            None => copied(&records, half..records.num_rows())?,
        };
    }
    // Some records fail only together, such as those of a sum.
    let Some(error) = failure_of(part, &records, context).await? else {
        return Ok(None);
    };
    let decoded = part.run(part.decoding_height(), &records, context).await;
    if let Err(error) = decoded {
        let failure = RecordFailure {
            stream: part.stream(),
            records: &records,
            is_alone: is_alone(&records, &all),
            is_decoded: true,
            cause: Cause::Payload,
            error: &error,
        };
        return Ok(Some(failure.describe()));
    }
    let expression = failing_expression(part, &records, context).await;
    // An expression that fails without a record does not fail because of the record.
    if expression.as_ref().is_some_and(|failing| failing.always) {
        return Ok(None);
    }
    let cause = match (expression, part.encoding_height()) {
        (None, Some(height)) if part.run(height, &records, context).await.is_ok() => {
            Cause::Encoding
        }
        (expression, _) => Cause::Expression(expression),
    };
    let failure = RecordFailure {
        stream: part.stream(),
        records: &records,
        is_alone: is_alone(&records, &all),
        is_decoded: part.decoding_height() > 0,
        cause,
        error: &error,
    };
    Ok(Some(failure.describe()))
}

/// Whether no other of `all` records has the sequence number of the only one in `record`. Others have it if they come
/// from the same aggregated record.
fn is_alone(record: &RecordBatch, all: &RecordBatch) -> bool {
    let numbers = |records: &RecordBatch| {
        let column = records.column_by_name(RowColumn::SequenceNumber.name())?;
        column.as_string_opt::<i32>().cloned()
    };
    let (Some(record), Some(all)) = (numbers(record), numbers(all)) else {
        return true;
    };
    let same = all
        .iter()
        .filter(|number| *number == record.iter().next().flatten());
    same.count() <= 1
}
