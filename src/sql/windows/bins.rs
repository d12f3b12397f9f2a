//! [`Bins`]: a series of tumbling windows, each of which ends where the next one starts.
//!
//! That is not always start plus size. For monthly windows that start on the 31st, the window that starts on
//! 29 February ends on 31 March. And windows count days of 24 hours in UTC from the origin, while
//! `+ INTERVAL '1 day'` follows the timestamp's time zone.

use chrono::{DateTime, Datelike, Months, Utc};
use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};
use datafusion::common::{Result, ScalarValue};

use crate::error::Error;

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

    /// The start of the window that holds `time`, both in `unit`; `None` if it is out of range.
    pub(super) fn start(self, time: i64, unit: TimeUnit) -> Option<i64> {
        let per_second = per_second(unit);
        let nanos = match self.size {
            BinSize::Nanos(nanos) => nanos,
            BinSize::Months(months) => return self.start_of_months(time, months, per_second),
        };
        let scale = i128::from(NANOS_PER_SECOND / per_second);
        let time = i128::from(time) * scale;
        let start = time - (time - i128::from(self.origin)).rem_euclid(i128::from(nanos));
        i64::try_from(start.div_euclid(scale)).ok()
    }

    fn start_of_months(self, time: i64, months: i32, per_second: i64) -> Option<i64> {
        let time = instant(time, per_second)?;
        let origin = instant(self.origin, NANOS_PER_SECOND)?;
        let months = i64::from(months);
        let passed = month_number(time) - month_number(origin);
        let passed = passed - passed.rem_euclid(months);
        // The window of that month starts later in the month than `time`.
        let start = match shifted(origin, passed)? {
            start if start > time => shifted(origin, passed - months)?,
            start => start,
        };
        since_epoch(start, per_second)
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
        let passed = month_number(start) - month_number(origin) + i64::from(months);
        since_epoch(shifted(origin, passed)?, per_second)
    }
}

fn month_number(time: DateTime<Utc>) -> i64 {
    i64::from(time.year()) * 12 + i64::from(time.month0())
}

/// `origin` moved by `months`: on its day of the month, or on the last day of a shorter month.
fn shifted(origin: DateTime<Utc>, months: i64) -> Option<DateTime<Utc>> {
    let shift = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    match months < 0 {
        true => origin.checked_sub_months(shift),
        false => origin.checked_add_months(shift),
    }
}

fn since_epoch(time: DateTime<Utc>, per_second: i64) -> Option<i64> {
    let below = i64::from(time.timestamp_subsec_nanos()) / (NANOS_PER_SECOND / per_second);
    time.timestamp().checked_mul(per_second)?.checked_add(below)
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
    fn windows_start_at_or_before_their_times_and_end_after_them() {
        let sizes = [
            BinSize::Nanos(7 * NANOS_PER_DAY),
            BinSize::Nanos(1_500_000_000),
            BinSize::Months(1),
            BinSize::Months(5),
        ];
        for (size, origin) in sizes
            .into_iter()
            .flat_map(|size| [(size, 0), (size, 2_635_200_123)])
        {
            let bins = Bins {
                size,
                origin: origin * 1_000_000,
            };
            for time in (-40_000..40_000).map(|step| step * 5_000_000_003) {
                let start = bins.start(time, TimeUnit::Millisecond).unwrap();
                let end = bins.end(start, TimeUnit::Millisecond).unwrap();
                assert!(
                    (start..end).contains(&time),
                    "{bins:?}: {start} {time} {end}"
                );
                assert_eq!(
                    bins.start(end, TimeUnit::Millisecond),
                    Some(end),
                    "{bins:?}"
                );
            }
        }
        let bins = Bins {
            size: BinSize::Nanos(NANOS_PER_DAY),
            origin: 0,
        };
        assert_eq!(bins.start(i64::MIN, TimeUnit::Millisecond), None);
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
