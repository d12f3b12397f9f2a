//! Which values fit which columns.

use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};

use super::{
    decode, failure, fields, in_record, list, payload, refusal, shown, time, timestamp, value,
};

fn string(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len() * 2).unwrap()], text.as_bytes()].concat()
}

#[test]
fn numbers_fit_every_column_that_is_wide_enough() {
    assert_eq!(value(r#""int""#, DataType::Int8, &[0xfe, 1]), "127");
    assert_eq!(value(r#""int""#, DataType::Int8, &[0x80, 2]), "NULL");
    assert_eq!(value(r#""int""#, DataType::UInt64, &[1]), "NULL");
    assert_eq!(
        value(r#""long""#, DataType::Decimal128(10, 2), &[3]),
        "-2.00"
    );
    assert_eq!(value(r#""long""#, DataType::Float64, &[3]), "-2.0");
    assert_eq!(value(r#""long""#, DataType::Utf8View, &[3]), "-2");
    let tenth = 0.1_f32.to_le_bytes();
    assert_eq!(
        value(r#""float""#, DataType::Decimal128(5, 2), &tenth),
        "0.10"
    );
    assert_eq!(value(r#""float""#, DataType::Utf8View, &tenth), "0.1");
    let half = 2.5_f64.to_le_bytes();
    assert_eq!(value(r#""double""#, DataType::Int64, &half), "NULL");
    assert_eq!(
        value(r#""double""#, DataType::Int64, &2_f64.to_le_bytes()),
        "2"
    );
    assert_eq!(value(r#""double""#, DataType::Float32, &half), "2.5");
    let nan = f64::NAN.to_le_bytes();
    assert_eq!(value(r#""double""#, DataType::Float64, &nan), "NaN");
    assert_eq!(
        value(r#""double""#, DataType::Decimal128(5, 2), &nan),
        "NULL"
    );
    assert_eq!(value(r#""boolean""#, DataType::Boolean, &[1]), "true");
    assert_eq!(value(r#""boolean""#, DataType::Utf8View, &[1]), "true");
}

#[test]
fn a_double_is_text_with_the_digits_that_read_back_the_same() {
    for (number, text) in [
        (1.5, "1.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (2.0, "2"),
        (-0.0, "-0"),
        (1e300, "1e300"),
        (-2.5e-9, "-2.5e-9"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-inf"),
    ] {
        let bytes = number.to_le_bytes();
        assert_eq!(value(r#""double""#, DataType::Utf8View, &bytes), text);
        let union = [&[2][..], &bytes].concat();
        let branches = r#"["null","double","string"]"#;
        assert_eq!(value(branches, DataType::Utf8, &union), text);
        let array = [&[2][..], &bytes, &[0]].concat();
        let items = r#"{"type":"array","items":"double"}"#;
        let expected = format!("[{text}]");
        assert_eq!(value(items, list(DataType::Utf8View), &array), expected);
        if number.is_finite() {
            assert_eq!(value(items, DataType::Utf8View, &array), expected);
        }
    }
    let float = 1e30_f32.to_le_bytes();
    assert_eq!(value(r#""float""#, DataType::Utf8View, &float), "1e30");
}

#[test]
fn strings_bytes_and_enums_fit_their_columns() {
    assert_eq!(value(r#""string""#, DataType::Utf8, &string("é")), "é");
    assert_eq!(value(r#""string""#, DataType::Binary, &string("é")), "c3a9");
    assert_eq!(
        value(r#""string""#, DataType::Decimal128(5, 2), &string("1.5")),
        "1.50"
    );
    assert_eq!(
        value(r#""string""#, timestamp(), &string("2026-11-30T08:00:00Z")),
        "2026-11-30T08:00:00"
    );
    assert_eq!(value(r#""bytes""#, DataType::Utf8View, &string("a")), "a");
    assert_eq!(value(r#""bytes""#, DataType::Utf8View, &[2, 0xff]), "NULL");
    let hue = r#"{"type":"enum","name":"E","symbols":["red","green"]}"#;
    assert_eq!(value(hue, DataType::Utf8View, &[2]), "green");
    let uuid = r#"{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}"#;
    let bytes: Vec<u8> = (0..16).collect();
    assert_eq!(
        value(uuid, DataType::Utf8View, &bytes),
        "00010203-0405-0607-0809-0a0b0c0d0e0f"
    );
    assert_eq!(
        value(uuid, DataType::Binary, &bytes),
        "000102030405060708090a0b0c0d0e0f"
    );
}

#[test]
fn decimals_are_exact() {
    let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#;
    assert_eq!(
        value(decimal, DataType::Decimal128(5, 2), &[4, 0xff, 0x38]),
        "-2.00"
    );
    assert_eq!(
        value(decimal, DataType::Decimal128(5, 1), &[4, 0, 0xff]),
        "NULL"
    );
    assert_eq!(value(decimal, DataType::Utf8View, &[4, 0, 0xff]), "2.55");
    assert_eq!(value(decimal, DataType::Float64, &[4, 0, 0xff]), "2.55");
    assert_eq!(value(decimal, DataType::Binary, &[4, 0, 0xff]), "00ff");
    assert_eq!(value(decimal, DataType::Decimal128(5, 2), &[0]), "NULL");
    let wide = |first: u8| [vec![80, first], vec![first; 38], vec![1]].concat();
    assert_eq!(value(decimal, DataType::Decimal128(5, 2), &wide(0)), "0.01");
    assert_eq!(
        value(decimal, DataType::Decimal128(5, 2), &wide(0xff)),
        "-2.55"
    );
    assert_eq!(value(decimal, DataType::Decimal128(5, 2), &wide(1)), "NULL");
    let whole = r#"{"type":"bytes","logicalType":"decimal","precision":4}"#;
    assert_eq!(value(whole, DataType::Utf8View, &[2, 5]), "5");
}

#[test]
fn dates_and_times_fit_their_columns() {
    let date = r#"{"type":"int","logicalType":"date"}"#;
    assert_eq!(value(date, DataType::Date32, &[1]), "1969-12-31");
    assert_eq!(value(date, DataType::Int32, &[1]), "-1");
    assert_eq!(value(date, DataType::Utf8View, &[1]), "1969-12-31");
    let millis = r#"{"type":"int","logicalType":"time-millis"}"#;
    assert_eq!(value(millis, time(), &[4]), "00:00:00.002");
    assert_eq!(value(millis, DataType::Utf8View, &[4]), "00:00:00.002");
    assert_eq!(value(millis, time(), &[1]), "NULL");
    let instant = r#"{"type":"long","logicalType":"timestamp-millis"}"#;
    assert_eq!(value(instant, timestamp(), &[1]), "1969-12-31T23:59:59.999");
    assert_eq!(value(instant, DataType::Int64, &[1]), "-1");
    assert_eq!(
        value(instant, DataType::Utf8View, &[1]),
        "1969-12-31T23:59:59.999Z"
    );
    let local = r#"{"type":"long","logicalType":"local-timestamp-nanos"}"#;
    assert_eq!(
        value(local, DataType::Utf8View, &[2]),
        "1970-01-01T00:00:00.000000001"
    );
    let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let far = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    assert_eq!(value(instant, nanos, &far), "NULL");
    let unit = [("kinesis.json.timestampFormat", "epoch_s")];
    let columns = fields(&[("v", timestamp())]);
    let decoded = decode(&in_record(r#""long""#), &columns, &unit, &[&[2]]).unwrap();
    assert_eq!(shown(&decoded.columns[0], 0), "1970-01-01T00:00:01");
}

#[test]
fn a_value_of_a_union_fits_if_its_branch_does() {
    let union = r#"["null","string","long",{"type":"array","items":"int"}]"#;
    for (column, record, expected) in [
        (DataType::Int64, vec![0], "NULL"),
        (DataType::Int64, vec![4, 14], "7"),
        (DataType::Int64, vec![2, 2, b'x'], "NULL"),
        (list(DataType::Int64), vec![6, 4, 2, 4, 0], "[1, 2]"),
        (DataType::Utf8View, vec![6, 4, 2, 4, 0], "[1,2]"),
    ] {
        assert_eq!(value(union, column, &record), expected);
    }
}

#[test]
fn fields_are_found_by_name_and_then_ignoring_case() {
    let schema = r#"{"type":"record","name":"R","fields":[
        {"name":"userId","type":"long"},{"name":"USERID","type":"long"},{"name":"other","type":"string"}]}"#;
    let record = [&[2, 4][..], &string("x")].concat();
    let decoded = |columns: &[(&str, DataType)]| {
        let decoded = decode(schema, &fields(columns), &[], &[&record]).unwrap();
        let row = decoded.columns.iter().map(|column| shown(column, 0));
        row.collect::<Vec<_>>()
    };
    let long = DataType::Int64;
    assert_eq!(decoded(&[("userid", long.clone())]), ["2"]);
    assert_eq!(decoded(&[("userId", long.clone())]), ["1"]);
    let columns = [
        ("OTHER", DataType::Utf8View),
        ("USERID", long.clone()),
        ("userId", long),
    ];
    assert_eq!(decoded(&columns), ["x", "2", "1"]);
}

#[test]
fn a_document_can_be_one_of_several_records() {
    let schema = r#"["null",
        {"type":"record","name":"A","fields":[{"name":"id","type":"long"}]},
        {"type":"record","name":"B","fields":[{"name":"name","type":"string"}]}]"#;
    let columns = fields(&[("id", DataType::Int64), ("name", DataType::Utf8View)]);
    let records: [&[u8]; 3] = [&[2, 6], &[4, 2, b'x'], &[0]];
    let decoded = decode(schema, &columns, &[], &records).unwrap();
    let rows: Vec<_> = (0..3)
        .map(|row| {
            decoded
                .columns
                .iter()
                .map(|column| shown(column, row))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(rows, [["3", "NULL"], ["NULL", "x"], ["NULL", "NULL"]]);
}

#[test]
fn a_document_that_is_no_record_fits_into_one_column() {
    let columns = fields(&[("word", DataType::Utf8View)]);
    let decoded = decode(r#""string""#, &columns, &[], &[&[2, b'x']]).unwrap();
    assert_eq!(shown(&decoded.columns[0], 0), "x");
    let two = fields(&[("a", DataType::Utf8View), ("b", DataType::Utf8View)]);
    let error = decode(r#""string""#, &two, &[], &[])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the schema is no record: expected one column"),
        "{error}"
    );
}

#[test]
fn a_misfit_is_null_or_fails_and_names_value_byte_and_field() {
    let schema = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"},
        {"name":"b","type":{"type":"record","name":"S","fields":[{"name":"c","type":["long","string"]}]}}]}"#;
    let inner = DataType::Struct(Fields::from(vec![Field::new("c", DataType::Int64, true)]));
    let columns = fields(&[("a", DataType::Int8), ("b", inner)]);
    let record = [&[2, 2][..], &string("abc")].concat();
    let expected = "field 'b.c': the string abc is no BIGINT (byte 2)";
    let why = [("kinesis.format.errorColumn", "why")];
    let decoded = decode(schema, &columns, &why, &[&record]).unwrap();
    assert_eq!(decoded.mismatches, 1);
    assert_eq!(shown(&decoded.columns[2], 0), expected);
    let fail = [("kinesis.format.onTypeMismatch", "fail")];
    let error = failure(schema, &columns, &fail, &record);
    assert!(error.contains(expected), "{error}");
    // A document that is bad, too, is only that.
    let skip = [fail[0], ("kinesis.format.onError", "skip")];
    let decoded = decode(schema, &columns, &skip, &[&record[..4]]).unwrap();
    assert_eq!((decoded.records.len(), decoded.bad_documents), (0, 1));
}

#[test]
fn a_column_that_no_document_can_have_is_refused() {
    let columns = fields(&[("w", DataType::Int64)]);
    let error = decode(&in_record(r#""long""#), &columns, &[], &[]).unwrap_err();
    let expected = "column 'w': expected a field of the schema, which has there: v";
    assert!(error.to_string().contains(expected), "{error}");
    let point =
        r#"{"type":"record","name":"G","fields":[{"name":"lat","type":["null","double"]}]}"#;
    let nested = |name, column| DataType::Struct(fields(&[(name, column)]));
    let text = || DataType::Utf8View;
    let number = || DataType::Int64;
    for (avro_type, column, expected) in [
        (
            r#""long""#,
            DataType::Boolean,
            "'v' has type BOOLEAN, but the field is of type long",
        ),
        (
            r#""long""#,
            timestamp(),
            "or TIMESTAMP together with 'kinesis.json.timestampFormat'",
        ),
        (
            r#""string""#,
            number(),
            "expected VARCHAR, BYTEA, or a decimal",
        ),
        (
            r#"["null","string"]"#,
            number(),
            "but the field is of type string",
        ),
        (
            r#"["null","string","bytes"]"#,
            number(),
            "a union of string, bytes",
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["red"]}"#,
            number(),
            "expected VARCHAR",
        ),
        (
            r#"{"type":"array","items":"string"}"#,
            list(number()),
            "but the field is of type string",
        ),
        (
            r#"{"type":"array","items":"string"}"#,
            number(),
            "expected an array, or VARCHAR",
        ),
        (
            r#"{"type":"map","values":"int"}"#,
            nested("a", number()),
            "expected VARCHAR for JSON text",
        ),
        (
            point,
            nested("lon", number()),
            "column 'v.lon': expected a field of the schema, which has there: lat",
        ),
        (
            point,
            nested("lat", DataType::Date32),
            "column 'v.lat' has type DATE",
        ),
    ] {
        let error = refusal(avro_type, column);
        assert!(
            error.starts_with("option 'kinesis.avro.schema': "),
            "{error}"
        );
        assert!(error.contains(expected), "{avro_type}: {error}");
    }
    // One branch that fits is enough, and nothing but null fits each column.
    for (avro_type, column) in [
        (r#"["null","string","long"]"#, number()),
        (r#""null""#, number()),
        (point, nested("lat", number())),
        (r#"{"type":"map","values":"int"}"#, text()),
    ] {
        payload(&in_record(avro_type), &fields(&[("v", column)]), &[]).unwrap();
    }
}

#[test]
fn columns_of_two_names_for_one_field_are_refused() {
    let columns = fields(&[("v", DataType::Int64), ("V", DataType::Int64)]);
    let error = payload(&in_record(r#""long""#), &columns, &[]).unwrap_err();
    assert!(
        error.to_string().contains("column 'V': expected a field"),
        "{error}"
    );
}

#[test]
fn recursive_unions_are_compared_once_for_each_column() {
    let schema = r#"{"type":"record","name":"R","fields":[{"name":"v","type":["null","R",
        {"type":"record","name":"S","fields":[{"name":"v","type":["null","R","S"]}]}]}]}"#;
    let mut column = DataType::Struct(fields(&[("v", DataType::Utf8View)]));
    for _ in 0..60 {
        column = DataType::Struct(fields(&[("v", column)]));
    }
    payload(schema, &fields(&[("v", column)]), &[]).unwrap();
}

#[test]
fn json_text_of_nested_values_escapes_and_keeps_its_types() {
    let nested = r#"{"type":"map","values":["null","double","bytes",{"type":"record","name":"P","fields":[
        {"name":"q\"","type":"string"},{"name":"n","type":"null"}]}]}"#;
    let record = [
        &[8][..],
        &string("a"),
        &[0],
        &string("\n"),
        &[2],
        &f64::INFINITY.to_le_bytes(),
        &string("c"),
        &[4, 2, 0xff],
        &string("d"),
        &[6],
        &string("\""),
        &[0],
    ]
    .concat();
    let text = value(nested, DataType::Utf8View, &record);
    assert_eq!(
        text,
        r#"{"a":null,"\n":"inf","c":"/w==","d":{"q\"":"\"","n":null}}"#
    );
}
