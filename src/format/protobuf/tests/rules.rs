//! What values mean for columns.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BinaryArray, Int32Array, Int64Array, StringViewArray};

use super::table;
use crate::error::ErrorKind;

#[test]
fn absent_fields_are_defaults_or_null() {
    let columns = "int64_value BIGINT, string_value VARCHAR, bool_value BOOLEAN, color VARCHAR, maybe_int BIGINT, \
                   numbers BIGINT[], inner STRUCT<name VARCHAR>, counts VARCHAR, at TIMESTAMP, wrapped_int BIGINT, \
                   choice_number BIGINT";
    let row = table(columns, "test.Everything", &[]).row([]);
    assert_eq!(
        row,
        "0 |  | false | NONE | NULL | [] | NULL | {} | NULL | NULL | NULL"
    );
    // maybe_int = 0, inner and wrapped_int without content
    let present = [0x88, 0x01, 0, 0xF2, 0x01, 0, 0xA2, 0x03, 0];
    let columns = "maybe_int BIGINT, inner STRUCT<name VARCHAR>, wrapped_int BIGINT";
    let row = table(columns, "test.Everything", &[]).row(present);
    assert_eq!(row, "0 | {name: } | 0");
}

#[test]
fn proto2_defaults_are_those_of_the_file() {
    let columns = "note VARCHAR, count INT, state VARCHAR, price DOUBLE, raw BYTEA, paid BOOLEAN, size VARCHAR, \
                   other_size VARCHAR, address STRUCT<city VARCHAR, zip INT>, line STRUCT<amount INT>[]";
    let legacy = table(columns, "legacy.Order", &[]);
    assert_eq!(
        legacy.row([0x08, 1]),
        "NULL | 12 | new | -1.5 | 6101 | true | SMALL | NULL | NULL | []"
    );
    // Groups: address { zip: 5 }, line { amount: 1 }, line {}; extension 100 is skipped.
    let groups = [
        &[0x08, 1, 0x63, 0x10, 5, 0x64][..],
        &[0x6B, 0x08, 1, 0x6C, 0x6B, 0x6C],
        &[0xA2, 0x06, 1, b'x'],
    ];
    let row = legacy.row(groups.concat());
    assert!(
        row.ends_with("{city: NULL, zip: 5} | [{amount: 1}, {amount: NULL}]"),
        "{row}"
    );
}

#[test]
fn the_last_scalar_counts_and_messages_are_merged() {
    let everything = table(
        "int64_value BIGINT, inner STRUCT<name VARCHAR, number BIGINT, list INT[]>, choice_number INT, \
         choice_text VARCHAR, counts VARCHAR",
        "test.Everything",
        &[],
    );
    let record = [
        &[0x20, 1][..],
        // inner { name: "a", list: 1 }, then { number: 2, list: [2, 3] }
        &[0xF2, 0x01, 5, 0x0A, 1, b'a', 0x18, 1],
        &[0xF2, 0x01, 6, 0x10, 2, 0x1A, 2, 2, 3],
        // choice_number = 7, then choice_text = "x"
        &[0xC0, 0x02, 7, 0xCA, 0x02, 1, b'x'],
        // counts: { "k": 1 }, { "": 0 }, { "k": 2 }
        &[0xFA, 0x01, 5, 0x0A, 1, b'k', 0x10, 1, 0xFA, 0x01, 0],
        &[0xFA, 0x01, 5, 0x0A, 1, b'k', 0x10, 2],
        &[0x20, 2],
    ];
    assert_eq!(
        everything.row(record.concat()),
        "2 | {name: a, number: 2, list: [1, 2, 3]} | NULL | x | {\"\":\"0\",\"k\":\"2\"}"
    );
    // The other member is not read, but still clears this one.
    let number = table("choice_number INT", "test.Everything", &[]);
    assert_eq!(number.row([0xC0, 0x02, 7]), "7");
    assert_eq!(number.row([0xC0, 0x02, 7, 0xD2, 0x02, 0]), "NULL");
}

#[test]
fn names_match_ignoring_case_and_as_in_json() {
    let columns = "INT64_VALUE BIGINT, stringvalue VARCHAR, \"boolValue\" BOOLEAN";
    let row = table(columns, "test.Everything", &[]).row([0x20, 5, 0x72, 1, b'x', 0x68, 1]);
    assert_eq!(row, "5 | x | true");
    let source = table(columns, "test.Everything", &[]).source(1);
    assert_eq!(source, "protobuf field 'string_value'");
}

#[test]
fn enums_are_names_or_numbers() {
    let columns = "color VARCHAR, colors INT[]";
    let everything = table(columns, "test.Everything", &[]);
    let minus_seven = [0xF9, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1];
    let record = [&[0x80, 0x01][..], &minus_seven, &[0xCA, 0x01, 2, 1, 9]].concat();
    assert_eq!(everything.row(record), "DARK_BLUE | [1, 9]");
    assert_eq!(everything.row([0x80, 0x01, 9]), "9 | []");
}

