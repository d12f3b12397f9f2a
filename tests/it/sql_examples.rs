//! Each file of `sql-examples`, run by the command as the README says, against its stored result.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Stdout of the command, run in the folder of the repository.
fn run(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kinesis-sql"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_example_prints_its_stored_result() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut examples = 0;
    for entry in fs::read_dir(root.join("sql-examples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let stored = root.join(format!("tests/it/sql_examples/{name}.out"));
        let expected =
            fs::read_to_string(&stored).unwrap_or_else(|error| panic!("{stored:?}: {error}"));
        assert_eq!(
            run(&["--embedded", "-f", path.to_str().unwrap()]),
            expected,
            "{name}"
        );
        examples += 1;
    }
    assert!(examples > 0);
}

#[cfg(unix)]
#[test]
fn the_words_are_counted_as_tr_sort_and_uniq_count_them() {
    let pipeline = "tr A-Z a-z < LICENSE | tr -cs a-z '\\n' | grep . | sort | uniq -c";
    let output = Command::new("sh")
        .args(["-c", pipeline])
        .env("LC_ALL", "C")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let expected = String::from_utf8(output.stdout).unwrap();
    let expected: Vec<String> = expected
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let counts = "SELECT CAST(data AS VARCHAR) || ' ' || partitionKey FROM word_counts ORDER BY partitionKey";
    let printed = run(&[
        "--embedded",
        "--output",
        "csv",
        "-f",
        "sql-examples/01_word_count.sql",
        "-c",
        counts,
    ]);
    let counted: Vec<&str> = printed.lines().rev().take(expected.len()).collect();
    let counted: Vec<&str> = counted.into_iter().rev().collect();
    assert!(expected.len() > 400);
    assert_eq!(counted, expected);
}
