//! Timestamps and durations of the well-known types, which have seconds and nanoseconds.

use chrono::{DateTime, Datelike, SecondsFormat};
use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};

use crate::format::columns::{Column, Mismatch};

const NANOS: i128 = 1_000_000_000;

/// The longest duration in seconds, about 10,000 years.
const MAX_DURATION_SECONDS: i64 = 315_576_000_000;

/// Appends an instant to a timestamp column, rounded down to its unit.
///
/// # Errors
/// `nanos` is not a part of a second, or the column cannot represent the instant.
pub(super) fn push_timestamp(
    column: &mut Column,
    seconds: i64,
    nanos: i32,
) -> Result<(), Mismatch> {
    let DataType::Timestamp(unit, _) = *column.data_type() else {
        return Err(Mismatch::Type);
    };
    if !(0..NANOS).contains(&nanos.into()) {
        return Err(Mismatch::Range);
    }
    let since_1970 = i128::from(seconds) * NANOS + i128::from(nanos);
    let value = since_1970.div_euclid(nanos_of(unit));
    let value = i64::try_from(value).map_err(|_| Mismatch::Range)?;
    column.push_instant(value, unit)
}

/// The instant in RFC 3339, if it is in the years 1 to 9999.
pub(super) fn timestamp_text(seconds: i64, nanos: i32) -> Option<String> {
    let nanos = u32::try_from(nanos)
        .ok()
        .filter(|nanos| i128::from(*nanos) < NANOS)?;
    let time = DateTime::from_timestamp(seconds, nanos)?;
    (1..=9_999)
        .contains(&time.year())
        .then(|| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// The duration in nanoseconds, if it is valid and fits.
pub(super) fn duration_nanos(seconds: i64, nanos: i32) -> Option<i64> {
    if !is_duration(seconds, nanos) {
        return None;
    }
    i64::try_from(i128::from(seconds) * NANOS + i128::from(nanos)).ok()
}

/// The duration in seconds, such as `1.500s`, if it is valid.
pub(super) fn duration_text(seconds: i64, nanos: i32) -> Option<String> {
    if !is_duration(seconds, nanos) {
        return None;
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let (seconds, nanos) = (seconds.unsigned_abs(), nanos.unsigned_abs());
    Some(match nanos {
        0 => format!("{sign}{seconds}s"),
        _ if nanos % 1_000_000 == 0 => format!("{sign}{seconds}.{:03}s", nanos / 1_000_000),
        _ if nanos % 1_000 == 0 => format!("{sign}{seconds}.{:06}s", nanos / 1_000),
        _ => format!("{sign}{seconds}.{nanos:09}s"),
    })
}

/// Whether both parts have the same sign and are in their ranges.
fn is_duration(seconds: i64, nanos: i32) -> bool {
    let same_sign = seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0);
    let seconds_fit = (-MAX_DURATION_SECONDS..=MAX_DURATION_SECONDS).contains(&seconds);
    same_sign && seconds_fit && i128::from(nanos).abs() < NANOS
}

/// The instant in `row` of a timestamp column, in `unit` after 1970, rounded down.
pub(super) fn since_1970(column: &ArrayRef, row: usize, unit: TimeUnit) -> Option<i128> {
    let (value, own) = match column.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => (
            column.as_primitive::<TimestampSecondType>().value(row),
            NANOS,
        ),
        DataType::Timestamp(TimeUnit::Millisecond, _) => (
            column.as_primitive::<TimestampMillisecondType>().value(row),
            1_000_000,
        ),
        DataType::Timestamp(TimeUnit::Microsecond, _) => (
            column.as_primitive::<TimestampMicrosecondType>().value(row),
            1_000,
        ),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => (
            column.as_primitive::<TimestampNanosecondType>().value(row),
            1,
        ),
        _ => return None,
    };
    Some((i128::from(value) * own).div_euclid(nanos_of(unit)))
}

/// Seconds and nanoseconds of the timestamp in `row` of a column.
pub(super) fn timestamp_parts(column: &ArrayRef, row: usize) -> Option<(i64, i32)> {
    let nanos = since_1970(column, row, TimeUnit::Nanosecond)?;
    let seconds = i64::try_from(nanos.div_euclid(NANOS)).ok()?;
    let rest = i32::try_from(nanos.rem_euclid(NANOS)).ok()?;
    Some((seconds, rest))
}

/// Seconds and nanoseconds of the duration in `row` of a column of nanoseconds. Both have the same sign.
pub(super) fn duration_parts(column: &ArrayRef, row: usize) -> Option<(i64, i32)> {
    let nanos = column.as_primitive_opt::<Int64Type>()?.value(row);
    let rest = i32::try_from(nanos % 1_000_000_000).ok()?;
    Some((nanos / 1_000_000_000, rest))
}

fn nanos_of(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => NANOS,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}
