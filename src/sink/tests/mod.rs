//! Writers against a fake service that throttles, loses responses and reshards on demand.

mod aggregation;
mod backpressure;
mod fake_kinesis;
mod fake_kinesis_api;
mod lifecycle;
mod resharding;
mod retries;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use datafusion::arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray};
use tokio::time::Instant;

use super::*;
use crate::aggregation::{Opened, looks_aggregated, open};
use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::{PutEntry, RecordDistribution};
use crate::model::{HashKey, StreamIdentity};
use fake_kinesis::{Answer, Service, user_records};

const MIB: usize = 1024 * 1024;

fn without_aggregation() -> SinkSettings {
    SinkSettings {
        aggregation: false,
        ..SinkSettings::default()
    }
}

fn stream(service: &Arc<Service>, settings: SinkSettings) -> Arc<SinkStream> {
    let identity = StreamIdentity::parse("words").unwrap();
    let kinesis = Arc::clone(service);
    Arc::new(SinkStream::new(kinesis, identity, settings))
}

async fn writer_with(
    service: &Arc<Service>,
    settings: SinkSettings,
) -> (SinkWriter, Arc<SinkCounters>) {
    let counters = Arc::new(SinkCounters::default());
    let random = fastrand::Rng::with_seed(3);
    let writer = SinkWriter::new(stream(service, settings), Arc::clone(&counters), random).await;
    (writer.unwrap(), counters)
}

async fn writer(service: &Arc<Service>, settings: SinkSettings) -> SinkWriter {
    writer_with(service, settings).await.0
}

fn batch<K: AsRef<str>, D: AsRef<[u8]>>(rows: &[(K, D)]) -> RecordBatch {
    let keys: ArrayRef = Arc::new(StringArray::from_iter_values(
        rows.iter().map(|(key, _)| key),
    ));
    let data: ArrayRef = Arc::new(BinaryArray::from_iter_values(
        rows.iter().map(|(_, data)| data),
    ));
    RecordBatch::try_from_iter([("partitionKey", keys), ("data", data)]).unwrap()
}

/// Rows `(key of n % keys, n)`.
fn numbered(range: std::ops::Range<usize>, keys: usize) -> RecordBatch {
    let rows: Vec<_> = range
        .map(|n| (format!("key-{}", n % keys), n.to_string()))
        .collect();
    batch(&rows)
}

async fn write_all(
    service: &Arc<Service>,
    settings: SinkSettings,
    batches: &[RecordBatch],
) -> Result<u64> {
    let mut writer = writer(service, settings).await;
    for batch in batches {
        writer.write(batch).await?;
    }
    writer.finish().await
}

fn outcome_of(result: Result<u64>) -> Error {
    result.unwrap_err()
}

/// Asserts that all numbers of each key were written, with the first copies as well as the last
/// copies in order.
fn assert_complete_and_in_order(read: &[(String, Vec<u8>)], rows: usize, keys: usize) {
    let mut by_key: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (key, data) in read {
        let number = std::str::from_utf8(data).unwrap().parse().unwrap();
        by_key.entry(key).or_default().push(number);
    }
    assert_eq!(by_key.len(), keys);
    for (key, numbers) in by_key {
        let key_number: usize = key["key-".len()..].parse().unwrap();
        let expected: Vec<usize> = (key_number..rows).step_by(keys).collect();
        assert_eq!(
            without_repeats(numbers.iter()),
            expected,
            "{key}: first copies"
        );
        let mut last = without_repeats(numbers.iter().rev());
        last.reverse();
        assert_eq!(last, expected, "{key}: last copies");
    }
}

fn without_repeats<'a>(numbers: impl Iterator<Item = &'a usize>) -> Vec<usize> {
    let mut seen = HashSet::new();
    numbers.copied().filter(|n| seen.insert(*n)).collect()
}
