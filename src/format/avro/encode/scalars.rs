//! Values that are no records and no arrays.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int64Type,
    TimeUnit, UInt64Type, i256,
};

use crate::format::avro::schema::{AvroType, Kind, Logical};
use crate::format::columns::{decimal_text, rescaled};
use crate::options::TimestampFormat;

/// The values of a column, and how they are written.
#[derive(Debug)]
pub(super) enum Scalars<'a> {
    Boolean(&'a BooleanArray),
    Int(ArrayRef),
    Long(ArrayRef),
    Unsigned(&'a [u64], Bits),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    /// Doubles as floats.
    Narrowed(&'a [f64]),
    String(Texts<'a>),
    Symbol(Texts<'a>, &'a [String]),
    Bytes(Blobs<'a>),
    Fixed(Blobs<'a>, usize),
    Uuid(Texts<'a>),
    Decimal {
        values: Decimals<'a>,
        /// The number of digits after the point, in the column and in the schema.
        scales: (i32, i32),
        precision: u8,
        /// The number of bytes of a fixed type.
        size: Option<usize>,
    },
    /// Times of day as an int.
    TimeOfDay(ArrayRef, Bits),
}

/// The width of an integer type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bits {
    Int,
    Long,
}

/// The strings of a column.
#[derive(Debug)]
pub(super) struct Texts<'a>(&'a ArrayRef);

impl Texts<'_> {
    fn value(&self, row: usize) -> &str {
        match self.0.data_type() {
            DataType::Utf8 => self.0.as_string::<i32>().value(row),
            DataType::LargeUtf8 => self.0.as_string::<i64>().value(row),
            _ => self.0.as_string_view().value(row),
        }
    }
}

/// The bytes of a column.
#[derive(Debug)]
pub(super) struct Blobs<'a>(&'a ArrayRef);

impl Blobs<'_> {
    fn value(&self, row: usize) -> &[u8] {
        match self.0.data_type() {
            DataType::Binary => self.0.as_binary::<i32>().value(row),
            DataType::LargeBinary => self.0.as_binary::<i64>().value(row),
            _ => self.0.as_binary_view().value(row),
        }
    }
}

/// The decimals of a column.
#[derive(Debug)]
pub(super) enum Decimals<'a> {
    Narrow(&'a [i128]),
    Wide(&'a [i256]),
    Integers(ArrayRef),
}

impl Decimals<'_> {
    fn value(&self, row: usize) -> i256 {
        match self {
            Self::Narrow(values) => i256::from_i128(values[row]),
            Self::Wide(values) => values[row],
            Self::Integers(values) => {
                i256::from_i128(values.as_primitive::<Decimal128Type>().value(row))
            }
        }
    }
}

impl<'a> Scalars<'a> {
    /// The values of `column` as values of `avro_type`; `None` if the column has another type.
    pub(super) fn new(
        avro_type: &'a AvroType,
        column: &'a ArrayRef,
        timestamps: TimestampFormat,
    ) -> Option<Self> {
        let data_type = column.data_type();
        Some(match (&avro_type.kind, avro_type.logical) {
            (Kind::Boolean, _) => Self::Boolean(column.as_boolean_opt()?),
            (Kind::Int, Some(Logical::Date)) if *data_type == DataType::Date32 => {
                Self::Int(cast_days(column)?)
            }
            (Kind::Int, Some(Logical::TimeOfDay(unit))) => {
                Self::TimeOfDay(in_units(column, unit)?, Bits::Int)
            }
            (Kind::Long, Some(Logical::TimeOfDay(unit))) => {
                Self::TimeOfDay(in_units(column, unit)?, Bits::Long)
            }
            (Kind::Long, Some(Logical::Timestamp { unit, .. }))
                if matches!(data_type, DataType::Timestamp(_, _)) =>
            {
                Self::Long(in_units(column, unit)?)
            }
            (Kind::Long, None) if matches!(data_type, DataType::Timestamp(_, _)) => {
                let TimestampFormat::Epoch(unit) = timestamps else {
                    return None;
                };
                Self::Long(in_units(column, unit)?)
            }
            (Kind::Int, _) => Self::integers(column, Bits::Int)?,
            (Kind::Long, _) => Self::integers(column, Bits::Long)?,
            (Kind::Float, _) => match data_type {
                DataType::Float32 => Self::Float32(values::<Float32Type>(column)?),
                _ => Self::Narrowed(values::<Float64Type>(column)?),
            },
            (Kind::Double, _) => Self::Float64(values::<Float64Type>(column)?),
            (Kind::String, _) if data_type.is_string() => Self::String(Texts(column)),
            (Kind::Enum { symbols, .. }, _) if data_type.is_string() => {
                Self::Symbol(Texts(column), symbols)
            }
            (Kind::Bytes, Some(Logical::Decimal { precision, scale })) => {
                Self::decimals(column, precision, scale, None)?
            }
            (Kind::Fixed { size, .. }, Some(Logical::Decimal { precision, scale })) => {
                Self::decimals(column, precision, scale, Some(*size))?
            }
            (Kind::Fixed { .. }, Some(Logical::Uuid)) if data_type.is_string() => {
                Self::Uuid(Texts(column))
            }
            (Kind::Bytes, _) if data_type.is_binary() => Self::Bytes(Blobs(column)),
            (Kind::Fixed { size, .. }, _) if data_type.is_binary() => {
                Self::Fixed(Blobs(column), *size)
            }
            _ => return None,
        })
    }

    fn integers(column: &'a ArrayRef, bits: Bits) -> Option<Self> {
        Some(match column.data_type() {
            DataType::UInt64 => Self::Unsigned(values::<UInt64Type>(column)?, bits),
            data_type if data_type.is_integer() => {
                let longs = cast(column, &DataType::Int64).ok()?;
                match bits {
                    Bits::Int => Self::Int(longs),
                    Bits::Long => Self::Long(longs),
                }
            }
            _ => return None,
        })
    }

    fn decimals(
        column: &'a ArrayRef,
        precision: u8,
        scale: u8,
        size: Option<usize>,
    ) -> Option<Self> {
        let (values, column_scale) = match column.data_type() {
            DataType::Decimal128(_, scale) => {
                (Decimals::Narrow(values::<Decimal128Type>(column)?), *scale)
            }
            DataType::Decimal256(_, scale) => {
                (Decimals::Wide(values::<Decimal256Type>(column)?), *scale)
            }
            data_type if data_type.is_integer() => {
                let integers = cast(column, &DataType::Decimal128(20, 0)).ok()?;
                (Decimals::Integers(integers), 0)
            }
            _ => return None,
        };
        Some(Self::Decimal {
            values,
            scales: (column_scale.into(), scale.into()),
            precision,
            size,
        })
    }

    /// Appends the value of a row, which is not NULL.
    ///
    /// # Errors
    /// The schema cannot represent the value.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::Boolean(array) => out.push(array.value(row).into()),
            Self::Int(array) => write_integer(long(array, row)?.into(), Bits::Int, out)?,
            Self::Long(array) => write_long(long(array, row)?, out),
            Self::Unsigned(values, bits) => write_integer(values[row].into(), *bits, out)?,
            Self::TimeOfDay(array, bits) => write_integer(long(array, row)?.into(), *bits, out)?,
            Self::Float32(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Self::Float64(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Self::Narrowed(values) => {
                let narrowed = values[row] as f32;
                if f64::from(narrowed) != values[row] && !values[row].is_nan() {
                    return Err(format!(
                        "{} is not exactly a float: expected a schema with double, or a column of type REAL",
                        values[row]
                    ));
                }
                out.extend_from_slice(&narrowed.to_le_bytes());
            }
            Self::String(texts) => write_bytes(texts.value(row).as_bytes(), out),
            Self::Bytes(blobs) => write_bytes(blobs.value(row), out),
            Self::Symbol(texts, symbols) => {
                let text = texts.value(row);
                let symbol = symbols.iter().position(|symbol| symbol == text);
                let symbol = symbol.ok_or_else(|| {
                    format!(
                        "'{text}' is no symbol of the enum: expected one of {}",
                        symbols.join(", ")
                    )
                })?;
                write_long(symbol as i64, out);
            }
            Self::Fixed(blobs, size) => {
                let bytes = blobs.value(row);
                if bytes.len() != *size {
                    return Err(format!(
                        "the value has {} bytes: expected {size}",
                        bytes.len()
                    ));
                }
                out.extend_from_slice(bytes);
            }
            Self::Uuid(texts) => {
                let text = texts.value(row);
                let uuid =
                    uuid::Uuid::try_parse(text).map_err(|_| format!("'{text}' is no UUID"))?;
                out.extend_from_slice(uuid.as_bytes());
            }
            Self::Decimal {
                values,
                scales: (scale, wanted),
                precision,
                size,
            } => {
                let value = values.value(row);
                let scaled = rescaled(value, wanted - scale, *precision).map_err(|_| {
                    format!(
                        "{} is not exactly a decimal of {precision} digits, {wanted} of them after the point",
                        decimal_text(value, *scale)
                    )
                })?;
                write_unscaled(scaled, *size, out)?;
            }
        }
        Ok(())
    }
}

fn values<T: ArrowPrimitiveType>(column: &ArrayRef) -> Option<&[T::Native]> {
    Some(column.as_primitive_opt::<T>()?.values())
}

fn long(array: &ArrayRef, row: usize) -> Result<i64, String> {
    match array.is_null(row) {
        false => Ok(array.as_primitive::<Int64Type>().value(row)),
        // The value of the column is not NULL; see `in_units`.
        true => Err("the time does not fit into 64 bits in the unit of the schema".to_owned()),
    }
}

fn cast_days(column: &ArrayRef) -> Option<ArrayRef> {
    column.as_primitive_opt::<Date32Type>()?;
    let days = cast(column, &DataType::Int32).ok()?;
    cast(&days, &DataType::Int64).ok()
}

/// The times of day or timestamps of a column as numbers of `unit`, rounded down; `None` for a column of another
/// type.
fn in_units(column: &ArrayRef, unit: TimeUnit) -> Option<ArrayRef> {
    let from = match column.data_type() {
        DataType::Timestamp(from, _) | DataType::Time64(from) => *from,
        _ => return None,
    };
    let numbers = cast(column, &DataType::Int64).ok()?;
    if from == unit {
        return Some(numbers);
    }
    let (from, to) = (per_second(from), per_second(unit));
    let numbers = numbers.as_primitive::<Int64Type>();
    let converted = match to >= from {
        // What does not fit is NULL.
        true => numbers.unary_opt::<_, Int64Type>(|value| value.checked_mul(to / from)),
        false => numbers.unary(|value| value.div_euclid(from / to)),
    };
    Some(Arc::new(converted))
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

fn write_integer(value: i128, bits: Bits, out: &mut Vec<u8>) -> Result<(), String> {
    let narrowed = match bits {
        Bits::Int => i32::try_from(value).map(i64::from).ok(),
        Bits::Long => i64::try_from(value).ok(),
    };
    let name = match bits {
        Bits::Int => "an int, which has 32 bits",
        Bits::Long => "a long, which has 64 bits",
    };
    let narrowed = narrowed.ok_or_else(|| format!("{value} is not {name}"))?;
    write_long(narrowed, out);
    Ok(())
}

/// Appends a number as 7 bits per byte, small absolute values first.
pub(super) fn write_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_long(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

/// Appends an integer in two's complement: with as few bytes as possible, or with `size` bytes.
fn write_unscaled(value: i256, size: Option<usize>, out: &mut Vec<u8>) -> Result<(), String> {
    let bytes = value.to_be_bytes();
    let sign = if value < i256::ZERO { 0xff } else { 0 };
    let same = |index: &usize| bytes[*index] == sign && (bytes[index + 1] ^ sign) & 0x80 == 0;
    let start = (0..bytes.len() - 1).take_while(same).count();
    let shortest = &bytes[start..];
    match size {
        None => write_bytes(shortest, out),
        Some(size) if size >= shortest.len() => {
            out.resize(out.len() + size - shortest.len(), sign);
            out.extend_from_slice(shortest);
        }
        Some(size) => {
            return Err(format!(
                "the value needs more than the {size} bytes of the schema"
            ));
        }
    }
    Ok(())
}
