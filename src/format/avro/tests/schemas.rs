//! Schemas: their canonical form, their fingerprints, and those that are refused.

use std::path::Path;

use super::super::schema::AvroSchema;
use crate::error::ErrorKind;

/// A case of the specification's tests: a schema, its canonical form, and its fingerprint.
struct Case {
    input: String,
    canonical: String,
    fingerprint: Option<i64>,
}

fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/avro/schema-tests.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let mut cases: Vec<Case> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(input) = line.strip_prefix("<<INPUT") {
            let input = match input.trim() {
                "" => lines.by_ref().take_while(|line| *line != "INPUT").collect(),
                input => input.to_owned(),
            };
            cases.push(Case {
                input,
                canonical: String::new(),
                fingerprint: None,
            });
        } else if let Some(canonical) = line.strip_prefix("<<canonical ") {
            cases.last_mut().unwrap().canonical = canonical.trim().to_owned();
        } else if let Some(fingerprint) = line.strip_prefix("<<fingerprint ") {
            cases.last_mut().unwrap().fingerprint = Some(fingerprint.trim().parse().unwrap());
        }
    }
    cases
}

#[test]
fn canonical_forms_and_fingerprints_are_those_of_the_specification() {
    let cases = cases();
    assert!(cases.len() > 30);
    for case in cases {
        let schema = AvroSchema::parse(&case.input).unwrap();
        assert_eq!(schema.canonical(), case.canonical);
        if let Some(fingerprint) = case.fingerprint {
            assert_eq!(schema.fingerprint() as i64, fingerprint, "{}", case.input);
        }
        let again = AvroSchema::parse(&case.canonical).unwrap();
        assert_eq!(again.canonical(), case.canonical);
    }
}

#[test]
fn invalid_schemas_are_refused() {
    let record = |fields: &str| format!(r#"{{"type":"record","name":"a.R","fields":[{fields}]}}"#);
    let cases = [
        ("{".to_owned(), "expected JSON such as"),
        ("3".to_owned(), "3 is no type"),
        (r#""longer""#.to_owned(), "type 'longer' is not known"),
        (r#"{"name":"x"}"#.to_owned(), "a type lacks \"type\""),
        (
            r#"{"type":"array"}"#.to_owned(),
            "type 'array' lacks \"items\"",
        ),
        (
            r#"{"type":"record","name":"R"}"#.to_owned(),
            "record 'R' has no array \"fields\"",
        ),
        (r#"{"type":"record","fields":[]}"#.to_owned(), "has no name"),
        (
            record(r#"{"name":"x"}"#),
            "record 'a.R', field 'x': it lacks \"type\"",
        ),
        (
            record(r#"{"type":"int"}"#),
            "record 'a.R' has a field without a name",
        ),
        (
            record(r#"{"name":"x","type":"Y"}"#),
            "field 'x': type 'a.Y' is not known",
        ),
        (
            record(r#"{"name":"x","type":"int"},{"name":"x","type":"int"}"#),
            "record 'a.R' has two fields 'x'",
        ),
        (
            record(r#"{"name":"x","type":{"type":"fixed","name":"R","size":1}}"#),
            "type 'a.R' is defined twice",
        ),
        (
            r#"{"type":"enum","name":"E","symbols":[1]}"#.to_owned(),
            "enum 'E' has a symbol",
        ),
        (
            r#"{"type":"fixed","name":"F","size":-1}"#.to_owned(),
            "fixed 'F' has no valid \"size\"",
        ),
        (r#"["int",["null"]]"#.to_owned(), "a union contains a union"),
        (
            r#"["int","null","int"]"#.to_owned(),
            "a union contains two types 'int'",
        ),
        ("[".repeat(100_000), "expected JSON such as"),
    ];
    for (schema, expected) in cases {
        let error = AvroSchema::parse(&schema).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        let error = error.to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn names_without_namespace_belong_to_that_around_them() {
    let schema = r#"{"type":"record","name":"R","namespace":"a.b","fields":[
        {"name":"x","type":{"type":"enum","name":"E","symbols":[]}},
        {"name":"y","type":{"type":"record","name":"c.S","fields":[{"name":"z","type":"a.b.E"}]}},
        {"name":"w","type":["null","c.S","E"]}]}"#;
    let canonical = AvroSchema::parse(schema).unwrap().canonical();
    assert!(
        canonical.ends_with(r#"{"name":"w","type":["null","c.S","a.b.E"]}]}"#),
        "{canonical}"
    );
}
