use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BinaryArray, Float64Array, Int64Array, LargeBinaryArray, ListArray,
    StringArray, StringViewArray, StructArray, TimestampNanosecondArray, TimestampSecondArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit, i256};
use fastrand::Rng;

use super::*;
use crate::format::Decoder;
use crate::format::columns::Column;
use crate::options::OptionsBuilder;

/// The payload of a table with these columns and options.
fn schema(fields: &Fields, options: &[(&str, &str)]) -> Arc<PayloadSchema> {
    let mut builder = OptionsBuilder::default();
    builder.set_location("words").unwrap();
    for (name, value) in options {
        builder.set(name, value).unwrap();
    }
    let format = builder.finish().unwrap().format.unwrap();
    Arc::new(PayloadSchema::new(format, fields).unwrap())
}

fn fields(types: &[(&str, DataType)]) -> Fields {
    let field = |(name, data_type): &(&str, DataType)| Field::new(*name, data_type.clone(), true);
    types.iter().map(field).collect()
}

fn encoded(schema: &Arc<PayloadSchema>, columns: &[ArrayRef]) -> Result<LargeBinaryArray> {
    let mut encoder = Encoder::new(schema)?;
    encoder.encode(columns, columns[0].len(), |row| format!("row {}", row + 1))
}

fn texts(documents: &LargeBinaryArray) -> Vec<&str> {
    let documents = documents.iter();
    documents
        .map(|document| std::str::from_utf8(document.unwrap()).unwrap())
        .collect()
}

fn decoded(schema: &Arc<PayloadSchema>, documents: &LargeBinaryArray) -> Vec<ArrayRef> {
    let all: Vec<usize> = (0..schema.fields.len()).collect();
    let mut decoder = Decoder::new(schema, &all).unwrap();
    let records: BinaryArray = documents.iter().collect();
    let decoded = decoder.decode(&records, 0).unwrap();
    assert_eq!(decoded.next, records.len());
    assert_eq!(decoded.mismatches, 0, "{:?}", documents);
    decoded.columns
}

/// The documents of `columns`, after checking that they decode to `columns`.
fn round_trip(schema: &Arc<PayloadSchema>, columns: &[ArrayRef]) -> LargeBinaryArray {
    let documents = encoded(schema, columns).unwrap();
    assert_eq!(decoded(schema, &documents), columns);
    documents
}

/// A column of these values in JSON, decoded.
fn column(data_type: &DataType, values: &[&str]) -> ArrayRef {
    let field = fields(&[("v", data_type.clone())]);
    let schema = schema(&field, &[("kinesis.format", "json")]);
    let documents = values
        .iter()
        .map(|value| format!("{{\"v\":{value}}}").into_bytes());
    let documents: LargeBinaryArray = documents.map(Some).collect();
    decoded(&schema, &documents).remove(0)
}

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
    let place = DataType::Struct(fields(&[
        ("lat", DataType::Float64),
        ("name", DataType::Utf8),
    ]));
    let list = DataType::new_list(DataType::Int64, true);
    let fields = fields(&[
        ("id", DataType::Int64),
        ("geo", place.clone()),
        ("tags", list.clone()),
    ]);
    let columns = [
        column(&DataType::Int64, &["1", "null"]),
        column(&place, &[r#"{"name":"here"}"#, "null"]),
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
    let place = DataType::Struct(fields(&[("lats", items)]));
    let fields = fields(&[("geo", place.clone())]);
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 1.5, f64::NAN]));
    let field = Arc::new(Field::new_list_field(DataType::Float64, true));
    let offsets = OffsetBuffer::from_lengths([1, 2]);
    let lists = ListArray::new(field, offsets, numbers, None);
    let DataType::Struct(inner) = place else {
        unreachable!()
    };
    let places = StructArray::new(inner, vec![Arc::new(lists)], None);
    let schema = schema(&fields, &[("kinesis.format", "json")]);
    let mut encoder = Encoder::new(&schema).unwrap();
    let describe = |row: usize| format!("row {}", row + 1);
    let columns: [ArrayRef; 1] = [Arc::new(places)];
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

#[test]
fn compressed_documents_decompress_to_what_is_written_without_compression() {
    let field = fields(&[("text", DataType::Utf8)]);
    let long = "0123456789".repeat(50_000);
    let mut random = Rng::with_seed(7);
    let noise: String = (0..100_000).map(|_| random.alphanumeric()).collect();
    let values: ArrayRef = Arc::new(StringArray::from(vec!["", "short", &long, &noise, "again"]));
    for compression in ["gzip", "zstd"] {
        let options = [
            ("kinesis.format", "json"),
            ("kinesis.format.compression", compression),
        ];
        let schema = schema(&field, &options);
        let documents = round_trip(&schema, &[Arc::clone(&values)]);
        assert!(documents.value(2).len() < 10_000, "{compression}");
        // Each document is complete, so the same one is always written in the same way.
        let again = round_trip(&schema, &[values.slice(4, 1)]);
        assert_eq!(documents.value(4), again.value(0), "{compression}");
    }
}

