//! Dates, times of day and timestamps, from text and from numbers.

use chrono::{DateTime, Utc};
use datafusion::arrow::compute::kernels::cast_utils::{
    Parser, string_to_datetime, string_to_time_nanoseconds,
};
use datafusion::arrow::datatypes::{DataType, Date32Type, TimeUnit, i256};

use super::mismatch::Mismatch;
use super::numbers;

/// The value of a date, time of day or timestamp that is written as `text`, in the units of `data_type`.
pub(super) fn parse(text: &str, data_type: &DataType) -> Option<i64> {
    match data_type {
        DataType::Date32 => Date32Type::parse(text).map(i64::from),
        DataType::Time64(unit) => {
            let nanos = string_to_time_nanoseconds(text).ok()?;
            Some(match unit {
                TimeUnit::Microsecond => nanos.div_euclid(1_000),
                _ => nanos,
            })
        }
        DataType::Timestamp(unit, _) => in_units(&string_to_datetime(&Utc, text).ok()?, *unit),
        _ => None,
    }
}

fn in_units(time: &DateTime<Utc>, unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Second => Some(time.timestamp()),
        TimeUnit::Millisecond => Some(time.timestamp_millis()),
        TimeUnit::Microsecond => Some(time.timestamp_micros()),
        TimeUnit::Nanosecond => time.timestamp_nanos_opt(),
    }
}

/// The decimal exponent of a unit: nanoseconds are 10^-9 seconds.
fn digits(unit: TimeUnit) -> i32 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// `value` in another unit, rounded down; `None` if it does not fit.
pub(super) fn converted(value: i64, from: TimeUnit, to: TimeUnit) -> Option<i64> {
    let places = digits(to) - digits(from);
    let power = 10_i64.pow(places.unsigned_abs());
    match places >= 0 {
        true => value.checked_mul(power),
        false => Some(value.div_euclid(power)),
    }
}

/// The instant that is `text` units `from` after 1970, in units `to`, rounded down.
pub(super) fn epoch(text: &str, from: TimeUnit, to: TimeUnit) -> Result<i64, Mismatch> {
    if let Ok(whole) = text.parse::<i64>() {
        return converted(whole, from, to).ok_or(Mismatch::Range);
    }
    // A fraction, or an exponent.
    let (value, scale) = numbers::decimal(text)?;
    let places = (digits(to) - digits(from)).checked_sub(scale);
    let places = places.ok_or(Mismatch::Range)?;
    let power = i256::from_i128(10)
        .checked_pow(places.unsigned_abs())
        .ok_or(Mismatch::Range)?;
    let value = match places >= 0 {
        true => value.checked_mul(power),
        false => {
            let floor = value.checked_div(power);
            let is_exact = value.checked_rem(power) == Some(i256::ZERO);
            match value < i256::ZERO && !is_exact {
                true => floor.map(|floor| floor.wrapping_sub(i256::ONE)),
                false => floor,
            }
        }
    };
    let value = value.and_then(i256::to_i128).ok_or(Mismatch::Range)?;
    i64::try_from(value).map_err(|_| Mismatch::Range)
}
