//! Payloads that are made to break a decoder.

use super::{json, read};

#[test]
fn deep_nesting_needs_no_stack() {
    let depth = 10_000;
    let array = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let object = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let columns = "a INT, b VARCHAR, c STRUCT<a STRUCT<a INT>, x INT>, d INT[][]";
    for nested in [&array, &object] {
        for field in ["a", "b", "c", "d", "skipped"] {
            let document = format!(r#"{{"{field}":{nested},"a":7}}"#);
            for options in [&[][..], &[("json.rescuedColumn", "rest")]] {
                let table = json(columns, options);
                assert!(table.row(&document).starts_with("7 | "), "{field}");
                let decoded = table.decode_columns(&[], &[&document]).unwrap();
                assert_eq!(decoded.records, [0]);
            }
        }
        // Broken at the innermost place.
        let failure =
            json(columns, &[]).failure(format!(r#"{{"x":{}"#, &nested[..nested.len() - 1]));
        assert!(
            failure.contains("is not valid JSON: EOF while parsing"),
            "{failure}"
        );
    }
    assert_eq!(read("VARCHAR", &array, &[]), array);
}

#[test]
fn deep_nesting_is_exploded_without_stack() {
    let depth = 10_000;
    let array = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let table = json("v VARCHAR", &[("json.explode", "$.v")]);
    assert_eq!(
        table.row(format!(r#"{{"v":{array}}}"#)).len(),
        2 * depth - 2
    );
}

#[test]
fn a_document_of_10_mib_is_decoded() {
    let long = "x".repeat(10 << 20);
    let table = json("a VARCHAR, b INT", &[]);
    assert_eq!(
        table.row(format!(r#"{{"a":"{long}","b":1}}"#)).len(),
        long.len() + " | 1".len()
    );
    assert_eq!(
        table.row(format!(r#"{{"skipped":"{long}","b":1}}"#)),
        "NULL | 1"
    );
    let many = vec![r#"{"k":[1,2,3]}"#; 700_000].join(",");
    assert_eq!(
        table.row(format!(r#"{{"skipped":[{many}],"b":1}}"#)),
        "NULL | 1"
    );
}

#[test]
fn broken_utf8_is_bad_wherever_it_is() {
    let table = json("a VARCHAR", &[("format.onError", "skip")]);
    for document in [
        &b"{\"a\":\"\xff\"}"[..],
        b"{\"skipped\":\"\xff\"}",
        b"{\"\xc3\":1}",
        b"{\"a\":\"\xed\xa0\x80\"}",
        b"{\"a\":\"\xc0\xaf\"}",
        b"{\"a\":\"x\"}\xf0\x9f",
        b"\xff\xfe{\x00}\x00",
    ] {
        for projection in [&[][..], &[0]] {
            let decoded = table.decode_columns(projection, &[document]).unwrap();
            assert_eq!(
                (decoded.rows.len(), decoded.bad_documents),
                (0, 1),
                "{document:?}"
            );
        }
    }
    let failure = json("a VARCHAR", &[]).failure(b"{\"a\":\"\xff\"}");
    assert!(failure.contains("is not valid UTF-8 (byte 6)"), "{failure}");
}

#[test]
fn nul_bytes_are_no_json() {
    let table = json("a VARCHAR", &[("format.onError", "skip")]);
    for document in [
        "\0",
        "{\"a\":1}\0",
        "{\0\"a\":1}",
        "{\"a\":\"\0\"}",
        "{\"skipped\":\"\0\"}",
        "{\"\0\":1}",
    ] {
        for projection in [&[][..], &[0]] {
            let decoded = table.decode_columns(projection, &[document]).unwrap();
            assert_eq!(decoded.bad_documents, 1, "{document:?}");
        }
    }
}

#[test]
fn a_lone_surrogate_is_no_text_but_valid_json() {
    for value in [r#""\ud800""#, r#""\udc00x""#, r#""\ud800\ud800""#] {
        let why = read("VARCHAR", value, &[]);
        assert!(why.contains("is not exactly a VARCHAR"), "{why}");
        let table = json("a INT", &[]);
        assert_eq!(table.row(format!(r#"{{"skipped":{value},"a":1}}"#)), "1");
    }
    // A key has to be text to be compared, also if no column has it.
    let table = json("a INT", &[("format.onError", "skip")]);
    for projection in [&[][..], &[0]] {
        let decoded = table
            .decode_columns(projection, &[r#"{"\ud800":1,"a":1}"#])
            .unwrap();
        assert_eq!(decoded.bad_documents, 1);
    }
}

#[test]
fn grammar_is_checked_in_skipped_fields() {
    let table = json("a INT", &[("format.onError", "skip")]);
    for rest in [
        r#""s":01"#,
        r#""s":1."#,
        r#""s":.5"#,
        r#""s":+1"#,
        r#""s":0x1"#,
        r#""s":tru"#,
        r#""s":'x'"#,
        r#""s":[1,]"#,
        r#""s":[1 2]"#,
        r#""s":{"x":1,}"#,
        r#""s":{,"x":1}"#,
        r#""s":{"x" 1}"#,
        r#""s":{1:1}"#,
        r#""s":"\x""#,
        r#""s":"\u12""#,
        "\"s\":\"a\nb\"",
        r#""s":NaN"#,
        r#""s":1,,"t":2"#,
        r#""s":1,"#,
        r#""s""#,
        "s:1",
        r#""s":/* */1"#,
    ] {
        for document in [format!("{{\"a\":1,{rest}}}"), format!("{{{rest},\"a\":1}}")] {
            for projection in [&[][..], &[0]] {
                let decoded = table.decode_columns(projection, &[&document]).unwrap();
                assert_eq!(decoded.bad_documents, 1, "{document}");
            }
        }
    }
}

#[test]
fn long_numbers_are_refused_without_great_cost() {
    let digits = "9".repeat(1 << 20);
    for sql_type in ["BIGINT", "DECIMAL(38,0)", "TIMESTAMP"] {
        for value in [
            digits.clone(),
            format!("0.{digits}"),
            format!("1e{digits}"),
            format!("1e-{digits}"),
        ] {
            let why = read(sql_type, &value, &[("json.timestampFormat", "epoch_s")]);
            assert!(why.starts_with("field 'v': "), "{sql_type}");
        }
    }
}
