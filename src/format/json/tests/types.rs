//! Values of every type.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields};

use super::{json, read};
use crate::format::testing::TestTable;

#[test]
fn integers_are_exact_in_their_range() {
    for (sql_type, smallest, largest) in [
        ("TINYINT", "-128", "127"),
        ("SMALLINT", "-32768", "32767"),
        ("INT", "-2147483648", "2147483647"),
        ("BIGINT", "-9223372036854775808", "9223372036854775807"),
        ("TINYINT UNSIGNED", "0", "255"),
        ("SMALLINT UNSIGNED", "0", "65535"),
        ("INT UNSIGNED", "0", "4294967295"),
        ("BIGINT UNSIGNED", "0", "18446744073709551615"),
    ] {
        assert_eq!(read(sql_type, smallest, &[]), smallest);
        assert_eq!(read(sql_type, largest, &[]), largest);
        for value in [format!("{largest}0"), "-9223372036854775809".to_owned()] {
            let why = format!("field 'v': {value} is not exactly a {sql_type}");
            assert_eq!(read(sql_type, &value, &[]), why);
        }
    }
    // More digits than a double has.
    for value in ["9007199254740993", "-9007199254740993"] {
        assert_eq!(read("BIGINT", value, &[]), value);
    }
}

#[test]
fn integers_can_be_written_with_fraction_or_exponent() {
    for (value, expected) in [
        ("1.0", "1"),
        ("-20.00", "-20"),
        ("1.2e1", "12"),
        ("1200e-2", "12"),
        ("0e5", "0"),
        ("0e-999999999", "0"),
        ("-0", "0"),
        ("9007199254740993.0", "9007199254740993"),
    ] {
        assert_eq!(read("BIGINT", value, &[]), expected, "{value}");
        assert_eq!(
            read("INT", value, &[]).parse(),
            expected.parse::<i32>().or_else(|_| {
                assert!(expected.len() > 10);
                read("INT", value, &[]).parse()
            })
        );
    }
    for value in ["1.5", "1e-1", "1e999", "1e99999999999999999999", "-1e40"] {
        let why = format!("field 'v': {value} is not exactly a BIGINT");
        assert_eq!(read("BIGINT", value, &[]), why);
    }
}

#[test]
fn floating_point_columns_take_the_nearest_finite_value() {
    for (value, expected) in [
        ("0.1", "0.1"),
        ("7", "7.0"),
        ("-0.0", "-0.0"),
        ("1e-400", "0.0"),
        ("1.7976931348623157e308", "1.7976931348623157e308"),
        ("9007199254740993", "9007199254740992.0"),
        ("5e-324", "5e-324"),
    ] {
        assert_eq!(read("DOUBLE", value, &[]), expected, "{value}");
    }
    assert_eq!(read("FLOAT", "0.1", &[]), "0.1");
    for (sql_type, value) in [("DOUBLE", "1e999"), ("DOUBLE", "-1e309"), ("REAL", "1e39")] {
        assert!(
            read(sql_type, value, &[]).contains("is not exactly a"),
            "{value}"
        );
    }
}

#[test]
fn decimals_are_exact() {
    for (sql_type, value, expected) in [
        (
            "DECIMAL(38,10)",
            "1234567890123456789012345678.0123456789",
            "1234567890123456789012345678.0123456789",
        ),
        ("DECIMAL(10,2)", "0.1", "0.10"),
        ("DECIMAL(10,2)", "1.500", "1.50"),
        ("DECIMAL(10,2)", "-3e-2", "-0.03"),
        ("DECIMAL(10,2)", "12e3", "12000.00"),
        ("DECIMAL(10,2)", "\"12.34\"", "12.34"),
        ("DECIMAL(76,0)", &"9".repeat(76), &"9".repeat(76)),
        ("DECIMAL(38,0)", &"9".repeat(38), &"9".repeat(38)),
    ] {
        assert_eq!(read(sql_type, value, &[]), expected, "{value}");
    }
    for (sql_type, value) in [
        ("DECIMAL(10,2)", "0.001"),
        ("DECIMAL(10,2)", "100000000"),
        ("DECIMAL(38,0)", &"9".repeat(39)),
        ("DECIMAL(10,2)", "1e999999999999"),
        ("DECIMAL(10,2)", "1e-2147483648"),
        ("DECIMAL(10,2)", "1e2147483647"),
    ] {
        let why = read(sql_type, value, &[]);
        assert!(
            why.starts_with("field 'v': ") && why.contains(" is not exactly a DECIMAL("),
            "{why}"
        );
    }
}

