//! What does a scan cost compared with the plain SDK's GetRecords loop on the same pages?
//!
//! `cargo bench --bench scan` prints, for payloads of 100, 1,000 and 10,000 bytes, MB of payload
//! per CPU second of this process and rows per second, for the loop, for all five columns in JSON and in CBOR, and
//! for count(*), and for receiving the same pages in CBOR without decoding them. The server is another process. The
//! ratios matter; absolute numbers depend on the machine. `-- 1000 CBOR` measures only these, for a profiler.

#[path = "support/cpu.rs"]
mod cpu;
#[path = "support/fill.rs"]
mod fill;
#[path = "support/raw.rs"]
mod raw;
#[path = "support/sdk_loop.rs"]
mod sdk_loop;
#[path = "support/session.rs"]
mod session;
mod support;

use std::time::Duration;

use aws_sdk_kinesis::Client;
use cpu::cpu_seconds;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use datafusion_kinesis::sql;
use fill::{fill, random_payloads};
use futures::StreamExt;
use sdk_loop::iterator;
use session::session;
use support::Server;
use tokio::time::Instant;

const SHARDS: i32 = 8;
const PAGE_RECORDS: i32 = 1_000;
const ROUNDS: usize = 5;
const CASES: [(usize, usize); 3] = [(100, 400_000), (1_000, 100_000), (10_000, 20_000)];

/// CPU and wall time of the rounds of one way to read.
#[derive(Default)]
struct Cost {
    cpu_seconds: f64,
    wall: Duration,
}

impl Cost {
    fn add(&mut self, cpu_before: f64, started: Instant) {
        self.cpu_seconds += cpu_seconds() - cpu_before;
        self.wall += started.elapsed();
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    println!("payload      reader        MB per CPU s      rows/s   CPU of the loop, target");
    runtime.block_on(async {
        let server = Server::start();
        let client = server.client();
        let ctx = session(&server);
        for (data_bytes, records) in CASES {
            if !is_chosen(
                &data_bytes.to_string(),
                &CASES.map(|(bytes, _)| bytes.to_string()),
            ) {
                continue;
            }
            compare(&server, &client, &ctx, (data_bytes, records)).await;
        }
    });
}

/// A way to read a stream.
#[derive(Clone, Copy)]
enum Reader {
    SdkLoop,
    Json,
    Cbor,
    Count,
    Receive,
}

/// Each way, its name, and the CPU that it may take as a share of the loop's at each of the [`CASES`].
const READERS: [(Reader, &str, [&str; 3]); 5] = [
    (Reader::SdkLoop, "SDK loop", ["", "", ""]),
    (Reader::Json, "JSON", ["0.45", "0.35", "0.50"]),
    (Reader::Cbor, "CBOR", ["0.35", "0.25", "0.40"]),
    (Reader::Count, "count(*)", ["", "", ""]),
    (Reader::Receive, "receiving", ["", "", ""]),
];

/// Whether the arguments contain `name`, or none of `names`.
fn is_chosen(name: &str, names: &[String]) -> bool {
    let mut arguments = std::env::args().skip(1);
    arguments.any(|argument| argument == name)
        || !std::env::args().any(|argument| names.contains(&argument))
}

async fn compare(
    server: &Server,
    client: &Client,
    ctx: &SessionContext,
    (data_bytes, records): (usize, usize),
) {
    let stream = format!("payload{data_bytes}");
    let payload = random_payloads(data_bytes);
    fill(client, &stream, SHARDS, records, payload).await;
    for format in ["json", "cbor"] {
        let ddl = format!(
            "CREATE EXTERNAL TABLE {stream}_{format} STORED AS \"aws-kinesis\" LOCATION '{stream}'
             OPTIONS ('kinesis.getRecords.fetchIntervalMs' '0', 'kinesis.wireFormat' '{format}',
             'kinesis.getRecords.numberOfRecordsPerFetch' '{PAGE_RECORDS}')"
        );
        sql(ctx, &ddl).await.expect("the table is made");
    }
    let mut costs = READERS.map(|_| Cost::default());
    for round in 0..=ROUNDS {
        for ((reader, name, _), cost) in READERS.iter().zip(&mut costs) {
            if !is_chosen(name, &READERS.map(|(_, name, _)| name.to_owned())) {
                continue;
            }
            // The first round warms up connections and memory.
            let mut unused = Cost::default();
            let cost = if round == 0 { &mut unused } else { cost };
            let (cpu, started) = (cpu_seconds(), Instant::now());
            match reader {
                Reader::SdkLoop => assert_eq!(sdk_loop(client, &stream).await, records),
                Reader::Json => {
                    let query = format!("SELECT * FROM {stream}_json");
                    assert_eq!(rows(ctx, &query).await, records);
                }
                Reader::Cbor => {
                    let query = format!("SELECT * FROM {stream}_cbor");
                    assert_eq!(rows(ctx, &query).await, records);
                }
                Reader::Count => {
                    let query = format!("SELECT count(*) FROM {stream}_json");
                    assert_eq!(rows(ctx, &query).await, 1);
                }
                Reader::Receive => {
                    let bytes = receive(server, client, &stream).await;
                    assert!(bytes > data_bytes * records);
                }
            }
            cost.add(cpu, started);
        }
    }
    let megabytes = (data_bytes * records * ROUNDS) as f64 / 1e6;
    let case = CASES.iter().position(|(bytes, _)| *bytes == data_bytes);
    for ((_, name, targets), cost) in READERS.iter().zip(&costs) {
        println!(
            "{data_bytes:>6} B     {name:<12}  {:>12.0}  {:>10.0}   {:>6.2}  {}",
            megabytes / cost.cpu_seconds,
            (records * ROUNDS) as f64 / cost.wall.as_secs_f64(),
            cost.cpu_seconds / costs[0].cpu_seconds,
            case.map_or("", |case| targets[case]),
        );
    }
}

/// Receives all pages in CBOR. Gives the number of their bytes.
async fn receive(server: &Server, client: &Client, stream: &str) -> usize {
    let mut tasks = Vec::new();
    for shard in 0..SHARDS {
        let iterator = iterator(client, stream, shard).await;
        let url = server.url.clone();
        tasks.push(tokio::spawn(async move {
            raw::receive_shard(&url, iterator.expect("an iterator"), PAGE_RECORDS).await
        }));
    }
    let mut bytes = 0;
    for task in tasks {
        bytes += task.await.expect("a shard is received");
    }
    bytes
}

async fn rows(ctx: &SessionContext, query: &str) -> usize {
    let frame = sql(ctx, query).await.expect("the query is planned");
    let task = std::sync::Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await.expect("a plan");
    let mut batches = execute_stream(plan, task).expect("the plan runs");
    let mut rows = 0;
    while let Some(batch) = batches.next().await {
        rows += batch.expect("a batch").num_rows();
    }
    rows
}

/// The hand-written alternative: counts the records and their bytes.
async fn sdk_loop(client: &Client, stream: &str) -> usize {
    let counts = sdk_loop::read_shards(client, stream, SHARDS, PAGE_RECORDS, |counts, records| {
        let (all, bytes): &mut (usize, usize) = counts;
        *all += records.len();
        *bytes += records
            .iter()
            .map(|record| record.data.as_ref().len())
            .sum::<usize>();
    });
    let counts = std::hint::black_box(counts.await);
    counts.iter().map(|(records, _)| records).sum()
}
