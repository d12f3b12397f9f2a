//! `bin_end`: the ends of tumbling windows.

use std::sync::Arc;

use datafusion::arrow::array::Int64Array;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_plan::aggregates::PhysicalGroupBy;

use super::bins::{BinSize, Bins};
use super::time_steps::{numbers, times};
use crate::error::Error;

/// The function `bin_end(start, size[, origin])`: the end of the `date_bin` window that starts at `start`.
pub(super) const BIN_END: &str = "bin_end";

/// Refuses tumbling windows of zero or negative size, which DataFusion accepts.
///
/// # Errors
/// [`InvalidOption`](crate::ErrorKind::InvalidOption), with the size.
pub(super) fn refuse_sizes(group_by: &PhysicalGroupBy) -> Result<()> {
    for (group, _) in group_by.expr() {
        let call = group.downcast_ref::<ScalarFunctionExpr>();
        let call = call.filter(|call| call.name() == "date_bin");
        let size = call.and_then(|call| call.args().first());
        if let Some(size) = size.and_then(|size| size.downcast_ref::<Literal>())
            && !size.value().is_null()
        {
            BinSize::of(size.value())?;
        }
    }
    Ok(())
}

/// `bin_end` as a function.
pub(crate) fn bin_end() -> Arc<ScalarUDF> {
    let counts = [TypeSignature::Any(2), TypeSignature::Any(3)];
    let signature = Signature::one_of(counts.to_vec(), Volatility::Immutable);
    Arc::new(ScalarUDF::from(BinEnd { signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct BinEnd {
    signature: Signature,
}

impl ScalarUDFImpl for BinEnd {
    fn name(&self) -> &str {
        BIN_END
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [start @ DataType::Timestamp(..), ..] => Ok(start.clone()),
            others => Err(Error::invalid_option(format!(
                "window_end of type {}: expected a timestamp; CAST converts a string to one",
                others.first().map_or_else(String::new, ToString::to_string)
            ))
            .into()),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let (start, size, origin) = match arguments.args.as_slice() {
            [start, ColumnarValue::Scalar(size)] => (start, size, None),
            [
                start,
                ColumnarValue::Scalar(size),
                ColumnarValue::Scalar(origin),
            ] => (start, size, Some(origin)),
            _ => {
                return Err(Error::unsupported(
                    "tumble(ts, size, origin): size and origin must be constants",
                )
                .into());
            }
        };
        let is_scalar = matches!(start, ColumnarValue::Scalar(_));
        let starts = start.to_array(if is_scalar { 1 } else { rows })?;
        let kind = starts.data_type().clone();
        let DataType::Timestamp(unit, _) = kind else {
            return Err(Error::internal(format!("{BIN_END} of a {kind}")).into());
        };
        let bins = Bins::of(size, origin)?;
        let end = |start| {
            bins.end(start, unit).ok_or_else(|| {
                DataFusionError::from(Error::invalid_row(format!(
                    "the end of the window that starts at {start} ({kind}) is out of range for its type: \
                     filter such rows out"
                )))
            })
        };
        let ends: Int64Array = numbers(&starts)?.try_unary::<_, Int64Type, _>(end)?;
        let ends = times(ends, &kind)?;
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&ends, 0)?),
            false => ColumnarValue::Array(ends),
        })
    }
}
