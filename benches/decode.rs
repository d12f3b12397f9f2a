//! How fast do JSON payloads become columns, compared with arrow-json and with serde_json's `Value`?
//!
//! `cargo bench --bench decode` decodes documents of about 350 and 1,150 bytes, to two of their fields and to all,
//! and prints payload MB per second of CPU of one thread, the best of several rounds, with the ratio to arrow-json.
//! Then it compares the CPU of two statements over the same records of 1,000 bytes: GROUP BY over a JSON field, and
//! GROUP BY over raw data.

#[path = "support/cpu.rs"]
mod cpu;
#[path = "support/documents.rs"]
mod documents;
#[path = "support/session.rs"]
mod session;
mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use cpu::cpu_seconds;
use datafusion::arrow::array::{Array, BinaryArray, RecordBatch};
use datafusion::arrow::datatypes::{Fields, Schema};
use datafusion::arrow::json::ReaderBuilder;
use datafusion_kinesis::benching::PayloadDecoder;
use datafusion_kinesis::sql;
use documents::documents;
use serde_json::Value;
use session::session;
use support::Server;
use tokio::time::Instant;

const RECORDS: usize = 8_192;
const ROUNDS: usize = 9;

fn main() {
    println!("document        columns         arrow-json   serde_json::Value        ours   ratio");
    for (name, extra) in [("350 B", 4), ("1,150 B", 25)] {
        let (fields, documents) = documents(RECORDS, extra);
        for (columns, projection, target) in [
            ("two", vec![0, 5], 1.7),
            ("all", (0..fields.len()).collect(), 1.5),
        ] {
            compare(name, columns, &fields, &documents, &projection, target);
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async { group_by(&Server::start()).await });
}

fn compare(
    name: &str,
    columns: &str,
    fields: &Fields,
    documents: &BinaryArray,
    projection: &[usize],
    target: f64,
) {
    let bytes = documents.value_data().len() as f64;
    let rate = |time: Duration| bytes / 1e6 / time.as_secs_f64();
    let selected: Fields = projection
        .iter()
        .map(|index| Arc::clone(&fields[*index]))
        .collect();
    let schema = Arc::new(Schema::new(selected));
    let mut ours = PayloadDecoder::new("json", fields, projection).expect("the columns suit JSON");
    let (mut arrow, mut value, mut own) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        arrow = arrow.min(timed(|| by_arrow(&schema, documents)));
        value = value.min(timed(|| by_value(&schema, documents)));
        own = own.min(timed(|| {
            let batches = ours.decode(documents).expect("the documents are valid");
            batches.iter().map(|batch| batch[0].len()).sum()
        }));
    }
    println!(
        "{name:<15} {columns:<10} {:>10.0} MB/s   {:>12.0} MB/s {:>6.0} MB/s   {:>5.2}  (at least {target})",
        rate(arrow),
        rate(value),
        rate(own),
        arrow.as_secs_f64() / own.as_secs_f64()
    );
}

fn timed(decode: impl FnOnce() -> usize) -> Duration {
    let start = Instant::now();
    let rows = black_box(decode());
    let took = start.elapsed();
    assert_eq!(rows, RECORDS);
    took
}

fn by_arrow(schema: &Arc<Schema>, documents: &BinaryArray) -> usize {
    let builder = ReaderBuilder::new(Arc::clone(schema)).with_batch_size(RECORDS);
    let mut decoder = builder
        .build_decoder()
        .expect("the schema suits arrow-json");
    for document in documents.iter().flatten() {
        decoder.decode(document).expect("the document is valid");
    }
    let batch = decoder.flush().expect("the documents are valid");
    batch.map_or(0, |batch| batch.num_rows())
}

/// The fields out of a tree for each document, without columns.
fn by_value(schema: &Schema, documents: &BinaryArray) -> usize {
    let mut rows = 0;
    for document in documents.iter().flatten() {
        let value: Value = serde_json::from_slice(document).expect("the document is valid");
        for field in schema.fields() {
            black_box(value.get(field.name()));
        }
        rows += 1;
    }
    rows
}

/// The CPU of GROUP BY over a field of JSON records read from a server, compared with GROUP BY over the same bytes
/// of the same records, undecoded.
async fn group_by(server: &Server) {
    const SHARDS: i32 = 8;
    const ROWS: usize = 100_000;
    let client = server.client();
    let ctx = session(server);
    let mut random = fastrand::Rng::with_seed(2);
    let padding = "x".repeat(900);
    let documents = (0..ROWS).map(|n| {
        let (word, number) = (random.u16(0..1_000), random.u32(..));
        let tail = format!(r#""n":{number},"at":"2026-11-30T08:00:00Z","text":"{padding}"}}"#);
        (
            n.to_string(),
            format!(r#"{{"word":"word-{word:04}",{tail}"#),
        )
    });
    put(&client, "documents", SHARDS, documents.collect()).await;
    for table in [
        "CREATE EXTERNAL TABLE raw STORED AS \"aws-kinesis\" LOCATION 'documents'
         OPTIONS ('kinesis.getRecords.fetchIntervalMs' '0')",
        "CREATE EXTERNAL TABLE decoded (word VARCHAR, n BIGINT, at TIMESTAMP, text VARCHAR)
         STORED AS \"aws-kinesis\" LOCATION 'documents'
         OPTIONS ('kinesis.getRecords.fetchIntervalMs' '0', 'kinesis.format' 'json')",
    ] {
        sql(&ctx, table).await.expect("the table is made");
    }
    let statements = [
        "SELECT substr(CAST(data AS VARCHAR), 10, 9) AS word, count(*) FROM raw GROUP BY 1",
        "SELECT word, count(*) FROM decoded GROUP BY word",
    ];
    let mut seconds = [0.0; 2];
    for round in 0..=ROUNDS {
        for (statement, seconds) in statements.iter().zip(&mut seconds) {
            let before = cpu_seconds();
            let rows = sql(&ctx, statement)
                .await
                .expect("the statement is planned");
            let rows = rows.collect().await.expect("the statement runs");
            assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 1_000);
            // The first round warms up connections and memory.
            if round > 0 {
                *seconds += cpu_seconds() - before;
            }
        }
    }
    let [raw, json] = seconds.map(|seconds| seconds / ROUNDS as f64);
    println!("\nGROUP BY over {ROWS} records of about 1,000 B, CPU seconds of this process");
    println!("undecoded    {raw:>8.3}");
    println!(
        "JSON field   {json:>8.3}   {:.2}  (at most 1.35)",
        json / raw
    );
}

/// Creates a stream with one record for each key and payload.
async fn put(client: &Client, stream: &str, shards: i32, records: Vec<(String, String)>) {
    let create = client
        .create_stream()
        .stream_name(stream)
        .shard_count(shards);
    create.send().await.expect("the stream is created");
    for records in records.chunks(500) {
        let entries = records.iter().map(|(key, data)| {
            let entry = PutRecordsRequestEntry::builder().partition_key(key);
            let entry = entry.data(Blob::new(data.as_bytes()));
            entry.build().expect("an entry has data and a key")
        });
        let request = client.put_records().stream_name(stream);
        let answer = request.set_records(Some(entries.collect())).send().await;
        assert_eq!(
            answer.expect("records are put").failed_record_count,
            Some(0)
        );
    }
}
