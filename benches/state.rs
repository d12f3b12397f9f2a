//! What does a batch cost with a large state, and what does GROUP BY over batches cost compared
//! with the same rows at once?
//!
//! `cargo bench --bench state` keeps 100,000, 1,000,000 and 10,000,000 groups and prints, for
//! batches that touch 10,000 of them, the time, the bytes written, and the memory per group; then
//! the time of a start that reads the groups; then a batch of many rows compared with plain
//! DataFusion over the same rows. Groups have a 12-byte text key, a count and a sum. Numbers of
//! groups can be given as arguments instead.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use datafusion_kinesis::kinesis::{InMemoryKinesis, InMemoryOptions, Kinesis, PutEntry};
use datafusion_kinesis::model::{OutputMode, StreamIdentity, SystemClock, Trigger};
use datafusion_kinesis::query::{StreamingQuery, StreamingQueryProgress};
use datafusion_kinesis::{Services, register_with, sql};
use futures::StreamExt;
use tokio::time::Instant;

const HELD: [u64; 3] = [100_000, 1_000_000, 10_000_000];
const TOUCHED: u64 = 10_000;
const BATCHES: usize = 41;

/// Rows per record. A batch has few records, so that reading them costs nothing compared with
/// grouping.
const ROWS_PER_RECORD: u64 = 10_000;

/// The rows of a record `first,rows,groups`, with keys spread over all groups.
const ROWS: &str = "SELECT 'key-' || lpad(CAST(n % groups AS VARCHAR), 8, '0') AS key, n FROM (
    SELECT unnest(range(first, first + 7919 * rows, 7919)) AS n, groups FROM (
    SELECT CAST(split_part(text, ',', 1) AS BIGINT) AS first,
           CAST(split_part(text, ',', 2) AS BIGINT) AS rows,
           CAST(split_part(text, ',', 3) AS BIGINT) AS groups
    FROM (SELECT CAST(data AS VARCHAR) AS text FROM records)))";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-state");
    let arguments = std::env::args().filter_map(|argument| argument.parse().ok());
    let mut held: Vec<u64> = arguments.collect();
    if held.is_empty() {
        held = HELD.to_vec();
    }
    let mut floor = None;
    for held in held {
        let _ = fs::remove_dir_all(&folder);
        let batch = runtime.block_on(held_and_touched(held, &folder));
        let floor = *floor.get_or_insert(batch);
        println!(
            "ratio to the fewest groups: {:>23.2}  (at most 1.5)",
            batch.as_secs_f64() / floor.as_secs_f64()
        );
    }
    for groups in [1_000, 1_000_000] {
        let _ = fs::remove_dir_all(&folder);
        runtime.block_on(beside_one_shot(groups, 5_000_000, &folder));
    }
    let _ = fs::remove_dir_all(&folder);
}

/// A session with a stream of records.
struct World {
    ctx: SessionContext,
    kinesis: Arc<InMemoryKinesis>,
}

impl World {
    async fn new() -> Self {
        let kinesis = InMemoryKinesis::new(Arc::new(SystemClock), InMemoryOptions::default());
        let kinesis = Arc::new(kinesis);
        let ctx = SessionContext::new();
        let service = Services::fixed(Arc::<InMemoryKinesis>::clone(&kinesis));
        register_with(&ctx, service);
        let table =
            "CREATE UNBOUNDED EXTERNAL TABLE records STORED AS \"aws-kinesis\" LOCATION 'records'
            OPTIONS ('kinesis.createStream' 'true', 'kinesis.startingPosition' 'TRIM_HORIZON',
                     'kinesis.shardCount' '4', 'kinesis.getRecords.fetchIntervalMs' '1')";
        sql(&ctx, table).await.expect("the table is made");
        Self { ctx, kinesis }
    }

    /// Puts `rows` rows over `groups` groups, starting at `first`, as records.
    async fn put(&self, first: u64, rows: u64, groups: u64) {
        let stream = StreamIdentity::parse("records").expect("a name");
        let records = (0..rows.div_ceil(ROWS_PER_RECORD)).map(|record| {
            let before = record * ROWS_PER_RECORD;
            let rows = ROWS_PER_RECORD.min(rows - before);
            let first = first + 7919 * before;
            PutEntry {
                data: format!("{first},{rows},{groups}").into(),
                partition_key: record.to_string().into(),
                explicit_hash_key: None,
            }
        });
        let records: Vec<PutEntry> = records.collect();
        for records in records.chunks(500) {
            let put = self.kinesis.put_records(&stream, records).await;
            put.expect("the records are put");
        }
    }

    async fn start(&self, folder: &Path, trigger: Trigger) -> StreamingQuery {
        let sql = format!("SELECT key, count(*), sum(n) FROM ({ROWS}) GROUP BY key");
        let builder = StreamingQuery::builder(&self.ctx, sql)
            .with_output_mode(OutputMode::Update)
            .with_trigger(trigger)
            .with_checkpoint_location(folder.to_str().expect("a path in UTF-8"))
            .foreach_batch(|_, rows| drained(rows));
        builder.start().await.expect("the query starts")
    }
}

async fn drained(mut rows: SendableRecordBatchStream) -> datafusion::error::Result<()> {
    while let Some(rows) = rows.next().await {
        rows?;
    }
    Ok(())
}

