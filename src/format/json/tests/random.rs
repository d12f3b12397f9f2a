//! Random mixes of good and bad documents: which rows there are, and what is in them, depends neither on the columns
//! that are read nor on how the records are cut into batches.

use std::fmt::Write;

use super::headers::{confluent, glue, glue_zlib};
use super::json;
use crate::format::testing::{Rows, TestTable};

const COLUMNS: &str =
    "a BIGINT, b VARCHAR, c STRUCT<x DOUBLE, y VARCHAR[]>, d TIMESTAMP, e DECIMAL(12,3)[]";
const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "A", "other"];
const RUNS: u64 = 100;

/// The seeds of the runs: that of `JSON_SEED`, or the first `JSON_SEEDS`.
fn seeds() -> std::ops::Range<u64> {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    match number("JSON_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("JSON_SEEDS").unwrap_or(RUNS),
    }
}

fn value(random: &mut fastrand::Rng, depth: usize) -> String {
    let scalars = [
        "null",
        "true",
        "7",
        "-0",
        "1.50",
        "1e3",
        "1e999",
        "9223372036854775808",
        "\"x\"",
        "\"\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud800\"",
        "\"2026-11-30T08:00:00Z\"",
        "\"12.5\"",
        "[]",
        "{}",
    ];
    match random.usize(..if depth == 0 { 7 } else { 10 }) {
        ..7 => (*random.choice(&scalars[..]).unwrap()).to_owned(),
        7 | 8 => {
            let items: Vec<String> = (0..random.usize(..4))
                .map(|_| value(random, depth - 1))
                .collect();
            format!("[{}]", items.join(","))
        }
        _ => object(random, depth - 1),
    }
}

fn object(random: &mut fastrand::Rng, depth: usize) -> String {
    let mut text = "{".to_owned();
    for field in 0..random.usize(..5) {
        let name = random
            .choice(if depth == 2 {
                &NAMES[..]
            } else {
                &["x", "y", "X", "z"]
            })
            .unwrap();
        let comma = if field > 0 { "," } else { "" };
        write!(text, "{comma}\"{name}\":{}", value(random, depth)).unwrap();
    }
    text + "}"
}

/// A document, of which one in three is damaged.
fn document(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut text = object(random, 2).into_bytes();
    if random.u8(..3) == 0 {
        let place = random.usize(..text.len());
        match random.u8(..4) {
            0 => text.truncate(place),
            1 => drop(text.remove(place)),
            2 => text.insert(place, *random.choice(&b",:{}[]\"\\x0\xff "[..]).unwrap()),
            _ => text[place] = random.u8(..),
        }
    }
    text
}

/// Rows that are decoded in random batches of any size by one decoder.
fn in_batches(
    table: &TestTable,
    projection: &[usize],
    records: &[Vec<u8>],
    random: &mut fastrand::Rng,
) -> Rows {
    let mut decoder = table.decoder(projection);
    decoder.batch_rows = random.usize(1..6);
    let mut rows = Rows::default();
    let mut first = 0;
    while first < records.len() {
        let last = random.usize(first..=records.len());
        rows.append(&mut decoder, &records[first..last], first)
            .unwrap();
        first = last;
    }
    rows
}

