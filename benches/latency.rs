//! How long does it take from the put of a record to its row in the target?
//!
//! `cargo bench --bench latency` puts one record after another into a server in another process,
//! over HTTP, and prints when the row was returned by a streaming SELECT and when it was in a
//! second stream, with each consumer type, next to the poll interval. On average, any polling reader waits half of it.

#[path = "support/session.rs"]
mod session;
mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use datafusion::prelude::SessionContext;
use datafusion_kinesis::query::{StreamingQuery, StreamingQueryListener, StreamingQueryProgress};
use datafusion_kinesis::sql;
use futures::StreamExt;
use session::session;
use support::Server;
use tokio::sync::mpsc;
use tokio::time::Instant;

const RECORDS: usize = 101;
/// The default of `kinesis.getRecords.fetchIntervalMs`.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    println!("poll interval:                            {POLL_INTERVAL:>8.0?}");
    for (consumer, options, most) in CONSUMERS {
        for (target, statement) in [
            ("row of a SELECT", "SELECT data FROM words"),
            (
                "row acknowledged by a stream",
                "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words",
            ),
        ] {
            let mut times = runtime.block_on(latencies(options, statement));
            times.sort();
            let [p50, p99] = [times.len() / 2, times.len() * 99 / 100].map(|place| times[place]);
            let ratio = p50.as_secs_f64() / POLL_INTERVAL.as_secs_f64();
            println!(
                "{consumer:<11} {target:<29} p50 {p50:>7.1?} (at most {most} ms)  p99 {p99:>7.1?}  ratio {ratio:.3}"
            );
        }
    }
}

/// The consumer types, their options, and the most milliseconds that half of the rows may take.
const CONSUMERS: [(&str, &str, u32); 2] = [
    ("GetRecords", "'kinesis.consumerType' 'GetRecords'", 250),
    (
        "fan-out",
        "'kinesis.consumerType' 'SubscribeToShard', 'kinesis.consumerName' 'bench'",
        60,
    ),
];

/// Signals when a batch is committed.
#[derive(Debug)]
struct Committed(mpsc::UnboundedSender<()>);

impl StreamingQueryListener for Committed {
    fn on_progress(&self, _: &StreamingQueryProgress) {
        let _ = self.0.send(());
    }
}

async fn latencies(options: &str, statement: &str) -> Vec<Duration> {
    let server = Server::start();
    let client = server.client();
    let ctx = with_tables(&server, options).await;
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-latency");
    let _ = std::fs::remove_dir_all(&folder);
    let (sender, mut arrived) = mpsc::unbounded_channel();
    let builder = StreamingQuery::builder(&ctx, statement)
        .with_checkpoint_location(folder.to_str().expect("a path in UTF-8"));
    let builder = if statement.starts_with("SELECT") {
        builder.foreach_batch(move |_, mut rows| {
            let sender = sender.clone();
            async move {
                while let Some(rows) = rows.next().await {
                    rows?;
                    let _ = sender.send(());
                }
                Ok(())
            }
        })
    } else {
        builder.with_listener(Arc::new(Committed(sender)))
    };
    let query = builder.start().await.expect("the query starts");
    let mut random = fastrand::Rng::with_seed(7);
    let mut times = Vec::with_capacity(RECORDS);
    for _ in 0..RECORDS {
        // At a random time between two polls.
        tokio::time::sleep(POLL_INTERVAL.mul_f64(random.f64())).await;
        let put_at = Instant::now();
        put(&client).await;
        arrived.recv().await.expect("the query runs");
        times.push(put_at.elapsed());
    }
    query.stop().await.expect("the query stops");
    times
}

async fn put(client: &Client) {
    let request = client.put_record().stream_name("words").partition_key("a");
    let put = request.data(Blob::new("tick")).send().await;
    put.expect("the record is put");
}

async fn with_tables(server: &Server, options: &str) -> SessionContext {
    let ctx = session(server);
    for table in [
        format!(
            "CREATE UNBOUNDED EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words' OPTIONS
             ('kinesis.createStream' 'true', 'kinesis.startingPosition' 'TRIM_HORIZON', {options})"
        ),
        "CREATE EXTERNAL TABLE out STORED AS \"aws-kinesis\" LOCATION 'out' OPTIONS
         ('kinesis.createStream' 'true')"
            .to_owned(),
    ] {
        sql(&ctx, &table).await.expect("the table is made");
    }
    ctx
}