/// Prints the cost of batches with `held` groups, and returns the time of one.
async fn held_and_touched(held: u64, folder: &Path) -> Duration {
    let world = World::new().await;
    let query = world.start(folder, Trigger::AsFastAsPossible).await;
    let filled = Instant::now();
    for first in (0..held).step_by(500_000) {
        let rows = (held - first).min(500_000);
        world.put(7919 * first, rows, held).await;
        query.process_all_available().await.expect("the batch runs");
    }
    let filled = filled.elapsed();
    snapshots_written(folder).await;
    let before = query
        .last_progress()
        .map_or(0, |progress| progress.batch_id.0);
    let mut random = fastrand::Rng::with_seed(held);
    for _ in 0..BATCHES {
        world.put(random.u64(..held), TOUCHED, held).await;
        query.process_all_available().await.expect("the batch runs");
    }
    let recent = query.recent_progress();
    let touching: Vec<_> = recent
        .iter()
        .filter(|batch| batch.batch_id.0 > before)
        .collect();
    let state = |batch: &StreamingQueryProgress| {
        let state = batch.state_operator.clone();
        state.expect("the query has groups")
    };
    for batch in &touching {
        assert_eq!(state(batch).rows_total, held, "all groups are there");
        assert_eq!(
            state(batch).rows_updated,
            TOUCHED,
            "each batch touches as many"
        );
    }
    let last = state(touching.last().expect("batches have run"));
    let time = median(touching.iter().map(|batch| batch.batch_duration).collect());
    let worst = touching.iter().map(|batch| batch.batch_duration).max();
    let written = delta_bytes(folder, before);
    query.stop().await.expect("the query stops");
    drop(query);
    let read = Instant::now();
    let query = world.start(folder, Trigger::AsFastAsPossible).await;
    world.put(0, 1, held).await;
    query.process_all_available().await.expect("the batch runs");
    let read = read.elapsed();
    let again = state(&query.last_progress().expect("a batch has run"));
    assert_eq!(again.rows_total, held, "all groups are there again");
    query.stop().await.expect("the query stops");
    println!("groups held: {held:>38}");
    println!("  filled in {filled:>39.2?}");
    println!("  batch of {TOUCHED} touched, median {time:>23.2?}");
    println!(
        "  the slowest of {BATCHES} {:>32.2?}",
        worst.unwrap_or_default()
    );
    println!("  bytes written by it {written:>29}");
    println!(
        "  memory of a group, bytes {:>24}",
        last.memory_bytes as u64 / held
    );
    println!("  a start, and a batch of a row {read:>19.2?}");
    time
}

/// Waits until no snapshot is being written, because that takes a core from the batches.
async fn snapshots_written(folder: &Path) {
    let files = || fs::read_dir(folder.join("state")).map_or(0, Iterator::count);
    let mut before = 0;
    while files() > before {
        before = files();
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

/// The median size of the files that the batches after `before` wrote.
fn delta_bytes(folder: &Path, before: u64) -> u64 {
    let files = fs::read_dir(folder.join("state")).expect("there is state");
    let deltas = files.filter_map(|file| {
        let file = file.ok()?;
        let is_delta = file.path().extension()? == "delta";
        let name = file.file_name().into_string().ok()?;
        let batch: u64 = name.split_once('-')?.0.parse().ok()?;
        (is_delta && batch > before).then(|| file.metadata().map_or(0, |metadata| metadata.len()))
    });
    let mut sizes: Vec<u64> = deltas.collect();
    sizes.sort_unstable();
    sizes[sizes.len() / 2]
}

/// Prints a batch of `rows` rows next to plain DataFusion over the same rows.
async fn beside_one_shot(groups: u64, rows: u64, folder: &Path) {
    let world = World::new().await;
    world.put(0, rows, groups).await;
    let options = "'kinesis.createStream' 'true'";
    let bounded = format!(
        "CREATE EXTERNAL TABLE at_once STORED AS \"aws-kinesis\" LOCATION 'records' OPTIONS ({options})"
    );
    sql(&world.ctx, &bounded).await.expect("the table is made");
    let plain = ROWS.replace("FROM records", "FROM at_once");
    let plain = format!("SELECT key, count(*), sum(n) FROM ({plain}) GROUP BY key");
    let (mut at_once, mut batches) = (Vec::new(), Vec::new());
    for turn in 0..5 {
        let began = Instant::now();
        let frame = sql(&world.ctx, &plain).await.expect("it is planned");
        let stream = frame.execute_stream().await.expect("it runs");
        drained(stream).await.expect("it runs to its end");
        at_once.push(began.elapsed());
        let folder = folder.join(turn.to_string());
        let query = world.start(&folder, Trigger::Once).await;
        query.await_termination().await.expect("the batch runs");
        let progress = query.recent_progress();
        assert_eq!(progress.len(), 1, "all rows come at once");
        batches.push(progress[0].batch_duration);
    }
    let (at_once, batches) = (median(at_once), median(batches));
    println!("{rows} rows of {groups} groups at once: {at_once:>14.2?}");
    println!("  in a batch, with its state written {batches:>14.2?}");
    println!(
        "  ratio {:>43.2}  (at most 1.5)",
        batches.as_secs_f64() / at_once.as_secs_f64()
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