#[test]
fn times_are_timestamps_durations_text_or_integers() {
    // at = 1.5 s, took = -1.5 s, int64_value = 1500
    let record = [
        &[0x92, 0x03, 8, 0x08, 1, 0x10, 0x80, 0xCA, 0xB5, 0xEE, 0x01][..],
        &[
            0x9A, 0x03, 22, 0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01,
        ],
        &[
            0x10, 0x80, 0xB6, 0xCA, 0x91, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0x01,
        ],
        &[0x20, 0xDC, 0x0B],
    ];
    let record = record.concat();
    let read = |columns: &str| {
        let options = [("json.timestampFormat", "epoch_ms")];
        table(columns, "test.Everything", &options).row(&record)
    };
    assert_eq!(
        read("at TIMESTAMP, took BIGINT, int64_value TIMESTAMP"),
        "1970-01-01T00:00:01.500 | -1500000000 | 1970-01-01T00:00:01.500"
    );
    assert_eq!(read("at TIMESTAMP(0)"), "1970-01-01T00:00:01");
    assert_eq!(
        read("at VARCHAR, took VARCHAR"),
        "1970-01-01T00:00:01.500Z | -1.500s"
    );
    assert_eq!(
        read("at STRUCT<seconds BIGINT, nanos INT>"),
        "{seconds: 1, nanos: 500000000}"
    );
}

#[test]
fn text_columns_take_numbers_and_booleans() {
    let columns = "int64_value VARCHAR, bool_value VARCHAR, numbers VARCHAR[], float_value VARCHAR, double_value VARCHAR";
    let everything = table(columns, "test.Everything", &[]);
    // int64_value = -1, bool_value = true, numbers = [1, 300]
    let minus_one = [
        0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1,
    ];
    let integers = [&minus_one[..], &[0x68, 1, 0xA2, 0x01, 3, 1, 0xAC, 0x02]].concat();
    let row = |float: f32, double: f64| {
        let floats = [
            &[0x15][..],
            &float.to_le_bytes(),
            &[0x09],
            &double.to_le_bytes(),
        ]
        .concat();
        everything.row([&integers[..], &floats].concat())
    };
    assert_eq!(row(0.1, 1e300), "-1 | true | [1, 300] | 0.1 | 1e+300");
    let special = row(f32::NEG_INFINITY, f64::NAN);
    assert_eq!(special, "-1 | true | [1, 300] | -Infinity | NaN");
    assert_eq!(everything.row([]), "0 | false | [] | 0.0 | 0.0");
    let error = everything.try_encoder().unwrap_err().to_string();
    assert!(
        error.contains("column 'int64_value' can only be read: expected an integer type"),
        "{error}"
    );
    let error = table("bool_value VARCHAR", "test.Everything", &[])
        .try_encoder()
        .unwrap_err();
    assert!(
        error.to_string().contains("expected BOOLEAN in a table"),
        "{error}"
    );
}

#[test]
fn a_value_that_does_not_fit_is_null_or_fails() {
    let columns = "int64_value TINYINT, numbers TINYINT[], last BIGINT";
    // int64_value = 300, numbers = [1, 300]
    let record = [0x20, 0xAC, 0x02, 0xA2, 0x01, 3, 1, 0xAC, 0x02];
    let lax = table(columns, "test.Everything", &[("format.errorColumn", "why")]);
    let decoded = lax.decode(&[record]).unwrap();
    let expected = "NULL | [1, NULL] | 0 | field 'numbers': is not exactly a TINYINT (byte 6)";
    assert_eq!((&*decoded.rows[0], decoded.mismatches), (expected, 2));
    let strict = [("format.onTypeMismatch", "fail")];
    let message = table(columns, "test.Everything", &strict).failure(record);
    assert!(
        message.contains("field 'numbers': is not exactly a TINYINT"),
        "{message}"
    );
    // A mismatch that is not read does not count.
    let unread = table("last BIGINT", "test.Everything", &strict);
    assert_eq!(unread.row(record), "0");
}

#[test]
fn maps_are_lists_of_entries_or_json() {
    // by_truth: { true: RED }, { false: absent }; by_number: { 3: { name: "x" } }
    let record = [
        &[0x8A, 0x02, 4, 0x08, 1, 0x10, 1, 0x8A, 0x02, 0][..],
        &[0x82, 0x02, 7, 0x08, 3, 0x12, 3, 0x0A, 1, b'x'],
    ];
    let columns = "by_truth STRUCT<key BOOLEAN, value VARCHAR>[], by_number VARCHAR";
    assert_eq!(
        table(columns, "test.Everything", &[]).row(record.concat()),
        "[{key: true, value: RED}, {key: false, value: NONE}] | {\"3\":{\"name\":\"x\"}}"
    );
    // An entry without a value has an empty message.
    let columns = "by_number STRUCT<value STRUCT<name VARCHAR>, key INT>[]";
    assert_eq!(
        table(columns, "test.Everything", &[]).row([0x82, 0x02, 2, 0x08, 3]),
        "[{value: {name: }, key: 3}]"
    );
}

