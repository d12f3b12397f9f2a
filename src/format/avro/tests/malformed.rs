//! Documents that are not valid, and those that would need much memory.

use datafusion::arrow::datatypes::{DataType, Field, Fields};

use super::{decode, failure, fields, in_record, list};

/// The reason why a document with one value of type `avro_type` is bad; the same whether it is read or skipped.
fn reason(avro_type: &str, record: &[u8]) -> String {
    let schema = format!(
        r#"{{"type":"record","name":"R","fields":[{{"name":"v","type":{avro_type}}},{{"name":"w","type":"null"}}]}}"#
    );
    let read = failure(&schema, &fields(&[("v", DataType::Utf8View)]), &[], record);
    let skipped = failure(&schema, &fields(&[("w", DataType::Utf8View)]), &[], record);
    assert_eq!(read, skipped);
    read
}

#[test]
fn malformed_values_are_refused_with_their_byte() {
    let cases: &[(&str, &[u8], &str)] = &[
        (
            r#""long""#,
            &[0x80; 10],
            "has a number with too many bytes (byte 0)",
        ),
        (
            r#""long""#,
            &[0xff; 10],
            "has a number with too many bytes (byte 0)",
        ),
        (
            r#""long""#,
            &[0x80; 9],
            "ends after 9 bytes, within a value (byte 0)",
        ),
        (
            r#""int""#,
            &[0x80; 5],
            "has a number with too many bytes (byte 0)",
        ),
        (
            r#""int""#,
            &[0xff, 0xff, 0xff, 0xff, 0x7f],
            "as an int, which has 32 bits",
        ),
        (
            r#""boolean""#,
            &[2],
            "has 2 as a boolean: expected 0 or 1 (byte 0)",
        ),
        (r#""bytes""#, &[1], "has the length -1 (byte 0)"),
        (r#""string""#, &[1], "has the length -1 (byte 0)"),
        (
            r#""string""#,
            &[6, b'a'],
            "has a value of 3 bytes, but only 1 are left (byte 0)",
        ),
        (
            r#""string""#,
            &[4, b'a', 0xff],
            "has a string that is not valid UTF-8 (byte 2)",
        ),
        (
            r#"["null","int"]"#,
            &[1],
            "has branch -1 of a union with 2 (byte 0)",
        ),
        (
            r#"["null","int"]"#,
            &[10],
            "has branch 5 of a union with 2 (byte 0)",
        ),
        (r#"[]"#, &[0], "has branch 0 of a union with 0 (byte 0)"),
        (
            r#"{"type":"enum","name":"E","symbols":["A","B"]}"#,
            &[1],
            "has symbol -1 of an enum with 2",
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["A","B"]}"#,
            &[10],
            "has symbol 5 of an enum with 2",
        ),
        (
            r#"{"type":"fixed","name":"F","size":4}"#,
            &[0; 3],
            "ends after 3 bytes, within a value (byte 0)",
        ),
        (
            r#""null""#,
            &[0],
            "has 1 bytes after its last value (byte 0)",
        ),
        (
            r#""double""#,
            &[0; 9],
            "has 1 bytes after its last value (byte 8)",
        ),
        (
            r#"{"type":"map","values":"int"}"#,
            &[2, 2, 0xff, 0, 0],
            "not valid UTF-8 (byte 2)",
        ),
    ];
    for (avro_type, record, expected) in cases {
        let reason = reason(avro_type, record);
        assert!(reason.contains(expected), "{avro_type}: {reason}");
    }
}

#[test]
fn blocks_that_lie_about_their_items_are_refused() {
    let array = r#"{"type":"array","items":"int"}"#;
    let cases: &[(&[u8], &str)] = &[
        // 2^60 items, and as many as fit into no number.
        (
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 2],
            "a block of 1152921504606846976 items, but only 1 bytes are left (byte 0)",
        ),
        (
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2],
            "a block of 9223372036854775808 items",
        ),
        (
            &[4, 2],
            "a block of 2 items, but only 1 bytes are left (byte 0)",
        ),
        (
            &[3, 2, 2, 4, 0],
            "a block of 2 bytes, which says it has 1 (byte 2)",
        ),
        (
            &[3, 6, 2, 4, 0],
            "a block of 2 bytes, which says it has 3 (byte 2)",
        ),
        (&[3, 1, 2, 4, 0], "has the length -1 (byte 1)"),
        (&[4, 2, 4], "ends after 3 bytes, within a value (byte 3)"),
    ];
    for (record, expected) in cases {
        let reason = reason(array, record);
        assert!(reason.contains(expected), "{record:?}: {reason}");
    }
    let columns = fields(&[("v", list(DataType::Int32))]);
    let decoded = decode(&in_record(array), &columns, &[], &[&[3, 4, 2, 4, 2, 6, 0]]).unwrap();
    assert_eq!(super::shown(&decoded.columns[0], 0), "[1, 2, 3]");
}

