//! A streaming INSERT whose process is killed repeatedly while a writer keeps writing.
//!
//! `KILLS` is the number of kills (default 20), `KILL_SEED` selects random times.
//!
//! ```text
//! KILLS=200 KILL_SEED=7 cargo test --test it killed:: -- --nocapture
//! ```

mod counting;
#[cfg(feature = "dynamodb")]
mod over_dynamodb;
pub(crate) mod replay;
mod resharded;
mod statement_set;
mod two_runs;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ScalingType};
use serde_json::Value;
use tokio::time::sleep;

use replay::every_batch_again_from_its_begin;

use crate::process::{Running, Server, folder};
use crate::sdk;
use crate::support::say;

const KEYS: u64 = 16;
/// Long enough to hit all steps of the batch in flight, and sometimes the start of the process.
const LONGEST_LIFE_MILLIS: u64 = 1500;

const STREAMS: &str = "\
CREATE EXTERNAL TABLE numbers STORED AS \"aws-kinesis\" LOCATION 'numbers'
  OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '4',
           'kinesis.extraColumns' 'shardId');
CREATE EXTERNAL TABLE copies STORED AS \"aws-kinesis\" LOCATION 'copies'
  OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '2');
";

fn setting(name: &str, default: u64) -> u64 {
    let value = env::var(name);
    value.map_or(default, |value| value.parse().unwrap())
}

/// A query that copies the numbers, with further options of its source.
fn copying(checkpoint: &Path, options: &str) -> String {
    format!(
        "{STREAMS}
         CREATE UNBOUNDED EXTERNAL TABLE live STORED AS \"aws-kinesis\" LOCATION 'numbers'
           OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON', 'kinesis.getRecords.fetchIntervalMs' '10',
                    'kinesis.minBatchesToRetain' '1000000'{options});
         SET streaming.checkpoint_location = 'file://{}';
         INSERT INTO copies (partitionKey, data) SELECT partitionKey, data FROM live;",
        checkpoint.display()
    )
}

/// Writes 0, 1, 2, … until it is told to stop.
struct Writer {
    end: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Writer {
    fn start(url: &str) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let (url, until) = (url.to_owned(), Arc::clone(&end));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(write(&url, &until))
        });
        Self { end, thread }
    }

    /// How many numbers were written.
    fn end(self) -> u64 {
        self.end.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

async fn write(url: &str, end: &AtomicBool) -> u64 {
    let client = sdk::client(url);
    let mut next = 0;
    while !end.load(Ordering::Relaxed) {
        let records = (next..next + 20).map(|number| {
            PutRecordsRequestEntry::builder()
                .partition_key(format!("key {}", number % KEYS))
                .data(Blob::new(number.to_string()))
                .build()
                .unwrap()
        });
        let put = client.put_records().stream_name("numbers");
        let put = put.set_records(Some(records.collect()));
        let answer = put.send().await.unwrap();
        assert_eq!(answer.failed_record_count(), Some(0));
        next += 20;
        // Paced, so that the machine has time for other work.
        sleep(Duration::from_millis(10)).await;
    }
    next
}

/// The entries of the offset log by batch.
fn offsets(checkpoint: &Path) -> BTreeMap<u64, String> {
    let Ok(entries) = fs::read_dir(checkpoint.join("offsets")) else {
        return BTreeMap::new();
    };
    let entries = entries.filter_map(|entry| {
        let path = entry.unwrap().path();
        // Other files never became entries.
        let batch = path.file_name()?.to_str()?.parse().ok()?;
        Some((batch, fs::read_to_string(path).unwrap()))
    });
    entries.collect()
}

/// The range of each shard in an entry: after the first sequence number, up to the second.
fn ranges(entry: &str) -> BTreeMap<String, (Sequence, Sequence)> {
    let place = |text: &Value| {
        let text = text.as_str().unwrap();
        let number = text.strip_prefix("AFTER ").unwrap_or_default();
        Sequence::of(number.split('.').next().unwrap())
    };
    let entry: Value = serde_json::from_str(entry).unwrap();
    let shards = entry["sources"][0]["shards"].as_object().unwrap();
    let ranges = shards.iter().map(|(shard, range)| {
        let range = match range {
            Value::String(_) => (place(range), place(range)),
            _ => (place(&range["after"]), place(&range["upto"])),
        };
        (shard.clone(), range)
    });
    ranges.collect()
}

/// A sequence number, which is larger than any integer type; an empty one sorts first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sequence {
    length: usize,
    digits: String,
}

impl Sequence {
    fn of(digits: &str) -> Self {
        let digits = digits.to_owned();
        Self {
            length: digits.len(),
            digits,
        }
    }
}

/// A number that was written, and its position.
struct Written {
    number: u64,
    shard: String,
    sequence: Sequence,
}

