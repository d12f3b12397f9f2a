//! Values that do not fit, and fields that are missing or have no column.

use super::{json, read};

#[test]
fn a_value_of_another_type_is_null_for_a_reason() {
    for (sql_type, value, reason) in [
        ("BIGINT", "\"7\"", "\"7\" is no BIGINT"),
        ("BIGINT", "true", "true is no BIGINT"),
        ("BIGINT", "[1]", "[1] is no BIGINT"),
        ("INT", "{\"a\":1}", "{\"a\":1} is no INT"),
        ("DOUBLE", "\"1.5\"", "\"1.5\" is no DOUBLE"),
        ("BOOLEAN", "1", "1 is no BOOLEAN"),
        ("BOOLEAN", "\"true\"", "\"true\" is no BOOLEAN"),
        ("DECIMAL(9,2)", "\"x\"", "\"x\" is no DECIMAL(9, 2)"),
        ("DECIMAL(9,2)", "false", "false is no DECIMAL(9, 2)"),
        ("TIMESTAMP", "true", "true is no TIMESTAMP"),
        ("DATE", "[]", "[] is no DATE"),
        ("VARCHAR[]", "\"a\"", "\"a\" is no VARCHAR[]"),
        ("VARCHAR[]", "{}", "an object is no VARCHAR[]"),
        ("VARCHAR[]", "7", "7 is no VARCHAR[]"),
        ("VARCHAR[]", "true", "true is no VARCHAR[]"),
    ] {
        assert_eq!(read(sql_type, value, &[]), format!("field 'v': {reason}"));
    }
    for value in ["[]", "7", "\"DE\"", "-1.5", "1e999", "false"] {
        let why = read("STRUCT<a INT>", value, &[]);
        assert!(
            why.starts_with("field 'v': ") && why.contains("STRUCT<a INT>"),
            "{why}"
        );
    }
}

