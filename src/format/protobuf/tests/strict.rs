//! Invalid messages.

use super::{table, try_table};
use crate::error::ErrorKind;

/// A value with a length.
fn bytes(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    assert!(length < 128);
    [&[tag, length], content].concat()
}

/// `message` in `count` further ones of field `tag`, at most 16,383 bytes.
fn nested(tag: u8, count: usize, message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    for _ in 0..count {
        let length = message.len();
        let header = [tag, (length & 0x7F) as u8 | 0x80, (length >> 7) as u8];
        message.splice(0..0, header);
    }
    message
}

#[test]
fn invalid_bytes_are_bad_with_their_byte_and_field() {
    // No column holds what is wrong, except for the name.
    let table = table("int64_value BIGINT", "test.Everything", &[]);
    for (record, expected) in [
        (vec![0x00, 0x01], "has an invalid field number (byte 0)"),
        (vec![0x20, 0x01, 0x0F], "has an unknown wire type (byte 2)"),
        (
            vec![0x20],
            "field 'int64_value': ends within a number (byte 1)",
        ),
        (vec![0x20, 0x80], "ends within a number (byte 1)"),
        (
            vec![0x09, 1, 2],
            "field 'double_value': ends within a number (byte 1)",
        ),
        (
            [vec![0x20], vec![0xFF; 10]].concat(),
            "has a number of more than 64 bits (byte 1)",
        ),
        (
            vec![0x72, 5, b'a'],
            "field 'string_value': ends before the length that it states (byte 1)",
        ),
        (
            vec![0x21, 1, 2, 3, 4, 5, 6, 7, 8],
            "field 'int64_value': has another wire type than its type in the descriptor (byte 0)",
        ),
        (vec![0x70, 1], "field 'string_value': has another wire type"),
        (
            bytes(0x72, b"ab\xff"),
            "field 'string_value': is not valid UTF-8 (byte 4)",
        ),
        // inner.name, which is skipped
        (
            [&[0xF2, 0x01, 3], &[0x0A, 1, 0xFF][..]].concat(),
            "field 'inner.name': is not valid UTF-8 (byte 5)",
        ),
        // A packed list with a half number.
        (
            vec![0xA2, 0x01, 2, 1, 0x80],
            "field 'numbers': ends within a number (byte 4)",
        ),
        // Unknown fields 63 and 64.
        (vec![0xFB, 3], "has a group without an end (byte 0)"),
        (
            vec![0xFB, 3, 0x84, 4],
            "ends another group than the last one (byte 2)",
        ),
        (vec![0xFC, 3], "ends a group that was not started (byte 0)"),
    ] {
        let message = table.failure(&record);
        assert!(message.contains(expected), "{record:?}: {message}");
    }
}

#[test]
fn nesting_is_limited() {
    // inner.deeper.deeper…
    let table = table("int64_value BIGINT", "test.Everything", &[]);
    let inner = |depth: usize| {
        let inner = nested(0x22, depth - 1, &[]);
        let length = inner.len();
        let header = [
            0xF2,
            0x01,
            (length & 0x7F) as u8 | 0x80,
            (length >> 7) as u8,
        ];
        [&header[..], &inner].concat()
    };
    assert_eq!(table.row(inner(100)), "0");
    let message = table.failure(inner(101));
    assert!(message.contains("more than 100 levels"), "{message}");
    // Unknown groups.
    let groups = |depth: usize| [[0xFB, 3].repeat(depth), [0xFC, 3].repeat(depth)].concat();
    assert_eq!(table.row(groups(100)), "0");
    assert!(table.failure(groups(101)).contains("more than 100 levels"));
    assert!(
        table
            .failure([0xFB, 3].repeat(100_000))
            .contains("more than 100 levels")
    );
}

