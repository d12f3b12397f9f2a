//! Values that are no messages, from the wire to columns.

use datafusion::arrow::datatypes::{DataType, TimeUnit};

use super::descriptor::{Descriptor, EnumId, ScalarKind, StatedDefault};
use super::wire::Raw;
use crate::format::columns::{Column, Mismatch};

/// A value that is no message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar<'a> {
    Bool(bool),
    Integer(i128),
    Float(f64),
    /// A string, which in a proto2 file need not be UTF-8.
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Enum(EnumId, i32),
}

/// The value of type `kind` that is written as `raw`.
pub(super) fn decoded(kind: ScalarKind, raw: Raw, record: &[u8]) -> Scalar<'_> {
    let bits = match raw {
        Raw::Varint(bits) | Raw::Fixed64(bits) => bits,
        Raw::Fixed32(bits) => bits.into(),
        Raw::Bytes(span) => {
            let bytes = span.of(record);
            return match kind {
                ScalarKind::String => Scalar::Text(bytes),
                _ => Scalar::Bytes(bytes),
            };
        }
    };
    // Numbers of 32 bits can be written with more, of which the upper ones do not count.
    let low = bits as u32;
    match kind {
        ScalarKind::Double => Scalar::Float(f64::from_bits(bits)),
        ScalarKind::Float => Scalar::Float(f32::from_bits(low).into()),
        ScalarKind::Int32 | ScalarKind::Sfixed32 => Scalar::Integer((low as i32).into()),
        ScalarKind::Int64 | ScalarKind::Sfixed64 => Scalar::Integer((bits as i64).into()),
        ScalarKind::Uint32 | ScalarKind::Fixed32 => Scalar::Integer(low.into()),
        ScalarKind::Uint64 | ScalarKind::Fixed64 => Scalar::Integer(bits.into()),
        ScalarKind::Sint32 => Scalar::Integer(i128::from((low >> 1) as i32 ^ -((low & 1) as i32))),
        ScalarKind::Sint64 => {
            Scalar::Integer(i128::from((bits >> 1) as i64 ^ -((bits & 1) as i64)))
        }
        ScalarKind::Bool => Scalar::Bool(bits != 0),
        ScalarKind::Enum(id) => Scalar::Enum(id, low as i32),
        ScalarKind::String | ScalarKind::Bytes => Scalar::Bytes(&[]),
    }
}

/// The value of an absent field of type `kind` without a default of its own.
pub(super) fn zero(kind: ScalarKind, descriptor: &Descriptor) -> Scalar<'static> {
    match kind {
        ScalarKind::Double | ScalarKind::Float => Scalar::Float(0.0),
        ScalarKind::Bool => Scalar::Bool(false),
        ScalarKind::String => Scalar::Text(&[]),
        ScalarKind::Bytes => Scalar::Bytes(&[]),
        ScalarKind::Enum(id) => {
            let first = descriptor.enumeration(id).values.first();
            Scalar::Enum(id, first.map_or(0, |(number, _)| *number))
        }
        _ => Scalar::Integer(0),
    }
}

/// Whether it is the zero of type `kind`, bit by bit.
pub(super) fn is_zero(value: Scalar<'_>, kind: ScalarKind, descriptor: &Descriptor) -> bool {
    let is_negative_zero =
        matches!(value, Scalar::Float(value) if value == 0.0 && value.is_sign_negative());
    value == zero(kind, descriptor) && !is_negative_zero
}

/// The default of a field of type `kind`.
pub(super) fn stated(kind: ScalarKind, default: &StatedDefault) -> Scalar<'_> {
    match (default, kind) {
        (StatedDefault::Bool(value), _) => Scalar::Bool(*value),
        (StatedDefault::Integer(value), _) => Scalar::Integer(*value),
        (StatedDefault::Float(bits), _) => Scalar::Float(f64::from_bits(*bits)),
        (StatedDefault::Text(value), _) => Scalar::Text(value.as_bytes()),
        (StatedDefault::Bytes(value), _) => Scalar::Bytes(value),
        (StatedDefault::Enum(number), ScalarKind::Enum(id)) => Scalar::Enum(id, *number),
        (StatedDefault::Enum(number), _) => Scalar::Integer((*number).into()),
    }
}

