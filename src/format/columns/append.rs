//! Appends typed values: each method takes a value as a payload format has it, and converts it to the type of
//! the column without loss.

use datafusion::arrow::datatypes::{DataType, TimeUnit, i256};

use super::mismatch::Mismatch;
use super::{Column, Values, numbers, text, times};
use crate::options::TimestampFormat;

type Appended = Result<(), Mismatch>;

impl Column {
    /// Appends a boolean.
    ///
    /// # Errors
    /// The column is not boolean.
    pub(crate) fn push_bool(&mut self, value: bool) -> Appended {
        let Values::Boolean(bits) = &mut self.values else {
            return Err(Mismatch::Type);
        };
        bits.append(value);
        self.nulls.append_non_null();
        Ok(())
    }

    /// Appends an integer to a column of numbers.
    ///
    /// # Errors
    /// The column is not numeric, or the integer is out of its range. Floating-point columns take the nearest
    /// value.
    pub(crate) fn push_integer(&mut self, value: i128) -> Appended {
        fn narrow<T: TryFrom<i128>>(vec: &mut Vec<T>, value: i128) -> Appended {
            vec.push(T::try_from(value).map_err(|_| Mismatch::Range)?);
            Ok(())
        }
        if is_temporal(&self.data_type) {
            return Err(Mismatch::Type);
        }
        match &mut self.values {
            Values::Int8(vec) => narrow(vec, value)?,
            Values::Int16(vec) => narrow(vec, value)?,
            Values::Int32(vec) => narrow(vec, value)?,
            Values::Int64(vec) => narrow(vec, value)?,
            Values::UInt8(vec) => narrow(vec, value)?,
            Values::UInt16(vec) => narrow(vec, value)?,
            Values::UInt32(vec) => narrow(vec, value)?,
            Values::UInt64(vec) => narrow(vec, value)?,
            Values::Float32(vec) => vec.push(value as f32),
            Values::Float64(vec) => vec.push(value as f64),
            Values::Decimal128(_) | Values::Decimal256(_) => {
                return self.push_decimal(i256::from_i128(value), 0);
            }
            _ => return Err(Mismatch::Type),
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// Appends a floating-point number. Integer and decimal columns take it if it is exact.
    ///
    /// # Errors
    /// The column is not numeric, or cannot represent the number.
    pub(crate) fn push_float(&mut self, value: f64) -> Appended {
        match &mut self.values {
            Values::Float64(vec) => vec.push(value),
            Values::Float32(vec) => {
                let narrowed = value as f32;
                if narrowed.is_infinite() && value.is_finite() {
                    return Err(Mismatch::Range);
                }
                vec.push(narrowed);
            }
            _ if !value.is_finite() => return Err(Mismatch::Range),
            _ => return self.push_number(&value.to_string()),
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// Appends a number that is written in decimal, with or without a fraction and an exponent.
    ///
    /// # Errors
    /// The column is not numeric, or cannot represent the number. Floating-point columns take the nearest finite
    /// value.
    pub(crate) fn push_number(&mut self, text: &str) -> Appended {
        match &mut self.values {
            Values::Float32(vec) => vec.push(numbers::float(text).ok_or(Mismatch::Range)?),
            Values::Float64(vec) => vec.push(numbers::float(text).ok_or(Mismatch::Range)?),
            Values::Decimal128(_) | Values::Decimal256(_) => {
                let (value, scale) = numbers::decimal(text)?;
                return self.push_decimal(value, scale);
            }
            Values::Int64(vec) if !is_temporal(&self.data_type) => {
                // The common case, without 128-bit arithmetic.
                let value = match text.parse() {
                    Ok(value) => value,
                    Err(_) => {
                        let value = numbers::integer(text)?;
                        i64::try_from(value).map_err(|_| Mismatch::Range)?
                    }
                };
                vec.push(value);
            }
            _ => return self.push_integer(numbers::integer(text)?),
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// Appends the decimal `value` · 10^-`scale`.
    ///
    /// # Errors
    /// The column is not a decimal, or has too few digits before or after the point.
    pub(crate) fn push_decimal(&mut self, value: i256, scale: i32) -> Appended {
        let (precision, wanted) = match self.data_type {
            DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
                (precision, i32::from(scale))
            }
            _ => {
                let text = numbers::decimal_text(value, scale);
                return match self.values {
                    Values::Bytes { .. } => self.push_str(&text),
                    _ => self.push_number(&text),
                };
            }
        };
        let places = wanted.checked_sub(scale).ok_or(Mismatch::Range);
        let value = match value == i256::ZERO {
            true => value,
            false => numbers::rescaled(value, places?, precision)?,
        };
        match &mut self.values {
            Values::Decimal128(vec) => vec.push(value.to_i128().ok_or(Mismatch::Range)?),
            Values::Decimal256(vec) => vec.push(value),
            _ => return Err(Mismatch::Type),
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// Appends a string: to a string column as it is; to a column of decimals, dates, times or timestamps if it
    /// is the text of such a value; to a binary column if it is base64.
    ///
    /// # Errors
    /// The column has another type, or the text is not a value of its type.
    pub(crate) fn push_str(&mut self, value: &str) -> Appended {
        match (&mut self.values, &self.data_type) {
            (Values::Bytes { .. }, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => {
                self.push_raw(value.as_bytes())
            }
            (Values::Bytes { .. }, _) => {
                let bytes = text::base64(value).ok_or(Mismatch::Range)?;
                self.push_raw(&bytes)
            }
            (Values::Decimal128(_) | Values::Decimal256(_), _) => self.push_number(value.trim()),
            (_, data_type) if is_temporal(data_type) => {
                let value = times::parse(value, data_type).ok_or(Mismatch::Range)?;
                self.push_temporal(value)
            }
            _ => Err(Mismatch::Type),
        }
    }

    /// Appends bytes to a binary column, or to a string column if they are UTF-8.
    ///
    /// # Errors
    /// The column is neither, or the bytes are not UTF-8.
    pub(crate) fn push_bytes(&mut self, value: &[u8]) -> Appended {
        if self.data_type.is_string() && std::str::from_utf8(value).is_err() {
            return Err(Mismatch::Range);
        }
        self.push_raw(value)
    }

    fn push_raw(&mut self, value: &[u8]) -> Appended {
        let Values::Bytes { ends, bytes } = &mut self.values else {
            return Err(Mismatch::Type);
        };
        // Only the reasons of millions of bad documents in one record can be as large.
        let end = i32::try_from(bytes.len() + value.len()).map_err(|_| Mismatch::Range)?;
        bytes.extend_from_slice(value);
        ends.push(end);
        self.nulls.append_non_null();
        Ok(())
    }

    /// Appends an instant that is `value` units after 1970, rounded down to the unit of the column.
    ///
    /// # Errors
    /// The column is not a timestamp, or cannot represent the instant.
    pub(crate) fn push_instant(&mut self, value: i64, unit: TimeUnit) -> Appended {
        let DataType::Timestamp(wanted, _) = self.data_type else {
            return Err(Mismatch::Type);
        };
        let value = times::converted(value, unit, wanted).ok_or(Mismatch::Range)?;
        self.push_temporal(value)
    }

    /// Appends a number that counts time as `format` says.
    ///
    /// # Errors
    /// The column is not a timestamp, `format` has no numbers, or the column cannot represent the instant.
    pub(crate) fn push_epoch(&mut self, text: &str, format: TimestampFormat) -> Appended {
        let (DataType::Timestamp(wanted, _), TimestampFormat::Epoch(unit)) =
            (&self.data_type, format)
        else {
            return Err(Mismatch::Type);
        };
        let value = times::epoch(text, unit, *wanted)?;
        self.push_temporal(value)
    }

    /// Appends a date, as days after 1970.
    ///
    /// # Errors
    /// The column is not a date.
    pub(crate) fn push_date(&mut self, days: i32) -> Appended {
        match self.data_type {
            DataType::Date32 => self.push_temporal(days.into()),
            _ => Err(Mismatch::Type),
        }
    }

    /// Appends a time of day, in nanoseconds after midnight.
    ///
    /// # Errors
    /// The column is not a time of day.
    pub(crate) fn push_time_of_day(&mut self, nanos: i64) -> Appended {
        match self.data_type {
            DataType::Time64(TimeUnit::Nanosecond) => self.push_temporal(nanos),
            DataType::Time64(_) => self.push_temporal(nanos.div_euclid(1_000)),
            _ => Err(Mismatch::Type),
        }
    }

    fn push_temporal(&mut self, value: i64) -> Appended {
        match &mut self.values {
            Values::Int32(vec) => vec.push(i32::try_from(value).map_err(|_| Mismatch::Range)?),
            Values::Int64(vec) => vec.push(value),
            _ => return Err(Mismatch::Type),
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// Appends a value that is written as text, as in CSV.
    ///
    /// # Errors
    /// The text is not a value of the column's type.
    pub(crate) fn push_text(&mut self, text: &str, format: TimestampFormat) -> Appended {
        let trimmed = text.trim();
        match &self.values {
            Values::Boolean(_) => self.push_bool(text::boolean(trimmed).ok_or(Mismatch::Type)?),
            Values::Bytes { .. } => self.push_str(text),
            Values::List { .. } | Values::Struct(_) => Err(Mismatch::Type),
            _ if is_temporal(&self.data_type) => {
                if format != TimestampFormat::Rfc3339 && numbers::is_number(trimmed) {
                    return self.push_epoch(trimmed, format);
                }
                self.push_str(trimmed)
            }
            _ if numbers::is_number(trimmed) => self.push_number(trimmed),
            Values::Float32(_) | Values::Float64(_) => {
                self.push_float(text::special_float(trimmed).ok_or(Mismatch::Type)?)
            }
            _ => Err(Mismatch::Type),
        }
    }
}

fn is_temporal(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Date32 | DataType::Time64(_) | DataType::Timestamp(_, _)
    )
}
