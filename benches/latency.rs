//! How long does it take from the put of a record to its row in the target?
//!
//! `cargo bench --bench latency` puts one record after another into a server in another process,
//! over HTTP, and prints when the row was returned by a streaming SELECT and when it was in a
//! second stream, next to the poll interval. On average, any polling reader waits half of it.

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
    println!("poll interval:                {POLL_INTERVAL:>8.0?}");
    for (target, statement) in [
        ("row of a SELECT", "SELECT data FROM words"),
        (
            "row acknowledged by a stream",
            "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words",
        ),
    ] {
        let mut times = runtime.block_on(latencies(statement));
        times.sort();
        let [p50, p99] = [times.len() / 2, times.len() * 99 / 100].map(|place| times[place]);
        let ratio = p50.as_secs_f64() / POLL_INTERVAL.as_secs_f64();
        println!(
            "{target:<29} p50 {p50:>7.0?} (at most 250 ms)  p99 {p99:>7.0?}  ratio {ratio:.2}"
        );
    }
}

/// Signals when a batch is committed.
#[derive(Debug)]
struct Committed(mpsc::UnboundedSender<()>);

impl StreamingQueryListener for Committed {
    fn on_progress(&self, _: &StreamingQueryProgress) {
        let _ = self.0.send(());
    }
}

async fn latencies(statement: &str) -> Vec<Duration> {
    let server = Server::start();
    let client = server.client();
    let ctx = with_tables(&server).await;
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

async fn with_tables(server: &Server) -> SessionContext {
    let ctx = session(server);
    for table in [
        "CREATE UNBOUNDED EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words' OPTIONS
         ('kinesis.createStream' 'true', 'kinesis.startingPosition' 'TRIM_HORIZON')",
        "CREATE EXTERNAL TABLE out STORED AS \"aws-kinesis\" LOCATION 'out' OPTIONS
         ('kinesis.createStream' 'true')",
    ] {
        sql(&ctx, table).await.expect("the table is made");
    }
    ctx
}
