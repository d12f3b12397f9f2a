//! Secrets in options stay there: no output of the command shows them, however much it logs.

use std::process::Command;

const TABLE: &str = "CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words' \
    OPTIONS ('kinesis.createStream' 'true', 'kinesis.awsAccessKeyId' 'AKIDEXAMPLE', \
             'kinesis.awsSecretKey' 'canary-secret', 'kinesis.sessionToken' 'canary-token')";

/// All that a run prints at the highest level of logging.
fn traced(statements: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kinesis-sql"))
        .args(["--embedded", "-c", statements])
        .env("RUST_LOG", "trace")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[test]
fn no_secret_shows_in_logs_plans_results_or_errors() {
    for statement in [
        "INSERT INTO words (partitionKey, data) VALUES ('a', 'b'); SELECT * FROM words",
        "EXPLAIN ANALYZE VERBOSE SELECT * FROM words",
        "SELECT no_such_column FROM words",
        "CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words' OPTIONS ('kinesis.awsSecretKey' 'canary-secret')",
    ] {
        let shown = traced(&format!("{TABLE}; {statement}"));
        assert!(
            shown.contains("DescribeStreamSummary"),
            "the run is traced: {shown}"
        );
        let line = shown.lines().find(|line| line.contains("canary"));
        assert!(line.is_none(), "{statement}: {line:?}");
    }
}
