//! Should the columns of a page be views over the body of its answer, or copies?
//!
//! `cargo bench --bench wire` prints, for one thread, what decoding a page costs per record, and what copying its
//! payloads, keys and sequence numbers costs, which is the most that views could save. Then it runs the same queries
//! over payloads as `Binary`, which the columns are, and as `BinaryView`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_kinesis::benching::PageDecoder;
use datafusion_kinesis::kinesis::RecordsPage;
use tokio::time::Instant;

const CASES: [(usize, usize); 3] = [(100, 1_000), (1_000, 1_000), (10_000, 1_000)];
const ROUNDS: usize = 200;
const QUERY_ROWS: usize = 200_000;
const GROUPS: usize = 1_000;

fn main() {
    println!("payload    JSON        CBOR      copying   ns per record; copying, of decoding CBOR");
    for (data_bytes, records) in CASES {
        let mut random = fastrand::Rng::with_seed(7);
        let data = (0..records).map(|_| payload(&mut random, data_bytes));
        let data: Vec<Vec<u8>> = data.collect();
        let per_record = |best: Duration| best.as_nanos() as f64 / records as f64;
        let decoder = PageDecoder::json();
        let body = json(&data);
        let from_json = per_record(best(|| drop(decoder.decode(&body).expect("a page"))));
        let decoder = PageDecoder::cbor();
        let body = cbor(&data);
        let from_cbor = per_record(best(|| drop(decoder.decode(&body).expect("a page"))));
        let page = decoder.decode(&body).expect("a page");
        let mut buffers = [const { Vec::new() }; 3];
        let copying = per_record(best(|| copy(&page, &mut buffers)));
        println!(
            "{data_bytes:>6} B {from_json:>8.0} {from_cbor:>11.0} {copying:>12.0}   {:.2}",
            copying / from_cbor
        );
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    println!("\nquery over {QUERY_ROWS} payloads of 1,000 B      Binary   BinaryView   ratio");
    for (name, query) in [
        (
            "GROUP BY data",
            "SELECT data, count(*) FROM t GROUP BY data",
        ),
        (
            "LIKE on text",
            "SELECT count(*) FROM t WHERE CAST(data AS VARCHAR) LIKE '%needle%'",
        ),
    ] {
        let [copies, views] = [DataType::Binary, DataType::BinaryView]
            .map(|data_type| runtime.block_on(query_time(&data_type, query)));
        println!(
            "{name:<38} {copies:>9.1?} {views:>12.1?}   {:.2}",
            views.as_secs_f64() / copies.as_secs_f64()
        );
    }
}

fn payload(random: &mut fastrand::Rng, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| random.alphanumeric() as u8).collect()
}

fn best(mut work: impl FnMut()) -> Duration {
    let rounds = (0..ROUNDS).map(|_| {
        let started = Instant::now();
        work();
        started.elapsed()
    });
    rounds.min().expect("there are rounds")
}

/// Copies what views would refer to, value by value.
fn copy(page: &RecordsPage, [data, keys, numbers]: &mut [Vec<u8>; 3]) {
    let (key, number) = (page.partition_key(), page.sequence_number());
    let (key, number) = (key.expect("it is built"), number.expect("it is built"));
    data.clear();
    keys.clear();
    numbers.clear();
    for record in 0..page.len() {
        data.extend_from_slice(page.data().value(record));
        keys.extend_from_slice(key.value(record).as_bytes());
        numbers.extend_from_slice(number.value(record).as_bytes());
    }
    black_box((data, keys, numbers));
}

async fn query_time(data_type: &DataType, query: &str) -> Duration {
    let mut random = fastrand::Rng::with_seed(7);
    let groups: Vec<Vec<u8>> = (0..GROUPS).map(|_| payload(&mut random, 1_000)).collect();
    let schema = Arc::new(Schema::new(vec![
        Field::new("data", data_type.clone(), false),
        Field::new("key", DataType::Utf8, false),
    ]));
    let batches = (0..QUERY_ROWS / GROUPS).map(|_| {
        let data: ArrayRef = Arc::new(BinaryArray::from_iter_values(&groups));
        let keys: ArrayRef = Arc::new(StringArray::new_repeated("key", GROUPS));
        let data = cast(&data, data_type).expect("bytes are bytes");
        RecordBatch::try_new(Arc::clone(&schema), vec![data, keys]).expect("columns of the schema")
    });
    let table = MemTable::try_new(Arc::clone(&schema), vec![batches.collect()]);
    let config = SessionConfig::new().with_target_partitions(1);
    let ctx = SessionContext::new_with_config(config);
    let table = Arc::new(table.expect("a valid table"));
    ctx.register_table("t", table).expect("a new name");
    let mut least = Duration::MAX;
    for _ in 0..7 {
        let started = Instant::now();
        let rows = ctx.sql(query).await.expect("a plan").collect().await;
        black_box(rows.expect("rows"));
        least = least.min(started.elapsed());
    }
    least
}

fn json(data: &[Vec<u8>]) -> Vec<u8> {
    let records = data.iter().enumerate().map(|(record, data)| {
        let data = base64_simd::STANDARD.encode_to_string(data);
        format!(
            "{{\"ApproximateArrivalTimestamp\":1.7217264{:02}123E9,\"Data\":\"{data}\",\"PartitionKey\":\"key-{record}\",\
             \"SequenceNumber\":\"{}\"}}",
            record % 60,
            number(record)
        )
    });
    let records = records.collect::<Vec<_>>().join(",");
    format!("{{\"MillisBehindLatest\":0,\"NextShardIterator\":\"AAAA\",\"Records\":[{records}]}}")
        .into_bytes()
}

/// As many digits as the service gives.
fn number(record: usize) -> String {
    format!("496{record:053}")
}

fn cbor(data: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![0xBF];
    text(&mut body, "Records");
    body.push(0x9F);
    for (record, data) in data.iter().enumerate() {
        body.push(0xA4);
        text(&mut body, "SequenceNumber");
        text(&mut body, &number(record));
        text(&mut body, "ApproximateArrivalTimestamp");
        body.extend_from_slice(&[0xC1, 0x1B]);
        body.extend_from_slice(&1_721_726_460_123_u64.to_be_bytes());
        text(&mut body, "Data");
        head(&mut body, 0x40, data.len());
        body.extend_from_slice(data);
        text(&mut body, "PartitionKey");
        text(&mut body, &format!("key-{record}"));
    }
    body.extend_from_slice(&[0xFF, 0xFF]);
    body
}

fn text(body: &mut Vec<u8>, text: &str) {
    head(body, 0x60, text.len());
    body.extend_from_slice(text.as_bytes());
}

fn head(body: &mut Vec<u8>, major: u8, length: usize) {
    body.push(major | 0x19);
    let length = u16::try_from(length).expect("values are short");
    body.extend_from_slice(&length.to_be_bytes());
}
