use std::fs;
use std::path::{Path, PathBuf};

use csv_core::ReadFieldResult;
use serde_json::Value;

use crate::error::ErrorKind;
use crate::format::testing::TestTable;

const NEWLINE: (&str, &str) = ("format.framing", "newline");
const SKIP: (&str, &str) = ("format.onError", "skip");

fn csv(options: &[(&str, &str)], columns: &str) -> TestTable {
    TestTable::new(columns, &[&[("format", "csv")], options].concat())
}

/// Columns `c0`, `c1`, … of strings.
fn text_columns(count: usize) -> String {
    let columns: Vec<String> = (0..count)
        .map(|index| format!("c{index} VARCHAR"))
        .collect();
    columns.join(", ")
}

/// Rows as a [`TestTable`] shows them.
fn shown(rows: &[Vec<String>]) -> Vec<String> {
    rows.iter().map(|row| row.join(" | ")).collect()
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/csv")
}

#[test]
fn csv_spectrum_is_read_as_documented() {
    let folder = vectors().join("spectrum");
    let files = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let files = files.filter(|file| file.extension().is_some_and(|extension| extension == "csv"));
    let mut count = 0;
    for file in files {
        count += 1;
        let expected = fs::read_to_string(file.with_extension("json")).unwrap();
        // One row is an object, several are an array of objects.
        let expected: Value = serde_json::from_str(&expected).unwrap();
        let expected = match expected {
            Value::Array(rows) => rows,
            row => vec![row],
        };
        let record = fs::read(&file).unwrap();
        let columns = text_columns(expected[0].as_object().unwrap().len());
        let rows = csv(&[NEWLINE], &columns).rows(&[record]);
        let (header, rows) = rows.split_first().unwrap();
        let header: Vec<&str> = header.split(" | ").collect();
        let expected: Vec<Vec<String>> = expected
            .iter()
            .map(|row| {
                header
                    .iter()
                    .map(|name| row[*name].as_str().unwrap().to_owned())
                    .collect()
            })
            .collect();
        assert_eq!(rows, shown(&expected), "{}", file.display());
    }
    assert_eq!(count, 11);
}

#[test]
fn strict_python_reads_the_same_rows() {
    let vectors = fs::read(vectors().join("python_csv.json")).unwrap();
    let vectors: Value = serde_json::from_slice(&vectors).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() > 300);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let options = case["options"].as_object().unwrap().iter();
        let mut options: Vec<_> = options
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        for (name, value) in &mut options {
            *name = name.trim_start_matches("kinesis.");
            // An option cannot be blank.
            *value = if *value == "\t" { "\\t" } else { value };
        }
        let expected: Vec<Vec<String>> = serde_json::from_value(case["rows"].clone()).unwrap();
        let count = expected.first().map_or(1, Vec::len);
        let (fitting, unfit): (Vec<_>, Vec<_>) =
            expected.into_iter().partition(|row| row.len() == count);
        options.extend([NEWLINE, SKIP]);
        let decoded = csv(&options, &text_columns(count)).decode(&[text]).unwrap();
        let read = (decoded.rows.len(), decoded.bad_documents);
        // Python stops at the first error.
        assert_eq!(decoded.rows[..fitting.len()], shown(&fitting), "{case}");
        match case["failed"].as_bool().unwrap() {
            true => assert!(decoded.bad_documents > unfit.len(), "{case}"),
            false => assert_eq!(read, (fitting.len(), unfit.len()), "{case}"),
        }
    }
}

/// The lines of `text` as csv-core reads them, which accepts any text.
fn csv_core_lines(text: &[u8], escape: Option<u8>) -> Vec<Vec<Vec<u8>>> {
    let mut reader = csv_core::ReaderBuilder::new().escape(escape).build();
    let mut buffer = vec![0; text.len() + 1];
    let (mut lines, mut line, mut at, mut len) = (Vec::new(), Vec::new(), 0, 0);
    loop {
        let (result, read, written) = reader.read_field(&text[at..], &mut buffer[len..]);
        (at, len) = (at + read, len + written);
        match result {
            ReadFieldResult::Field { record_end } => {
                line.push(buffer[..len].to_vec());
                len = 0;
                if record_end {
                    lines.push(std::mem::take(&mut line));
                }
            }
            ReadFieldResult::InputEmpty => {}
            ReadFieldResult::OutputFull => panic!("the buffer holds the whole text"),
            ReadFieldResult::End => return lines,
        }
    }
}

