//! Runs each file of `sql-examples` with the command and compares its output with the stored one.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::{Server, folder};
use crate::support::ROOT;

/// Stdout of the command, run in the repository root.
fn run(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kinesis-sql"))
        .args(arguments)
        .current_dir(ROOT)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_example_prints_its_stored_result() {
    let root = Path::new(ROOT);
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
fn word_counts_match_tr_sort_and_uniq() {
    let pipeline = "tr A-Z a-z < LICENSE | tr -cs a-z '\\n' | grep . | sort | uniq -c";
    let output = Command::new("sh")
        .args(["-c", pipeline])
        .env("LC_ALL", "C")
        .current_dir(ROOT)
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

/// The part of an example from the line starting with `from` to the one starting with `to`.
fn part<'a>(example: &'a str, from: &str, to: &str) -> &'a str {
    let start = example.find(from).unwrap();
    let length = example[start..].find(to).unwrap();
    &example[start..start + length]
}

/// Runs the second example in two processes, with a checkpoint and a server that outlive the first.
#[test]
fn a_second_run_processes_only_new_records() {
    let path = Path::new(ROOT).join("sql-examples/02_streaming_filter.sql");
    let checkpoint = folder("example");
    let example = fs::read_to_string(path).unwrap().replace(
        "memory://example02",
        &format!("file://{}", checkpoint.display()),
    );
    let tables = part(
        &example,
        "CREATE EXTERNAL TABLE readings",
        "INSERT INTO readings",
    );
    let first = part(
        &example,
        "INSERT INTO readings",
        "-- The same stream of temperatures",
    );
    let query = part(
        &example,
        "-- The same stream of temperatures",
        "SELECT partitionKey AS device",
    );
    let second = part(&example, "-- More temperatures", "-- The same query again");
    let alarms = "SELECT CAST(data AS VARCHAR) AS degrees FROM alarms ORDER BY sequenceNumber";
    let server = Server::start();
    let found = server.csv(&format!("{tables}{first}{query}{alarms}"));
    let mut found: Vec<_> = found.lines().skip(2).collect();
    found.sort_unstable();
    assert_eq!(found, ["230", "96", "degrees"]);
    let found = server.csv(&format!("{tables}{second}{query}{alarms}"));
    let mut found: Vec<_> = found.lines().skip(2).collect();
    found.sort_unstable();
    assert_eq!(found, ["230", "95", "96", "99", "degrees"]);
}
