//! Functions of a row's time that the Partial step groups by, in the unit of the time column.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, Schema};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use crate::error::Error;

/// Timestamps as integers in their unit.
pub(super) fn numbers(times: &ArrayRef) -> Result<Int64Array> {
    Ok(cast(times, &DataType::Int64)?
        .as_primitive::<Int64Type>()
        .clone())
}

/// Integers as timestamps of type `kind`.
pub(super) fn times(numbers: Int64Array, kind: &DataType) -> Result<ArrayRef> {
    Ok(cast(&(Arc::new(numbers) as ArrayRef), kind)?)
}

/// The largest multiple of `width` at or before `time`; `None` if it is out of range.
pub(super) fn floor(time: i64, width: i64) -> Option<i64> {
    time.checked_sub(time.checked_rem_euclid(width)?)
}

/// How a group column is computed from the time of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// The start of the pane: a multiple of `width`. It fails if a window that starts `before` earlier would
    /// be out of range.
    Pane { width: i64, before: i64 },
    /// The time plus this many units.
    Later(i64),
}

impl Step {
    fn of(self, time: i64) -> Option<i64> {
        match self {
            Self::Pane { width, before } => {
                let pane = floor(time, width)?;
                pane.checked_sub(before).map(|_| pane)
            }
            Self::Later(gap) => time.checked_add(gap),
        }
    }
}

/// A [`Step`] as a function. Unlike `date_bin` and `+`, it is exact in every unit and time zone and over the
/// whole range of the type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct StepFunction {
    step: Step,
    signature: Signature,
}

/// An expression that applies `step` to the first argument of `call` and has the output field of `call`.
pub(super) fn step_of(
    call: &ScalarFunctionExpr,
    input: &Schema,
    step: Step,
) -> Result<Arc<dyn PhysicalExpr>> {
    let Some(time) = call.args().first() else {
        return internal_err!("{} without a timestamp", call.name());
    };
    let function = StepFunction {
        step,
        signature: Signature::any(1, Volatility::Immutable),
    };
    let name = function.name().to_owned();
    Ok(Arc::new(ScalarFunctionExpr::new(
        &name,
        Arc::new(ScalarUDF::from(function)),
        vec![Arc::clone(time)],
        call.return_field(input)?,
        Arc::new(ConfigOptions::new()),
    )))
}

impl ScalarUDFImpl for StepFunction {
    fn name(&self) -> &str {
        match self.step {
            Step::Pane { .. } => "pane",
            Step::Later(_) => "later",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [kind] => Ok(kind.clone()),
            _ => internal_err!("a step is taken from one time"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let Some(time) = arguments.args.into_iter().next() else {
            return internal_err!("a step without a time");
        };
        let array = time.into_array(rows)?;
        let step = |time| {
            self.step.of(time).ok_or_else(|| {
                let error = Error::invalid_row(format!(
                    "the window of time {time} ({}) is out of range for its type: filter such rows out",
                    array.data_type()
                ));
                DataFusionError::from(error)
            })
        };
        let stepped = numbers(&array)?.try_unary::<_, Int64Type, _>(step)?;
        Ok(ColumnarValue::Array(times(stepped, array.data_type())?))
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        Ok(inputs
            .first()
            .map_or(SortProperties::Unordered, |time| time.sort_properties))
    }
}