/// Whether a column of this type can hold values of type `kind`. `epoch` is the unit of integers that are
/// timestamps.
pub(super) fn fits(kind: ScalarKind, data_type: &DataType, epoch: Option<TimeUnit>) -> bool {
    match kind {
        // As text, like any other value.
        _ if data_type.is_string() => true,
        ScalarKind::Bool => *data_type == DataType::Boolean,
        ScalarKind::Double | ScalarKind::Float => data_type.is_numeric(),
        ScalarKind::Bytes => data_type.is_binary(),
        ScalarKind::Enum(_) => data_type.is_integer(),
        ScalarKind::String => {
            data_type.is_binary()
                || data_type.is_temporal()
                || matches!(
                    data_type,
                    DataType::Decimal128(..) | DataType::Decimal256(..)
                )
        }
        _ => {
            let is_timestamp = matches!(data_type, DataType::Timestamp(_, _));
            data_type.is_numeric() || (epoch.is_some() && is_timestamp)
        }
    }
}

/// The longest text of a number, such as `-2.2250738585072014e-308`.
const MAX_NUMBER_CHARS: usize = 24;

/// How many bytes the text of a value may have that is not in the record.
pub(super) fn added_bytes(value: Scalar<'_>, descriptor: &Descriptor) -> usize {
    match value {
        Scalar::Bool(_) | Scalar::Integer(_) | Scalar::Float(_) => MAX_NUMBER_CHARS,
        Scalar::Enum(id, number) => {
            let name = descriptor.enumeration(id).name_of(number);
            name.map_or(0, str::len)
        }
        Scalar::Text(text) | Scalar::Bytes(text) => text.len(),
    }
}

/// The text of a number or boolean of type `kind`, as in the JSON of Protobuf, but never in quotes.
fn number_text(value: Scalar<'_>, kind: ScalarKind) -> Option<String> {
    Some(match value {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Integer(value) => value.to_string(),
        Scalar::Float(value) if value.is_nan() => "NaN".to_owned(),
        Scalar::Float(value) if value.is_infinite() => {
            let text = if value > 0.0 { "Infinity" } else { "-Infinity" };
            text.to_owned()
        }
        // The shortest text that is the same number of 32 bits.
        Scalar::Float(value) if kind == ScalarKind::Float => {
            serde_json::to_string(&(value as f32)).ok()?
        }
        Scalar::Float(value) => serde_json::to_string(&value).ok()?,
        Scalar::Text(_) | Scalar::Bytes(_) | Scalar::Enum(..) => return None,
    })
}

/// Appends a value of type `kind` to a column that [`fits`].
///
/// # Errors
/// The column cannot represent the value.
pub(super) fn push(
    value: Scalar<'_>,
    kind: ScalarKind,
    column: &mut Column,
    descriptor: &Descriptor,
    epoch: Option<TimeUnit>,
) -> Result<(), Mismatch> {
    if column.data_type().is_string()
        && let Some(text) = number_text(value, kind)
    {
        return column.push_str(&text);
    }
    match value {
        Scalar::Bool(value) => column.push_bool(value),
        Scalar::Float(value) => column.push_float(value),
        Scalar::Bytes(value) => column.push_bytes(value),
        Scalar::Integer(value) => match (column.data_type(), epoch) {
            (DataType::Timestamp(_, _), Some(unit)) => {
                let value = i64::try_from(value).map_err(|_| Mismatch::Range)?;
                column.push_instant(value, unit)
            }
            _ => column.push_integer(value),
        },
        Scalar::Text(value) => {
            if column.data_type().is_string() || column.data_type().is_binary() {
                return column.push_bytes(value);
            }
            let text = std::str::from_utf8(value).map_err(|_| Mismatch::Range)?;
            column.push_str(text)
        }
        Scalar::Enum(id, number) => {
            if !column.data_type().is_string() {
                return column.push_integer(number.into());
            }
            match descriptor.enumeration(id).name_of(number) {
                Some(name) => column.push_str(name),
                None => column.push_str(&number.to_string()),
            }
        }
    }
}
