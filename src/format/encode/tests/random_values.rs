//! Random types, and random values of them.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit, i256};
use fastrand::Rng;

use crate::format::columns::Column;
use crate::format::encode::times;

/// Every type of a declared column that is not nested.
pub(super) fn scalar_types() -> Vec<DataType> {
    use DataType::{
        Binary, BinaryView, Boolean, Date32, Decimal128, Decimal256, Float32, Float64, Int8, Int16,
        Int32, Int64, LargeBinary, LargeUtf8, Time64, Timestamp, UInt8, UInt16, UInt32, UInt64,
        Utf8, Utf8View,
    };
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let utc = Some("+00:00".into());
    vec![
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float32,
        Float64,
        Decimal128(5, 0),
        Decimal128(38, 10),
        Decimal128(12, -3),
        Decimal256(76, 38),
        Utf8,
        LargeUtf8,
        Utf8View,
        Binary,
        LargeBinary,
        BinaryView,
        Date32,
        Time64(Microsecond),
        Time64(Nanosecond),
        Timestamp(Second, None),
        Timestamp(Millisecond, utc.clone()),
        Timestamp(Microsecond, None),
        Timestamp(Nanosecond, utc),
    ]
}

pub(super) fn random_type(random: &mut Rng, depth: usize) -> DataType {
    match random.u8(..if depth == 0 { 6 } else { 10 }) {
        6 | 7 => DataType::new_list(random_type(random, depth - 1), true),
        8 | 9 => {
            let inner: Fields = (0..random.usize(1..4))
                .map(|index| Field::new(format!("f{index}"), random_type(random, depth - 1), true))
                .collect();
            DataType::Struct(inner)
        }
        _ => {
            let types = scalar_types();
            types[random.usize(..types.len())].clone()
        }
    }
}

fn random_text(random: &mut Rng) -> String {
    let odd = [
        '"', '\\', '\n', '\u{0}', ',', 'é', '😀', '{', ' ', '\u{2028}',
    ];
    let any = |random: &mut Rng| match random.bool() {
        true => odd[random.usize(..odd.len())],
        false => random.alphanumeric(),
    };
    (0..random.usize(..12)).map(|_| any(random)).collect()
}

/// Appends a random value, which may be NULL.
fn push_random(column: &mut Column, random: &mut Rng) {
    if random.u8(..6) == 0 {
        return column.push_null();
    }
    let data_type = column.data_type().clone();
    let pushed = match &data_type {
        DataType::Boolean => column.push_bool(random.bool()),
        data_type if data_type.is_integer() => {
            let bits = 8 * data_type.primitive_width().unwrap();
            let value = random.i128(..) >> (128 - bits);
            let (low, high) = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1);
            match data_type.is_signed_integer() {
                true => column.push_integer([value, low, high][random.usize(..3)]),
                false => column.push_integer(value - low),
            }
        }
        DataType::Float32 => {
            let value = f32::from_bits(random.u32(..));
            column.push_float(if value.is_finite() { value } else { 0.5 }.into())
        }
        DataType::Float64 => {
            let value = f64::from_bits(random.u64(..));
            column.push_float(if value.is_finite() { value } else { -0.0 })
        }
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            let digits = random.u32(1..=(*precision).into());
            let text: String = (0..digits).map(|_| random.digit(10)).collect();
            let value = i256::from_string(&text).unwrap();
            let value = if random.bool() {
                value
            } else {
                value.wrapping_neg()
            };
            column.push_decimal(value, (*scale).into())
        }
        data_type if data_type.is_string() => column.push_str(&random_text(random)),
        data_type if data_type.is_binary() => {
            let bytes: Vec<u8> = (0..random.usize(..9)).map(|_| random.u8(..)).collect();
            column.push_bytes(&bytes)
        }
        DataType::Date32 => column.push_date(random.i32(-719_528..=2_932_896)),
        DataType::Time64(_) => column.push_time_of_day(random.i64(0..86_400_000_000) * 1_000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            column.push_instant(random.i64(..), TimeUnit::Nanosecond)
        }
        DataType::Timestamp(unit, _) => {
            let seconds = random.i64(-62_167_219_200..253_402_300_800);
            let places = times::digits(*unit);
            let units = random.i64(0..10_i64.pow(places));
            column.push_instant(seconds * 10_i64.pow(places) + units, *unit)
        }
        DataType::List(_) => {
            for _ in 0..random.usize(..4) {
                push_random(column.list_item().unwrap(), random);
            }
            column.finish_list();
            Ok(())
        }
        _ => {
            for field in column.struct_fields().unwrap() {
                push_random(field, random);
            }
            column.finish_struct();
            Ok(())
        }
    };
    assert_eq!(pushed, Ok(()), "{data_type}");
}

pub(super) fn random_column(data_type: &DataType, rows: usize, random: &mut Rng) -> ArrayRef {
    let mut column = Column::new(data_type).unwrap();
    for _ in 0..rows {
        push_random(&mut column, random);
    }
    column.finish().unwrap()
}
