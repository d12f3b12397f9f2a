//! The types of columns for values that are no records, arrays or maps.

use datafusion::arrow::datatypes::{DataType, TimeUnit};

use crate::format::avro::schema::{AvroType, Kind, Logical};

/// The type of a column for values that are no records, arrays or maps.
pub(super) fn scalar(avro_type: &AvroType) -> Option<DataType> {
    let time = DataType::Time64(TimeUnit::Nanosecond);
    Some(match (&avro_type.kind, avro_type.logical) {
        (Kind::Boolean, _) => DataType::Boolean,
        (Kind::Int, Some(Logical::Date)) => DataType::Date32,
        (Kind::Int | Kind::Long, Some(Logical::TimeOfDay(_))) => time,
        (Kind::Int, _) => DataType::Int32,
        (Kind::Long, Some(Logical::Timestamp { unit, .. })) => DataType::Timestamp(unit, None),
        (Kind::Long, _) => DataType::Int64,
        (Kind::Float, _) => DataType::Float32,
        (Kind::Double, _) => DataType::Float64,
        (Kind::String | Kind::Enum { .. }, _) | (_, Some(Logical::Uuid)) => DataType::Utf8View,
        (Kind::Bytes | Kind::Fixed { .. }, Some(Logical::Decimal { precision, scale })) => {
            decimal(precision, scale).unwrap_or(DataType::Binary)
        }
        (Kind::Bytes | Kind::Fixed { .. }, _) => DataType::Binary,
        _ => return None,
    })
}

/// The type of decimals with so many digits, if there is one.
fn decimal(precision: u8, scale: u8) -> Option<DataType> {
    let signed = i8::try_from(scale).ok()?;
    match precision {
        0..=38 => Some(DataType::Decimal128(precision, signed)),
        39..=76 => Some(DataType::Decimal256(precision, signed)),
        _ => None,
    }
}

/// The type of a column that takes the values of both.
pub(super) fn common(one: DataType, other: &DataType) -> DataType {
    if one == *other {
        return one;
    }
    let widened = match (&one, other) {
        (DataType::Int32, DataType::Int64) | (DataType::Int64, DataType::Int32) => {
            Some(DataType::Int64)
        }
        (
            DataType::Int32 | DataType::Float32 | DataType::Float64,
            DataType::Int32 | DataType::Float32 | DataType::Float64,
        ) => Some(DataType::Float64),
        (DataType::Timestamp(one, _), DataType::Timestamp(other, _)) => {
            Some(DataType::Timestamp(*one.max(other), None))
        }
        _ => digits(&one)
            .zip(digits(other))
            .and_then(|(one, other)| widest(one, other)),
    };
    widened.unwrap_or(DataType::Utf8View)
}

/// How many digits a number has before and after the point.
fn digits(data_type: &DataType) -> Option<(u8, u8)> {
    match data_type {
        DataType::Int32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            let scale = u8::try_from(*scale).ok()?;
            Some((precision.checked_sub(scale)?, scale))
        }
        _ => None,
    }
}

fn widest(one: (u8, u8), other: (u8, u8)) -> Option<DataType> {
    let (whole, scale) = (one.0.max(other.0), one.1.max(other.1));
    decimal(whole.checked_add(scale)?, scale)
}
