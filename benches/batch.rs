//! What does a micro-batch cost apart from its rows?
//!
//! `cargo bench --bench batch` prints the time of one-row batches from trigger to commit, with a
//! log of local files that survives a power failure, next to the cost of the two durable files that
//! such a log needs at a minimum. Reading and writing are in memory.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use datafusion::prelude::SessionContext;
use datafusion_kinesis::kinesis::{InMemoryKinesis, InMemoryOptions, Kinesis, PutEntry};
use datafusion_kinesis::model::{StreamIdentity, SystemClock};
use datafusion_kinesis::query::StreamingQuery;
use datafusion_kinesis::{Services, register_with, sql};
use tokio::time::Instant;

const BATCHES: usize = 201;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-batch");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the folder is made");
    let floor = median(
        (0..BATCHES)
            .map(|n| two_durable_files(&folder, n))
            .collect(),
    );
    println!("two durable files by hand:        {floor:>7.2?}");
    for (target, statement) in [
        (
            "stream to stream",
            "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words",
        ),
        (
            "stream to nowhere",
            "SELECT data FROM words WHERE data IS NOT NULL",
        ),
    ] {
        let log = folder.join(target.replace(' ', "-"));
        let batches = runtime.block_on(one_row_batches(statement, &log));
        let median = median(batches);
        println!("one row, {target:<18} {median:>13.2?}  (at most 10 ms)");
        println!(
            "ratio: {:>34.2}",
            median.as_secs_f64() / floor.as_secs_f64()
        );
    }
}

/// The times from trigger to commit of many one-row batches.
async fn one_row_batches(statement: &str, log: &Path) -> Vec<Duration> {
    let kinesis = Arc::new(InMemoryKinesis::new(
        Arc::new(SystemClock),
        InMemoryOptions::default(),
    ));
    let ctx = SessionContext::new();
    register_with(
        &ctx,
        Services::fixed(Arc::<InMemoryKinesis>::clone(&kinesis)),
    );
    for table in [
        "CREATE UNBOUNDED EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words' OPTIONS
         ('kinesis.createStream' 'true', 'kinesis.startingPosition' 'TRIM_HORIZON',
          'kinesis.getRecords.fetchIntervalMs' '1')",
        "CREATE EXTERNAL TABLE out STORED AS \"aws-kinesis\" LOCATION 'out' OPTIONS
         ('kinesis.createStream' 'true')",
    ] {
        sql(&ctx, table).await.expect("the table is made");
    }
    let builder = StreamingQuery::builder(&ctx, statement)
        .with_checkpoint_location(log.to_str().expect("a path in UTF-8"));
    let query = if statement.starts_with("SELECT") {
        builder.foreach_batch(|_, mut rows| async move {
            while let Some(rows) = futures::StreamExt::next(&mut rows).await {
                rows?;
            }
            Ok(())
        })
    } else {
        builder
    };
    let query = query.start().await.expect("the query starts");
    let stream = StreamIdentity::parse("words").expect("a name");
    let mut times = Vec::with_capacity(BATCHES);
    for n in 0..BATCHES {
        let entry = PutEntry {
            data: n.to_string().into(),
            partition_key: "a".into(),
            explicit_hash_key: None,
        };
        let put = kinesis.put_records(&stream, &[entry]).await;
        put.expect("the record is put");
        query.process_all_available().await.expect("the batch runs");
        let progress = query.last_progress().expect("a batch has run");
        assert_eq!(progress.num_input_rows, 1);
        times.push(progress.batch_duration);
    }
    query.stop().await.expect("the query stops");
    times
}

/// The minimum cost of `offsets/N` and `commits/N`: written to a temporary file, synced, renamed,
/// and the folder synced.
fn two_durable_files(folder: &Path, n: usize) -> Duration {
    let started = Instant::now();
    for name in ["offsets", "commits"] {
        let (aside, place) = (folder.join("aside"), folder.join(format!("{name}-{n}")));
        let mut file = File::create(&aside).expect("a file is made");
        file.write_all(&[b'x'; 300]).expect("it is written");
        file.sync_all().expect("it is forced to the disk");
        fs::hard_link(&aside, &place).expect("it gets its name");
        fs::remove_file(&aside).expect("the other name goes");
        let folder = File::open(folder).expect("the folder is there");
        folder.sync_all().expect("the name is forced to the disk");
    }
    started.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
