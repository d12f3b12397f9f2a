//! Records of many documents are decoded in batches of bounded size, and where they are cut changes nothing.

use std::io::Write;

use datafusion::arrow::array::BinaryArray;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::error::Result;
use crate::format::testing::{Rows, TestTable};

type Options = Vec<(&'static str, &'static str)>;

/// The formats and framings with several documents in a record: options, and what is around documents and between
/// them.
fn forms() -> [(Options, [&'static str; 3]); 8] {
    let json = ("format", "json");
    let explode = ("json.explode", "$.list");
    let newline = ("format.framing", "newline");
    [
        (vec![json, newline], ["", "\n", ""]),
        (
            vec![json, ("format.framing", "concatenated")],
            ["", " ", ""],
        ),
        (vec![json, ("format.framing", "array")], ["[", ",", "]"]),
        (
            vec![json, explode],
            [r#"{"b":"x","list":["#, ",", r#"],"a":1}"#],
        ),
        (
            vec![json, explode, newline],
            [r#"{"list":["#, ",", "]}\n{\"list\":[2,3]}"],
        ),
        (vec![("format", "csv"), newline], ["", "\r\n", "\n"]),
        (vec![("format", "text"), newline], ["", "\n", "\r"]),
        (
            vec![("format", "cloudwatch_logs")],
            [
                r#"{"owner":"o","logEvents":["#,
                ",",
                r#"]} {"logEvents":[{"id":"z"}]}"#,
            ],
        ),
    ]
}

fn table(form: &Options, more: &[(&'static str, &'static str)]) -> TestTable {
    let columns = match form[0].1 {
        "json" => "a BIGINT, b VARCHAR, c STRUCT<x INT>",
        "csv" => "a BIGINT, b VARCHAR",
        "text" => "a VARCHAR",
        _ => "",
    };
    TestTable::new(columns, &[form, more].concat())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A document or an element, which may be damaged.
fn document(form: &Options, random: &mut fastrand::Rng) -> String {
    let documents: &[&str] = match form[0].1 {
        "json" => &[
            r#"{"a":1}"#,
            r#"{"a":"x","b":{"z":[1]}}"#,
            r#"{"c":{"x":7,"y":"\u00e9"}}"#,
            r#"{"list":[{"a":1},{"\ud800":1}],"b":2}"#,
            r#"{"\ud800":1,"a":2}"#,
            r#"{"a":1e999}"#,
            "{}",
            "7",
            "\"text\"",
            "null",
            "[{}]",
        ],
        "csv" => &[
            "1,x",
            "y,2",
            "1",
            "",
            "\"1\",\"a\nb\"",
            "\"1",
            "1,2,3",
            "\"1\"x,2",
        ],
        "text" => &["x", "", " ", "a b", "\u{e9}\r"],
        _ => &[
            r#"{"id":"a","timestamp":1,"message":"m"}"#,
            r#"{"id":"b","extractedFields":{"x":1}}"#,
            r#"{"timestamp":"x"}"#,
            r#"{"\ud800":1}"#,
            "{}",
            "7",
        ],
    };
    let mut text = (*random.choice(documents).unwrap()).to_owned();
    if random.u8(..8) == 0 && !text.is_empty() {
        let place = random.usize(..text.len());
        match random.u8(..3) {
            0 if text.is_char_boundary(place) => text.truncate(place),
            1 if text.is_char_boundary(place) => {
                text.insert(
                    place,
                    *random.choice(&['{', ']', ',', '"', '\\', '\n']).unwrap(),
                );
            }
            _ => text.push(' '),
        }
    }
    text
}

fn record(form: &Options, around: &[&str; 3], random: &mut fastrand::Rng) -> Vec<u8> {
    let bad_documents = random.bool();
    let mut documents = Vec::new();
    while documents.len() < random.usize(..20) {
        let document = document(form, random);
        // Most arrays should be valid, because otherwise they have no rows.
        if bad_documents || document == "{}" || document.contains("\"a\"") {
            documents.push(document);
        }
    }
    let text = [around[0], &documents.join(around[1]), around[2]].concat();
    let mut bytes = text.into_bytes();
    match random.u8(..16) {
        0 => drop(bytes.splice(0..0, *b"\xef\xbb\xbf")),
        1 => bytes.push(b'\xff'),
        2 => bytes.truncate(random.usize(..=bytes.len())),
        _ => {}
    }
    match random.bool() {
        true => gzip(&bytes),
        false => bytes,
    }
}

/// The rows of `records`, decoded in batches of `batch_rows` rows.
fn decoded(table: &TestTable, records: &[Vec<u8>], batch_rows: usize) -> Result<Rows> {
    let all: Vec<usize> = (0..table.columns().len()).collect();
    let mut decoder = table.decoder(&all);
    decoder.batch_rows = batch_rows;
    let mut rows = Rows::default();
    rows.append(&mut decoder, records, 0)?;
    Ok(rows)
}

#[test]
fn batches_of_any_size_give_the_same_rows() {
    for seed in 0..600 {
        let mut random = fastrand::Rng::with_seed(seed);
        let forms = forms();
        let (form, around) = random.choice(&forms).unwrap();
        let policy = ["fail", "null", "skip", "dead_letter"][random.usize(..4)];
        let mut options = vec![("format.onError", policy), ("format.compression", "auto")];
        if policy == "dead_letter" {
            options.push(("format.deadLetterStream", "dead"));
        }
        if random.bool() {
            options.push(("format.errorColumn", "why"));
        }
        if random.u8(..4) == 0 {
            options.push(("format.onTypeMismatch", "fail"));
        }
        let table = table(form, &options);
        let records: Vec<_> = (0..random.usize(1..5))
            .map(|_| record(form, around, &mut random))
            .collect();
        let whole = decoded(&table, &records, usize::MAX).map_err(|error| error.to_string());
        for batch_rows in [1, 2, 3, 7] {
            let context = format!("seed {seed}: {form:?} {options:?}, {batch_rows} rows");
            let cut = decoded(&table, &records, batch_rows).map_err(|error| error.to_string());
            assert_eq!(format!("{cut:?}"), format!("{whole:?}"), "{context}");
        }
    }
}

/// How many rows and dead letters each batch of `record` has.
fn batch_sizes(table: &TestTable, record: &[u8]) -> Vec<usize> {
    let mut decoder = table.decoder(&[0]);
    let data = BinaryArray::from_vec(vec![record]);
    let mut sizes = Vec::new();
    loop {
        let decoded = decoder.decode(&data, 0).unwrap();
        sizes.push(decoded.records.len() + decoded.skipped.len());
        if decoded.next == 1 {
            return sizes;
        }
    }
}

#[test]
fn many_small_documents_come_in_bounded_batches() {
    for (index, (form, around)) in forms().into_iter().enumerate() {
        let documents = if index == 0 { 1_000_000 } else { 100_000 };
        let document = match form[0].1 {
            "csv" => "1,x",
            "text" => "x",
            _ => "{}",
        };
        let text = vec![document; documents].join(around[1]);
        let record = gzip([around[0], &text, around[2]].concat().as_bytes());
        let sizes = batch_sizes(&table(&form, &[("format.compression", "gzip")]), &record);
        let rows: usize = sizes.iter().sum();
        assert!(
            (documents..documents + 3).contains(&rows),
            "{form:?}: {rows}"
        );
        assert!(sizes.iter().all(|size| *size <= 8_192), "{form:?}");
        assert!(
            sizes.len() <= documents / 8_192 + 2,
            "{form:?}: {}",
            sizes.len()
        );
    }
}

#[test]
fn many_dead_letters_come_in_bounded_batches() {
    let options = [
        ("format.onError", "dead_letter"),
        ("format.deadLetterStream", "dead"),
    ];
    for (form, document) in [(0, "x\n"), (5, "x\n")] {
        let table = table(&forms()[form].0, &options);
        let sizes = batch_sizes(&table, document.repeat(100_000).as_bytes());
        assert_eq!(sizes.iter().sum::<usize>(), 100_000);
        assert!(sizes.iter().all(|size| *size <= 8_192));
    }
}

#[test]
fn rows_that_repeat_large_fields_come_in_small_batches() {
    let large = "x".repeat(20 << 20);
    let elements = ["{}"; 10].join(",");
    for (form, record) in [
        (3, format!(r#"{{"b":"{large}","list":[{elements}]}}"#)),
        (
            7,
            format!(r#"{{"owner":"{large}","logEvents":[{elements}]}}"#),
        ),
    ] {
        let sizes = batch_sizes(&table(&forms()[form].0, &[]), record.as_bytes());
        assert_eq!(sizes.iter().sum::<usize>(), 10);
        assert!(sizes.iter().all(|size| *size <= 4), "{sizes:?}");
    }
}

#[test]
fn a_decoder_starts_anew_after_an_error() {
    for (form, around, bad) in [
        (0, r#"{"a":1}"#, "\n{\"a\":2}\nx"),
        (3, r#"{"list":[1,2]}"#, ""),
        (7, r#"{"logEvents":[{},{}]}"#, "x"),
    ] {
        let options = [("format.onTypeMismatch", "fail")];
        let table = table(&forms()[form].0, &options);
        let bad = match form {
            3 => r#"{"list":[{"a":1},{"a":2},{"a":"x"}]}"#.to_owned(),
            _ => [around, bad].concat(),
        };
        let mut decoder = table.decoder(&[0]);
        decoder.batch_rows = 1;
        let mut failed = Rows::default();
        failed.append(&mut decoder, &[&bad], 0).unwrap_err();
        let mut rows = Rows::default();
        rows.append(&mut decoder, &[around], 0).unwrap();
        assert_eq!(rows.records.len(), table.rows(&[around]).len());
    }
}

#[test]
fn bytes_of_errors_count_from_the_start_of_the_record() {
    for (form, record, byte) in [
        (1, r#" {"a":1} {"a":2} {"a":3}  {"a":}"#, 31),
        (3, r#"{"list":[{"a":1},{"a":2},{"a":"x"}]}"#, 30),
    ] {
        let options = [("format.onTypeMismatch", "fail")];
        let table = table(&forms()[form].0, &options);
        let records = [record.as_bytes().to_vec()];
        for batch_rows in [1, 2, 100] {
            let failure = decoded(&table, &records, batch_rows)
                .unwrap_err()
                .to_string();
            assert!(failure.contains(&format!("(byte {byte})")), "{failure}");
        }
    }
}
