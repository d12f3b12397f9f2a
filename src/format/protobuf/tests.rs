mod dynamic;
mod rules;
mod strict;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Result;
use crate::format::testing::TestTable;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/protobuf")
}

/// A table of `message`, which has the package of its file.
fn try_table(columns: &str, message: &str, options: &[(&str, &str)]) -> Result<TestTable> {
    let file = match message.split('.').next() {
        Some("legacy") => "legacy.desc",
        _ => "everything.desc",
    };
    let file = vectors().join(file);
    let own = [
        ("format", "protobuf"),
        ("protobuf.descriptorFile", file.to_str().unwrap()),
        ("protobuf.message", message),
    ];
    TestTable::try_new(columns, &[&own, options].concat())
}

fn table(columns: &str, message: &str, options: &[(&str, &str)]) -> TestTable {
    try_table(columns, message, options).unwrap()
}

#[test]
fn json_agrees_with_that_of_python() {
    let vectors = fs::read(vectors().join("python.json")).unwrap();
    let vectors: Value = serde_json::from_slice(&vectors).unwrap();
    let everything = table("message VARCHAR", "test.Outer", &[]);
    let legacy = table("\"order\" VARCHAR", "legacy.Envelope", &[]);
    let vectors = vectors["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 80);
    for vector in vectors {
        let bytes = vector["bytes"].as_str().unwrap();
        let bytes = base64_simd::STANDARD.decode_to_vec(bytes).unwrap();
        let table = match vector["message"].as_str().unwrap() {
            "test.Outer" => &everything,
            _ => &legacy,
        };
        let json: Value = serde_json::from_str(&table.row(bytes)).unwrap();
        assert_eq!(json, vector["json"]);
    }
}
