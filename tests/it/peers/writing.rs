//! Writes to a stream with a throttled shard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::model::{HashKey, HashRange};

use super::gate::{Gate, Sent};
use crate::support::World;

const ROWS: &str = "INSERT INTO words (partitionKey, data)
    SELECT 'k' || (value % 200), CAST(value AS VARCHAR) || repeat(' ', 500)
    FROM generate_series(0, 4999)";

/// The hash keys of the first of four shards.
const FIRST_SHARD: HashRange = HashRange {
    start: HashKey(0),
    end: HashKey(u128::MAX / 4),
};

/// Writes five thousand rows to four shards, the first of which accepts one record in three tries.
async fn written(aggregation: bool) -> (World, Arc<Gate>) {
    let (world, gate) = Gate::world();
    let options = format!(
        "'kinesis.sink.aggregationEnabled' '{aggregation}', 'kinesis.sink.maxConnections' '4',
         'kinesis.sink.recordTtl' '3600000'"
    );
    world.table("words", 4, &options).await;
    gate.throttle(FIRST_SHARD, 0.66);
    assert_eq!(world.number(ROWS).await, 5_000);
    (world, gate)
}

/// The count of a statement is the number of rows written, which are all of them.
#[tokio::test(start_paused = true)]
async fn d09_a_throttled_shard_loses_no_row_and_the_count_is_correct() {
    for aggregation in [true, false] {
        let (world, gate) = written(aggregation).await;
        let refused = gate.sent().iter().filter(|sent| !sent.taken).count();
        assert!(refused > 0, "some records were throttled");
        let count = "SELECT count(*) FROM words";
        assert_eq!(world.number(count).await, 5_000, "{aggregation}");
        let distinct = "SELECT count(DISTINCT data) FROM words";
        assert_eq!(world.number(distinct).await, 5_000, "{aggregation}");
    }
}

/// Rejected records are not reported as success.
#[tokio::test(start_paused = true)]
async fn d09_a_permanently_throttled_shard_fails_the_statement() {
    for aggregation in [true, false] {
        let (world, gate) = Gate::world();
        let options = format!("'kinesis.sink.aggregationEnabled' '{aggregation}'");
        world.table("words", 4, &options).await;
        gate.throttle(FIRST_SHARD, 1.0);
        let (kind, message) = world.refusal(ROWS).await;
        assert_eq!(kind, ErrorKind::Unavailable, "{message}");
        assert!(message.contains("Rate exceeded"), "{message}");
    }
}

/// The accepted records, in order.
fn taken(sent: &[Sent]) -> Vec<&Sent> {
    sent.iter().filter(|sent| sent.taken).collect()
}

#[tokio::test(start_paused = true)]
async fn d10_only_rejected_records_are_sent_again() {
    for aggregation in [true, false] {
        let (_world, gate) = written(aggregation).await;
        let sent = gate.sent();
        let mut done: BTreeSet<(String, Bytes)> = BTreeSet::new();
        for sent in &sent {
            let record = (
                sent.entry.partition_key.to_string(),
                sent.entry.data.clone(),
            );
            assert!(
                !done.contains(&record),
                "{record:?} was accepted, but is sent again"
            );
            if sent.taken {
                done.insert(record);
            }
        }
        assert_eq!(done.len(), taken(&sent).len());
        assert!(sent.len() > done.len(), "some records were sent again");
        assert!(aggregation || done.len() == 5_000);
    }
}

/// A record waits for the one before it with its key, and for no other key.
#[tokio::test(start_paused = true)]
async fn d10_later_records_of_a_key_wait_until_it_is_accepted() {
    let (_world, gate) = written(false).await;
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    let mut requests: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for sent in gate.sent() {
        let key = sent.entry.partition_key.to_string();
        let text = str::from_utf8(&sent.entry.data).unwrap();
        let number: u64 = text.trim().parse().unwrap();
        let alone = requests
            .entry(sent.request)
            .or_default()
            .insert(key.clone());
        assert!(alone, "request {} has {key} twice", sent.request);
        let first = key.trim_start_matches('k').parse().unwrap();
        let due = next.entry(key).or_insert(first);
        assert_eq!(number, *due, "held back");
        *due += u64::from(sent.taken) * 200;
    }
    assert_eq!(next.len(), 200);
    assert!(next.values().all(|next| *next >= 5_000));
}

#[tokio::test(start_paused = true)]
async fn d10_rows_of_a_key_arrive_in_the_order_written() {
    for aggregation in [true, false] {
        let (world, _gate) = written(aggregation).await;
        let rows = "SELECT partitionKey || ' ' || CAST(data AS VARCHAR) FROM words";
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        for row in world.lines(rows).await {
            let (key, number) = row.split_once(' ').unwrap();
            let number: u64 = number.trim().parse().unwrap();
            let before = last.insert(key.to_owned(), number);
            assert!(before < Some(number), "{key}: {number} behind {before:?}");
        }
        assert_eq!(last.len(), 200);
    }
}