/// The cells of a CSV result by their first cell, in row order.
fn by_key<T>(csv: &str, row: impl Fn(&[&str]) -> T) -> BTreeMap<String, Vec<T>> {
    let mut rows = BTreeMap::<String, Vec<T>>::new();
    for line in csv.lines().skip(1) {
        let cells: Vec<_> = line.split(',').collect();
        let key = cells[0].to_owned();
        rows.entry(key).or_default().push(row(&cells[1..]));
    }
    rows
}

/// The numbers of each batch for one key, according to the log and the stream.
fn batches(written: &[Written], log: &[BTreeMap<String, (Sequence, Sequence)>]) -> Vec<Vec<u64>> {
    let shard = &written[0].shard;
    assert!(written.iter().all(|row| row.shard == *shard));
    assert!(written.is_sorted_by(|a, b| a.sequence < b.sequence));
    let numbers = log.iter().map(|ranges| {
        let (after, upto) = &ranges[shard];
        let behind = |place: &Sequence| written.partition_point(|row| row.sequence <= *place);
        let rows = &written[behind(after)..behind(upto)];
        rows.iter().map(|row| row.number).collect()
    });
    numbers.collect()
}

#[test]
fn a_killed_query_loses_nothing_and_reads_the_same_ranges_again() {
    let (server, checkpoint) = (Server::start(), folder("killed"));
    let query = copying(&checkpoint, "");
    killed_again_and_again(&server, &query, 20, || offsets(&checkpoint));
}

/// A start subscribes five seconds after the subscription of a killed one at the earliest, and polls its first page.
#[test]
fn a_killed_query_that_subscribes_loses_nothing_and_reads_the_same_ranges_again() {
    let (server, checkpoint) = (Server::start(), folder("killed-subscribing"));
    let options = ", 'kinesis.consumerType' 'SubscribeToShard', 'kinesis.consumerName' 'copying'";
    let query = copying(&checkpoint, options);
    killed_again_and_again(&server, &query, 20, || offsets(&checkpoint));
}

/// Kills the command within `query`, this many times by default; `offsets` returns the entries of
/// its log.
fn killed_again_and_again(
    server: &Server,
    query: &str,
    kills: u64,
    offsets: impl Fn() -> BTreeMap<u64, String>,
) {
    let kills = setting("KILLS", kills);
    let mut random = fastrand::Rng::with_seed(setting("KILL_SEED", 1));
    server.csv(STREAMS);
    let writer = Writer::start(&server.url);
    let mut log = BTreeMap::new();
    for kill in 0..kills {
        let running = Running::spawn(server.client().args(["-c", query]));
        // This does not wait for a condition: the time of the kill is what is tested.
        thread::park_timeout(Duration::from_millis(random.u64(0..LONGEST_LIFE_MILLIS)));
        running.kill();
        let now = offsets();
        for (batch, entry) in &log {
            assert_eq!(
                now.get(batch),
                Some(entry),
                "kill {kill} changed offsets/{batch}"
            );
        }
        log = now;
    }
    let written = writer.end();
    server.csv(&format!("SET streaming.trigger = 'available now'; {query}"));
    let before = log.len();
    let log = offsets();
    assert!(
        log.keys().copied().eq(0..log.len() as u64),
        "{:?}",
        log.keys()
    );
    check_copies(server, &log, written);
    say(&format!(
        "{kills} kills: {written} records in {} batches, {before} of them under fire",
        log.len()
    ));
}

fn select(server: &Server, more: &str, table: &str) -> String {
    let columns = format!("partitionKey, CAST(data AS VARCHAR){more}");
    server.csv(&format!("{STREAMS} SELECT {columns} FROM {table}"))
}

fn written_by_key(server: &Server) -> BTreeMap<String, Vec<Written>> {
    let rows = select(server, ", shardId, sequenceNumber", "numbers");
    by_key(&rows, |row| Written {
        number: row[0].parse().unwrap(),
        shard: row[1].to_owned(),
        sequence: Sequence::of(row[2]),
    })
}

fn copies_by_key(server: &Server) -> BTreeMap<String, Vec<u64>> {
    by_key(&select(server, "", "copies"), |row| row[0].parse().unwrap())
}

fn check_copies(server: &Server, log: &BTreeMap<u64, String>, written: u64) {
    let log: Vec<_> = log.values().map(|entry| ranges(entry)).collect();
    let numbers = written_by_key(server);
    let copies = copies_by_key(server);
    for (key, numbers) in &numbers {
        let batches = batches(numbers, &log);
        let read: usize = batches.iter().map(Vec::len).sum();
        assert_eq!(
            read,
            numbers.len(),
            "{key}: the ranges hold each record once"
        );
        let copies: &[u64] = copies.get(key).map_or(&[], Vec::as_slice);
        if let Err(why) = every_batch_again_from_its_begin(copies, &batches) {
            panic!("{key}: {why}");
        }
    }
    let total: usize = numbers.values().map(Vec::len).sum();
    let copied: usize = copies.values().map(Vec::len).sum();
    assert_eq!(total as u64, written);
    say(&format!(
        "{total} records, {} of them copied again after a kill",
        copied - total
    ));
}