/// Up to 24 random bytes of `alphabet`.
fn soup(random: &mut fastrand::Rng, alphabet: &[u8]) -> Vec<u8> {
    let len = random.usize(..=24);
    (0..len)
        .map(|_| alphabet[random.usize(..alphabet.len())])
        .collect()
}

#[test]
fn every_row_of_random_text_is_a_line_of_csv_core() {
    let mut random = fastrand::Rng::with_seed(15);
    let (mut good, mut bad) = (0, 0);
    for escape in [None, Some(b'\\')] {
        let mut options = vec![NEWLINE, SKIP];
        options.extend(escape.map(|_| ("csv.escape", "\\")));
        let two = csv(&options, &text_columns(2));
        for _ in 0..5_000 {
            let text = soup(&mut random, b"\",\r\nab \\\"\xc3\xbc");
            let decoded = two.decode(&[&text]).unwrap();
            let lines = csv_core_lines(&text, escape);
            // Every line is a row or bad, in the same order.
            let read = decoded.rows.len() + decoded.bad_documents;
            assert_eq!(read, lines.len(), "{text:?}");
            let mut lines = lines.iter().map(|line| line.join(&b" | "[..]));
            for row in &decoded.rows {
                assert!(lines.any(|line| line == row.as_bytes()), "{text:?}");
            }
            good += decoded.rows.len();
            bad += decoded.bad_documents;
        }
    }
    assert!(good > 500 && bad > 500, "{good} {bad}");
}

#[test]
fn rows_do_not_depend_on_the_projection() {
    let mut random = fastrand::Rng::with_seed(16);
    for on_error in ["skip", "null"] {
        let table = csv(
            &[NEWLINE, ("format.onError", on_error)],
            "n BIGINT, s VARCHAR, b BYTEA",
        );
        for _ in 0..2_000 {
            let text = soup(&mut random, b"\",,,\n1a=\xff");
            let all = table.decode(&[&text]).unwrap();
            for index in 0..3 {
                let one = table.decode_columns(&[index], &[&text]).unwrap();
                assert_eq!(one.records, all.records);
                assert_eq!(one.bad_documents, all.bad_documents);
                for (one, all) in one.rows.iter().zip(&all.rows) {
                    assert_eq!(Some(one.as_str()), all.split(" | ").nth(index));
                }
            }
            let none = table.decode_columns(&[], &[&text]).unwrap();
            assert_eq!(none.records, all.records);
        }
    }
}

