//! How much memory does a count over two million records take?
//!
//! `cargo bench --bench memory` fills 16 shards with 2,000,000 records of 100 bytes and prints the
//! peak memory of the process that counts them, next to one that counts a tenth of them.

#[path = "support/fill.rs"]
mod fill;
#[path = "support/run.rs"]
mod run;
mod support;

use std::time::Duration;

use fill::{fill, random_payloads};
use run::run;
use support::Server;

const SHARDS: i32 = 16;
const RECORDS: usize = 2_000_000;
const DATA_BYTES: usize = 100;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let server = runtime.block_on(async {
        let server = Server::start();
        let client = server.client();
        fill(
            &client,
            "tenth",
            SHARDS,
            RECORDS / 10,
            random_payloads(DATA_BYTES),
        )
        .await;
        fill(
            &client,
            "whole",
            SHARDS,
            RECORDS,
            random_payloads(DATA_BYTES),
        )
        .await;
        server
    });
    for (stream, records) in [("tenth", RECORDS / 10), ("whole", RECORDS)] {
        let (count, peak) = count(&server, stream);
        assert_eq!(count, records);
        println!(
            "{records:>9} records: {:>4} MB at the peak (at most 150 MB)",
            peak / 1_000
        );
    }
}

/// The count, and the peak resident memory in kB.
fn count(server: &Server, stream: &str) -> (usize, usize) {
    let statements = format!(
        "CREATE EXTERNAL TABLE t STORED AS \"aws-kinesis\" LOCATION '{stream}'; SELECT count(*) AS n FROM t"
    );
    let mut process = run(server, &statements);
    let status = format!("/proc/{}/status", process.id());
    let mut peak = 0;
    while process.try_wait().expect("the process is ours").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        peak = peak.max(number.and_then(|number| number.parse().ok()).unwrap_or(0));
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let output = process.wait_with_output().expect("the process has ended");
    let text = String::from_utf8(output.stdout).expect("CSV is text");
    let count = text.lines().nth(1).and_then(|line| line.parse().ok());
    (count.expect("a header and a number"), peak)
}
