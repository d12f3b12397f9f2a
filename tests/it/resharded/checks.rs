//! Consistency of the stream, its copy, and the log of the query.

use std::collections::{BTreeMap, BTreeSet};

use datafusion_kinesis::model::SequenceNumber;

use super::filling::KEYS;
use super::{PLACED, tables};
use crate::killed::replay::every_batch_again_from_its_begin;
use crate::process::csv;
use crate::streaming::checkpoint_log::{CheckpointLog, Place};

/// What was copied more than once.
pub(super) struct Repeated {
    pub(super) repeated_rows: usize,
    pub(super) repeated_batches: usize,
}

/// A row of a table: its position in the stream, and its data.
struct Row {
    shard: String,
    place: Place,
    number: u64,
}

impl Row {
    fn of(placed: &str) -> Self {
        let parts: Vec<_> = placed.split(' ').collect();
        let [shard, sequence, sub, number] = parts[..] else {
            panic!("{placed}");
        };
        let sequence = SequenceNumber::new(sequence).unwrap();
        Self {
            shard: shard.to_owned(),
            place: Place::Behind(sequence, sub.parse().unwrap()),
            number: number.parse().unwrap(),
        }
    }
}

/// The rows of a table by key, in order of arrival.
fn rows(url: &str, data: &str, table: &str) -> BTreeMap<String, Vec<Row>> {
    let tables = tables();
    let rows = csv(
        url,
        &format!("{tables} SELECT partitionKey, {data} AS data FROM {table}"),
    );
    let mut by_key = BTreeMap::<String, Vec<Row>>::new();
    for row in rows.lines().skip(1) {
        let (key, placed) = row.split_once(',').unwrap();
        let rows = by_key.entry(key.to_owned()).or_default();
        rows.push(Row::of(placed));
    }
    by_key
}

/// The batch that reads a position, according to the log.
struct Batches(BTreeMap<String, Vec<(Place, Place, u64)>>);

impl Batches {
    fn of(ledger: &CheckpointLog) -> Self {
        let mut ranges = BTreeMap::<String, Vec<_>>::new();
        for batch in ledger.offsets.keys() {
            for (shard, (after, upto)) in ledger.ranges(*batch) {
                let ranges = ranges.entry(shard).or_default();
                ranges.push((after, upto, *batch));
            }
        }
        Self(ranges)
    }

    fn of_row(&self, row: &Row) -> u64 {
        let ranges = &self.0[&row.shard];
        let before = ranges.partition_point(|(_, upto, _)| *upto < row.place);
        let (after, _, batch) = &ranges[before];
        assert!(*after < row.place);
        *batch
    }
}

/// Asserts that each row is in the stream once, that the batches read the rows of a key in order,
/// and that the copies are these batches in order, some of them begun again.
pub(super) fn check_copies(url: &str, ledger: &CheckpointLog, records: u64) -> Repeated {
    let log = Batches::of(ledger);
    let written = rows(url, PLACED, "numbers");
    let copies = rows(url, "CAST(data AS VARCHAR)", "copies");
    assert_eq!(written.len() as u64, KEYS);
    assert!(copies.keys().eq(written.keys()));
    let mut repeated_batches = BTreeSet::new();
    let mut copied = 0;
    for (key, mut written) in written {
        written.sort_by_key(|row| row.number);
        let numbers = written.iter().map(|row| row.number);
        assert!(numbers.eq(0..records / KEYS), "{key}");
        let read: Vec<_> = written.iter().map(|row| log.of_row(row)).collect();
        assert!(read.is_sorted(), "{key} is read out of order: {read:?}");
        let copies = &copies[&key];
        copied += copies.len();
        let mut highest = None;
        for copy in copies {
            let original = &written[usize::try_from(copy.number).unwrap()];
            assert_eq!(copy.shard, original.shard);
            assert_eq!(copy.place, original.place);
            if Some(copy.number) > highest {
                let next = highest.map_or(0, |highest| highest + 1);
                assert_eq!(copy.number, next, "{key} is out of order");
                highest = Some(copy.number);
            } else {
                repeated_batches.insert(log.of_row(copy));
            }
        }
        let batches: Vec<Vec<u64>> = (written.chunk_by(|a, b| log.of_row(a) == log.of_row(b)))
            .map(|batch| batch.iter().map(|row| row.number).collect())
            .collect();
        let numbers: Vec<_> = copies.iter().map(|copy| copy.number).collect();
        if let Err(why) = every_batch_again_from_its_begin(&numbers, &batches) {
            panic!("{key}: {why}");
        }
    }
    Repeated {
        repeated_rows: copied - usize::try_from(records).unwrap(),
        repeated_batches: repeated_batches.len(),
    }
}
