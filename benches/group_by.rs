//! What does a GROUP BY cost from the start of the process to its end, compared with a program written for it?
//!
//! `cargo bench --bench group_by` counts the payloads of 400,000 records of 1,000 bytes in 1,000 groups, read from 8
//! shards in pages of 1,000 records: with the plain SDK and a hash map, and with `kinesis-sql` in JSON, in CBOR, and
//! as a streaming query with a durable checkpoint. It prints the CPU of each process, user and system, and the peak
//! of its memory. The server is another process.

#[path = "support/fill.rs"]
mod fill;
#[path = "support/process.rs"]
mod process;
#[path = "support/sdk_loop.rs"]
mod sdk_loop;
mod support;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_sdk_kinesis::types::Record;
use fill::{fill, random_payloads};
use process::{ProcessCost, cost_of};
use sdk_loop::read_shards;
use support::{COMMAND, Server, client_of};

const SHARDS: i32 = 8;
const RECORDS: usize = 400_000;
const DATA_BYTES: usize = 1_000;
const GROUPS: usize = 1_000;
const PAGE_RECORDS: i32 = 1_000;
const ROUNDS: usize = 5;

/// The argument with which this program is the loop to compare with.
const LOOP: &str = "--sdk-loop";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, name, url] = arguments.as_slice()
        && name == LOOP
    {
        let groups = runtime.block_on(grouped_by_hand(url));
        assert_eq!(groups, GROUPS);
        return;
    }
    let server = Server::start();
    runtime.block_on(async {
        let payloads: Vec<_> = (0..GROUPS).map(random_payloads(DATA_BYTES)).collect();
        let payload = |record: usize| payloads[record % GROUPS].clone();
        fill(&server.client(), "grouped", SHARDS, RECORDS, payload).await;
    });
    compare(&server);
}

/// The ways to group, and the CPU that each may take as a share of that of the loop.
const WAYS: [(&str, &str); 4] = [
    ("SDK loop", ""),
    ("JSON", "0.35"),
    ("CBOR", "0.28"),
    ("CBOR, streaming", "1.25 of CBOR"),
];

fn compare(server: &Server) {
    let mut costs: [Vec<ProcessCost>; 4] = Default::default();
    for _ in 0..ROUNDS {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-group-by");
        let _ = std::fs::remove_dir_all(&folder);
        let commands = [
            loop_process(server),
            command(server, &bounded("json")),
            command(server, &bounded("cbor")),
            command(server, &streaming(&folder)),
        ];
        for (mut command, costs) in commands.into_iter().zip(&mut costs) {
            costs.push(cost_of(&mut command));
        }
    }
    println!("reader                CPU s   CPU of the loop, target        peak MB");
    let cpu = costs.each_ref().map(|costs| {
        let mut seconds: Vec<f64> = costs.iter().map(|cost| cost.cpu_seconds).collect();
        seconds.sort_by(f64::total_cmp);
        seconds[ROUNDS / 2]
    });
    for (way, (name, target)) in WAYS.iter().enumerate() {
        let peaks = costs[way].iter().map(|cost| cost.peak_kilobytes);
        println!(
            "{name:<18} {:>8.2} {:>10.2}  {target:<14} {:>14}",
            cpu[way],
            cpu[way] / cpu[0],
            peaks.max().unwrap_or_default() / 1_000,
        );
    }
    println!("streaming / bounded: {:.2}", cpu[3] / cpu[2]);
}

fn loop_process(server: &Server) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.args([LOOP, &server.url]);
    command
}

fn command(server: &Server, statements: &str) -> Command {
    let mut command = Command::new(COMMAND);
    command
        .args(["--endpoint-url", &server.url, "--region", "us-east-1"])
        .args(["--output", "csv", "-c", statements])
        .env("AWS_ACCESS_KEY_ID", "bench")
        .env("AWS_SECRET_ACCESS_KEY", "bench");
    command
}

fn bounded(format: &str) -> String {
    format!(
        "CREATE EXTERNAL TABLE grouped STORED AS \"aws-kinesis\" LOCATION 'grouped' OPTIONS (
           'kinesis.getRecords.fetchIntervalMs' '0', 'kinesis.wireFormat' '{format}',
           'kinesis.getRecords.numberOfRecordsPerFetch' '{PAGE_RECORDS}');
         SELECT octet_length(data), count(*) FROM grouped GROUP BY data;"
    )
}

/// The same rows in batches, with a log in `folder` that survives a power failure.
fn streaming(folder: &Path) -> String {
    format!(
        "CREATE UNBOUNDED EXTERNAL TABLE grouped STORED AS \"aws-kinesis\" LOCATION 'grouped' OPTIONS (
           'kinesis.getRecords.fetchIntervalMs' '0', 'kinesis.wireFormat' 'cbor',
           'kinesis.startingPosition' 'TRIM_HORIZON',
           'kinesis.getRecords.numberOfRecordsPerFetch' '{PAGE_RECORDS}');
         SET streaming.trigger = 'available now';
         SET streaming.output_mode = 'update';
         SET streaming.checkpoint_location = '{}';
         SELECT octet_length(data), count(*) FROM grouped GROUP BY data;",
        folder.display()
    )
}

/// Counts the payloads of all records. Gives the number of groups.
async fn grouped_by_hand(url: &str) -> usize {
    type Counts = HashMap<Vec<u8>, u64>;
    let count = |counts: &mut Counts, records: &[Record]| {
        for record in records {
            match counts.get_mut(record.data.as_ref()) {
                Some(count) => *count += 1,
                None => drop(counts.insert(record.data.as_ref().to_vec(), 1)),
            }
        }
    };
    let shards = read_shards(&client_of(url), "grouped", SHARDS, PAGE_RECORDS, count).await;
    let mut counts = Counts::new();
    for (data, count) in shards.into_iter().flatten() {
        *counts.entry(data).or_default() += count;
    }
    assert_eq!(counts.values().sum::<u64>(), RECORDS as u64);
    counts.len()
}
