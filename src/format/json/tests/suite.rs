//! JSONTestSuite by Nicolas Seriot: every text that RFC 8259 calls valid is decoded, every invalid one is refused.
//!
//! A document must be an object here, and most texts of the suite are not. So each is tested as the value of a field,
//! and once more as the document if it is an object. `i_` are texts about which the standard leaves a choice; below is
//! what is done with each.

use super::json;

const SUITE: &str = include_str!("../../../../tests/data/json_test_suite/test_parsing.tsv");

/// What happens to a text in the field `v`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    /// It is decoded.
    Row,
    /// The document is decoded, but the value is no VARCHAR.
    Unfit,
    /// The document is bad.
    Bad,
}
use Outcome::{Bad, Row, Unfit};

const UNDEFINED: [(&str, Outcome); 35] = [
    // Numbers of any size are valid. Columns take those they can represent.
    ("i_number_double_huge_neg_exp", Row),
    ("i_number_huge_exp", Row),
    ("i_number_neg_int_huge_exp", Row),
    ("i_number_pos_double_huge_exp", Row),
    ("i_number_real_neg_overflow", Row),
    ("i_number_real_pos_overflow", Row),
    ("i_number_real_underflow", Row),
    ("i_number_too_big_neg_int", Row),
    ("i_number_too_big_pos_int", Row),
    ("i_number_very_big_negative_int", Row),
    // Escaped surrogates without their partner are valid. In an array they are a part of its text; a string column
    // would have to hold them.
    ("i_object_key_lone_2nd_surrogate", Row),
    ("i_string_1st_surrogate_but_2nd_missing", Row),
    ("i_string_1st_valid_surrogate_2nd_invalid", Row),
    ("i_string_incomplete_surrogate_and_escape_valid", Row),
    ("i_string_incomplete_surrogate_pair", Row),
    ("i_string_incomplete_surrogates_escape_valid", Row),
    ("i_string_invalid_lonely_surrogate", Row),
    ("i_string_invalid_surrogate", Row),
    ("i_string_inverted_surrogates_U+1D11E", Row),
    ("i_string_lone_second_surrogate", Row),
    // What is not UTF-8 is refused.
    ("i_string_UTF-16LE_with_BOM", Bad),
    ("i_string_UTF-8_invalid_sequence", Bad),
    ("i_string_UTF8_surrogate_U+D800", Bad),
    ("i_string_invalid_utf-8", Bad),
    ("i_string_iso_latin_1", Bad),
    ("i_string_lone_utf8_continuation_byte", Bad),
    ("i_string_not_in_unicode_range", Bad),
    ("i_string_overlong_sequence_2_bytes", Bad),
    ("i_string_overlong_sequence_6_bytes", Bad),
    ("i_string_overlong_sequence_6_bytes_null", Bad),
    ("i_string_truncated-utf-8", Bad),
    ("i_string_utf16BE_no_BOM", Bad),
    ("i_string_utf16LE_no_BOM", Bad),
    // Nesting has no limit.
    ("i_structure_500_nested_arrays", Row),
    // A byte order mark may only be at the start of a record.
    ("i_structure_UTF-8_BOM_empty_object", Bad),
];

fn texts() -> Vec<(&'static str, Vec<u8>)> {
    let decode = |text: &str| base64_simd::STANDARD.decode_to_vec(text).unwrap();
    let lines = SUITE.lines().filter(|line| !line.starts_with('#'));
    let texts = lines.map(|line| {
        let (name, text) = line.split_once('\t').unwrap();
        let bytes = match text.split_once('*') {
            None => decode(text),
            Some((times, text)) => {
                let (part, rest) = text
                    .split_once('+')
                    .filter(|(part, _)| part.len() % 4 == 0)
                    .unwrap_or((text, ""));
                [decode(part).repeat(times.parse().unwrap()), decode(rest)].concat()
            }
        };
        (name, bytes)
    });
    texts.collect()
}

/// What happens to `document`, whichever columns are read.
fn outcome(name: &str, document: &[u8]) -> Outcome {
    let options = [("format.onError", "null"), ("format.errorColumn", "why")];
    let table = json("v VARCHAR, w INT", &options);
    let decoded = table.decode(&[document]).unwrap();
    assert_eq!(decoded.rows.len(), 1, "{name}");
    let is_bad = decoded.bad_documents == 1;
    for columns in ["w INT", "v STRUCT<a INT>", "v BIGINT[]", "v DOUBLE"] {
        for options in [
            &[("format.onError", "skip")][..],
            &[("format.onError", "skip"), ("json.rescuedColumn", "r")],
        ] {
            let table = json(columns, options);
            for projection in [&[][..], &[0]] {
                let decoded = table.decode_columns(projection, &[document]).unwrap();
                assert_eq!(
                    decoded.bad_documents == 1,
                    is_bad,
                    "{name} {columns} {projection:?}"
                );
            }
        }
    }
    match (is_bad, decoded.mismatches) {
        (true, _) => Bad,
        (false, 0) => Row,
        (false, _) => Unfit,
    }
}

fn as_field(text: &[u8]) -> Vec<u8> {
    [b"{\"v\":", text, b"}"].concat()
}

#[test]
fn valid_texts_are_decoded_and_invalid_ones_are_refused() {
    let texts = texts();
    let count = |start: &str| {
        texts
            .iter()
            .filter(|(name, _)| name.starts_with(start))
            .count()
    };
    assert_eq!(["y_", "n_", "i_"].map(count), [95, 188, 35]);
    for (name, text) in &texts {
        let expected = match &name[..2] {
            "y_" => Row,
            "n_" => Bad,
            _ => continue,
        };
        assert_eq!(outcome(name, &as_field(text)), expected, "{name}");
        if text.trim_ascii().starts_with(b"{") {
            assert_eq!(outcome(name, text), expected, "{name} as document");
        }
    }
}

#[test]
fn undefined_texts_have_this_outcome() {
    let texts = texts();
    for (name, expected) in UNDEFINED {
        let (_, text) = texts.iter().find(|(other, _)| *other == name).unwrap();
        assert_eq!(outcome(name, &as_field(text)), expected, "{name}");
    }
    let text = |name: &str| &texts.iter().find(|(other, _)| *other == name).unwrap().1;
    assert_eq!(
        outcome("BOM", text("i_structure_UTF-8_BOM_empty_object")),
        Row
    );
    // A key of the document itself must be text.
    assert_eq!(outcome("key", text("i_object_key_lone_2nd_surrogate")), Bad);
    // A string column must hold its value.
    assert_eq!(outcome("value", &as_field(br#""\ud800""#)), Unfit);
}
