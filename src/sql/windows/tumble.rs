//! Tumbling windows, as `date_bin` computes them, and their ends.
//!
//! A window ends where the next one starts, which is not always start plus size. For monthly windows that
//! start on the 31st, the window that starts on 29 February ends on 31 March. And `date_bin` counts days of 24
//! hours in UTC from the origin, while `+ INTERVAL '1 day'` follows the timestamp's time zone.

use std::sync::Arc;

use chrono::{DateTime, Datelike, Months, Utc};
use datafusion::arrow::array::Int64Array;
use datafusion::arrow::datatypes::{
    DataType, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_plan::aggregates::PhysicalGroupBy;

use super::time_steps::{numbers, times};
use crate::error::Error;

/// The function `bin_end(start, size[, origin])`: the end of the `date_bin` window that starts at `start`.
pub(super) const BIN_END: &str = "bin_end";

/// What the size of a tumbling window must be.
const EXPECTED: &str = "expected a positive duration, either in months or in days and shorter units, such \
    as INTERVAL '1 minute'";

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND;

/// The size of tumbling windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinSize {
    Months(i32),
    Nanos(i64),
}

/// A series of tumbling windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bins {
    pub(crate) size: BinSize,
    /// The start of one of them, in nanoseconds since 1970-01-01 UTC.
    pub(crate) origin: i64,
}

impl BinSize {
    /// Converts the interval `value` to the size of windows.
    ///
    /// # Errors
    /// It is not positive, or mixes months with shorter units.
    pub(crate) fn of(value: &ScalarValue) -> Result<Self> {
        let kind = DataType::Interval(IntervalUnit::MonthDayNano);
        let wrong = || {
            Error::invalid_option(format!(
                "tumble(ts, size) and date_bin(size, ts): the size is {value}: {EXPECTED}"
            ))
        };
        let ScalarValue::IntervalMonthDayNano(Some(parts)) = value.cast_to(&kind)? else {
            return Err(wrong().into());
        };
        let (months, days, nanos) = IntervalMonthDayNanoType::to_parts(parts);
        if months > 0 && days == 0 && nanos == 0 {
            return Ok(Self::Months(months));
        }
        let length = i64::from(days).checked_mul(NANOS_PER_DAY);
        let length = length.and_then(|length| length.checked_add(nanos));
        let length = length.filter(|length| months == 0 && *length > 0);
        Ok(Self::Nanos(length.ok_or_else(wrong)?))
    }
}

impl Bins {
    /// The windows of `date_bin` with these arguments.
    ///
    /// # Errors
    /// `date_bin` does not accept the arguments.
    pub(crate) fn of(size: &ScalarValue, origin: Option<&ScalarValue>) -> Result<Self> {
        let size = BinSize::of(size)?;
        let Some(origin) = origin else {
            return Ok(Self { size, origin: 0 });
        };
        let kind = DataType::Timestamp(TimeUnit::Nanosecond, None);
        // Drops the time zone, which only affects how a timestamp is displayed.
        let instant = match origin {
            ScalarValue::TimestampSecond(value, _) => ScalarValue::TimestampSecond(*value, None),
            ScalarValue::TimestampMillisecond(value, _) => {
                ScalarValue::TimestampMillisecond(*value, None)
            }
            ScalarValue::TimestampMicrosecond(value, _) => {
                ScalarValue::TimestampMicrosecond(*value, None)
            }
            ScalarValue::TimestampNanosecond(value, _) => {
                ScalarValue::TimestampNanosecond(*value, None)
            }
            other => other.clone(),
        };
        match instant.cast_to(&kind)? {
            ScalarValue::TimestampNanosecond(Some(origin), _) => Ok(Self { size, origin }),
            _ => Err(Error::invalid_option(format!(
                "tumble(ts, size, origin): the origin is {origin}: expected a timestamp"
            ))
            .into()),
        }
    }

