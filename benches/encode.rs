//! What does encoding rows as JSON or CSV cost, compared with arrow-json's and arrow-csv's writers?
//!
//! `cargo bench --bench encode` encodes rows with documents of about 350 and 1,150 bytes, all in one batch: as JSON, and
//! their flat columns as CSV. It prints MB of documents per second of one thread, the best of several rounds, with the
//! ratio to the writer of Arrow, which writes one text for all rows and not a value for each.

#[path = "support/documents.rs"]
mod documents;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::csv::WriterBuilder;
use datafusion::arrow::datatypes::{Fields, Schema};
use datafusion::arrow::json::LineDelimitedWriter;
use datafusion_kinesis::benching::{PayloadDecoder, PayloadEncoder};
use documents::documents;
use tokio::time::Instant;

/// So many fit into one decoded batch.
const RECORDS: usize = 8_192;
const ROUNDS: usize = 9;

fn main() {
    println!("document        format         arrow          ours   ratio");
    for (name, extra) in [("350 B", 4), ("1,150 B", 25)] {
        let (fields, documents) = documents(RECORDS, extra);
        let projection: Vec<usize> = (0..fields.len()).collect();
        let mut decoder =
            PayloadDecoder::new("json", &fields, &projection).expect("the columns suit JSON");
        let mut batches = decoder.decode(&documents).expect("the documents are valid");
        let columns = batches.remove(0);
        compare(
            name,
            "json",
            &rows(&fields, &columns, |_| true),
            by_arrow_json,
        );
        let flat = rows(&fields, &columns, |field| {
            !fields[field].data_type().is_nested()
        });
        compare(name, "csv", &flat, by_arrow_csv);
    }
}

/// The columns that `is_kept` accepts by their indices.
fn rows(fields: &Fields, columns: &[ArrayRef], is_kept: impl Fn(usize) -> bool) -> RecordBatch {
    let kept = || (0..fields.len()).filter(|field| is_kept(*field));
    let schema: Fields = kept().map(|field| Arc::clone(&fields[field])).collect();
    let columns = kept().map(|field| Arc::clone(&columns[field])).collect();
    RecordBatch::try_new(Arc::new(Schema::new(schema)), columns)
        .expect("the columns have their types")
}

fn compare(name: &str, format: &str, rows: &RecordBatch, by_arrow: fn(&RecordBatch) -> usize) {
    let mut encoder = PayloadEncoder::new(format, rows.schema_ref().fields())
        .expect("the columns suit the format");
    let (mut arrow, mut own, mut bytes) = (Duration::MAX, Duration::MAX, 0);
    for _ in 0..ROUNDS {
        let (took, _) = timed(|| by_arrow(rows));
        arrow = arrow.min(took);
        let (took, written) = timed(|| {
            let documents = encoder.encode(rows.columns());
            documents.expect("the rows are valid").value_data().len()
        });
        own = own.min(took);
        bytes = written;
    }
    let rate = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
    println!(
        "{name:<15} {format:<6} {:>8.0} MB/s {:>8.0} MB/s   {:>5.2}",
        rate(arrow),
        rate(own),
        arrow.as_secs_f64() / own.as_secs_f64()
    );
}

fn timed(encode: impl FnOnce() -> usize) -> (Duration, usize) {
    let start = Instant::now();
    let bytes = black_box(encode());
    (start.elapsed(), bytes)
}

fn by_arrow_json(rows: &RecordBatch) -> usize {
    let mut text = Vec::new();
    let mut writer = LineDelimitedWriter::new(&mut text);
    writer.write(rows).expect("the rows are valid");
    writer.finish().expect("the rows are valid");
    text.len()
}

fn by_arrow_csv(rows: &RecordBatch) -> usize {
    let mut text = Vec::new();
    let mut writer = WriterBuilder::new().with_header(false).build(&mut text);
    writer.write(rows).expect("the rows are valid");
    drop(writer);
    text.len()
}
