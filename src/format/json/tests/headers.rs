//! Documents behind the headers of schema registries.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::json;
use crate::format::testing::{Rows, TestTable};

fn table(header: &str, more: &[(&str, &str)]) -> TestTable {
    json("a BIGINT", &[&[("json.header", header)], more].concat())
}

pub(super) fn confluent(document: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, 7][..], document].concat()
}

pub(super) fn glue(document: &[u8]) -> Vec<u8> {
    [&[3, 0][..], &[9; 16], document].concat()
}

pub(super) fn glue_zlib(document: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(document).unwrap();
    [&[3, 5][..], &[9; 16], &encoder.finish().unwrap()].concat()
}

#[test]
fn headers_are_removed() {
    let document = b"{\"a\": 7}";
    assert_eq!(table("confluent", &[]).row(confluent(document)), "7");
    assert_eq!(table("glue", &[]).row(glue(document)), "7");
    assert_eq!(table("glue", &[]).row(glue_zlib(document)), "7");
    assert_eq!(table("none", &[]).row(document), "7");
    let marked = [b"\xef\xbb\xbf", &document[..]].concat();
    assert_eq!(table("glue", &[]).row(glue_zlib(&marked)), "7");
}

#[test]
fn elements_of_arrays_and_other_fields_become_rows_and_columns() {
    let options = [("json.explode", "$.items"), ("json.rescuedColumn", "rest")];
    let document = b"{\"items\": [{\"a\": 1, \"b\": 2}, {\"a\": 3}]}";
    let rows = table("confluent", &options).rows(&[confluent(document)]);
    assert_eq!(rows, ["1 | {\"b\":2}", "3 | NULL"]);
}

#[test]
fn a_missing_or_damaged_header_is_a_bad_document() {
    let version = [&[3, 1][..], &[9; 16], b"{}"].concat();
    let mut damaged = glue_zlib(b"{\"a\": 7}");
    damaged.truncate(25);
    for (header, record, expected) in [
        (
            "confluent",
            b"{\"a\": 7}".to_vec(),
            "starts with 7B: expected 00 of Confluent's format ('kinesis.json.header') (byte 0)",
        ),
        (
            "confluent",
            vec![0, 0],
            "ends within its header: expected a schema id of 4 bytes (byte 2)",
        ),
        (
            "glue",
            Vec::new(),
            "is empty: expected 03 of AWS Glue's format",
        ),
        ("glue", version, "has compression 01: expected 00"),
        ("glue", damaged, "is not valid zlib data"),
    ] {
        let error = table(header, &[]).failure(record);
        assert!(error.contains(expected), "{error}");
    }
    let limit = [("format.maxDecompressedBytes", "1000")];
    let error = table("glue", &limit).failure(glue_zlib(&[b' '; 1001]));
    assert!(error.contains("expands to more than 1000 bytes"), "{error}");
}

#[test]
fn bytes_are_counted_from_the_start_of_the_record() {
    let text = b"{\"a\": \"x\"}";
    let fail = [("format.onTypeMismatch", "fail")];
    for (record, expected) in [
        (confluent(text), "(byte 11)"),
        (glue(text), "(byte 24)"),
        (glue(&[b"\xef\xbb\xbf", &text[..]].concat()), "(byte 27)"),
        // As if it had not been compressed.
        (glue_zlib(text), "(byte 24)"),
    ] {
        let header = if record[0] == 0 { "confluent" } else { "glue" };
        let error = table(header, &fail).failure(record);
        assert!(error.contains(expected), "{error}");
    }
    let error = table("confluent", &[]).failure(confluent(b"{\"a\": \xff}"));
    assert!(error.contains("is not valid UTF-8 (byte 11)"), "{error}");
    let broken = table("confluent", &[]).failure(confluent(b"{\"a\" 7}"));
    let plain = table("none", &[]).failure(b"{\"a\" 7}");
    assert!(plain.contains("(byte 5)"), "{plain}");
    assert!(broken.contains("(byte 10)"), "{broken}");
}

#[test]
fn a_dead_letter_keeps_its_header() {
    let options = [
        ("format.onError", "dead_letter"),
        ("format.deadLetterStream", "dead"),
    ];
    let bad = b"{\"a\": 7";
    for (header, record, letter) in [
        ("confluent", confluent(bad), confluent(bad)),
        ("confluent", confluent(b"\xff"), confluent(b"\xff")),
        ("confluent", bad.to_vec(), bad.to_vec()),
        ("glue", glue(bad), glue(bad)),
        // Decompressed, with a header that says so.
        ("glue", glue_zlib(bad), glue(bad)),
    ] {
        let decoded = table(header, &options).decode(&[record]).unwrap();
        assert!(decoded.rows.is_empty());
        assert_eq!(decoded.bad[0].document, letter);
    }
}

#[test]
fn a_document_of_many_rows_keeps_its_header_from_batch_to_batch() {
    let options = [
        ("json.explode", "$.items"),
        ("format.onTypeMismatch", "fail"),
    ];
    let items = "{\"a\":1},".repeat(3);
    let document = format!("{{\"items\":[{items}{{\"a\":\"x\"}}]}}");
    let expected = format!("(byte {})", 18 + document.find("\"x\"").unwrap());
    for record in [glue(document.as_bytes()), glue_zlib(document.as_bytes())] {
        let table = table("glue", &options);
        let mut decoder = table.decoder(&[0]);
        decoder.batch_rows = 2;
        let mut rows = Rows::default();
        let error = rows.append(&mut decoder, &[record], 0).unwrap_err();
        assert_eq!(rows.rows, ["1", "1"]);
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

#[test]
fn only_single_documents_have_headers_and_they_are_only_read() {
    for framing in ["newline", "concatenated", "array"] {
        let options = [
            ("format", "json"),
            ("json.header", "glue"),
            ("format.framing", framing),
        ];
        let error = TestTable::try_new("a BIGINT", &options)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("'kinesis.format.framing' = 'record'"),
            "{error}"
        );
    }
    let error = TestTable::try_new("a BIGINT", &[("format", "csv"), ("json.header", "glue")])
        .unwrap_err()
        .to_string();
    assert!(error.contains("'kinesis.format' = 'json'"), "{error}");
    let written = table("glue", &[]).try_encoder().unwrap_err().to_string();
    assert!(
        written.contains("'kinesis.json.header' can only be read"),
        "{written}"
    );
    assert!(table("none", &[]).try_encoder().is_ok());
}
