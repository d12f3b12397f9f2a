//! Maximum sizes of records and requests, by the stream's own setting.

use std::collections::BTreeMap;
use std::time::Duration;

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::kinesis::limits::{
    DEFAULT_MAX_RECORD_BYTES, LARGEST_MAX_RECORD_BYTES, MAX_BYTES_PER_PUT, MAX_RECORDS_PER_PUT,
};
use datafusion_kinesis::query::StreamingQuery;
use tokio::time::timeout;

use super::gate::Gate;
use super::trial::words;
use crate::streaming::{FROM_THE_START, Sink};
use crate::support::World;

const MIB: usize = 1_048_576;

const LENGTHS: &str = "SELECT octet_length(CAST(data AS VARCHAR)) + 1 FROM words";

/// A row of key `k` that fills `bytes`, key and data together.
fn insert(bytes: usize) -> String {
    let data = bytes - 1;
    format!("INSERT INTO words (partitionKey, data) VALUES ('k', repeat('x', {data}))")
}

async fn take_records_of(world: &World, bytes: usize) {
    let stream = words();
    let update = world.kinesis.update_max_record_size(&stream, bytes);
    update.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn d11_the_maximum_record_size_is_that_of_the_stream() {
    let world = World::new();
    world.table("words", 1, "").await;
    for limit in [DEFAULT_MAX_RECORD_BYTES, 3 * MIB, LARGEST_MAX_RECORD_BYTES] {
        take_records_of(&world, limit).await;
        // A refusal refreshes the cached limit at the latest.
        let _ = world.try_run(&insert(limit)).await;
        assert_eq!(world.number(&insert(limit)).await, 1, "{limit}");
        let (kind, message) = world.refusal(&insert(limit + 1)).await;
        assert_eq!(kind, ErrorKind::InvalidRow);
        let expected = format!("expected at most {limit} bytes");
        assert!(message.contains(&expected), "{message}");
    }
    let largest = format!("SELECT max(l) FROM ({LENGTHS}) AS lengths(l)");
    assert_eq!(
        world.number(&largest).await,
        LARGEST_MAX_RECORD_BYTES as u64
    );
}

/// Requests are filled up to the service's limits: 500 records and 10 MiB, no less and never more.
#[tokio::test(start_paused = true)]
async fn d11_requests_are_as_large_as_the_service_allows() {
    for (rows, bytes) in [(2_000, 10), (60, 600 * 1_024), (7, 3 * MIB)] {
        let (world, gate) = Gate::world();
        let option = "'kinesis.sink.aggregationEnabled' 'false'";
        world.table("words", 8, option).await;
        take_records_of(&world, LARGEST_MAX_RECORD_BYTES).await;
        let insert = format!(
            "INSERT INTO words (partitionKey, data)
             SELECT CAST(value AS VARCHAR), repeat('x', {bytes}) FROM generate_series(1, {rows})"
        );
        assert_eq!(world.number(&insert).await, rows);
        let mut requests: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for sent in gate.sent() {
            let (records, size) = requests.entry(sent.request).or_default();
            *records += 1;
            *size += sent.entry.size_bytes();
        }
        let within = |(records, size): &(usize, usize)| {
            *records <= MAX_RECORDS_PER_PUT && *size <= MAX_BYTES_PER_PUT
        };
        assert!(requests.values().all(within), "{requests:?}");
        let full = |(records, size): &(usize, usize)| {
            *records == MAX_RECORDS_PER_PUT || *size + bytes > MAX_BYTES_PER_PUT - 100
        };
        assert!(requests.values().any(full), "{requests:?}");
    }
}

/// Records of 10 MiB are read through a buffer with room for one of them, in batches that should be
/// smaller.
#[tokio::test(start_paused = true)]
async fn d11_records_of_ten_mebibytes_are_streamed() {
    let options = format!(
        "{FROM_THE_START}, 'kinesis.buffer.maxBytes' '16777216',
         'kinesis.maxFetchBytesPerBatch' '1048576'"
    );
    let world = World::new();
    world.unbounded_table("words", 2, &options).await;
    take_records_of(&world, LARGEST_MAX_RECORD_BYTES).await;
    world.table("out", 1, "").await;
    let sink = Sink::default();
    let sql =
        "SELECT partitionKey, CAST(octet_length(CAST(data AS VARCHAR)) AS VARCHAR) FROM words";
    let query = StreamingQuery::builder(&world.ctx, sql);
    let query = sink.of(query).start().await.unwrap();
    let sizes: Vec<usize> = (0..12).map(|n| LARGEST_MAX_RECORD_BYTES - 1 - n).collect();
    for (key, size) in ('a'..).zip(&sizes) {
        world
            .put("words", &key.to_string(), vec![b'x'; *size])
            .await;
    }
    let read = timeout(Duration::from_secs(600), query.process_all_available());
    read.await.unwrap().unwrap();
    let mut expected: Vec<u64> = sizes.iter().map(|size| *size as u64).collect();
    expected.sort_unstable();
    assert_eq!(sink.numbers(), expected);
}
