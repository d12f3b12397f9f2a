//! Values that are no records, arrays or maps: from bytes, into a column, and as text.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta};
use datafusion::arrow::datatypes::{DataType, TimeUnit, i256};

use super::input::{Input, Malformed};
use super::schema::{AvroType, Kind, Logical};
use crate::format::columns::{Column, Mismatch, decimal_text};
use crate::options::TimestampFormat;

/// A value that is no record, array or map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f32),
    Double(f64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Symbol(&'a str),
    Uuid(&'a [u8]),
    Decimal {
        bytes: &'a [u8],
        scale: u8,
    },
    /// Days after 1970.
    Date(i32),
    /// Units after midnight.
    TimeOfDay(i64, TimeUnit),
    /// Units after 1970.
    Timestamp {
        value: i64,
        unit: TimeUnit,
        is_local: bool,
    },
}

const NANOS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000_000;

/// Reads a value of a type that is no record, array, map or union.
pub(super) fn read<'a>(
    input: &mut Input<'a>,
    avro_type: &'a AvroType,
) -> Result<Scalar<'a>, Malformed> {
    let value = match &avro_type.kind {
        Kind::Boolean => Scalar::Boolean(input.boolean()?),
        Kind::Int => match (input.int()?, avro_type.logical) {
            (days, Some(Logical::Date)) => Scalar::Date(days),
            (value, Some(Logical::TimeOfDay(unit))) => Scalar::TimeOfDay(value.into(), unit),
            (value, _) => Scalar::Integer(value.into()),
        },
        Kind::Long => match (input.long()?, avro_type.logical) {
            (value, Some(Logical::Timestamp { unit, is_local })) => Scalar::Timestamp {
                value,
                unit,
                is_local,
            },
            (value, Some(Logical::TimeOfDay(unit))) => Scalar::TimeOfDay(value, unit),
            (value, _) => Scalar::Integer(value),
        },
        Kind::Float => Scalar::Float(input.float()?),
        Kind::Double => Scalar::Double(input.double()?),
        Kind::String => Scalar::Text(input.string()?),
        Kind::Bytes => binary(input.bytes()?, avro_type.logical),
        Kind::Fixed { size, .. } => binary(input.take(*size)?, avro_type.logical),
        Kind::Enum { symbols, .. } => Scalar::Symbol(&symbols[input.symbol(symbols.len())?]),
        Kind::Null | Kind::Record { .. } | Kind::Array(_) | Kind::Map(_) | Kind::Union(_) => {
            Scalar::Null
        }
    };
    Ok(value)
}

fn binary(bytes: &[u8], logical: Option<Logical>) -> Scalar<'_> {
    match logical {
        Some(Logical::Decimal { scale, .. }) => Scalar::Decimal { bytes, scale },
        Some(Logical::Uuid) => Scalar::Uuid(bytes),
        _ => Scalar::Bytes(bytes),
    }
}

impl Scalar<'_> {
    /// Appends the value to `column`, with the type of the column.
    ///
    /// Integers and times are also taken by integer columns, as they are encoded, and everything but bytes by
    /// string columns, as text. Integers without a logical type are taken by timestamp columns if `timestamps`
    /// names their unit.
    ///
    /// # Errors
    /// The column cannot hold the value.
    pub(super) fn push_to(
        self,
        column: &mut Column,
        timestamps: TimestampFormat,
    ) -> Result<(), Mismatch> {
        let pushed = match self {
            Self::Null => {
                column.push_null();
                return Ok(());
            }
            Self::Boolean(value) => column.push_bool(value),
            Self::Integer(value) => column.push_integer(value.into()),
            Self::Float(value) => push_float(column, value),
            Self::Double(value) if !column.data_type().is_string() => column.push_float(value),
            Self::Double(_) => return column.push_str(&self.to_string()),
            Self::Bytes(bytes) => return column.push_bytes(bytes),
            Self::Text(text) if column.data_type().is_binary() => {
                return column.push_bytes(text.as_bytes());
            }
            Self::Text(text) => return column.push_str(text),
            Self::Symbol(text) if column.data_type().is_string() => return column.push_str(text),
            Self::Symbol(_) => return Err(Mismatch::Type),
            Self::Uuid(bytes) | Self::Decimal { bytes, .. } if column.data_type().is_binary() => {
                return column.push_bytes(bytes);
            }
            Self::Uuid(_) => Err(Mismatch::Type),
            Self::Decimal { bytes, scale } => {
                let value = unscaled(bytes).ok_or(Mismatch::Range)?;
                return column.push_decimal(value, scale.into());
            }
            Self::Date(days) => column.push_date(days),
            Self::TimeOfDay(value, unit) => match nanos_of_day(value, unit) {
                Some(nanos) => column.push_time_of_day(nanos),
                None => Err(Mismatch::Range),
            },
            Self::Timestamp { value, unit, .. } => column.push_instant(value, unit),
        };
        match pushed {
            Err(Mismatch::Type) => self.push_converted(column, timestamps),
            pushed => pushed,
        }
    }

    /// Appends the value to a column of another type.
    fn push_converted(
        self,
        column: &mut Column,
        timestamps: TimestampFormat,
    ) -> Result<(), Mismatch> {
        match (self, column.data_type()) {
            (_, data_type) if data_type.is_string() => column.push_str(&self.to_string()),
            (Self::Integer(value), DataType::Timestamp(_, _)) => match timestamps {
                TimestampFormat::Epoch(unit) => column.push_instant(value, unit),
                TimestampFormat::Rfc3339 => Err(Mismatch::Type),
            },
            (Self::Date(days), data_type) if data_type.is_integer() => {
                column.push_integer(days.into())
            }
            (Self::TimeOfDay(value, _) | Self::Timestamp { value, .. }, data_type)
                if data_type.is_integer() =>
            {
                column.push_integer(value.into())
            }
            _ => Err(Mismatch::Type),
        }
    }

    /// Appends the value to JSON text.
    pub(super) fn write_json(self, json: &mut Vec<u8>) {
        match self {
            Self::Null | Self::Boolean(_) | Self::Integer(_) => {}
            Self::Float(value) if value.is_finite() => {}
            Self::Double(value) if value.is_finite() => {}
            Self::Decimal { bytes, .. } if unscaled(bytes).is_some() => {}
            Self::Text(text) | Self::Symbol(text) => return write_json_string(text, json),
            // None of the others has a character that must be escaped.
            _ => {
                json.push(b'"');
                json.extend_from_slice(self.to_string().as_bytes());
                return json.push(b'"');
            }
        }
        json.extend_from_slice(self.to_string().as_bytes());
    }
}

