//! Single values, from columns to the wire.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::super::descriptor::{Descriptor, ScalarKind};
use super::super::scalar::Scalar;
use super::super::times;
use super::super::wire::WireType;

/// The type of a column that can be written to a field of type `kind`, if `data_type` can only be read.
pub(super) fn expected_type(kind: ScalarKind, data_type: &DataType) -> Option<&'static str> {
    let is_text = data_type.is_string() || data_type.is_binary();
    match kind {
        ScalarKind::Enum(_) | ScalarKind::Bytes => None,
        ScalarKind::Bool => is_text.then_some("BOOLEAN"),
        ScalarKind::String => (!is_text).then_some("VARCHAR"),
        ScalarKind::Double | ScalarKind::Float => {
            (!data_type.is_floating() && !data_type.is_integer()).then_some("DOUBLE")
        }
        _ => {
            let is_timestamp = matches!(data_type, DataType::Timestamp(_, _));
            (!data_type.is_integer() && !is_timestamp).then_some("an integer type")
        }
    }
}

/// The value of type `kind` in `row` of a column, which is not NULL.
///
/// # Errors
/// The reason why a field of this type cannot have the value.
pub(super) fn scalar_at<'a>(
    kind: ScalarKind,
    column: &'a ArrayRef,
    row: usize,
    descriptor: &Descriptor,
    epoch: Option<TimeUnit>,
) -> Result<Scalar<'a>, String> {
    let unfit = || format!("is no value of Protobuf type {kind:?}");
    match kind {
        ScalarKind::Bool => {
            let values = column.as_boolean_opt().ok_or_else(unfit)?;
            Ok(Scalar::Bool(values.value(row)))
        }
        ScalarKind::Double => float_at(column, row).map(Scalar::Float).ok_or_else(unfit),
        ScalarKind::Float => {
            let value = float_at(column, row).ok_or_else(unfit)?;
            match (value as f32).is_infinite() && value.is_finite() {
                true => Err(format!(
                    "{value} is out of the range of Protobuf type float"
                )),
                false => Ok(Scalar::Float(value)),
            }
        }
        ScalarKind::String => {
            let text = bytes_at(column, row).ok_or_else(unfit)?;
            match std::str::from_utf8(text) {
                Ok(_) => Ok(Scalar::Text(text)),
                Err(_) => Err("is not valid UTF-8".to_owned()),
            }
        }
        ScalarKind::Bytes => bytes_at(column, row).map(Scalar::Bytes).ok_or_else(unfit),
        ScalarKind::Enum(id) => {
            let number = match bytes_at(column, row) {
                None => integer_at(column, row, epoch),
                Some(name) => {
                    let name = std::str::from_utf8(name).unwrap_or_default();
                    let enumeration = descriptor.enumeration(id);
                    let number = enumeration.number_of(name).map(i128::from);
                    let number = number.or_else(|| name.parse().ok());
                    return match number.and_then(|number| i32::try_from(number).ok()) {
                        Some(number) => Ok(Scalar::Enum(id, number)),
                        None => Err(format!("'{name}' is no value of enum {}", enumeration.name)),
                    };
                }
            };
            let number = number.ok_or_else(unfit)?;
            let narrow = i32::try_from(number);
            let narrow = narrow.map_err(|_| format!("{number} is out of the range of an enum"))?;
            Ok(Scalar::Enum(id, narrow))
        }
        _ => {
            let value = integer_at(column, row, epoch).ok_or_else(unfit)?;
            let (low, high) = match kind {
                ScalarKind::Int32 | ScalarKind::Sint32 | ScalarKind::Sfixed32 => {
                    (i32::MIN.into(), i32::MAX.into())
                }
                ScalarKind::Uint32 | ScalarKind::Fixed32 => (0, u32::MAX.into()),
                ScalarKind::Uint64 | ScalarKind::Fixed64 => (0, u64::MAX.into()),
                _ => (i64::MIN.into(), i64::MAX.into()),
            };
            match (low..=high).contains(&value) {
                true => Ok(Scalar::Integer(value)),
                false => Err(format!(
                    "{value} is out of the range of Protobuf type {kind:?}"
                )),
            }
        }
    }
}

fn integer_at(column: &ArrayRef, row: usize, epoch: Option<TimeUnit>) -> Option<i128> {
    Some(match column.data_type() {
        DataType::Int8 => column.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt8 => column.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => column.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Timestamp(_, _) => times::since_1970(column, row, epoch?)?,
        _ => return None,
    })
}

fn float_at(column: &ArrayRef, row: usize) -> Option<f64> {
    Some(match column.data_type() {
        DataType::Float32 => column.as_primitive::<Float32Type>().value(row).into(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row),
        _ => integer_at(column, row, None)? as f64,
    })
}

fn bytes_at(column: &ArrayRef, row: usize) -> Option<&[u8]> {
    Some(match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).as_bytes(),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row).as_bytes(),
        DataType::Utf8View => column.as_string_view().value(row).as_bytes(),
        DataType::Binary => column.as_binary::<i32>().value(row),
        DataType::LargeBinary => column.as_binary::<i64>().value(row),
        DataType::BinaryView => column.as_binary_view().value(row),
        _ => return None,
    })
}

/// Appends a varint.
pub(super) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends the tag of a value.
pub(super) fn put_tag(number: u32, wire: WireType, out: &mut Vec<u8>) {
    let wire = match wire {
        WireType::Varint => 0,
        WireType::Fixed64 => 1,
        WireType::Bytes => 2,
        WireType::StartGroup => 3,
        WireType::EndGroup => 4,
        WireType::Fixed32 => 5,
    };
    put_varint(u64::from(number) << 3 | wire, out);
}

/// Appends what `write` appends, after its length.
///
/// # Errors
/// Those of `write`.
pub(super) fn delimited<E>(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let start = out.len();
    write(out)?;
    let mut length = Vec::with_capacity(5);
    put_varint((out.len() - start) as u64, &mut length);
    out.splice(start..start, length);
    Ok(())
}

/// Appends a value without its tag. An integer is in the range of `kind`.
pub(super) fn put_scalar(kind: ScalarKind, value: Scalar<'_>, out: &mut Vec<u8>) {
    match value {
        Scalar::Bool(value) => out.push(value.into()),
        Scalar::Float(value) if kind == ScalarKind::Float => {
            out.extend((value as f32).to_le_bytes());
        }
        Scalar::Float(value) => out.extend(value.to_le_bytes()),
        Scalar::Text(bytes) | Scalar::Bytes(bytes) => {
            put_varint(bytes.len() as u64, out);
            out.extend(bytes);
        }
        // Negative numbers have 64 bits.
        Scalar::Enum(_, number) => put_varint(i64::from(number) as u64, out),
        Scalar::Integer(value) => match kind {
            ScalarKind::Fixed32 | ScalarKind::Sfixed32 => out.extend((value as u32).to_le_bytes()),
            ScalarKind::Fixed64 | ScalarKind::Sfixed64 => out.extend((value as u64).to_le_bytes()),
            ScalarKind::Sint32 | ScalarKind::Sint64 => {
                let value = value as i64;
                put_varint(((value << 1) ^ (value >> 63)) as u64, out);
            }
            _ => put_varint(value as u64, out),
        },
    }
}
