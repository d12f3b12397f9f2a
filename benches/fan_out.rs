//! What does reading cost by enhanced fan-out, compared with polling?
//!
//! `cargo bench --bench fan_out` prints, for a streaming query in this process with each consumer type, the CPU for
//! 600,000 records of 1,000 bytes that are in the stream already, in 8 shards, and the CPU for 100 shards without
//! records. Records come as JSON with both, from a server in another process.

#[path = "support/cpu.rs"]
mod cpu;
#[path = "support/fill.rs"]
mod fill;
#[path = "support/session.rs"]
mod session;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cpu::cpu_seconds;
use datafusion_kinesis::query::StreamingQuery;
use datafusion_kinesis::sql;
use fill::{fill, random_payloads};
use futures::StreamExt;
use session::session;
use support::Server;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The consumer types and their options.
const CONSUMERS: [(&str, &str); 2] = [
    ("GetRecords", "'kinesis.consumerType' 'GetRecords'"),
    (
        "fan-out",
        "'kinesis.consumerType' 'SubscribeToShard', 'kinesis.consumerName' 'bench',
         'kinesis.consumerLifecycle' 'reuse'",
    ),
];

const RECORDS: usize = 600_000;
const RECORD_BYTES: usize = 1_000;
const ROUNDS: usize = 3;
const IDLE_SHARDS: i32 = 100;
const IDLE_TIME: Duration = Duration::from_secs(20);

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let full = Server::start();
    runtime.block_on(fill(
        &full.client(),
        "records",
        8,
        RECORDS,
        random_payloads(RECORD_BYTES),
    ));
    let mut costs = [(f64::MAX, f64::MAX); 2];
    for _ in 0..ROUNDS {
        for ((_, options), cost) in CONSUMERS.iter().zip(&mut costs) {
            let (cpu, wall) = runtime.block_on(reading(&full, options));
            *cost = (cost.0.min(cpu), cost.1.min(wall));
        }
    }
    println!("consumer     MB per CPU s     MB per s   CPU for {IDLE_SHARDS} idle shards");
    let megabytes = (RECORDS * RECORD_BYTES) as f64 / 1e6;
    let mut idle_costs = Vec::new();
    for ((name, options), (cpu, wall)) in CONSUMERS.iter().zip(costs) {
        let idle = runtime.block_on(idle(options)) / IDLE_TIME.as_secs_f64();
        println!(
            "{name:<11} {:>13.0} {:>12.0} {:>14.1} % of a core",
            megabytes / cpu,
            megabytes / wall,
            idle * 100.0
        );
        idle_costs.push(idle);
    }
    println!(
        "fan-out / polling: MB per CPU s {:.2} (at least 0.9), CPU of idle shards {:.2} (at most 0.33)",
        costs[0].0 / costs[1].0,
        idle_costs[1] / idle_costs[0]
    );
}

/// The CPU and the time from the start of a query until it has taken all records.
async fn reading(server: &Server, options: &str) -> (f64, f64) {
    let ctx = session(server);
    let table = format!(
        "CREATE UNBOUNDED EXTERNAL TABLE records STORED AS \"aws-kinesis\" LOCATION 'records' OPTIONS
         ('kinesis.startingPosition' 'TRIM_HORIZON', 'kinesis.getRecords.fetchIntervalMs' '0',
          'kinesis.wireFormat' 'json', {options})"
    );
    sql(&ctx, &table).await.expect("the table is made");
    let (taken, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (counted, is_done) = (Arc::clone(&taken), Arc::clone(&done));
    let query = StreamingQuery::builder(&ctx, "SELECT data FROM records");
    let query = query.foreach_batch(move |_, mut rows| {
        let (counted, is_done) = (Arc::clone(&counted), Arc::clone(&is_done));
        async move {
            while let Some(rows) = rows.next().await {
                let rows = rows?.num_rows();
                if counted.fetch_add(rows, Ordering::Relaxed) + rows == RECORDS {
                    is_done.notify_one();
                }
            }
            Ok(())
        }
    });
    let (cpu, began) = (cpu_seconds(), Instant::now());
    let query = query.start().await.expect("the query starts");
    done.notified().await;
    let cost = (cpu_seconds() - cpu, began.elapsed().as_secs_f64());
    query.stop().await.expect("the query stops");
    // The next subscription of the consumer would be refused for five seconds.
    tokio::time::sleep(Duration::from_secs(6)).await;
    cost
}

/// The CPU that this process takes while it reads idle shards.
async fn idle(options: &str) -> f64 {
    let server = Server::start();
    fill(&server.client(), "idle", IDLE_SHARDS, 0, |_| Vec::new()).await;
    let ctx = session(&server);
    let table = format!(
        "CREATE UNBOUNDED EXTERNAL TABLE idle STORED AS \"aws-kinesis\" LOCATION 'idle' OPTIONS ({options})"
    );
    sql(&ctx, &table).await.expect("the table is made");
    let query = StreamingQuery::builder(&ctx, "SELECT data FROM idle");
    let query = query.foreach_batch(|_, _| async { Ok(()) });
    let query = query.start().await.expect("the query starts");
    // The first pages are polled, and subscriptions begin.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = cpu_seconds();
    tokio::time::sleep(IDLE_TIME).await;
    let took = cpu_seconds() - before;
    query.stop().await.expect("the query stops");
    took
}
