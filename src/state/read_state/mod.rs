//! The table function `read_state('<checkpoint location>'[, <batch>])`: the groups of a streaming query.

mod blocking;
mod groups;

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result as DataFusionResult, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::logical_expr::Expr;

use self::groups::StoredGroups;
use crate::checkpoint::{Checkpoint, StateObjects, open};
use crate::error::{Error, Result};
use crate::model::{AGGREGATION, BatchId, RetryPolicy};
use crate::sql::READ_STATE;
use crate::state::StateDirectory;

/// Short, because planning a statement waits for these retries.
const RETRY: RetryPolicy = RetryPolicy {
    max_retries: 3,
    first_interval: Duration::from_millis(200),
    max_interval: Duration::from_secs(1),
};

/// Registers the function.
pub(crate) fn install(state: &mut SessionState) {
    state.register_udtf(READ_STATE, Arc::new(ReadState));
}

/// The table function. It reads the log while a statement is planned, which determines the columns, and the groups when
/// the statement runs. It blocks the planning thread: [`sql`](fn@crate::sql) plans such a statement on a blocking
/// thread.
#[derive(Debug)]
struct ReadState;

impl TableFunctionImpl for ReadState {
    fn call_with_args(&self, args: TableFunctionArgs) -> DataFusionResult<Arc<dyn TableProvider>> {
        let arguments = Arguments::parse(args.exprs())?;
        Ok(Arc::new(blocking::wait(arguments.find())?))
    }
}

/// The arguments of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Arguments {
    location: String,
    /// `None` for the newest.
    batch: Option<BatchId>,
}

impl Arguments {
    fn parse(args: &[Expr]) -> Result<Self> {
        let (location, batch) = match args {
            [location] => (location, None),
            [location, batch] => (location, Some(batch)),
            args => {
                let count = args.len();
                return Err(wrong(&format!("{count} arguments")));
            }
        };
        let text = match location {
            Expr::Literal(text, _) => text.try_as_str().flatten(),
            _ => None,
        };
        let text = text.ok_or_else(|| wrong(&format!("{location} as its location")));
        Ok(Self {
            location: text?.to_owned(),
            batch: batch.map(batch_of).transpose()?,
        })
    }

    /// Finds the stored state.
    async fn find(self) -> Result<StoredGroups> {
        let log = Checkpoint::new(open(&self.location)?, RETRY, 1, fastrand::Rng::new());
        let (batch, left) = log.inspect(self.batch).await?;
        let location = log.location();
        let operator = left.operator(AGGREGATION).cloned();
        let input = operator
            .as_ref()
            .and_then(|operator| operator.inputs.first());
        let watermark = input.and_then(|input| input.watermark);
        let Some(files) = operator.and_then(|operator| operator.files) else {
            return Err(Error::invalid_option(format!(
                "checkpoint '{location}': batch {batch} has no state: expected the checkpoint location of a \
                 query with GROUP BY or DISTINCT over an unbounded table"
            )));
        };
        let directory = directory(&self.location)?;
        let Some((columns, described)) = directory.columns(&files).await? else {
            return Err(Error::invalid_option(format!(
                "checkpoint '{location}': there are no groups up to batch {batch}, so the columns are unknown: \
                 expected a later batch, once there are rows"
            )));
        };
        Ok(StoredGroups::new(
            self.location,
            batch,
            files,
            watermark,
            columns,
            described,
        ))
    }
}

/// The state files at `location`.
fn directory(location: &str) -> Result<StateDirectory> {
    let objects = StateObjects::at(location, RETRY, fastrand::Rng::new())?;
    Ok(StateDirectory::new(objects))
}

fn batch_of(arg: &Expr) -> Result<BatchId> {
    let number = match arg {
        Expr::Literal(number, _) if number.data_type().is_integer() => {
            number.cast_to(&DataType::UInt64).ok()
        }
        _ => None,
    };
    match number {
        Some(ScalarValue::UInt64(Some(number))) => Ok(BatchId(number)),
        _ => Err(wrong(&format!("{arg} as the number of a batch"))),
    }
}

fn wrong(found: &str) -> Error {
    Error::invalid_option(format!(
        "{READ_STATE} was given {found}: expected {READ_STATE}('<checkpoint location>') or \
         {READ_STATE}('<checkpoint location>', <number of a batch>)"
    ))
}
