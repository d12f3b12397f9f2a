//! 10,000 generated records, decoded by Spark 3.5.8's `from_json` and here. `tests/data/spark_from_json/generate.py`
//! made them and lists their kinds.
//!
//! Mode PERMISSIVE corresponds to `onError` = `null` with `onTypeMismatch` = `null`, FAILFAST to `fail` for both.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::{Array, AsArray, BinaryArray};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion::arrow::util::display::array_value_to_string;
use serde_json::{Value, json};

const RESULTS: &[u8] = include_bytes!("../../../../tests/data/spark_from_json/from_json.jsonl.zst");

const COLUMNS: &str = "id BIGINT, name VARCHAR, price DOUBLE, ok BOOLEAN, amount DECIMAL(18,4), ts TIMESTAMP, \
    day DATE, tags VARCHAR[], geo STRUCT<country VARCHAR, lat DOUBLE>";

/// The kinds of records whose rows differ, and why.
const DIFFERENT: [(&str, &str); 11] = [
    (
        "broken",
        "Spark keeps the fields before the place where a record breaks off; here all or nothing is read",
    ),
    (
        "whole_fraction_in_id",
        "1.0 is the integer 1; producers in JavaScript or Lua write it so",
    ),
    (
        "nested_in_name",
        "Spark writes an object in a text column anew; here it keeps its spaces and digits",
    ),
    (
        "special_in_price",
        "the text \"NaN\" is no number in JSON; CSV has it",
    ),
    ("bare_special_in_price", "NaN without quotes is no JSON"),
    (
        "fine_amount",
        "Spark rounds to the digits of the column; here a decimal is exact or NULL",
    ),
    (
        "number_in_ts",
        "Spark takes numbers as seconds; here kinesis.json.timestampFormat says what they count",
    ),
    (
        "other_case",
        "Spark finds no field; SQL without quotes cannot name userId, so here case may differ",
    ),
    (
        "after_the_end",
        "Spark ignores what follows the object; a record of two documents would lose one",
    ),
    (
        "single_quotes",
        "Spark takes quotes that JSON does not have",
    ),
    (
        "lone_surrogate",
        "Spark replaces half a character by a question mark; here the value is NULL",
    ),
];

/// Spark finds no row in an empty record and does not fail; an empty payload is no document.
const FAILS_ONLY_HERE: &str = "empty";

struct Record {
    kind: String,
    text: String,
    /// The values that Spark returns.
    row: Value,
    /// Whether Spark fails in mode FAILFAST, if that was tried.
    fails: Option<bool>,
}

fn records() -> Vec<Record> {
    let lines = String::from_utf8(::zstd::decode_all(RESULTS).unwrap()).unwrap();
    let record = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |index: usize| line[index].as_str().unwrap().to_owned();
        Record {
            kind: text(0),
            text: text(1),
            row: line[2].clone(),
            fails: line[3].as_bool(),
        }
    };
    lines.lines().map(record).collect()
}

/// A value as the script writes it.
fn value(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Int64 => json!(array.as_primitive::<Int64Type>().value(row)),
        DataType::Boolean => json!(array.as_boolean().value(row)),
        DataType::Float64 => json!(array.as_primitive::<Float64Type>().value(row).to_string()),
        DataType::Decimal128(_, _) => {
            json!(array.as_primitive::<Decimal128Type>().value_as_string(row))
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Value::Array((0..items.len()).map(|item| value(&items, item)).collect())
        }
        DataType::Struct(_) => {
            let fields = array.as_struct();
            let named = fields.column_names().into_iter().zip(fields.columns());
            let named = named.map(|(name, column)| (name.to_owned(), value(column, row)));
            Value::Object(named.collect())
        }
        _ => json!(array_value_to_string(array, row).unwrap()),
    }
}

/// Texts of numbers and times in one form, since Python and Rust write them differently.
fn normalized(row: &Value) -> Value {
    let Some(cells) = row
        .as_array()
        .filter(|cells| cells.iter().any(|cell| !cell.is_null()))
    else {
        return Value::Null;
    };
    let mut cells = cells.clone();
    let number = |cell: &mut Value| {
        if let Some(text) = cell.as_str() {
            let number: f64 = text.parse().unwrap();
            *cell = json!(format!("{number:?}"));
        }
    };
    number(&mut cells[2]);
    if let Some(lat) = cells[8].get_mut("lat") {
        number(lat);
    }
    if let Some(time) = cells[5].as_str().filter(|time| time.contains('.')) {
        let time = time.trim_end_matches('0').trim_end_matches('.');
        cells[5] = json!(time);
    }
    Value::Array(cells)
}

#[test]
fn the_rows_are_those_of_permissive_mode() {
    let records = records();
    assert_eq!(records.len(), 10_000);
    let table = super::json(COLUMNS, &[("format.onError", "null")]);
    let mut decoder = table.decoder(&[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    let data = BinaryArray::from_iter_values(records.iter().map(|record| record.text.as_bytes()));
    let (mut next, mut rows) = (0, Vec::new());
    while next < data.len() {
        let decoded = decoder.decode(&data, next).unwrap();
        next = decoded.next;
        for row in 0..decoded.records.len() {
            rows.push(
                decoded
                    .columns
                    .iter()
                    .map(|column| value(column, row))
                    .collect::<Value>(),
            );
        }
    }
    assert_eq!(rows.len(), records.len());
    let mut different: BTreeMap<&str, String> = BTreeMap::new();
    for (record, row) in records.iter().zip(&rows) {
        let (ours, spark) = (normalized(row), normalized(&record.row));
        if ours != spark {
            let example = || format!("{}\n  here:  {ours}\n  Spark: {spark}", record.text);
            different.entry(&record.kind).or_insert_with(example);
        }
    }
    let found: BTreeSet<&str> = different.keys().copied().collect();
    let argued: BTreeSet<&str> = DIFFERENT.iter().map(|(kind, _)| *kind).collect();
    let unexpected: Vec<_> = found.symmetric_difference(&argued).collect();
    assert!(unexpected.is_empty(), "{unexpected:?} {different:#?}");
}

#[test]
fn the_failures_are_those_of_failfast_mode() {
    let options = [
        ("format.onError", "fail"),
        ("format.onTypeMismatch", "fail"),
    ];
    let table = super::json(COLUMNS, &options);
    let argued = |kind: &str| {
        kind == FAILS_ONLY_HERE
            || DIFFERENT
                .iter()
                .any(|(different, _)| *different == kind && kind != "broken")
    };
    let (mut failed, mut passed) = (0, 0);
    for record in records() {
        if let Some(fails) = record.fails.filter(|_| !argued(&record.kind)) {
            let ours = table.decode(&[&record.text]).is_err();
            assert_eq!(ours, fails, "{}: {}", record.kind, record.text);
            *(if fails { &mut failed } else { &mut passed }) += 1;
        }
    }
    assert!(failed > 800 && passed > 4_000, "{failed} {passed}");
}