#[test]
fn any_projection_and_any_batches_give_the_same_rows() {
    for seed in seeds() {
        let mut random = fastrand::Rng::with_seed(seed);
        let framing = random
            .choice(["record", "newline", "concatenated", "array"])
            .unwrap();
        let policy = random.choice(["null", "skip", "dead_letter"]).unwrap();
        let mut options = vec![
            ("format.framing", framing),
            ("format.onError", policy),
            ("format.errorColumn", "why"),
        ];
        let mut columns = 6;
        if policy == "dead_letter" {
            options.push(("format.deadLetterStream", "dead"));
        }
        if random.bool() {
            options.push((
                "json.explode",
                random.choice(["$.e", "$.c.y", "$.other"]).unwrap(),
            ));
        }
        if random.bool() {
            options.push(("json.rescuedColumn", "rest"));
            columns += 1;
        }
        let table = json(COLUMNS, &options);
        let documents: Vec<_> = (0..random.usize(1..40))
            .map(|_| document(&mut random))
            .collect();
        let records: Vec<Vec<u8>> = match framing {
            "record" => documents,
            "array" => documents
                .chunks(3)
                .map(|some| [b"[", &some.join(&b","[..])[..], b"]"].concat())
                .collect(),
            _ => documents.chunks(3).map(|some| some.join(&b'\n')).collect(),
        };
        let all = table.decode(&records).unwrap();
        for _ in 0..4 {
            let projection: Vec<usize> = (0..random.usize(..4))
                .map(|_| random.usize(..columns))
                .collect();
            let some = in_batches(&table, &projection, &records, &mut random);
            let context = || format!("JSON_SEED={seed} {options:?} {projection:?}");
            assert_eq!(some.records, all.records, "{}", context());
            assert_eq!(some.bad_documents, all.bad_documents, "{}", context());
            assert_eq!(
                some.skipped_documents,
                all.skipped_documents,
                "{}",
                context()
            );
            if projection.len() == columns {
                assert_eq!(some.mismatches, all.mismatches, "{}", context());
            }
            let letters = |rows: &Rows| -> Vec<(usize, Vec<u8>)> {
                rows.bad
                    .iter()
                    .map(|bad| (bad.record, bad.document.clone()))
                    .collect()
            };
            let of_all: Vec<_> = letters(&all);
            if projection.len() == columns {
                assert_eq!(letters(&some), of_all, "{}", context());
            }
            assert_eq!(some.bad.len(), all.bad.len(), "{}", context());
            for (row, complete) in some.rows.iter().zip(&all.rows) {
                let cells: Vec<&str> = complete.split(" | ").collect();
                let expected: Vec<&str> = projection.iter().map(|column| cells[*column]).collect();
                assert_eq!(*row, expected.join(" | "), "{}", context());
            }
        }
    }
}

#[test]
fn a_bad_document_changes_nothing_around_it() {
    for seed in seeds() {
        let mut random = fastrand::Rng::with_seed(seed);
        let table = json(
            COLUMNS,
            &[("format.onError", "skip"), ("json.rescuedColumn", "rest")],
        );
        let documents: Vec<_> = (0..30).map(|_| document(&mut random)).collect();
        let together = table.decode(&documents).unwrap();
        let alone: Vec<String> = documents
            .iter()
            .flat_map(|document| table.rows(&[document]))
            .collect();
        assert_eq!(together.rows, alone, "JSON_SEED={seed}");
    }
}

#[test]
fn what_serde_json_reads_as_an_object_is_a_row() {
    for seed in seeds() {
        let mut random = fastrand::Rng::with_seed(seed);
        let table = json(COLUMNS, &[("format.onError", "skip")]);
        for _ in 0..20 {
            let document = document(&mut random);
            let entries: Result<
                std::collections::HashMap<String, Box<serde_json::value::RawValue>>,
                _,
            > = serde_json::from_slice(&document);
            let utf8 = std::str::from_utf8(&document).is_ok();
            let rows = table.rows(&[&document]).len();
            let shown = String::from_utf8_lossy(&document);
            assert_eq!(
                rows == 1,
                entries.is_ok() && utf8,
                "JSON_SEED={seed} {shown}"
            );
        }
    }
}

#[test]
fn a_header_changes_no_row() {
    for seed in seeds() {
        let mut random = fastrand::Rng::with_seed(seed);
        let policy = random.choice(["null", "skip"]).unwrap();
        let mut options = vec![("format.onError", policy)];
        if random.bool() {
            options.push(("json.explode", "$.e"));
        }
        let documents: Vec<_> = (0..30).map(|_| document(&mut random)).collect();
        let plain = json(COLUMNS, &options).decode(&documents).unwrap();
        for header in ["confluent", "glue"] {
            let behind = |document: &Vec<u8>| match (header, random.bool()) {
                ("confluent", _) => confluent(document),
                (_, false) => glue(document),
                (_, true) => glue_zlib(document),
            };
            let records: Vec<_> = documents.iter().map(behind).collect();
            let mut options = options.clone();
            options.push(("json.header", header));
            let found = json(COLUMNS, &options).decode(&records).unwrap();
            let context = format!("JSON_SEED={seed} {options:?}");
            assert_eq!(found.rows, plain.rows, "{context}");
            assert_eq!(found.records, plain.records, "{context}");
            assert_eq!(found.bad_documents, plain.bad_documents, "{context}");
            assert_eq!(found.mismatches, plain.mismatches, "{context}");
        }
    }
}