#[test]
fn text_is_written_as_it_is() {
    let text = |data_type, values: ArrayRef, options: &[(&str, &str)]| {
        let mut all = vec![("kinesis.format", "text")];
        all.extend(options);
        encoded(&schema(&fields(&[("v", data_type)]), &all), &[values])
    };
    let strings: ArrayRef = Arc::new(StringViewArray::from(vec!["a \"b\"\n", ""]));
    let documents = text(DataType::Utf8View, strings, &[]).unwrap();
    assert_eq!(texts(&documents), ["a \"b\"\n", ""]);
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&[0xff_u8, 0][..]]));
    let documents = text(DataType::Binary, bytes, &[]).unwrap();
    assert_eq!(documents.value(0), [0xff, 0]);
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![0.5, f64::NEG_INFINITY]));
    let documents = text(DataType::Float64, numbers, &[]).unwrap();
    assert_eq!(texts(&documents), ["0.5", "-Infinity"]);
    let times: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_500_000_000]));
    let data_type = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let documents = text(data_type.clone(), Arc::clone(&times), &[]).unwrap();
    assert_eq!(texts(&documents), ["1970-01-01T00:00:01.500Z"]);
    let options = [("kinesis.json.timestampFormat", "epoch_ms")];
    let documents = text(data_type, times, &options).unwrap();
    assert_eq!(texts(&documents), ["1500"]);
    let null: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let error = text(DataType::Int64, null, &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 2: it cannot be encoded as text: field 'v': NULL is no text: expected a value"
    );
}