#[test]
fn values_are_parsed_by_the_types_of_their_columns() {
    let table = csv(
        &[("json.timestampFormat", "epoch_ms")],
        "n BIGINT, d DECIMAL(10, 2), f DOUBLE, yes BOOLEAN, at TIMESTAMP(3), day DATE, b BYTEA, t VARCHAR",
    );
    let rows = table.rows(&[
        "1,2.50,-1e3,TRUE,0,2026-11-30,aGk=, x ",
        " 7 ,\"3\",NaN,false,1970-01-01T00:00:01Z,2026-11-30,\"aGk\",\"a,\"\"b\"\"\"\n",
        ",,,,,,,",
    ]);
    let expected = [
        "1 | 2.50 | -1000.0 | true | 1970-01-01T00:00:00 | 2026-11-30 | 6869 |  x ",
        "7 | 3.00 | NaN | false | 1970-01-01T00:00:01 | 2026-11-30 | 6869 | a,\"b\"",
        "NULL | NULL | NULL | NULL | NULL | NULL | NULL | ",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn null_literals_are_unquoted() {
    let read = |options: &[(&str, &str)], record: &str| {
        let decoded = csv(options, "n BIGINT, s VARCHAR")
            .decode(&[record])
            .unwrap();
        (decoded.rows.concat(), decoded.mismatches)
    };
    let row = |text: &str, mismatches: u64| (text.to_owned(), mismatches);
    assert_eq!(read(&[], ",\"\""), row("NULL | ", 0));
    // A quoted empty value is text, which is no number.
    assert_eq!(read(&[], "\"\","), row("NULL | ", 1));
    let dash = [("csv.nullLiteral", "-")];
    assert_eq!(read(&dash, "-,-"), row("NULL | NULL", 0));
    assert_eq!(read(&dash, "-,\"-\""), row("NULL | -", 0));
    assert_eq!(read(&dash, ","), row("NULL | ", 1));
    let empty = [("csv.nullLiteral", "")];
    assert_eq!(read(&empty, ","), row("NULL | NULL", 0));
    assert_eq!(read(&empty, ",\"\""), row("NULL | ", 0));
}

#[test]
fn a_bad_document_names_its_byte_and_field() {
    let table = csv(&[], "id VARCHAR, name VARCHAR");
    for (record, expected) in [
        (&b"1"[..], "has 1 value: expected 2 (byte 1)"),
        (b"", "has 1 value: expected 2 (byte 0)"),
        (b"1,2,3,4", "has 4 values: expected 2 (byte 4)"),
        (b"1,\"a", "field 'name': has no closing quote (byte 2)"),
        (
            b"\"1\"2,3",
            "field 'id': has text after its closing quote (byte 3)",
        ),
        (b"1,\"a\xff\"", "field 'name': is not valid UTF-8 (byte 4)"),
        (b"\xff,2", "field 'id': is not valid UTF-8 (byte 0)"),
        (b"1,2\n3,4", "has a line end within its line"),
        (b"1,2\n\n", "has a line end within its line"),
    ] {
        let message = table.failure(record);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_record_may_end_with_a_line_end() {
    let table = csv(&[], "id VARCHAR, name VARCHAR");
    for record in ["1,a", "1,a\n", "1,a\r\n", "\u{feff}1,a\r"] {
        assert_eq!(table.row(record), "1 | a");
    }
    assert_eq!(table.row("\"1\r\n2\",\"\n\"\n"), "1\r\n2 | \n");
    assert_eq!(csv(&[], "id VARCHAR").row(""), "");
}

#[test]
fn good_lines_survive_bad_ones() {
    let record = b"1,a\n\n2\r\n3,\"b\nc\"\n\"4\"x,d\n5,\xff\n6,f\n7,\"g\n8,h\n";
    let table = csv(
        &[
            NEWLINE,
            ("format.onError", "dead_letter"),
            ("format.deadLetterStream", "letters"),
        ],
        "id VARCHAR, name VARCHAR",
    );
    let decoded = table.decode(&[record]).unwrap();
    assert_eq!(decoded.rows, ["1 | a", "3 | b\nc", "6 | f"]);
    assert_eq!((decoded.bad_documents, decoded.skipped_documents), (4, 4));
    let documents: Vec<&[u8]> = decoded.bad.iter().map(|bad| &bad.document[..]).collect();
    // The last has all that follows its quote.
    assert_eq!(
        documents,
        [&b"2"[..], b"\"4\"x,d", b"5,\xff", b"7,\"g\n8,h\n"]
    );
}

#[test]
fn a_value_that_does_not_fit_is_null_or_fails() {
    let columns = "n TINYINT, at DATE";
    let table = csv(&[("format.errorColumn", "why")], columns);
    let decoded = table.decode(&["300,soon", "1,2026-11-30"]).unwrap();
    assert_eq!(
        decoded.rows,
        [
            "NULL | NULL | field 'n': '300' is no TINYINT (byte 0)",
            "1 | 2026-11-30 | NULL"
        ]
    );
    assert_eq!(decoded.mismatches, 2);
    let strict = csv(&[("format.onTypeMismatch", "fail")], columns);
    let message = strict.failure("1,soon");
    assert!(
        message.contains("field 'at': 'soon' is no DATE (byte 2)"),
        "{message}"
    );
}

#[test]
fn nested_columns_are_refused() {
    let error = TestTable::try_new("tags VARCHAR[]", &[("format", "csv")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("column 'tags'"), "{error}");
}
