use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{Decimal256Type, Field, TimeUnit};

use super::*;
use crate::error::ErrorKind;
use crate::options::TimestampFormat;

fn nested() -> DataType {
    let item = DataType::Struct(
        [
            Field::new("a", DataType::Int32, true),
            Field::new("b", DataType::Utf8View, true),
        ]
        .into_iter()
        .collect(),
    );
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

/// Appends `[{a: value, b: text}]`.
fn push_nested(column: &mut Column, value: i128, text: &str) {
    let item = column.list_item().unwrap();
    let fields = item.struct_fields().unwrap();
    fields[0].push_integer(value).unwrap();
    fields[1].push_str(text).unwrap();
    item.finish_struct();
    column.finish_list();
}

#[test]
fn a_column_is_cut_back_at_any_nesting() {
    let mut column = Column::new(&nested()).unwrap();
    push_nested(&mut column, 1, "one");
    let mut expected = Column::new(&nested()).unwrap();
    push_nested(&mut expected, 1, "one");
    push_nested(&mut column, 2, "two");
    column.push_null();
    column.truncate(1);
    assert_eq!(column.len(), 1);
    // A value that was not finished.
    let item = column.list_item().unwrap();
    item.struct_fields().unwrap()[0].push_integer(3).unwrap();
    column.truncate(1);
    push_nested(&mut column, 4, "four");
    push_nested(&mut expected, 4, "four");
    let (found, expected) = (column.finish().unwrap(), expected.finish().unwrap());
    assert_eq!(&found, &expected);
    assert_eq!(found.len(), 2);
}

#[test]
fn a_finished_column_is_empty_and_can_be_used_again() {
    for data_type in [
        DataType::Boolean,
        DataType::Int8,
        DataType::UInt64,
        DataType::Float32,
        DataType::Date32,
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Timestamp(TimeUnit::Nanosecond, None),
        DataType::Timestamp(TimeUnit::Second, Some("UTC".into())),
        DataType::Decimal128(10, 2),
        DataType::Decimal256(50, 2),
        DataType::Utf8,
        DataType::BinaryView,
        nested(),
    ] {
        let mut column = Column::new(&data_type).unwrap();
        for rows in [2, 0, 3] {
            (0..rows).for_each(|_| column.push_null());
            let array = column.finish().unwrap();
            assert_eq!(
                (array.len(), array.null_count()),
                (rows, rows),
                "{data_type}"
            );
            assert_eq!(array.data_type(), &data_type);
            assert_eq!(column.len(), 0);
        }
    }
}

#[test]
fn a_type_that_no_payload_has_is_refused() {
    for data_type in [
        DataType::Null,
        DataType::Duration(TimeUnit::Second),
        DataType::Float16,
    ] {
        let error = Column::new(&data_type).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
}

#[test]
fn numbers_are_recognized() {
    for text in [
        "0", "-1", "+1", "1.5", ".5", "1.", "1e5", "1E+5", "-1.5e-5", "007",
    ] {
        assert!(numbers::is_number(text), "{text}");
    }
    for text in [
        "", "-", ".", "e5", "1e", "1e+", "1.5.5", "0x1", "1 ", "NaN", "1_000", "٣", "--1", "1e5.5",
    ] {
        assert!(!numbers::is_number(text), "{text}");
    }
}

#[test]
fn decimals_are_split_into_digits_and_scale() {
    for (text, value, scale) in [
        ("1.50", 15, 1),
        ("-0.05", -5, 2),
        ("+7", 7, 0),
        ("1e3", 1, -3),
        ("1.5e3", 15, -2),
        ("000123456789012345678", 123_456_789_012_345_678, 0),
        ("1234567890123456789", 1_234_567_890_123_456_789, 0),
    ] {
        assert_eq!(
            numbers::decimal(text),
            Ok((i256::from_i128(value), scale)),
            "{text}"
        );
    }
    assert_eq!(numbers::decimal(&"9".repeat(77)), Err(Mismatch::Range));
    assert_eq!(numbers::decimal("seven"), Err(Mismatch::Type));
}

#[test]
fn any_way_to_write_a_decimal_gives_the_same_value() {
    let mut random = fastrand::Rng::with_seed(15);
    for _ in 0..2_000 {
        let value = random.i64(..) >> random.u32(..60);
        let scale = random.i32(6..20);
        let text = decimal_text(i256::from_i128(value.into()), scale);
        let shift = random.i32(-5..5);
        let shifted = format!(
            "{}e{shift}",
            decimal_text(i256::from_i128(value.into()), scale + shift)
        );
        let read = |text: &str| {
            let mut column = Column::new(&DataType::Decimal256(76, 30)).unwrap();
            column.push_number(text).map(|()| column.finish().unwrap())
        };
        let expected = rescaled(i256::from_i128(value.into()), 30 - scale, 76).unwrap();
        for text in [&text, &shifted] {
            let array = read(text).unwrap_or_else(|mismatch| panic!("{text}: {mismatch:?}"));
            assert_eq!(
                array.as_primitive::<Decimal256Type>().value(0),
                expected,
                "{text}"
            );
        }
    }
}

#[test]
fn instants_are_converted_between_units_and_rounded_down() {
    let units = [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ];
    let push = |value, from, to| {
        let mut column = Column::new(&DataType::Timestamp(to, None)).unwrap();
        column.push_instant(value, from).map(|()| {
            let data = column.finish().unwrap().to_data();
            data.buffers()[0].typed_data::<i64>()[0]
        })
    };
    for from in units {
        for to in units {
            assert_eq!(push(0, from, to), Ok(0));
        }
    }
    assert_eq!(push(-1, TimeUnit::Nanosecond, TimeUnit::Second), Ok(-1));
    assert_eq!(push(1_999, TimeUnit::Millisecond, TimeUnit::Second), Ok(1));
    assert_eq!(
        push(2, TimeUnit::Second, TimeUnit::Microsecond),
        Ok(2_000_000)
    );
    assert_eq!(
        push(i64::MAX, TimeUnit::Second, TimeUnit::Nanosecond),
        Err(Mismatch::Range)
    );
}

#[test]
fn texts_of_csv_are_typed_values() {
    let push = |data_type: DataType, text: &str| {
        let mut column = Column::new(&data_type).unwrap();
        column
            .push_text(text, TimestampFormat::Epoch(TimeUnit::Second))
            .is_ok()
    };
    for (data_type, good, bad) in [
        (DataType::Boolean, " TRUE ", "1"),
        (DataType::Int32, " -7 ", "seven"),
        (DataType::Float64, "-Infinity", "infinite"),
        (DataType::Float64, "nan", ""),
        (DataType::Decimal128(5, 2), "123.45", "1234.5678"),
        (DataType::Date32, "2026-11-30", "20"),
        (
            DataType::Timestamp(TimeUnit::Second, None),
            "1764489600",
            "soon",
        ),
        (
            DataType::Timestamp(TimeUnit::Second, None),
            "2026-11-30T00:00:00Z",
            "",
        ),
        (DataType::Binary, "AAEC", "*"),
    ] {
        assert!(push(data_type.clone(), good), "{data_type} {good}");
        assert!(!push(data_type.clone(), bad), "{data_type} {bad}");
    }
    assert!(!push(nested(), "[]"));
}

#[test]
fn a_value_that_does_not_fit_leaves_no_trace() {
    let types = [
        DataType::Boolean,
        DataType::Int8,
        DataType::Utf8,
        DataType::Decimal128(3, 1),
        DataType::Date32,
    ];
    for data_type in types {
        let mut column = Column::new(&data_type).unwrap();
        let pushed = [
            column.push_bool(true),
            column.push_integer(1_000_000),
            column.push_number("0.001"),
            column.push_float(f64::NAN),
            column.push_bytes(b"\xff"),
            column.push_date(1),
        ];
        let appended = pushed.iter().filter(|pushed| pushed.is_ok()).count();
        assert_eq!(column.len(), appended, "{data_type}");
        assert_eq!(column.finish().unwrap().len(), appended, "{data_type}");
    }
}