#[test]
fn the_reason_names_the_path_of_the_first_unfit_value() {
    let columns = "a INT, b STRUCT<c STRUCT<d INT>, e INT>, f STRUCT<g INT>[]";
    let table = json(columns, &[("format.errorColumn", "why")]);
    for (document, path) in [
        (r#"{"b":{"c":{"d":"x"}}}"#, "b.c.d"),
        (r#"{"b":{"c":{"d":"x"},"e":"y"},"a":"z"}"#, "b.c.d"),
        (r#"{"a":"z","b":{"c":{"d":"x"}}}"#, "a"),
        (r#"{"b":{"c":"x"}}"#, "b.c"),
        (r#"{"f":[{"g":1},{"g":"x"}]}"#, "f.g"),
    ] {
        let row = table.row(document);
        assert!(
            row.contains(&format!(" | field '{path}': ")),
            "{document}: {row}"
        );
    }
}

#[test]
fn only_the_unfit_part_of_a_value_is_null() {
    let table = json("b STRUCT<c INT, d INT>, f INT[], n INT", &[]);
    let decoded = table
        .decode(&[r#"{"b":{"c":"x","d":2},"f":[1,"x",3],"n":9}"#])
        .unwrap();
    assert_eq!(
        decoded.rows[0].replace("NULL", ""),
        "{c: , d: 2} | [1, , 3] | 9"
    );
    assert_eq!(decoded.mismatches, 2);
}

#[test]
fn a_long_value_is_shortened_in_the_reason() {
    let why = read("INT", &format!("\"{}\"", "é".repeat(1_000)), &[]);
    assert!(why.chars().count() < 80 && why.contains('…'), "{why}");
}

#[test]
fn a_mismatch_can_fail_the_statement() {
    let columns = "a INT, b STRUCT<c INT>";
    let table = json(columns, &[("format.onTypeMismatch", "fail")]);
    let failure = table.failure(r#"{"a":1,"b":{"c":true}}"#);
    let expected = "the payload cannot be decoded as json: field 'b.c': true is no INT (byte 16); see option \
        'kinesis.format.onTypeMismatch'";
    assert!(failure.contains(expected), "{failure}");
    // Also with the column of rescued fields, and for values that the parser cannot read.
    let options = [
        ("format.onTypeMismatch", "fail"),
        ("json.rescuedColumn", "rest"),
    ];
    let table = json(columns, &options);
    assert!(
        table
            .failure(r#"{"a":1,"b":{"c":true}}"#)
            .contains("field 'b.c': true is no INT (byte 16)")
    );
    assert!(
        table
            .failure(r#"{"b":1e999}"#)
            .contains("field 'b': 1e999 is not exactly a")
    );
    // What is not read does not matter.
    let decoded = table.decode_columns(&[0], &[r#"{"a":1,"b":{"c":true}}"#]);
    assert_eq!(decoded.unwrap().rows, ["1"]);
}

#[test]
fn a_document_that_breaks_off_after_an_unfit_value_is_bad() {
    let documents = [r#"{"a":"x","b":"#, r#"{"a":"x"} x"#, r#"{"a":1}"#];
    for mismatch in ["null", "fail"] {
        let options = [
            ("format.onError", "skip"),
            ("format.onTypeMismatch", mismatch),
        ];
        let table = json("a INT", &options);
        let decoded = table.decode(&documents[2..]).unwrap();
        assert_eq!(decoded.rows, ["1"]);
        if mismatch == "null" {
            let decoded = table.decode(&documents).unwrap();
            assert_eq!((decoded.records, decoded.bad_documents), (vec![2], 2));
            assert_eq!(decoded.mismatches, 0);
        }
    }
}

#[test]
fn numbers_too_large_for_the_parser_do_not_make_a_document_bad() {
    let documents = [
        r#"{"a":1e999,"b":1}"#,
        r#"{"b":1,"c":{"d":-1e999}}"#,
        r#"{"a":[1e999],"b":1}"#,
    ];
    let table = json("a STRUCT<x INT>, b INT, c VARCHAR", &[]);
    let decoded = table.decode(&documents).unwrap();
    let expected = [
        "NULL | 1 | NULL",
        "NULL | 1 | {\"d\":-1e999}",
        "NULL | 1 | NULL",
    ];
    assert_eq!(decoded.rows, expected);
    assert_eq!(decoded.mismatches, 2);
    for projection in [&[][..], &[0], &[1], &[2]] {
        let decoded = table.decode_columns(projection, &documents).unwrap();
        assert_eq!(decoded.records, [0, 1, 2]);
    }
}

#[test]
fn missing_fields_are_null_or_fail() {
    let columns = "a INT, b STRUCT<c INT>";
    assert_eq!(json(columns, &[]).row("{}"), "NULL | NULL");
    for extra in [None, Some(("json.rescuedColumn", "rest"))] {
        let options: Vec<_> = [("json.failOnMissingField", "true")]
            .into_iter()
            .chain(extra)
            .collect();
        let table = json(columns, &options);
        for (document, path) in [
            (r#"{"b":{"c":1}}"#, "a"),
            (r#"{"a":1}"#, "b"),
            (r#"{"a":1,"b":{}}"#, "b.c"),
        ] {
            let failure = table.failure(document);
            let expected = format!("field '{path}': is missing");
            assert!(failure.contains(&expected), "{document}: {failure}");
            assert!(
                failure.contains("'kinesis.json.failOnMissingField'"),
                "{failure}"
            );
        }
        assert!(
            table
                .row(r#"{"a":null,"b":null}"#)
                .starts_with("NULL | NULL")
        );
        // A field that is not read may be missing.
        assert_eq!(
            table.decode_columns(&[0], &[r#"{"a":1}"#]).unwrap().rows,
            ["1"]
        );
    }
}

#[test]
fn keys_match_exactly_or_else_ignoring_ascii_case() {
    let table = json(
        "userid INT, \"Name\" VARCHAR, geo STRUCT<countrycode VARCHAR>",
        &[],
    );
    for (document, expected) in [
        (
            r#"{"userId":7,"name":"a","GEO":{"countryCode":"DE"}}"#,
            "7 | a | {countrycode: DE}",
        ),
        (r#"{"userid":1,"userId":2}"#, "1 | NULL | NULL"),
        (r#"{"userId":2,"userid":1}"#, "1 | NULL | NULL"),
        (r#"{"USERID":1,"userId":2}"#, "2 | NULL | NULL"),
        (r#"{"name":"a","Name":"b","NAME":"c"}"#, "NULL | b | NULL"),
        (r#"{"user\u0069d":3}"#, "3 | NULL | NULL"),
        // Only ASCII: U+212A, the Kelvin sign, is no k.
        (r#"{"userİd":3}"#, "NULL | NULL | NULL"),
    ] {
        assert_eq!(table.row(document), expected, "{document}");
    }
}

#[test]
fn of_duplicate_keys_the_last_wins() {
    let table = json(
        "a INT, b STRUCT<c INT, d INT>, e INT[]",
        &[("format.errorColumn", "why")],
    );
    for (document, expected) in [
        (r#"{"a":1,"a":2}"#, "2 | NULL | NULL | NULL"),
        (r#"{"a":1,"a":null}"#, "NULL | NULL | NULL | NULL"),
        (
            r#"{"b":{"c":1,"d":2},"b":{"c":3}}"#,
            "NULL | {c: 3, d: } | NULL | NULL",
        ),
        (r#"{"e":[1,2],"e":[3]}"#, "NULL | NULL | [3] | NULL"),
    ] {
        let row = table.row(document).replace("d: NULL", "d: ");
        assert_eq!(row, expected, "{document}");
    }
}

#[test]
fn keys_beyond_those_that_are_remembered_are_found() {
    let table = json("wanted INT", &[]);
    let fields: Vec<String> = (0..1_000).map(|field| format!("\"k{field}\":0")).collect();
    let document = format!("{{{},\"wanted\":7}}", fields.join(","));
    assert_eq!(table.rows(&[document.as_str(), &document]), ["7", "7"]);
}

#[test]
fn fields_without_a_column_are_rescued() {
    let table = json("a INT, s STRUCT<b INT>", &[("json.rescuedColumn", "rest")]);
    for (document, expected) in [
        (r#"{"a":1,"s":{"b":2}}"#, "1 | {b: 2} | NULL"),
        (
            r#"{"a":1,"x":[1, 2],"y":"\u00e9"}"#,
            r#"1 | NULL | {"x":[1, 2],"y":"\u00e9"}"#,
        ),
        (r#"{"a":"seven"}"#, r#"NULL | NULL | {"a":"seven"}"#),
        (
            r#"{"s":{"b":1,"c":2}}"#,
            r#"NULL | {b: 1} | {"s":{"b":1,"c":2}}"#,
        ),
        (r#"{"a":1e999}"#, r#"NULL | NULL | {"a":1e999}"#),
        (r#"{"k\"\n":1}"#, r#"NULL | NULL | {"k\"\n":1}"#),
        ("{}", "NULL | NULL | NULL"),
    ] {
        assert_eq!(table.row(document), expected, "{document}");
    }
    // Which fields are rescued does not depend on which columns are read.
    assert_eq!(
        table
            .decode_columns(&[2], &[r#"{"a":1,"x":2}"#])
            .unwrap()
            .rows,
        [r#"{"x":2}"#]
    );
}
