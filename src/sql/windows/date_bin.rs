//! `date_bin`, exact over the whole range of a timestamp.
//!
//! DataFusion computes `date_bin` in nanoseconds, and gives NULL for times that these do not reach: before 1677
//! and after 2262. A streaming query would group such rows under NULL, a window that never ends.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Int64Array};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::datetime;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::bins::Bins;
use super::time_steps::{numbers, times};
use crate::error::Error;

/// `date_bin` as a function.
pub(crate) fn date_bin() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(DateBin {
        of_datafusion: datetime::date_bin(),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DateBin {
    of_datafusion: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for DateBin {
    fn name(&self) -> &str {
        self.of_datafusion.name()
    }

    fn signature(&self) -> &Signature {
        self.of_datafusion.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.of_datafusion.return_type(arguments)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let given = arguments.args.clone();
        let starts = self.of_datafusion.invoke_with_args(arguments)?;
        let DataType::Timestamp(unit, _) = starts.data_type() else {
            return Ok(starts);
        };
        let (time, size, origin) = match given.as_slice() {
            [ColumnarValue::Scalar(size), time] => (time, size, None),
            [
                ColumnarValue::Scalar(size),
                time,
                ColumnarValue::Scalar(origin),
            ] => (time, size, Some(origin)),
            _ => return Ok(starts),
        };
        // Negative sizes are no windows.
        let Some(bins) = (!size.is_null())
            .then(|| Bins::of(size, origin).ok())
            .flatten()
        else {
            return Ok(starts);
        };
        Ok(match (starts, time) {
            (ColumnarValue::Array(starts), time) => {
                let time = time.to_array(rows)?;
                ColumnarValue::Array(completed(starts, &time, bins, unit)?)
            }
            (ColumnarValue::Scalar(start), ColumnarValue::Scalar(time)) => {
                let starts = completed(start.to_array()?, &time.to_array()?, bins, unit)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&starts, 0)?)
            }
            (starts, ColumnarValue::Array(_)) => starts,
        })
    }

    fn output_ordering(&self, input: &[ExprProperties]) -> Result<SortProperties> {
        self.of_datafusion.output_ordering(input)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.of_datafusion.documentation()
    }
}

/// `starts` with those of the times that nanoseconds do not reach.
fn completed(starts: ArrayRef, time: &ArrayRef, bins: Bins, unit: TimeUnit) -> Result<ArrayRef> {
    if starts.null_count() == time.null_count() {
        return Ok(starts);
    }
    let (known, given) = (numbers(&starts)?, numbers(time)?);
    let start = |(known, time): (Option<i64>, Option<i64>)| match (known, time) {
        (None, Some(time)) => bins.start(time, unit).map(Some).ok_or_else(|| {
            Error::invalid_row(format!(
                "the window of time {time} ({}) is out of range for its type: filter such rows out",
                starts.data_type()
            ))
        }),
        (known, _) => Ok(known),
    };
    let all: Int64Array = known
        .iter()
        .zip(&given)
        .map(start)
        .collect::<Result<_, _>>()?;
    times(all, starts.data_type())
}
