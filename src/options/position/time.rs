//! Parses timestamps.

use chrono::DateTime;

use crate::model::UnixMillis;
use crate::options::value::Parsed;

const EXPECTED: &str = "expected a date and a time with 'Z' or an offset, such as \
    '2023-08-30T19:00:05Z', '2023-08-30 19:00:05.250+02:00', or the 13 digits of milliseconds since \
    1970";

/// Parses date, time and UTC offset, with optional fractions of a second and `T` or a space as
/// separator; or Unix time in seconds (10 digits) or milliseconds (13 digits). Truncates to
/// milliseconds.
///
/// # Errors
/// A description of the expected form, also if the offset is missing or the time is before 1970.
pub(super) fn parse(text: &str) -> Parsed<UnixMillis> {
    let text = text.trim();
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return unix_time(text).ok_or_else(|| EXPECTED.to_owned());
    }
    // `t` and `z` are accepted for `T` and `Z`.
    let upper = text.to_ascii_uppercase();
    let zoned = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z"];
    let time = zoned
        .iter()
        .find_map(|form| DateTime::parse_from_str(&upper, form).ok())
        .map(|time| UnixMillis(time.timestamp_millis()))
        .ok_or(EXPECTED)?;
    if time.0 < 0 || time > UnixMillis::LAST {
        return Err(format!(
            "{time} is out of range: expected a time in 1970 or later"
        ));
    }
    Ok(time)
}

/// Ten digits are seconds from 2001 to 2286; thirteen digits are milliseconds in the same years. No
/// stream has records from before 2001.
fn unix_time(digits: &str) -> Option<UnixMillis> {
    let number: i64 = digits.parse().ok()?;
    match digits.len() {
        10 => Some(UnixMillis(number * 1_000)),
        13 => Some(UnixMillis(number)),
        _ => None,
    }
}