/// Appends a string to JSON text.
pub(super) fn write_json_string(text: &str, json: &mut Vec<u8>) {
    // Neither a string nor a vector can fail.
    let _ = serde_json::to_writer(json, text);
}

/// Appends a number of 32 bits. Other than floating-point columns take the shortest decimal that stands for it,
/// which is not that of its 64-bit equivalent.
fn push_float(column: &mut Column, value: f32) -> Result<(), Mismatch> {
    match column.data_type() {
        DataType::Float32 | DataType::Float64 => column.push_float(value.into()),
        data_type if data_type.is_numeric() && value.is_finite() => {
            column.push_number(&value.to_string())
        }
        data_type if data_type.is_numeric() => Err(Mismatch::Range),
        _ => Err(Mismatch::Type),
    }
}

/// Whether the number is shown without an exponent, as JavaScript does. Others would have up to 300 zeros.
fn has_few_zeros(value: f64) -> bool {
    !value.is_finite() || value == 0.0 || (1e-7..1e21).contains(&value.abs())
}

/// The integer in two's complement, if it has at most 256 bits.
fn unscaled(bytes: &[u8]) -> Option<i256> {
    const SIZE: usize = 32;
    let first = *bytes.first()?;
    let sign = if first & 0x80 == 0 { 0 } else { 0xff };
    let (extra, bytes) = bytes.split_at(bytes.len().saturating_sub(SIZE));
    if extra.iter().any(|byte| *byte != sign) || (bytes[0] ^ sign) & 0x80 != 0 {
        return None;
    }
    let mut extended = [sign; SIZE];
    extended[SIZE - bytes.len()..].copy_from_slice(bytes);
    Some(i256::from_be_bytes(extended))
}

/// The time after midnight in nanoseconds, if it is within a day.
fn nanos_of_day(value: i64, unit: TimeUnit) -> Option<i64> {
    let nanos = value.checked_mul(nanos(unit))?;
    (0..NANOS_PER_DAY).contains(&nanos).then_some(nanos)
}

fn nanos(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// Writes the value as text: numbers in decimal, dates and times as in ISO 8601, bytes in base64.
impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) if has_few_zeros(value.into()) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:e}"),
            Self::Double(value) if has_few_zeros(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value:e}"),
            Self::Bytes(bytes) => f.write_str(&base64_simd::STANDARD.encode_to_string(bytes)),
            Self::Text(text) | Self::Symbol(text) => f.write_str(text),
            Self::Uuid(bytes) => match uuid::Uuid::from_slice(bytes) {
                Ok(uuid) => write!(f, "{uuid}"),
                Err(_) => Ok(()),
            },
            Self::Decimal { bytes, scale } => match unscaled(bytes) {
                Some(value) => f.write_str(&decimal_text(value, scale.into())),
                None => write!(f, "a decimal of {} bytes", bytes.len()),
            },
            Self::Date(days) => match NaiveDate::from_epoch_days(days) {
                Some(date) => write!(f, "{date}"),
                None => write!(f, "{days} days"),
            },
            Self::TimeOfDay(value, unit) => match nanos_of_day(value, unit) {
                Some(nanos) => write!(f, "{}", NaiveTime::MIN + TimeDelta::nanoseconds(nanos)),
                None => write!(f, "{value}"),
            },
            Self::Timestamp {
                value,
                unit,
                is_local,
            } => write_timestamp(f, value, unit, is_local),
        }
    }
}

fn write_timestamp(
    f: &mut fmt::Formatter<'_>,
    value: i64,
    unit: TimeUnit,
    is_local: bool,
) -> fmt::Result {
    let per_second = nanos(TimeUnit::Second) / nanos(unit);
    let (seconds, rest) = (value.div_euclid(per_second), value.rem_euclid(per_second));
    // Less than a second in nanoseconds fits into 32 bits.
    let time = DateTime::from_timestamp(seconds, (rest * nanos(unit)) as u32);
    match time {
        Some(time) if is_local => write!(f, "{}", time.format("%Y-%m-%dT%H:%M:%S%.f")),
        Some(time) => write!(f, "{}", time.format("%Y-%m-%dT%H:%M:%S%.fZ")),
        None => write!(f, "{value}"),
    }
}
