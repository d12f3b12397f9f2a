//! `kinesis-sql infer`: prints the statement that declares a stream as a table, from a sample of its records.

use std::io::{self, Write};
use std::sync::Arc;

use datafusion::arrow::array::{Array, BinaryArray, RecordBatch};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::col;
use futures::TryStreamExt;

use super::args::{Infer, SampleFormat};
use super::console::{print_message, print_note};
use super::failure::{Outcome, reason};
use super::session::{context, services};
use crate::format::infer::{Declared, MAX_SAMPLE_BYTES, RequestedFormat, infer};
use crate::table::KinesisTable;

/// Reading ends when the sample has this many bytes, so that large records do not fill the memory.
const MAX_READ_BYTES: usize = 64 * 1024 * 1024;

/// The most records of one GetRecords call.
const MAX_PAGE_RECORDS: usize = 10_000;

impl From<SampleFormat> for RequestedFormat {
    fn from(format: SampleFormat) -> Self {
        match format {
            SampleFormat::Auto => Self::Auto,
            SampleFormat::Json => Self::Json,
            SampleFormat::Csv => Self::Csv,
            SampleFormat::Text => Self::Text,
            SampleFormat::CloudwatchLogs => Self::CloudWatchLogs,
            SampleFormat::Dynamodb => Self::DynamoDb,
        }
    }
}

/// Reads a sample and prints the statement.
pub(super) async fn run(arguments: &Infer) -> Outcome {
    let (table, sample) = match sampled(arguments).await {
        Ok(sampled) => sampled,
        Err(error) => {
            print_message(&reason(&error));
            return Outcome::Failed;
        }
    };
    let records = sample
        .iter()
        .flat_map(|records| records.iter().map(Option::unwrap_or_default));
    let inferred = infer(records, arguments.format.into(), MAX_SAMPLE_BYTES);
    let stream = &table.options().stream;
    let statement = inferred.statement(Declared {
        location: &arguments.stream,
        stream: stream.name().as_str(),
        region: arguments.connection.region.as_deref(),
    });
    if arguments.connection.endpoint_url.is_some() {
        print_note(
            "the statement does not name --endpoint-url: give it again to run the statement",
        );
    }
    // If stdout is closed, nobody reads the statement.
    let _ = write!(io::stdout(), "{statement}");
    Outcome::Done
}

/// The table of the stream, and the payloads of up to the requested number of records, from the oldest on, of all shards.
async fn sampled(
    arguments: &Infer,
) -> Result<(Arc<KinesisTable>, Vec<BinaryArray>), DataFusionError> {
    let services = services(&arguments.connection);
    let builder = || {
        KinesisTable::builder(&arguments.stream)
            .with_services(Arc::clone(&services))
            .with_option("kinesis.startingPosition", "TRIM_HORIZON")
    };
    let stream = builder().build().await?;
    // Each shard gives its share, so that one busy shard is not the whole sample.
    let shards = stream.stream_summary().open_shards.max(1) as usize;
    let share = arguments.records.div_ceil(shards);
    let table = builder()
        .with_option("kinesis.maxFetchRecordsPerShard", share.to_string())
        .with_option(
            "kinesis.getRecords.numberOfRecordsPerFetch",
            share.min(MAX_PAGE_RECORDS).to_string(),
        );
    let table = Arc::new(table.build().await?);
    let ctx = context(&services)?;
    let frame = ctx.read_table(Arc::<KinesisTable>::clone(&table))?;
    let frame = frame
        .select(vec![col("data")])?
        .limit(0, Some(arguments.records))?;
    let mut batches = frame.execute_stream().await?;
    let (mut sample, mut bytes) = (Vec::new(), 0);
    while bytes < MAX_READ_BYTES
        && let Some(batch) = batches.try_next().await?
    {
        let Some(records) = payloads(&batch) else {
            continue;
        };
        bytes += records.value_data().len();
        sample.push(records);
    }
    Ok((table, sample))
}

fn payloads(batch: &RecordBatch) -> Option<BinaryArray> {
    batch.column(0).as_any().downcast_ref().cloned()
}
