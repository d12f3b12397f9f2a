//! What does a scan cost compared with the plain SDK's GetRecords loop on the same pages?
//!
//! `cargo bench --bench scan` prints, for payloads of 100, 1,000 and 10,000 bytes and for records with 20 aggregated
//! ones of 200 bytes, MB of payload per CPU second of this process and rows per second: for the loop, for all five
//! columns in JSON and in CBOR, for count(*), and for receiving the same pages in CBOR without decoding them. Pages have
//! at most 1,000 records. The server is another process. The ratios matter; absolute numbers depend on the machine.
//! `-- 1000 CBOR` measures only these, for a profiler.

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
use datafusion_kinesis::aggregation::{AggregateBuilder, Opened, Push, UserRecord, open};
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

/// A stream that is read.
struct Case {
    name: &'static str,
    records: usize,
    /// The rows of a record. With more than one it is aggregated, as the Kinesis Producer Library does it.
    rows_per_record: usize,
    row_bytes: usize,
}

const CASES: [Case; 4] = [
    Case::plain("100", 100, 400_000),
    Case::plain("1000", 1_000, 100_000),
    Case::plain("10000", 10_000, 20_000),
    Case {
        name: "20x200",
        records: 20_000,
        rows_per_record: 20,
        row_bytes: 200,
    },
];

impl Case {
    const fn plain(name: &'static str, row_bytes: usize, records: usize) -> Self {
        Self {
            name,
            records,
            rows_per_record: 1,
            row_bytes,
        }
    }

    fn rows(&self) -> usize {
        self.records * self.rows_per_record
    }

    /// The data of the records.
    fn payloads(&self) -> impl FnMut(usize) -> Vec<u8> {
        let mut row = random_payloads(self.row_bytes);
        let rows = self.rows_per_record;
        move |record| match rows {
            1 => row(record),
            _ => {
                let mut builder = AggregateBuilder::new(1 << 20);
                for index in 0..rows {
                    let pushed = builder.try_push(&UserRecord {
                        partition_key: &format!("key-{record}-{index}"),
                        explicit_hash_key: None,
                        data: &row(index),
                    });
                    assert_eq!(pushed, Push::Added);
                }
                builder.finish().to_vec()
            }
        }
    }
}

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
        for (index, case) in CASES.iter().enumerate() {
            if is_chosen(case.name, &CASES.each_ref().map(|case| case.name)) {
                compare(&server, &client, &ctx, (index, case)).await;
            }
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
const READERS: [(Reader, &str, [&str; 4]); 5] = [
    (Reader::SdkLoop, "SDK loop", ["", "", "", ""]),
    (Reader::Json, "JSON", ["0.45", "0.35", "0.50", "0.25"]),
    (Reader::Cbor, "CBOR", ["0.35", "0.25", "0.40", "0.25"]),
    (Reader::Count, "count(*)", ["", "", "", ""]),
    (Reader::Receive, "receiving", ["", "", "", ""]),
];

/// Whether the arguments contain `name`, or none of `names`.
fn is_chosen(name: &str, names: &[&str]) -> bool {
    let mut arguments = std::env::args().skip(1);
    arguments.any(|argument| argument == name)
        || !std::env::args().any(|argument| names.contains(&&*argument))
}

async fn compare(
    server: &Server,
    client: &Client,
    ctx: &SessionContext,
    (index, case): (usize, &Case),
) {
    let stream = format!("payload{}", case.name);
    fill(client, &stream, SHARDS, case.records, case.payloads()).await;
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
            if !is_chosen(name, &READERS.map(|(_, name, _)| name)) {
                continue;
            }
            // The first round warms up connections and memory.
            let mut unused = Cost::default();
            let cost = if round == 0 { &mut unused } else { cost };
            let (cpu, started) = (cpu_seconds(), Instant::now());
            match reader {
                Reader::SdkLoop => assert_eq!(sdk_loop(client, &stream).await, case.rows()),
                Reader::Json => {
                    let query = format!("SELECT * FROM {stream}_json");
                    assert_eq!(rows(ctx, &query).await, case.rows());
                }
                Reader::Cbor => {
                    let query = format!("SELECT * FROM {stream}_cbor");
                    assert_eq!(rows(ctx, &query).await, case.rows());
                }
                Reader::Count => {
                    let query = format!("SELECT count(*) FROM {stream}_json");
                    assert_eq!(rows(ctx, &query).await, 1);
                }
                Reader::Receive => {
                    let bytes = receive(server, client, &stream).await;
                    assert!(bytes > case.row_bytes * case.rows());
                }
            }
            cost.add(cpu, started);
        }
    }
    let megabytes = (case.row_bytes * case.rows() * ROUNDS) as f64 / 1e6;
    for ((_, name, targets), cost) in READERS.iter().zip(&costs) {
        println!(
            "{:>6} B     {name:<12}  {:>12.0}  {:>10.0}   {:>6.2}  {}",
            case.name,
            megabytes / cost.cpu_seconds,
            (case.rows() * ROUNDS) as f64 / cost.wall.as_secs_f64(),
            cost.cpu_seconds / costs[0].cpu_seconds,
            targets[index],
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

/// The hand-written alternative: counts the rows and their bytes. It opens aggregated records with the functions of
/// this library.
async fn sdk_loop(client: &Client, stream: &str) -> usize {
    let counts = sdk_loop::read_shards(client, stream, SHARDS, PAGE_RECORDS, |counts, records| {
        let (all, bytes): &mut (usize, usize) = counts;
        for record in records {
            let data = record.data.as_ref();
            match open(data) {
                Opened::Aggregate(users) => {
                    for user in users {
                        *all += 1;
                        *bytes += user.data.len();
                    }
                }
                Opened::Plain | Opened::Damaged => {
                    *all += 1;
                    *bytes += data.len();
                }
            }
        }
    });
    let counts = std::hint::black_box(counts.await);
    counts.iter().map(|(records, _)| records).sum()
}
