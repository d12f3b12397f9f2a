//! What does a scan cost compared with the plain SDK's GetRecords loop on the same pages?
//!
//! `cargo bench --bench scan` prints, for payloads of 100, 1,000 and 10,000 bytes, MB of payload
//! per CPU second of this process and rows per second, for the loop, for all five columns, and for
//! count(*). The server is another process. The ratios matter; absolute numbers depend on the
//! machine.

#[path = "support/cpu.rs"]
mod cpu;
#[path = "support/fill.rs"]
mod fill;
#[path = "support/session.rs"]
mod session;
mod support;

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::ShardIteratorType;
use cpu::cpu_seconds;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use datafusion_kinesis::sql;
use fill::fill;
use futures::StreamExt;
use session::session;
use support::Server;
use tokio::time::Instant;

const SHARDS: i32 = 8;
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
            compare(&client, &ctx, data_bytes, records).await;
        }
    });
}

async fn compare(client: &Client, ctx: &SessionContext, data_bytes: usize, records: usize) {
    let stream = format!("payload{data_bytes}");
    fill(client, &stream, SHARDS, records, data_bytes).await;
    let ddl = format!(
        "CREATE EXTERNAL TABLE {stream} STORED AS \"aws-kinesis\" LOCATION '{stream}'
         OPTIONS ('kinesis.getRecords.fetchIntervalMs' '0')"
    );
    sql(ctx, &ddl).await.expect("the table is made");
    let [mut bare, mut all, mut count] = [Cost::default(), Cost::default(), Cost::default()];
    for round in 0..=ROUNDS {
        let costs = [&mut bare, &mut all, &mut count];
        // The first round warms up connections and memory.
        let mut unused = [Cost::default(), Cost::default(), Cost::default()];
        let [bare, all, count] = if round == 0 { unused.each_mut() } else { costs };

        let (cpu, started) = (cpu_seconds(), Instant::now());
        assert_eq!(sdk_loop(client, &stream).await, records);
        bare.add(cpu, started);

        let (cpu, started) = (cpu_seconds(), Instant::now());
        assert_eq!(rows(ctx, &format!("SELECT * FROM {stream}")).await, records);
        all.add(cpu, started);

        let (cpu, started) = (cpu_seconds(), Instant::now());
        assert_eq!(
            rows(ctx, &format!("SELECT count(*) FROM {stream}")).await,
            1
        );
        count.add(cpu, started);
    }
    let megabytes = (data_bytes * records * ROUNDS) as f64 / 1e6;
    for (name, cost, target) in [
        ("SDK loop", &bare, ""),
        ("five columns", &all, "at most 1.30"),
        ("count(*)", &count, "at most 1.15"),
    ] {
        println!(
            "{data_bytes:>6} B     {name:<12}  {:>12.0}  {:>10.0}   {:>6.2}  {target}",
            megabytes / cost.cpu_seconds,
            (records * ROUNDS) as f64 / cost.wall.as_secs_f64(),
            cost.cpu_seconds / bare.cpu_seconds,
        );
    }
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

/// The hand-written alternative: one task per shard that counts records up to the tip.
async fn sdk_loop(client: &Client, stream: &str) -> usize {
    let tasks = (0..SHARDS).map(|n| tokio::spawn(sdk_shard(client.clone(), stream.to_owned(), n)));
    let mut records = 0;
    for task in tasks.collect::<Vec<_>>() {
        records += task.await.expect("a shard is read");
    }
    records
}

async fn sdk_shard(client: Client, stream: String, shard: i32) -> usize {
    let start = client
        .get_shard_iterator()
        .stream_name(stream)
        .shard_id(format!("shardId-{shard:012}"))
        .shard_iterator_type(ShardIteratorType::TrimHorizon);
    let mut iterator = start.send().await.expect("an iterator").shard_iterator;
    let (mut records, mut bytes) = (0, 0);
    while let Some(place) = iterator {
        let request = client.get_records().shard_iterator(place).limit(10_000);
        let page = request.send().await.expect("a page");
        for record in &page.records {
            records += 1;
            bytes += record.data.as_ref().len();
        }
        if page.millis_behind_latest == Some(0) {
            break;
        }
        iterator = page.next_shard_iterator;
    }
    std::hint::black_box(bytes);
    records
}