#[test]
fn required_fields_are_required_everywhere() {
    let table = table("note VARCHAR", "legacy.Order", &[]);
    let id = [0x08, 1];
    assert_eq!(table.row(id), "NULL");
    let message = table.failure([]);
    assert!(
        message.contains("field 'id': is required, but missing"),
        "{message}"
    );
    // Field parent is an order, too; its parts are merged.
    let parent = |content: &[u8]| [&id[..], &bytes(0x72, content)].concat();
    assert!(table.failure(parent(&[])).contains("field 'parent.id'"));
    assert_eq!(table.row(parent(&id)), "NULL");
    let parts = [parent(&[0x18, 3]), bytes(0x72, &id)].concat();
    assert_eq!(table.row(parts), "NULL");
    // A group without its zip.
    let group = [&id[..], &[0x63, 0x64]].concat();
    assert!(table.failure(group).contains("field 'address.zip'"));
}

#[test]
fn columns_must_suit_the_message() {
    for (columns, expected) in [
        (
            "name VARCHAR",
            "column 'name': Protobuf message 'test.Everything' has no such field; expected one of double_value, ",
        ),
        (
            "int64_value BOOLEAN",
            "column 'int64_value' has type BOOLEAN, but Protobuf field 'int64_value' is int64: expected a numeric type",
        ),
        (
            "numbers BIGINT",
            "is repeated int32: expected an array of a numeric type",
        ),
        (
            "inner BIGINT",
            "is test.Inner: expected STRUCT, or VARCHAR for JSON text",
        ),
        (
            "inner STRUCT<nam VARCHAR>",
            "column 'inner.nam': Protobuf message 'test.Inner' has no such field",
        ),
        ("at BIGINT", "expected TIMESTAMP, VARCHAR or STRUCT"),
        (
            "counts BIGINT",
            "is a map: expected VARCHAR for JSON text, or an array",
        ),
        (
            "int64_value BIGINT, \"int64Value\" BIGINT",
            "columns 'int64_value' and 'int64Value' are both field 'int64_value'",
        ),
    ] {
        let error = try_table(columns, "test.Everything", &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert!(error.to_string().contains(expected), "{error}");
    }
    let error = try_table("a INT", "test.Nothing", &[]).unwrap_err();
    let expected = "'kinesis.protobuf.message' = 'test.Nothing': expected a message of";
    assert!(error.to_string().contains(expected), "{error}");
    assert!(error.to_string().contains("test.Everything"), "{error}");
}

#[test]
fn confluent_headers_select_the_message() {
    let framing = [("protobuf.framing", "confluent")];
    let nested = table("message VARCHAR", "test.Outer.Nested", &framing);
    let header = |indexes: &[u8]| [&[0, 0, 0, 0, 7], indexes].concat();
    // Two indexes in zigzag encoding: message 2 of the file, message 0 in it.
    assert_eq!(nested.row(header(&[4, 4, 0])), "NULL");
    assert_eq!(
        nested.row([header(&[4, 4, 0]), bytes(0x0A, &[])].concat()),
        "{}"
    );
    let message = nested.failure(header(&[2, 4]));
    let expected = "has message indexes [2]: expected [2, 0] for 'test.Outer.Nested' (byte 5)";
    assert!(message.contains(expected), "{message}");
    let first = table("int64_value BIGINT", "test.Everything", &framing);
    assert_eq!(first.row([&header(&[0])[..], &[0x20, 9]].concat()), "9");
    assert_eq!(first.row([&header(&[2, 0])[..], &[0x20, 9]].concat()), "9");
    for (record, expected) in [
        (
            vec![],
            "is empty: expected 00 of Confluent's format ('kinesis.protobuf.framing') (byte 0)",
        ),
        (
            vec![0, 0, 0],
            "ends within its header: expected a schema id of 4 bytes (byte 3)",
        ),
        (
            vec![8, 1, 0, 0, 0, 0],
            "starts with 08: expected 00 of Confluent's format",
        ),
        (header(&[]), "ends within its header (byte 5)"),
        (header(&[4, 4]), "ends within its header (byte 7)"),
        (header(&[1]), "has an invalid number of message indexes"),
        (header(&[0xFF; 10]), "has a number of more than 64 bits"),
        (
            [&header(&[0])[..], &[0x20]].concat(),
            "ends within a number (byte 7)",
        ),
    ] {
        let message = first.failure(&record);
        assert!(message.contains(expected), "{record:?}: {message}");
    }
}
