//! A stream whose shards are all split twice and merged back, while a query that copies it lags far
//! behind and is stopped and killed repeatedly.
//!
//! `RESHARDED_SEED` selects when the query is ended, `RESHARDED_RECORDS` how many records go
//! through the embedded server, at least 100,000.
//!
//! ```text
//! RESHARDED_RECORDS=1000000 RESHARDED_SEED=7 cargo test --all-features --test it resharded::
//! ```

mod checks;
mod filling;
mod kinesis_local;
mod lives;

use std::env;

use tokio::time::Instant;

use checks::check_copies;
use filling::Writer;
use kinesis_local::KinesisLocal;
use lives::{FAST, Lives, SLOW};

use crate::process::{Server, csv};
use crate::support::{say, skipped};

const SHARDS: usize = 4;
const RECORDS: u64 = 100_000;
/// Splits and merges during each of the first runs of the query.
const RESHARDS_PER_LIFE: u32 = 3;
/// Runs of the query after the stream is full and before the last run, while it is behind the last
/// reshard.
const CATCHING_UP: u32 = 10;

/// The pattern of records, repeated.
#[derive(Clone, Copy)]
struct Mix {
    /// This many as single records,
    plain: usize,
    /// then this many in one aggregated record.
    aggregated: usize,
}

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// Rows with their positions: `shard sequence sub data`.
const PLACED: &str =
    "shardId || ' ' || sequenceNumber || ' ' || CAST(subSequenceNumber AS VARCHAR) || ' ' ||
    CAST(data AS VARCHAR)";
const PLACES: &str = "shardId,subSequenceNumber";

/// The stream and its copy, created if they do not exist.
fn tables() -> String {
    format!(
        "CREATE EXTERNAL TABLE numbers STORED AS \"aws-kinesis\" LOCATION 'numbers'
           OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '{SHARDS}',
                    'kinesis.extraColumns' '{PLACES}');
         CREATE EXTERNAL TABLE copies STORED AS \"aws-kinesis\" LOCATION 'copies'
           OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '2');"
    )
}

fn copy_a_resharded_stream(url: &str, name: &str, records: u64, mix: Mix) {
    let begin = Instant::now();
    csv(url, &tables());
    let mut lives = Lives::of(url, name);
    let mut writer = Writer::new(url, records, mix);
    let mut is_full = false;
    while !is_full {
        lives.live(SLOW, |runtime| {
            for _ in 0..RESHARDS_PER_LIFE {
                is_full = is_full || !runtime.block_on(writer.step());
            }
        });
    }
    assert!(lives.ended_shards() < SHARDS, "the query is too fast");
    let (filled_at, lagging) = (begin.elapsed(), lives.ledger.offsets.len());
    for _ in 0..CATCHING_UP {
        if lives.ended_shards() < writer.closed_shards {
            lives.live(FAST, |_| ());
        }
    }
    let under_fire = lives.ledger.offsets.len();
    lives.finish();
    let read_at = begin.elapsed();
    let copies = check_copies(url, &lives.ledger, records);
    assert!(
        copies.repeated_batches <= lives.killed,
        "{} batches were begun again after {} kills",
        copies.repeated_batches,
        lives.killed
    );
    say(&format!(
        "{name}: {records} rows in {} records, {} splits and merges, {lagging} + {} + {} batches, {} stops, {} kills: \
         {} rows of {} batches again; filled after {filled_at:.1?}, copied after {read_at:.1?}, all {:.1?}",
        writer.records,
        writer.reshards,
        under_fire - lagging,
        lives.ledger.offsets.len() - under_fire,
        lives.stopped,
        lives.killed,
        copies.repeated_rows,
        copies.repeated_batches,
        begin.elapsed()
    ));
}

#[test]
fn a_stream_resharded_under_lag_is_copied_completely_and_in_order() {
    let server = Server::start();
    let mix = Mix {
        plain: 5,
        aggregated: 20,
    };
    let records = setting("RESHARDED_RECORDS", RECORDS);
    copy_a_resharded_stream(&server.url, "resharded", records, mix);
}

/// Its puts become slower as a shard grows, so there are few records, most with many rows.
#[test]
fn a_stream_resharded_under_lag_is_copied_completely_and_in_order_on_kinesis_local() {
    let server = match KinesisLocal::start() {
        Ok(server) => server,
        Err(why) => {
            let test = "a_stream_resharded_under_lag_is_copied_whole_and_in_order_on_kinesis_local";
            return skipped(test, &why);
        }
    };
    let mix = Mix {
        plain: 1,
        aggregated: 300,
    };
    copy_a_resharded_stream(&server.url, "resharded-kinesis-local", RECORDS, mix);
}
