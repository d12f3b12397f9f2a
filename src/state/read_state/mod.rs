//! The table function `read_state('<checkpoint location>'[, <batch>][, '<output>'])`: the groups of a streaming query.

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
use crate::model::{
    AGGREGATION, BatchId, Committed, OperatorProgress, RetryPolicy, aggregation_of,
};
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
    /// The statement of a statement set; `None` for a query of one statement.
    output: Option<String>,
}

impl Arguments {
    fn parse(args: &[Expr]) -> Result<Self> {
        let (location, batch, output) = match args {
            [location] => (location, None, None),
            [location, output] if text_of(output).is_some() => (location, None, Some(output)),
            [location, batch] => (location, Some(batch), None),
            [location, batch, output] => (location, Some(batch), Some(output)),
            args => {
                let count = args.len();
                return Err(wrong(&format!("{count} arguments")));
            }
        };
        let location =
            text_of(location).ok_or_else(|| wrong(&format!("{location} as its location")))?;
        let output = output.map(|output| {
            let name = text_of(output);
            name.ok_or_else(|| wrong(&format!("{output} as the name of an output")))
        });
        Ok(Self {
            location: location.to_owned(),
            batch: batch.map(batch_of).transpose()?,
            output: output.transpose()?.map(str::to_owned),
        })
    }

    /// The aggregation whose groups are wanted; `None` if the query has none.
    ///
    /// # Errors
    /// The query has several, or others than the wanted one.
    fn operator_in<'a>(
        &self,
        left: &'a Committed,
        location: &str,
        batch: BatchId,
    ) -> Result<Option<&'a OperatorProgress>> {
        let id = match &self.output {
            None => AGGREGATION.to_owned(),
            Some(output) => aggregation_of(output),
        };
        let found = left.operator(&id);
        if found.is_some() || left.operators.is_empty() {
            return Ok(found);
        }
        let suffix = aggregation_of("");
        let outputs = left.operators.iter();
        let outputs = outputs.filter_map(|operator| operator.id.strip_suffix(&suffix));
        let outputs: Vec<String> = outputs.map(|output| format!("'{output}'")).collect();
        Err(Error::invalid_option(match outputs.as_slice() {
            [] => format!(
                "checkpoint '{location}': batch {batch} is of a query of one statement: expected no name of an output"
            ),
            outputs => format!(
                "checkpoint '{location}': batch {batch} has state for these outputs of a statement set: {}: expected \
                 {READ_STATE}('<checkpoint location>', '<output>')",
                outputs.join(", ")
            ),
        }))
    }

    /// Finds the stored state.
    async fn find(self) -> Result<StoredGroups> {
        let log = Checkpoint::new(open(&self.location)?, RETRY, 1, fastrand::Rng::new());
        let (batch, left) = log.inspect(self.batch).await?;
        let location = log.location();
        let operator = self.operator_in(&left, &location, batch)?.cloned();
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

fn text_of(arg: &Expr) -> Option<&str> {
    match arg {
        Expr::Literal(text, _) => text.try_as_str().flatten(),
        _ => None,
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
         {READ_STATE}('<checkpoint location>', <number of a batch>), and for a statement set the name of an output \
         as a last argument"
    ))
}
