//! Documents in records: framing, explode, and what happens to bad ones.

use super::json;

#[test]
fn a_record_is_one_document() {
    let table = json("a INT", &[("format.onError", "skip")]);
    let records = [
        r#" {"a":1} "#,
        "\u{feff}{\"a\":2}",
        r#"{"a":3}{"a":4}"#,
        "",
        "7",
        "[]",
        "null",
    ];
    let decoded = table.decode(&records).unwrap();
    assert_eq!(decoded.rows, ["1", "2"]);
    assert_eq!((decoded.bad_documents, decoded.skipped_documents), (5, 5));
}

#[test]
fn lines_are_documents() {
    let table = json(
        "a INT",
        &[("format.framing", "newline"), ("format.onError", "null")],
    );
    let record = "{\"a\":1}\r\n\n  \n{\"a\":\n{\"a\":2}\n{}";
    assert_eq!(table.rows(&[record]), ["1", "NULL", "2", "NULL"]);
    assert!(table.rows(&["", "\n\n"]).is_empty());
}

#[test]
fn documents_can_follow_each_other_without_separators() {
    let options = [
        ("format.framing", "concatenated"),
        ("format.onError", "null"),
        ("format.errorColumn", "why"),
    ];
    let table = json("a INT", &options);
    assert_eq!(
        table.rows(&[r#"{"a":1}{"a":2} {"a":3}"#, ""]),
        ["1 | NULL", "2 | NULL", "3 | NULL"]
    );
    // What follows a bad document is a part of it.
    let rows = table.rows(&[r#"{"a":1} {"a":} {"a":3}"#]);
    assert_eq!(
        rows,
        [
            "1 | NULL",
            "NULL | is not valid JSON: expected value (byte 13)"
        ]
    );
    // A document of another type is bad by itself.
    assert_eq!(table.rows(&[r#"{"a":1}[] {"a":3}"#]).len(), 3);
}

#[test]
fn the_elements_of_an_array_are_documents() {
    let options = [("format.framing", "array"), ("format.onError", "null")];
    let table = json("a INT", &options);
    assert_eq!(
        table.rows(&[r#"[{"a":1}, 7, {"a":2}, null]"#, "[]"]),
        ["1", "NULL", "2", "NULL"]
    );
    // Broken in one place, broken everywhere: where its elements end is not certain.
    for record in [r#"[{"a":1},{"a":]"#, r#"[{"a":1},]"#, r#"{"a":1}"#, "[", ""] {
        assert_eq!(table.rows(&[record]), ["NULL"], "{record}");
    }
}

#[test]
fn each_policy_treats_bad_documents_one_by_one() {
    let records = [r#"{"a":1}"#, r#"{"a":2,,"b":3}"#, r#"{"a":4}"#];
    let why = ("format.errorColumn", "why");
    let decoded = json("a INT", &[("format.onError", "null"), why])
        .decode(&records)
        .unwrap();
    assert_eq!(
        decoded.rows,
        [
            "1 | NULL",
            "NULL | is not valid JSON: key must be a string (byte 7)",
            "4 | NULL"
        ]
    );
    assert_eq!((decoded.bad_documents, decoded.skipped_documents), (1, 0));
    let decoded = json("a INT", &[("format.onError", "skip"), why])
        .decode(&records)
        .unwrap();
    assert_eq!(decoded.rows, ["1 | NULL", "4 | NULL"]);
    assert_eq!(
        (
            decoded.records,
            decoded.bad.len(),
            decoded.skipped_documents
        ),
        (vec![0, 2], 0, 1)
    );
    let options = [
        ("format.onError", "dead_letter"),
        ("format.deadLetterStream", "dead"),
    ];
    let decoded = json("a INT", &options).decode(&records).unwrap();
    assert_eq!(decoded.records, [0, 2]);
    let [bad] = &decoded.bad[..] else {
        panic!("one dead letter expected: {:?}", decoded.bad);
    };
    assert_eq!((bad.record, &bad.document[..]), (1, records[1].as_bytes()));
    assert_eq!(
        (bad.reason.byte, &*bad.reason.reason),
        (Some(7), "is not valid JSON: key must be a string")
    );
    let failure = json("a INT", &[]).failure(records[1]);
    let expected =
        "is not valid JSON: key must be a string (byte 7); see option 'kinesis.format.onError'";
    assert!(failure.contains(expected), "{failure}");
}

#[test]
fn positions_count_bytes() {
    for (document, byte) in [
        (r#"{"é":1,}"#, 8),
        ("{\n\"a\":1,\n\n  x}", 12),
        (r#"{"a":1"#, 6),
        ("", 0),
        (r#"{"a":1} x"#, 8),
        ("[]", 0),
    ] {
        let failure = json("a INT", &[]).failure(document);
        assert!(
            failure.contains(&format!("(byte {byte})")),
            "{document}: {failure}"
        );
    }
}

#[test]
fn a_decoder_goes_on_after_a_failure() {
    let table = json("a INT, b VARCHAR", &[]);
    let mut decoder = table.decoder(&[0, 1]);
    let mut rows = crate::format::testing::Rows::default();
    rows.append(&mut decoder, &[r#"{"a":1,"b":"x"}"#, "{"], 0)
        .unwrap_err();
    rows.append(&mut decoder, &[r#"{"a":2,"b":"y"}"#], 2)
        .unwrap();
    assert_eq!(rows.rows, ["2 | y"]);
}

#[test]
fn the_elements_of_a_field_are_rows_with_the_fields_around_them() {
    let table = json(
        "id INT, name VARCHAR, v INT",
        &[("json.explode", "$.items")],
    );
    for (document, expected) in [
        (
            r#"{"id":1,"items":[{"v":1},{"v":2,"id":9}],"name":"n"}"#,
            &["1 | n | 1", "9 | n | 2"][..],
        ),
        (r#"{"id":1,"items":[]}"#, &[]),
        (r#"{"id":1,"items":null}"#, &[]),
        (r#"{"id":1}"#, &[]),
        (r#"{"id":1,"items":[{}]}"#, &["1 | NULL | NULL"]),
        // The element's own field wins, even NULL, and even if only its case differs.
        (r#"{"id":1,"items":[{"ID":null}]}"#, &["NULL | NULL | NULL"]),
    ] {
        assert_eq!(table.rows(&[document]), expected, "{document}");
    }
}

#[test]
fn a_path_leads_through_objects() {
    let table = json("id INT, v INT", &[("json.explode", "$.a.b")]);
    assert_eq!(
        table.rows(&[r#"{"id":1,"a":{"id":2,"b":[{"v":3}]}}"#]),
        ["1 | 3"]
    );
    assert!(
        table
            .rows(&[r#"{"id":1,"a":[{"b":[{"v":3}]}]}"#, r#"{"a":7}"#])
            .is_empty()
    );
}

#[test]
fn elements_that_are_no_objects_are_the_value_of_the_array_field() {
    let table = json("id INT, tags VARCHAR", &[("json.explode", "$.tags")]);
    let rows = table.rows(&[r#"{"id":1,"tags":["a",2,null,[3]]}"#]);
    assert_eq!(rows, ["1 | a", "1 | 2", "1 | NULL", "1 | [3]"]);
}

#[test]
fn a_document_without_an_array_to_explode_is_bad() {
    let options = [("json.explode", "$.items"), ("format.onError", "skip")];
    let table = json("id INT", &options);
    for document in [
        r#"{"items":7}"#,
        r#"{"items":{}}"#,
        r#"{"items":[{}}"#,
        r#"{"items":[{}],}"#,
    ] {
        assert!(table.rows(&[document]).is_empty(), "{document}");
    }
    let failure = json("id INT", &[("json.explode", "$.items")]).failure(r#"{"items":7}"#);
    assert!(failure.contains("'$.items' is no array"), "{failure}");
}

#[test]
fn positions_in_elements_count_from_the_start_of_the_document() {
    let options = [
        ("json.explode", "$.items"),
        ("format.onTypeMismatch", "fail"),
    ];
    let table = json("v INT", &options);
    let failure = table.failure(r#"{"id":1,"items":[{"v":1},{"v":"x"}]}"#);
    assert!(
        failure.contains(r#"field 'v': "x" is no INT (byte 30)"#),
        "{failure}"
    );
}

#[test]
fn a_bad_element_counts_before_values_that_do_not_fit() {
    let options = [
        ("json.explode", "$.items"),
        ("format.onTypeMismatch", "fail"),
        ("format.onError", "skip"),
    ];
    let table = json("v INT", &options);
    let document = r#"{"items":[{"v":"x"},{"\ud800":1}]}"#;
    for projection in [&[][..], &[0]] {
        let decoded = table.decode_columns(projection, &[document]).unwrap();
        assert_eq!((decoded.rows.len(), decoded.bad_documents), (0, 1));
    }
}

#[test]
fn rescued_fields_of_elements_are_their_own() {
    let options = [("json.explode", "$.items"), ("json.rescuedColumn", "rest")];
    let table = json("v INT", &options);
    let rows = table.rows(&[r#"{"id":1,"items":[{"v":1,"w":2},{"v":"x"}]}"#]);
    assert_eq!(rows, [r#"1 | {"w":2}"#, r#"NULL | {"v":"x"}"#]);
}

#[test]
fn the_rows_of_a_record_are_limited_in_size() {
    let owner = "o".repeat(1 << 20);
    let items = vec!["{}"; 600].join(",");
    let document = format!(r#"{{"owner":"{owner}","items":[{items}]}}"#);
    let options = [
        ("json.explode", "$.items"),
        ("format.framing", "newline"),
        ("format.onError", "skip"),
    ];
    let table = json("id INT, owner VARCHAR", &options);
    // 600 MiB fit, but not twice.
    let record = format!("{document}\n{document}\n");
    let decoded = table.decode_columns(&[0], &[&record]).unwrap();
    assert_eq!((decoded.rows.len(), decoded.bad_documents), (600, 1));
    // Each record has its own limit, and ends a batch.
    let decoded = table
        .decode_columns(&[0], &[&document, &document, &document])
        .unwrap();
    assert_eq!((decoded.rows.len(), decoded.bad_documents), (1_800, 0));
}