    /// The end of the window that starts at `start`, both in `unit`; `None` if it is out of range.
    pub(crate) fn end(self, start: i64, unit: TimeUnit) -> Option<i64> {
        let per_second = per_second(unit);
        let nanos = match self.size {
            BinSize::Nanos(nanos) => nanos,
            BinSize::Months(months) => return self.end_of_months(start, months, per_second),
        };
        // In nanoseconds: the size may be smaller than a unit.
        let start = i128::from(start) * i128::from(NANOS_PER_SECOND / per_second);
        let end = start + i128::from(nanos);
        let end = end.div_euclid(i128::from(NANOS_PER_SECOND / per_second));
        i64::try_from(end).ok()
    }

    fn end_of_months(self, start: i64, months: i32, per_second: i64) -> Option<i64> {
        let start = instant(start, per_second)?;
        let origin = instant(self.origin, NANOS_PER_SECOND)?;
        // A window starts on the origin's day of the month, or on the last day of a shorter month.
        let number = |time: DateTime<Utc>| i64::from(time.year()) * 12 + i64::from(time.month0());
        let passed = number(start) - number(origin) + i64::from(months);
        let shift = Months::new(u32::try_from(passed.unsigned_abs()).ok()?);
        let end = match passed < 0 {
            true => origin.checked_sub_months(shift)?,
            false => origin.checked_add_months(shift)?,
        };
        let below = i64::from(end.timestamp_subsec_nanos()) / (NANOS_PER_SECOND / per_second);
        end.timestamp().checked_mul(per_second)?.checked_add(below)
    }
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => NANOS_PER_SECOND,
    }
}

fn instant(time: i64, per_second: i64) -> Option<DateTime<Utc>> {
    let below = time.rem_euclid(per_second) * (NANOS_PER_SECOND / per_second);
    DateTime::from_timestamp(time.div_euclid(per_second), u32::try_from(below).ok()?)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> i64 {
        format!("{text}Z")
            .parse::<DateTime<Utc>>()
            .unwrap()
            .timestamp_millis()
    }

    fn months(count: i32, origin: &str) -> Bins {
        Bins {
            size: BinSize::Months(count),
            origin: millis(origin) * 1_000_000,
        }
    }

    #[test]
    fn monthly_windows_end_where_the_next_one_starts() {
        let bins = months(1, "2024-01-31T06:00:00");
        let starts = [
            "2023-11-30T06:00:00",
            "2023-12-31T06:00:00",
            "2024-01-31T06:00:00",
            "2024-02-29T06:00:00",
            "2024-03-31T06:00:00",
            "2024-04-30T06:00:00",
        ];
        for pair in starts.windows(2) {
            let end = bins.end(millis(pair[0]), TimeUnit::Millisecond);
            assert_eq!(end, Some(millis(pair[1])), "{pair:?}");
            let end = bins.end(millis(pair[0]) / 1_000, TimeUnit::Second);
            assert_eq!(end, Some(millis(pair[1]) / 1_000), "{pair:?}");
        }
        let quarters = months(3, "2024-05-31T00:00:00");
        let end = quarters.end(millis("2023-11-30T00:00:00"), TimeUnit::Millisecond);
        assert_eq!(end, Some(millis("2024-02-29T00:00:00")));
    }

    #[test]
    fn windows_without_months_end_at_start_plus_size_in_any_unit() {
        let size = ScalarValue::new_interval_mdn(0, 1, NANOS_PER_SECOND);
        let bins = Bins::of(&size, None).unwrap();
        assert_eq!(bins.end(-7, TimeUnit::Second), Some(86_394));
        assert_eq!(bins.end(5, TimeUnit::Millisecond), Some(86_401_005));
        assert_eq!(bins.end(i64::MAX, TimeUnit::Nanosecond), None);
    }

    #[test]
    fn sizes_that_are_not_positive_or_mix_months_are_refused() {
        for (months, days, nanos) in [(0, 0, 0), (0, 0, -1), (-1, 0, 0), (0, -1, 5), (1, 1, 0)] {
            let size = ScalarValue::new_interval_mdn(months, days, nanos);
            let error = BinSize::of(&size).unwrap_err().to_string();
            assert!(error.contains("expected a positive duration"), "{error}");
        }
        let null = ScalarValue::IntervalMonthDayNano(None);
        BinSize::of(&null).unwrap_err();
        let month = ScalarValue::new_interval_mdn(1, 0, 0);
        assert_eq!(BinSize::of(&month).unwrap(), BinSize::Months(1));
    }
}
