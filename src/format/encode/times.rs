//! Dates, times of day and timestamps as text, appended to a buffer.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike};
use datafusion::arrow::datatypes::TimeUnit;

/// A date or timestamp outside of the years 0 to 9999, which RFC 3339 cannot represent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfRange;

const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// The decimal exponent of a unit: nanoseconds are 10^-9 seconds.
pub(super) fn digits(unit: TimeUnit) -> u32 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// Appends the date that is `days` after 1970-01-01, as `2026-11-30`.
pub(super) fn write_date(days: i32, out: &mut Vec<u8>) -> Result<(), OutOfRange> {
    let delta = TimeDelta::try_days(days.into()).ok_or(OutOfRange)?;
    let date = NaiveDate::default().checked_add_signed(delta);
    push_date(date.ok_or(OutOfRange)?, out)
}

/// Appends a time of day, as `08:00:00` with 0, 3, 6 or 9 digits of a fraction.
pub(super) fn write_time_of_day(value: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let per_second = 10_i64.pow(digits(unit));
    let nanos = value.rem_euclid(per_second) * (i64::from(NANOS_PER_SECOND) / per_second);
    push_time(value.div_euclid(per_second), nanos as u32, out);
}

/// Appends an instant in UTC, as `2026-11-30T08:00:00Z` with 0, 3, 6 or 9 digits of a fraction.
pub(super) fn write_instant(
    value: i64,
    unit: TimeUnit,
    out: &mut Vec<u8>,
) -> Result<(), OutOfRange> {
    let per_second = 10_i64.pow(digits(unit));
    let nanos = value.rem_euclid(per_second) * (i64::from(NANOS_PER_SECOND) / per_second);
    let time = DateTime::from_timestamp(value.div_euclid(per_second), nanos as u32);
    let time = time.ok_or(OutOfRange)?;
    push_date(time.date_naive(), out)?;
    out.push(b'T');
    push_time(time.num_seconds_from_midnight().into(), nanos as u32, out);
    out.push(b'Z');
    Ok(())
}

fn push_date(date: NaiveDate, out: &mut Vec<u8>) -> Result<(), OutOfRange> {
    let year = u32::try_from(date.year()).map_err(|_| OutOfRange)?;
    if year > 9_999 {
        return Err(OutOfRange);
    }
    push_digits(year, 4, out);
    out.push(b'-');
    push_digits(date.month(), 2, out);
    out.push(b'-');
    push_digits(date.day(), 2, out);
    Ok(())
}

fn push_time(seconds: i64, nanos: u32, out: &mut Vec<u8>) {
    // A day has 86,400 seconds.
    let seconds = seconds as u32;
    push_digits(seconds / 3_600, 2, out);
    out.push(b':');
    push_digits(seconds / 60 % 60, 2, out);
    out.push(b':');
    push_digits(seconds % 60, 2, out);
    if nanos == 0 {
        return;
    }
    out.push(b'.');
    match (nanos % 1_000_000, nanos % 1_000) {
        (0, _) => push_digits(nanos / 1_000_000, 3, out),
        (_, 0) => push_digits(nanos / 1_000, 6, out),
        _ => push_digits(nanos, 9, out),
    }
}

/// Appends `value` in `width` digits.
fn push_digits(value: u32, width: u32, out: &mut Vec<u8>) {
    let digit = |place: u32| b'0' + (value / 10_u32.pow(place) % 10) as u8;
    out.extend((0..width).rev().map(digit));
}
