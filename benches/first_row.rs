//! How long does it take from the start of the process to the first row of a small stream?
//!
//! `cargo bench --bench first_row` prints the median of several starts, next to a start that reads
//! no stream.

#[path = "support/fill.rs"]
mod fill;
#[path = "support/run.rs"]
mod run;
mod support;

use std::io::{BufRead, BufReader};
use std::time::Duration;

use fill::{fill, random_payloads};
use run::run;
use support::Server;
use tokio::time::Instant;

const STARTS: usize = 21;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let server = runtime.block_on(async {
        let server = Server::start();
        fill(&server.client(), "small", 4, 100, random_payloads(100)).await;
        server
    });
    let read = "CREATE EXTERNAL TABLE small STORED AS \"aws-kinesis\" LOCATION 'small'; \
                SELECT partitionKey FROM small";
    let floor = median(|| first_row(&server, "SELECT 1"));
    let first = median(|| first_row(&server, read));
    println!("first row of SELECT 1:        {floor:>6.0?}");
    println!("first row of a small stream:  {first:>6.0?}  (at most 300 ms)");
    println!(
        "ratio:                        {:>6.2}",
        first.as_secs_f64() / floor.as_secs_f64()
    );
}

fn median(measure: impl Fn() -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..STARTS).map(|_| measure()).collect();
    times.sort();
    times[STARTS / 2]
}

fn first_row(server: &Server, statements: &str) -> Duration {
    let started = Instant::now();
    let mut process = run(server, statements);
    let stdout = process.stdout.take().expect("stdout is piped");
    let row = BufReader::new(stdout).lines().nth(1);
    let elapsed = started.elapsed();
    assert!(row.is_some(), "a header and a row");
    let _ = process.kill();
    let _ = process.wait();
    elapsed
}