/// Reads `record`, and writes it again.
fn rewritten(columns: &str, message: &str, record: &[u8]) -> Result<Vec<u8>, String> {
    let table = table(columns, message, &[]);
    let all: Vec<usize> = (0..table.columns().len()).collect();
    let records = BinaryArray::from_vec(vec![record]);
    let decoded = table.decoder(&all).decode(&records, 0).unwrap();
    let written = table
        .encoder()
        .encode(&decoded.columns, 1, |_| "row 0".to_owned());
    match written {
        Ok(written) => Ok(written.value(0).to_vec()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn groups_structs_and_maps_are_written() {
    let columns = "id BIGINT, count INT, packed INT[], address STRUCT<city VARCHAR, zip INT>, \
                   line STRUCT<amount INT>[], notes STRUCT<key VARCHAR, value VARCHAR>[]";
    let record = [
        &[0x08, 1, 0x18, 0, 0x52, 2, 1, 2, 0x63, 0x10, 5, 0x64][..],
        &[0x6B, 0x08, 1, 0x6C, 0x6B, 0x6C],
        &[0x7A, 6, 0x0A, 1, b'k', 0x12, 1, b'v'],
    ];
    let record = record.concat();
    let written = rewritten(columns, "legacy.Order", &record);
    assert_eq!(written.unwrap(), record);
    // Fields without presence are left out if they are zero.
    let columns = "int64_value BIGINT, maybe_int BIGINT, inner STRUCT<name VARCHAR>";
    let written = rewritten(
        columns,
        "test.Everything",
        &[0x20, 0, 0x88, 1, 0, 0xF2, 1, 0],
    );
    assert_eq!(written.unwrap(), [0x88, 1, 0, 0xF2, 1, 0]);
}

#[test]
fn values_without_a_message_name_their_field() {
    let null = rewritten("id BIGINT, note VARCHAR", "legacy.Order", &[0x08, 1]);
    assert_eq!(null.unwrap(), [0x08, 1]);
    // A number of an enum without a name is text such as 9, which is written as the number.
    let color = rewritten("color VARCHAR", "test.Everything", &[0x80, 1, 9]);
    assert_eq!(color.unwrap(), [0x80, 1, 9]);
    // The item 300 does not fit, and becomes NULL.
    let list = rewritten(
        "numbers TINYINT[]",
        "test.Everything",
        &[0xA2, 1, 2, 0xAC, 2],
    );
    let message = list.unwrap_err();
    assert!(
        message
            .contains("row 0: it cannot be encoded as protobuf: field 'numbers': has a NULL item"),
        "{message}"
    );
    // The name is no value of the enum.
    let text = table("color VARCHAR", "test.Everything", &[]);
    let blue: ArrayRef = Arc::new(StringViewArray::from(vec!["BLUE"]));
    let error = text
        .encoder()
        .encode(&[blue], 1, |_| "row 0".to_owned())
        .unwrap_err();
    let expected = "field 'color': 'BLUE' is no value of enum test.Color";
    assert!(error.to_string().contains(expected), "{error}");
    // The number does not fit.
    let wide = table("int32_value BIGINT", "test.Everything", &[]);
    let large: ArrayRef = Arc::new(Int64Array::from(vec![1 << 40]));
    let error = wide
        .encoder()
        .encode(&[large], 1, |_| "row 0".to_owned())
        .unwrap_err();
    assert!(
        error.to_string().contains("is out of the range of"),
        "{error}"
    );
    // Both members of a oneof.
    let both = table(
        "choice_number INT, choice_text VARCHAR",
        "test.Everything",
        &[],
    );
    let number: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let name: ArrayRef = Arc::new(StringViewArray::from(vec!["x"]));
    let error = both
        .encoder()
        .encode(&[number, name], 1, |_| "row 0".to_owned())
        .unwrap_err();
    let expected = "field 'choice_text': belongs to one oneof with 'choice_number'";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn tables_that_can_only_be_read_refuse_to_write() {
    for (columns, message, options, expected) in [
        (
            "inner VARCHAR",
            "test.Everything",
            &[][..],
            "column 'inner' can only be read: expected STRUCT",
        ),
        (
            "counts VARCHAR",
            "test.Everything",
            &[],
            "expected an array of structs",
        ),
        ("at VARCHAR", "test.Everything", &[], "expected TIMESTAMP"),
        (
            "int64_value DOUBLE",
            "test.Everything",
            &[],
            "expected an integer type",
        ),
        (
            "note VARCHAR",
            "legacy.Order",
            &[],
            "Protobuf field 'id' is required: expected a column",
        ),
        (
            "int64_value BIGINT",
            "test.Everything",
            &[("protobuf.framing", "confluent")],
            "write to a table with 'none'",
        ),
    ] {
        let table = table(columns, message, options);
        let error = table.try_encoder().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(expected), "{error}");
    }
}
