//! The search for a record that fails.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{RecordBatch, UInt64Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use futures::TryStreamExt;

use super::expression::failing_expression;
use super::message::RecordFailure;
use super::plan_part::{PlanPart, parts};
use crate::error::{Error, ErrorKind, kind_in};

/// How long is searched before the error is given as it is.
const LONGEST_SEARCH: Duration = Duration::from_secs(60);

/// `error` of running `plan`, with the record that it came up at where it is one of computing rows and the
/// record is found.
pub(crate) async fn with_record(
    plan: &Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
    error: DataFusionError,
) -> DataFusionError {
    let found = search(plan, context, &error).await;
    found.map_or(error, Into::into)
}

/// The record of a stream at which `plan` fails, as it has with `error`.
pub(super) async fn search(
    plan: &Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
    error: &DataFusionError,
) -> Option<Error> {
    if kind_in(error) != ErrorKind::InvalidRow {
        return None;
    }
    let searched = tokio::time::timeout(LONGEST_SEARCH, Box::pin(find(plan, context))).await;
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
                return one_of(&part, records, context).await;
            }
        }
    }
    Ok(None)
}

/// How computing `records` fails because of a value in them, if it does.
async fn failure_of(
    part: &PlanPart<'_>,
    records: &RecordBatch,
    context: &Arc<TaskContext>,
) -> Result<Option<DataFusionError>> {
    match part.run(part.height(), records, context).await {
        Ok(_) => Ok(None),
        Err(error) if kind_in(&error) == ErrorKind::InvalidRow => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

/// Some of `records`, copied: a slice would hold the bytes of the others, and a cast to text looks at these.
fn some_of(records: &RecordBatch, rows: Range<usize>) -> Result<RecordBatch> {
    let rows = rows.map(|row| row as u64);
    let rows = UInt64Array::from_iter_values(rows);
    Ok(take_record_batch(records, &rows)?)
}

/// The one of `records` that fails by itself: they are halved until it is left.
async fn one_of(
    part: &PlanPart<'_>,
    mut records: RecordBatch,
    context: &Arc<TaskContext>,
) -> Result<Option<Error>> {
    while records.num_rows() > 1 {
        let half = records.num_rows() / 2;
        let first = some_of(&records, 0..half)?;
        records = match failure_of(part, &first, context).await? {
            Some(_) => first,
            None => some_of(&records, half..records.num_rows())?,
        };
    }
    // Some fail only together, such as those of a sum.
    let Some(error) = failure_of(part, &records, context).await? else {
        return Ok(None);
    };
    let expression = failing_expression(part, &records, context).await;
    // What fails without a record as well is no fault of one.
    if expression.as_ref().is_some_and(|failing| failing.always) {
        return Ok(None);
    }
    let failure = RecordFailure {
        stream: part.stream(),
        records: &records,
        expression,
        error: &error,
    };
    Ok(Some(failure.describe()))
}