#[test]
fn csv_values_are_quoted_only_when_needed() {
    let csv = |options: &[(&str, &str)], rows: &[(Option<&str>, Option<i64>)]| {
        let mut all = vec![("kinesis.format", "csv")];
        all.extend(options);
        let fields = fields(&[("s", DataType::Utf8), ("n", DataType::Int64)]);
        let strings: StringArray = rows.iter().map(|(text, _)| *text).collect();
        let numbers: Int64Array = rows.iter().map(|(_, number)| *number).collect();
        let columns: [ArrayRef; 2] = [Arc::new(strings), Arc::new(numbers)];
        let documents = encoded(&schema(&fields, &all), &columns).unwrap();
        texts(&documents)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let rows = [
        (Some("plain text"), Some(-1)),
        (Some("a,b"), None),
        (Some("say \"hi\""), Some(2)),
        (Some("two\nlines"), Some(3)),
        (Some(""), Some(4)),
        (None, Some(5)),
    ];
    let expected = [
        "plain text,-1",
        "\"a,b\",",
        "\"say \"\"hi\"\"\",2",
        "\"two\nlines\",3",
        ",4",
        ",5",
    ];
    assert_eq!(csv(&[], &rows), expected);
    let options = [
        ("kinesis.csv.delimiter", "\\t"),
        ("kinesis.csv.quote", "'"),
        ("kinesis.csv.escape", "\\"),
        ("kinesis.csv.nullLiteral", "NULL"),
    ];
    let rows = [
        (Some("a,b"), None),
        (Some("a\tb"), Some(1)),
        (Some("it's"), Some(2)),
        (Some("a\\b"), Some(3)),
        (Some("NULL"), Some(4)),
        (None, Some(5)),
    ];
    let expected = [
        "a,b\tNULL",
        "'a\tb'\t1",
        "'it\\'s'\t2",
        "'a\\\\b'\t3",
        "'NULL'\t4",
        "NULL\t5",
    ];
    assert_eq!(csv(&options, &rows), expected);
}

#[test]
fn formats_without_a_form_for_the_table_are_refused() {
    let refused = |types: &[(&str, DataType)], options: &[(&str, &str)]| {
        let schema = schema(&fields(types), options);
        Encoder::new(&schema).unwrap_err().to_string()
    };
    let list = DataType::new_list(DataType::Int64, true);
    let nested = refused(&[("tags", list)], &[("kinesis.format", "text")]);
    assert!(
        nested.starts_with("column 'tags' has type List(Int64)"),
        "{nested}"
    );
    let options = [
        ("kinesis.format", "json"),
        ("kinesis.format.compression", "auto"),
    ];
    let auto = refused(&[("id", DataType::Int64)], &options);
    assert!(
        auto.starts_with("option 'kinesis.format.compression' = 'auto': expected"),
        "{auto}"
    );
    let preset = refused(&[], &[("kinesis.format", "dynamodb")]);
    assert!(
        preset.contains("'kinesis.format' = 'dynamodb' can only be read"),
        "{preset}"
    );
}

/// Every type of a declared column that is not nested.
fn scalar_types() -> Vec<DataType> {
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

fn random_type(random: &mut Rng, depth: usize) -> DataType {
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

fn random_column(data_type: &DataType, rows: usize, random: &mut Rng) -> ArrayRef {
    let mut column = Column::new(data_type).unwrap();
    for _ in 0..rows {
        push_random(&mut column, random);
    }
    column.finish().unwrap()
}

#[test]
fn random_rows_of_every_type_survive_json() {
    let formats = ["rfc3339", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns"];
    for seed in 0..200 {
        let mut random = Rng::with_seed(seed);
        let rows = random.usize(..20);
        let columns = random.usize(1..6);
        // Each type comes up, also without nesting.
        let scalars = scalar_types();
        let first = scalars[seed as usize % scalars.len()].clone();
        let others = (1..columns).map(|_| random_type(&mut random, 3));
        let types: Vec<DataType> = [first].into_iter().chain(others).collect();
        let fields: Fields = types
            .iter()
            .enumerate()
            .map(|(index, data_type)| {
                Field::new(format!("c{index} \"é\""), data_type.clone(), true)
            })
            .collect();
        let options = [
            ("kinesis.format", "json"),
            ("kinesis.json.timestampFormat", formats[random.usize(..5)]),
            (
                "kinesis.sink.nullFields",
                ["omit", "keep"][random.usize(..2)],
            ),
            (
                "kinesis.format.compression",
                ["none", "gzip", "zstd"][random.usize(..3)],
            ),
        ];
        let columns: Vec<ArrayRef> = (types.iter())
            .map(|data_type| random_column(data_type, rows + 2, &mut random).slice(1, rows))
            .collect();
        let schema = schema(&fields, &options);
        let documents = encoded(&schema, &columns).unwrap();
        assert_eq!(
            decoded(&schema, &documents),
            columns,
            "seed {seed}, {types:?}"
        );
    }
}

#[test]
fn random_values_of_every_type_survive_text() {
    let compressions = ["none", "gzip", "zstd"];
    for (seed, data_type) in scalar_types().into_iter().enumerate() {
        let mut random = Rng::with_seed(seed as u64);
        let values = random_column(&data_type, 50, &mut random);
        // NULL has no text.
        let is_value = datafusion::arrow::compute::is_not_null(&values).unwrap();
        let values = datafusion::arrow::compute::filter(&values, &is_value).unwrap();
        let options = [
            ("kinesis.format", "text"),
            ("kinesis.format.compression", compressions[seed % 3]),
        ];
        let schema = schema(&fields(&[("v", data_type.clone())]), &options);
        let documents = encoded(&schema, &[Arc::clone(&values)]).unwrap();
        assert_eq!(decoded(&schema, &documents), [values], "{data_type}");
    }
}

#[test]
fn random_rows_of_every_type_survive_csv() {
    let types = scalar_types();
    for seed in 0..100 {
        let mut random = Rng::with_seed(seed);
        let chosen: Vec<DataType> = (0..random.usize(1..5))
            .map(|index| types[(seed as usize + 7 * index) % types.len()].clone())
            .collect();
        let fields: Fields = (chosen.iter().enumerate())
            .map(|(index, data_type)| Field::new(format!("c{index}"), data_type.clone(), true))
            .collect();
        let options = [
            ("kinesis.format", "csv"),
            (
                "kinesis.csv.delimiter",
                [",", ";", "\\t"][random.usize(..3)],
            ),
            ("kinesis.csv.quote", ["\"", "'"][random.usize(..2)]),
            ("kinesis.csv.escape", ["\\", "\"", "'"][random.usize(..3)]),
            (
                "kinesis.csv.nullLiteral",
                ["NULL", "-", "a"][random.usize(..3)],
            ),
        ];
        let rows = random.usize(..30);
        let columns: Vec<ArrayRef> = (chosen.iter())
            .map(|data_type| random_column(data_type, rows, &mut random))
            .collect();
        let schema = schema(&fields, &options);
        let documents = encoded(&schema, &columns).unwrap();
        assert_eq!(
            decoded(&schema, &documents),
            columns,
            "seed {seed}, {options:?}"
        );
    }
}