#[test]
fn strings_lose_their_escapes() {
    for (value, expected) in [
        (r#""""#, ""),
        (r#""café 😀""#, "café 😀"),
        (r#""\u0063\u00e9\ud83d\ude00""#, "cé😀"),
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u0000""#, "\0"),
        (r#""a\u2028b""#, "a\u{2028}b"),
    ] {
        assert_eq!(read("VARCHAR", value, &[]), expected, "{value}");
    }
}

#[test]
fn a_string_column_takes_any_other_value_as_it_is_written() {
    for value in [
        "7",
        "1.50",
        "1e999",
        "true",
        r#"{"a" : [1, "\u00e9"]}"#,
        "[ ]",
        "-0",
    ] {
        assert_eq!(read("VARCHAR", value, &[]), value);
    }
    assert_eq!(read("VARCHAR", "null", &[]), "NULL");
}

#[test]
fn binary_columns_take_base64() {
    for value in [r#""AAH/""#, r#""AAH_""#] {
        assert_eq!(read("BYTEA", value, &[]), "0001ff", "{value}");
    }
    for (value, expected) in [(r#""AA==""#, "00"), (r#""AA""#, "00"), (r#""""#, "")] {
        assert_eq!(read("BYTEA", value, &[]), expected, "{value}");
    }
    assert!(read("BYTEA", r#""no base64!""#, &[]).contains("is not exactly a"));
    assert!(read("BYTEA", "7", &[]).contains("7 is no "));
}

#[test]
fn timestamps_are_read_as_text() {
    for (value, expected) in [
        ("2026-11-30T08:00:00Z", "2026-11-30T08:00:00"),
        ("2026-11-30T08:00:00.25Z", "2026-11-30T08:00:00.250"),
        (
            "2026-11-30T08:00:00.123456789Z",
            "2026-11-30T08:00:00.123456789",
        ),
        ("2026-11-30T08:00:00+02:00", "2026-11-30T06:00:00"),
        ("2026-11-30T08:00:00-05:30", "2026-11-30T13:30:00"),
        ("2026-11-30T08:00:00", "2026-11-30T08:00:00"),
        ("2026-11-30 08:00:00", "2026-11-30T08:00:00"),
        ("2026-11-30", "2026-11-30T00:00:00"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999"),
    ] {
        assert_eq!(
            read("TIMESTAMP", &format!("\"{value}\""), &[]),
            expected,
            "{value}"
        );
    }
    for value in [
        "\"soon\"",
        "\"2026-13-01T00:00:00Z\"",
        "\"2026-02-30T00:00:00Z\"",
        "\"9999-01-01T00:00:00Z\"",
    ] {
        let why = format!("field 'v': {value} is not exactly a TIMESTAMP");
        assert_eq!(read("TIMESTAMP", value, &[]), why);
    }
    assert_eq!(
        read("TIMESTAMP", "1764489600", &[]),
        "field 'v': 1764489600 is no TIMESTAMP"
    );
}

#[test]
fn timestamps_are_read_as_numbers_in_the_unit_of_the_option() {
    for (unit, value, expected) in [
        ("epoch_s", "1764489600", "2025-11-30T08:00:00"),
        ("epoch_s", "1764489600.25", "2025-11-30T08:00:00.250"),
        (
            "epoch_s",
            "1764489600.123456789",
            "2025-11-30T08:00:00.123456789",
        ),
        ("epoch_s", "1.7644896e9", "2025-11-30T08:00:00"),
        ("epoch_s", "-0.5", "1969-12-31T23:59:59.500"),
        ("epoch_ms", "1764489600250", "2025-11-30T08:00:00.250"),
        ("epoch_ms", "1764489600250.5", "2025-11-30T08:00:00.250500"),
        ("epoch_ms", "-1", "1969-12-31T23:59:59.999"),
        ("epoch_us", "1764489600250001", "2025-11-30T08:00:00.250001"),
        (
            "epoch_ns",
            "1764489600250001002",
            "2025-11-30T08:00:00.250001002",
        ),
        // Rounded down: no later than it was.
        ("epoch_ns", "1.9", "1970-01-01T00:00:00.000000001"),
        ("epoch_ns", "-0.1", "1969-12-31T23:59:59.999999999"),
        (
            "epoch_ms",
            "\"2025-11-30T08:00:00Z\"",
            "2025-11-30T08:00:00",
        ),
    ] {
        let options = [("json.timestampFormat", unit)];
        assert_eq!(
            read("TIMESTAMP", value, &options),
            expected,
            "{unit} {value}"
        );
    }
    for value in ["1e30", "-1e999", "99999999999999"] {
        let found = read("TIMESTAMP", value, &[("json.timestampFormat", "epoch_s")]);
        assert_eq!(
            found,
            format!("field 'v': {value} is not exactly a TIMESTAMP")
        );
    }
}

#[test]
fn dates_and_times_of_day_are_read_as_text() {
    assert_eq!(read("DATE", "\"2026-11-30\"", &[]), "2026-11-30");
    assert_eq!(read("TIME", "\"08:30:15.25\"", &[]), "08:30:15.250");
    for (sql_type, value) in [("DATE", "\"2026-02-30\""), ("TIME", "\"25:00:00\"")] {
        let why = format!("field 'v': {value} is not exactly a {sql_type}");
        assert_eq!(read(sql_type, value, &[]), why);
    }
    assert_eq!(read("DATE", "7", &[]), "field 'v': 7 is no DATE");
}

#[test]
fn arrays_and_structs_nest() {
    let list = |item: DataType| DataType::List(Field::new_list_field(item, true).into());
    let structure = |fields: [(&str, DataType); 2]| {
        let fields = fields.map(|(name, data_type)| Field::new(name, data_type, true));
        DataType::Struct(fields.into_iter().collect())
    };
    let inner = [
        ("c", DataType::Utf8View),
        ("d", list(list(DataType::Float64))),
    ];
    let outer = [("a", list(DataType::Int64)), ("b", structure(inner))];
    let column = Field::new("v", list(structure(outer)), true);
    let fields: Fields = [column].into_iter().collect();
    let table = TestTable::with_fields(&fields, &[("format", "json")]).unwrap();
    let value = r#"[{"a":[1,null,3],"b":{"c":"x","d":[[1.5],[],null]}},{"b":null},null,{"b":{}}]"#;
    let expected =
        "[{a: [1, , 3], b: {c: x, d: [[1.5], [], ]}}, {a: , b: }, , {a: , b: {c: , d: }}]";
    let found = table.row(format!("{{\"v\":{value}}}"));
    assert_eq!(found.replace("NULL", ""), expected);
    assert_eq!(table.row(r#"{"v":[]}"#), "[]");
    assert_eq!(table.row(r#"{"v":null}"#), "NULL");
}

#[test]
fn a_struct_can_have_no_field_that_the_documents_have() {
    let table = json("v STRUCT<a INT>, w INT", &[]);
    assert_eq!(
        table
            .row(r#"{"v":{"b":{"a":1}},"w":2}"#)
            .replace("NULL", ""),
        "{a: } | 2"
    );
}

#[test]
fn all_string_and_binary_layouts_are_decoded() {
    let types = [
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Binary,
        DataType::LargeBinary,
        DataType::BinaryView,
    ];
    let fields = types.iter().enumerate();
    let fields: Fields = fields
        .map(|(index, data_type)| {
            Arc::new(Field::new(format!("c{index}"), data_type.clone(), true))
        })
        .collect();
    let table = TestTable::with_fields(&fields, &[("format", "json")]).unwrap();
    let long = "a text longer than a view holds itself";
    let base64 = base64_simd::STANDARD.encode_to_string(long);
    let document = format!(
        r#"{{"c0":"{long}","c1":"{long}","c2":"{long}","c3":"{base64}","c4":"{base64}","c5":"{base64}"}}"#
    );
    let hex: String = long.bytes().map(|byte| format!("{byte:02x}")).collect();
    let row = [[long; 3], [hex.as_str(); 3]].concat().join(" | ");
    let nulls = ["NULL"; 6].join(" | ");
    assert_eq!(
        table.rows(&[document.as_str(), "{}", &document]),
        [row.clone(), nulls, row]
    );
}

#[test]
fn types_that_json_does_not_have_are_refused() {
    let field = Field::new(
        "span",
        DataType::Duration(datafusion::arrow::datatypes::TimeUnit::Second),
        true,
    );
    let table = TestTable::with_fields(&[field].into_iter().collect(), &[("format", "json")]);
    let error = table.unwrap_err().to_string();
    assert!(
        error.contains("column 'span'") && error.contains("Duration"),
        "{error}"
    );
    let error = TestTable::try_new("id INT NOT NULL", &[("format", "json")]).unwrap_err();
    assert!(
        error.to_string().contains("column 'id' is NOT NULL"),
        "{error}"
    );
}
