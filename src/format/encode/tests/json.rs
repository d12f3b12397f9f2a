//! JSON as it is written.

use datafusion::arrow::array::{
    Float64Array, ListArray, StructArray, TimestampNanosecondArray, TimestampSecondArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::TimeUnit;

use super::*;

#[test]
fn each_type_has_one_notation_in_json() {
    let timestamp = |unit| DataType::Timestamp(unit, None);
    let cases = [
        (DataType::Boolean, "true"),
        (DataType::Int8, "-128"),
        (DataType::Int64, "9223372036854775807"),
        (DataType::UInt64, "18446744073709551615"),
        (DataType::Float64, "0.1"),
        (DataType::Float64, "1e+300"),
        (DataType::Float32, "0.1"),
        (
            DataType::Decimal128(38, 2),
            "123456789012345678901234567890123456.10",
        ),
        (DataType::Decimal128(10, 4), "-0.0001"),
        (DataType::Decimal128(10, 4), "0.0000"),
        (DataType::Decimal128(10, -2), "1200"),
        (
            DataType::Decimal256(50, 1),
            "1234567890123456789012345678901234567890123456789.5",
        ),
        (
            DataType::Utf8View,
            r#""a \"quoted\" line\nand\\more \u0001 é""#,
        ),
        (DataType::Binary, "\"AAH/\""),
        (DataType::Date32, "\"2026-11-30\""),
        (
            DataType::Time64(TimeUnit::Nanosecond),
            "\"08:00:00.000000001\"",
        ),
        (
            timestamp(TimeUnit::Nanosecond),
            "\"2026-11-30T08:00:00.123Z\"",
        ),
        (
            timestamp(TimeUnit::Microsecond),
            "\"1969-12-31T23:59:59.999999Z\"",
        ),
        (timestamp(TimeUnit::Second), "\"0000-01-01T00:00:00Z\""),
    ];
    for (data_type, text) in cases {
        let field = fields(&[("v", data_type.clone())]);
        let schema = schema(&field, &[("kinesis.format", "json")]);
        let values = column(&data_type, &[text]);
        let documents = round_trip(&schema, &[values]);
        assert_eq!(
            texts(&documents),
            [format!("{{\"v\":{text}}}")],
            "{data_type}"
        );
    }
}

#[test]
fn timestamps_are_written_in_the_units_of_the_option_without_loss() {
    let field = fields(&[("t", DataType::Timestamp(TimeUnit::Nanosecond, None))]);
    let values: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![
        1_764_489_600_123_456_000,
        1_764_489_600_000_000_000,
        -1,
    ]));
    let cases = [
        (
            "epoch_s",
            ["1764489600.123456", "1764489600", "-0.000000001"],
        ),
        (
            "epoch_ms",
            ["1764489600123.456", "1764489600000", "-0.000001"],
        ),
        (
            "epoch_us",
            ["1764489600123456", "1764489600000000", "-0.001"],
        ),
        (
            "epoch_ns",
            ["1764489600123456000", "1764489600000000000", "-1"],
        ),
    ];
    for (format, expected) in cases {
        let options = [
            ("kinesis.format", "json"),
            ("kinesis.json.timestampFormat", format),
        ];
        let schema = schema(&field, &options);
        let documents = round_trip(&schema, &[Arc::clone(&values)]);
        let expected = expected.map(|number| format!("{{\"t\":{number}}}"));
        assert_eq!(texts(&documents), expected);
    }
}

#[test]
fn null_fields_are_left_out_or_kept() {
    let geo = DataType::Struct(fields(&[
        ("lat", DataType::Float64),
        ("name", DataType::Utf8),
    ]));
    let list = DataType::new_list(DataType::Int64, true);
    let fields = fields(&[
        ("id", DataType::Int64),
        ("geo", geo.clone()),
        ("tags", list.clone()),
    ]);
    let columns = [
        column(&DataType::Int64, &["1", "null"]),
        column(&geo, &[r#"{"name":"here"}"#, "null"]),
        column(&list, &["[1,null]", "[]"]),
    ];
    let written = |nulls: &[(&str, &str)]| {
        let mut options = vec![("kinesis.format", "json")];
        options.extend(nulls);
        let documents = round_trip(&schema(&fields, &options), &columns);
        texts(&documents)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let omitted = [
        r#"{"id":1,"geo":{"name":"here"},"tags":[1,null]}"#,
        r#"{"tags":[]}"#,
    ];
    assert_eq!(written(&[]), omitted);
    assert_eq!(written(&[("kinesis.sink.nullFields", "omit")]), omitted);
    let kept = [
        r#"{"id":1,"geo":{"lat":null,"name":"here"},"tags":[1,null]}"#,
        r#"{"id":null,"geo":null,"tags":[]}"#,
    ];
    assert_eq!(written(&[("kinesis.sink.nullFields", "keep")]), kept);
}

#[test]
fn a_number_that_json_lacks_fails_with_its_row_and_field() {
    let items = DataType::new_list(DataType::Float64, true);
    let geo = DataType::Struct(fields(&[("lats", items)]));
    let fields = fields(&[("geo", geo.clone())]);
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 1.5, f64::NAN]));
    let field = Arc::new(Field::new_list_field(DataType::Float64, true));
    let offsets = OffsetBuffer::from_lengths([1, 2]);
    let lists = ListArray::new(field, offsets, numbers, None);
    let DataType::Struct(inner) = geo else {
        unreachable!()
    };
    let structs = StructArray::new(inner, vec![Arc::new(lists)], None);
    let schema = schema(&fields, &[("kinesis.format", "json")]);
    let mut encoder = Encoder::new(&schema).unwrap();
    let describe = |row: usize| format!("row {}", row + 1);
    let columns: [ArrayRef; 1] = [Arc::new(structs)];
    let error = encoder.encode(&columns, 2, describe).unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 2: it cannot be encoded as json: field 'geo.lats[1]': NaN is no JSON number: expected a finite \
         number or NULL"
    );
    // The documents of the rows before it are gone.
    let documents = encoder
        .encode(&[columns[0].slice(0, 1)], 1, describe)
        .unwrap();
    assert_eq!(texts(&documents), [r#"{"geo":{"lats":[0.5]}}"#]);
}

#[test]
fn a_time_that_rfc_3339_lacks_fails() {
    let field = fields(&[("t", DataType::Timestamp(TimeUnit::Second, None))]);
    let values: ArrayRef = Arc::new(TimestampSecondArray::from(vec![253_402_300_800]));
    let error = encoded(&schema(&field, &[("kinesis.format", "json")]), &[values]).unwrap_err();
    let expected = "row 1: it cannot be encoded as json: field 't': a date or timestamp is outside of the years \
                    0 to 9999";
    assert!(error.to_string().starts_with(expected), "{error}");
}
