//! Columns of values that are not nested, as text.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, LargeBinaryArray,
    LargeStringArray, StringArray, StringViewArray,
};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Decimal256Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    i256,
};

use super::numbers::{write_decimal, write_epoch, write_number, write_wide_decimal};
use super::times::{self, OutOfRange};
use crate::error::{Error, Result};
use crate::options::TimestampFormat;

/// The values of a column that is not nested.
#[derive(Debug)]
pub(super) enum Scalars<'a> {
    Boolean(&'a BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    UInt8(&'a [u8]),
    UInt16(&'a [u16]),
    UInt32(&'a [u32]),
    UInt64(&'a [u64]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Decimal128(&'a [i128], i8),
    Decimal256(&'a [i256], i8),
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(&'a StringViewArray),
    Binary(&'a BinaryArray),
    LargeBinary(&'a LargeBinaryArray),
    BinaryView(&'a BinaryViewArray),
    Date(&'a [i32]),
    TimeOfDay(&'a [i64], TimeUnit),
    /// Timestamps in RFC 3339.
    Instant(&'a [i64], TimeUnit),
    /// Timestamps as numbers of the second unit.
    Epoch(&'a [i64], TimeUnit, TimeUnit),
}

impl<'a> Scalars<'a> {
    /// The values of `array`.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) for a type that a declared column cannot have.
    pub(super) fn new(array: &'a ArrayRef, timestamps: TimestampFormat) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            DataType::Int8 => Self::Int8(values::<Int8Type>(array)),
            DataType::Int16 => Self::Int16(values::<Int16Type>(array)),
            DataType::Int32 => Self::Int32(values::<Int32Type>(array)),
            DataType::Int64 => Self::Int64(values::<Int64Type>(array)),
            DataType::UInt8 => Self::UInt8(values::<UInt8Type>(array)),
            DataType::UInt16 => Self::UInt16(values::<UInt16Type>(array)),
            DataType::UInt32 => Self::UInt32(values::<UInt32Type>(array)),
            DataType::UInt64 => Self::UInt64(values::<UInt64Type>(array)),
            DataType::Float32 => Self::Float32(values::<Float32Type>(array)),
            DataType::Float64 => Self::Float64(values::<Float64Type>(array)),
            DataType::Decimal128(_, scale) => {
                Self::Decimal128(values::<Decimal128Type>(array), *scale)
            }
            DataType::Decimal256(_, scale) => {
                Self::Decimal256(values::<Decimal256Type>(array), *scale)
            }
            DataType::Utf8 => Self::Utf8(array.as_string()),
            DataType::LargeUtf8 => Self::LargeUtf8(array.as_string()),
            DataType::Utf8View => Self::Utf8View(array.as_string_view()),
            DataType::Binary => Self::Binary(array.as_binary()),
            DataType::LargeBinary => Self::LargeBinary(array.as_binary()),
            DataType::BinaryView => Self::BinaryView(array.as_binary_view()),
            DataType::Date32 => Self::Date(values::<Date32Type>(array)),
            DataType::Time64(TimeUnit::Microsecond) => Self::TimeOfDay(
                values::<Time64MicrosecondType>(array),
                TimeUnit::Microsecond,
            ),
            DataType::Time64(_) => {
                Self::TimeOfDay(values::<Time64NanosecondType>(array), TimeUnit::Nanosecond)
            }
            DataType::Timestamp(unit, _) => {
                let values = match unit {
                    TimeUnit::Second => values::<TimestampSecondType>(array),
                    TimeUnit::Millisecond => values::<TimestampMillisecondType>(array),
                    TimeUnit::Microsecond => values::<TimestampMicrosecondType>(array),
                    TimeUnit::Nanosecond => values::<TimestampNanosecondType>(array),
                };
                match timestamps {
                    TimestampFormat::Rfc3339 => Self::Instant(values, *unit),
                    TimestampFormat::Epoch(wanted) => Self::Epoch(values, *unit, wanted),
                }
            }
            other => {
                let what = format!("a column of type {other} cannot be encoded");
                return Err(Error::internal(what));
            }
        })
    }

    /// The string of a row, if this is a column of strings.
    pub(super) fn text(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Utf8(array) => Some(array.value(row)),
            Self::LargeUtf8(array) => Some(array.value(row)),
            Self::Utf8View(array) => Some(array.value(row)),
            _ => None,
        }
    }

    /// The bytes of a row, if this is a binary column.
    pub(super) fn bytes(&self, row: usize) -> Option<&'a [u8]> {
        match self {
            Self::Binary(array) => Some(array.value(row)),
            Self::LargeBinary(array) => Some(array.value(row)),
            Self::BinaryView(array) => Some(array.value(row)),
            _ => None,
        }
    }

    /// The number of a row, if this is a column of floating-point numbers and the number is not finite.
    pub(super) fn special_float(&self, row: usize) -> Option<f64> {
        let value = match self {
            Self::Float32(values) => f64::from(values[row]),
            Self::Float64(values) => values[row],
            _ => return None,
        };
        (!value.is_finite()).then_some(value)
    }

    /// Appends the value of a row, which is not NULL: a string as it is, bytes in base64, everything else in the
    /// notation that JSON, CSV and text share.
    ///
    /// # Errors
    /// A date or timestamp that RFC 3339 cannot represent.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) -> std::result::Result<(), String> {
        let out_of_range = |OutOfRange| {
            "a date or timestamp is outside of the years 0 to 9999: expected one that RFC 3339 can represent"
                .to_owned()
        };
        if let Some(text) = self.text(row) {
            out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        if let Some(bytes) = self.bytes(row) {
            base64_simd::STANDARD.encode_append(bytes, out);
            return Ok(());
        }
        match self {
            Self::Boolean(array) => out.extend_from_slice(match array.value(row) {
                true => b"true",
                false => b"false",
            }),
            Self::Int8(values) => write_number(values[row], out),
            Self::Int16(values) => write_number(values[row], out),
            Self::Int32(values) => write_number(values[row], out),
            Self::Int64(values) => write_number(values[row], out),
            Self::UInt8(values) => write_number(values[row], out),
            Self::UInt16(values) => write_number(values[row], out),
            Self::UInt32(values) => write_number(values[row], out),
            Self::UInt64(values) => write_number(values[row], out),
            Self::Float32(values) if values[row].is_finite() => write_number(values[row], out),
            Self::Float64(values) if values[row].is_finite() => write_number(values[row], out),
            Self::Decimal128(values, scale) => write_decimal(values[row], *scale, out),
            Self::Decimal256(values, scale) => write_wide_decimal(values[row], *scale, out),
            Self::Date(values) => times::write_date(values[row], out).map_err(out_of_range)?,
            Self::TimeOfDay(values, unit) => times::write_time_of_day(values[row], *unit, out),
            Self::Instant(values, unit) => {
                times::write_instant(values[row], *unit, out).map_err(out_of_range)?;
            }
            Self::Epoch(values, unit, wanted) => {
                write_epoch(
                    values[row],
                    times::digits(*unit),
                    times::digits(*wanted),
                    out,
                );
            }
            _ => {
                let value = self.special_float(row).unwrap_or(f64::NAN);
                out.extend_from_slice(special_name(value).as_bytes());
            }
        }
        Ok(())
    }
}

/// The name of a number that is not finite, as it is read back from text.
pub(super) fn special_name(value: f64) -> &'static str {
    match value {
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => "NaN",
    }
}

fn values<T: ArrowPrimitiveType>(array: &ArrayRef) -> &[T::Native] {
    array.as_primitive::<T>().values()
}