#[test]
fn many_items_without_bytes_are_refused() {
    let columns = fields(&[("v", list(DataType::Binary))]);
    for item in [r#""null""#, r#"{"type":"fixed","name":"F","size":0}"#] {
        let schema = in_record(&format!(r#"{{"type":"array","items":{item}}}"#));
        let record = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0];
        let reason = failure(&schema, &columns, &[], &record);
        assert!(
            reason.contains("has too many values without bytes"),
            "{reason}"
        );
        assert!(decode(&schema, &columns, &[], &[&[6, 0]]).is_ok());
    }
}

#[test]
fn deep_documents_are_refused() {
    let schema = r#"{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"]}]}"#;
    let read = fields(&[("next", DataType::Utf8View)]);
    let nested = |levels: usize| [vec![2; levels], vec![0]].concat();
    assert!(decode(schema, &read, &[], &[&nested(100)]).is_ok());
    let reason = failure(schema, &read, &[], &nested(10_000_000));
    assert!(
        reason.contains("is nested more than 256 levels deep"),
        "{reason}"
    );
    // A record that contains itself has no finite document.
    let endless = r#"{"type":"record","name":"N","fields":[{"name":"next","type":"N"}]}"#;
    let reason = failure(endless, &read, &[], &[]);
    assert!(
        reason.contains("is nested more than 256 levels deep"),
        "{reason}"
    );
}

#[test]
fn the_field_of_a_malformed_value_is_named() {
    let schema = r#"{"type":"record","name":"R","fields":[
        {"name":"geo","type":{"type":"record","name":"G","fields":[{"name":"country","type":"string"}]}}]}"#;
    let geo = Fields::from(vec![Field::new("country", DataType::Utf8View, true)]);
    for column in [DataType::Struct(geo), DataType::Utf8View] {
        let reason = failure(schema, &fields(&[("geo", column)]), &[], &[2, 0xff]);
        assert!(
            reason.contains("field 'geo.country': has a string"),
            "{reason}"
        );
    }
}

#[test]
fn a_bad_document_is_a_row_of_nulls_if_the_options_say_so() {
    let columns = fields(&[("v", DataType::Int64)]);
    let null = [
        ("kinesis.format.onError", "null"),
        ("kinesis.format.errorColumn", "why"),
    ];
    let records: [&[u8]; 3] = [&[2], &[2, 2], &[4]];
    let decoded = decode(&in_record(r#""long""#), &columns, &null, &records).unwrap();
    let shown = |column: usize, row| super::shown(&decoded.columns[column], row);
    assert_eq!([shown(0, 0), shown(0, 1), shown(0, 2)], ["1", "NULL", "2"]);
    assert_eq!(shown(1, 1), "has 1 bytes after its last value (byte 1)");
    assert_eq!(decoded.bad_documents, 1);
}

/// Two records of each level contain a union of the two of the next, so the paths double with each level.
#[test]
fn unions_of_records_with_unions_are_compiled_once_each() {
    const LEVELS: usize = 28;
    fn record(name: char, level: usize, inner: &str) -> String {
        format!(
            r#"{{"type":"record","name":"{name}{level}","fields":[{{"name":"v","type":{inner}}}]}}"#
        )
    }
    let mut inner = r#""int""#.to_owned();
    for level in (0..LEVELS).rev() {
        // The second record names the types that the first defines.
        let again = match level + 1 {
            LEVELS => r#""int""#.to_owned(),
            next => format!(r#"["A{next}","B{next}"]"#),
        };
        let (a, b) = (record('A', level, &inner), record('B', level, &again));
        inner = format!("[{a},{b}]");
    }
    let mut column = DataType::Int64;
    for _ in 1..LEVELS {
        column = DataType::Struct(Fields::from(vec![Field::new("v", column, true)]));
    }
    // The second branch of each union, then the number 3.
    let document = [&[2_u8; LEVELS][..], &[6]].concat();
    let decoded = decode(&inner, &fields(&[("v", column)]), &[], &[&document]).unwrap();
    let value = super::shown(&decoded.columns[0], 0);
    assert_eq!(value.matches("v: ").count(), LEVELS - 1);
    assert!(value.contains("v: 3}"), "{value}");
}

/// Levels are counted the same whether values are read, written as JSON or skipped.
#[test]
fn how_deep_a_document_may_be_does_not_depend_on_the_columns() {
    let text = DataType::Utf8View;
    let node = |next: DataType| {
        DataType::Struct(Fields::from(vec![
            Field::new("v", DataType::Int32, true),
            Field::new("next", next, true),
        ]))
    };
    // A node refers to the next by a union, or has it as the only item of an array.
    for (next_type, is_list) in [
        (r#"["null","Node"]"#, false),
        (r#"{"type":"array","items":"Node"}"#, true),
    ] {
        let next: fn(DataType) -> DataType = if is_list { list } else { |next| next };
        let schema = format!(
            r#"{{"type":"record","name":"Doc","fields":[{{"name":"id","type":"int"}},
                {{"name":"n","type":{{"type":"record","name":"Node","fields":[{{"name":"v","type":"int"}},
                    {{"name":"next","type":{next_type}}}]}}}}]}}"#
        );
        let columns = [
            fields(&[("id", DataType::Int32)]),
            fields(&[("n", text.clone())]),
            fields(&[("n", node(text.clone()))]),
            fields(&[("n", node(next(node(next(node(text.clone()))))))]),
        ];
        let mut kept = Vec::new();
        for nodes in 120..136 {
            let ends = if is_list { nodes - 1 } else { 0 };
            let inner = [2; 2].repeat(nodes - 1);
            let document = [&[2][..], &inner, &[2, 0], &vec![0; ends]].concat();
            let rows = columns.each_ref().map(|columns| {
                let skip = [("kinesis.format.onError", "skip")];
                let decoded = decode(&schema, columns, &skip, &[&document]).unwrap();
                decoded.records.len()
            });
            assert!(
                rows.iter().all(|count| *count == rows[0]),
                "{next_type}, {nodes} nodes: {rows:?}"
            );
            kept.push(rows[0]);
        }
        assert!(kept.contains(&0) && kept.contains(&1), "{kept:?}");
    }
}
