//! `kinesis-sql infer`: prints the statement that declares a stream as a table, from a sample of its records.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::{Array, BinaryArray, RecordBatch};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::col;
use futures::TryStreamExt;

use super::args::{Infer, SampleFormat};
use super::console::{print_message, print_note};
use super::embedded;
use super::failure::{Failure, Outcome, chain, reason};
use super::session::{context, plan, services};
use super::statements::split;
use crate::Services;
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
pub(super) async fn run(mut arguments: Infer) -> Outcome {
    // What a statement names is what the user gave.
    let region = arguments.connection.region.clone();
    let _server = match arguments.embedded {
        false => None,
        true => match embedded::start_for_run(&mut arguments.connection).await {
            Ok(server) => Some(server),
            Err(error) => return failed(&chain(&error)),
        },
    };
    let services = services(&arguments.connection);
    if let Err(message) = run_files(&services, &arguments.file).await {
        return failed(&message);
    }
    let (table, sample) = match sampled(&services, &arguments).await {
        Ok(sampled) => sampled,
        Err(error) => return failed(&reason(&error)),
    };
    let records = sample
        .iter()
        .flat_map(|records| records.iter().map(Option::unwrap_or_default));
    let inferred = infer(records, arguments.format.into(), MAX_SAMPLE_BYTES);
    let stream = &table.options().stream;
    let statement = inferred.statement(Declared {
        location: &arguments.stream,
        stream: stream.name().as_str(),
        region: region.as_deref(),
    });
    if arguments.connection.endpoint_url.is_some() && !arguments.embedded {
        print_note(
            "the statement does not name --endpoint-url: give it again to run the statement",
        );
    }
    // If stdout is closed, nobody reads the statement.
    let _ = write!(io::stdout(), "{statement}");
    Outcome::Done
}

fn failed(message: &str) -> Outcome {
    print_message(message);
    Outcome::Failed
}

/// Runs the statements of files, which fill the streams, and drops their results.
async fn run_files(services: &Arc<Services>, files: &[PathBuf]) -> Result<(), String> {
    if files.is_empty() {
        return Ok(());
    }
    let ctx = context(services).map_err(|error| chain(&error))?;
    for path in files {
        let file = path.display();
        let text = fs::read_to_string(path).map_err(|error| format!("{file}: {error}"))?;
        for statement in split(&text) {
            let ran = async { plan(&ctx, &statement.in_place()).await?.collect().await };
            ran.await.map_err(|error| {
                let failure = Failure::from(error).describe(&statement);
                format!("{file}:{}: {failure}", statement.line())
            })?;
        }
    }
    Ok(())
}

/// The table of the stream, and the payloads of up to the requested number of records, from the oldest on, of all shards.
async fn sampled(
    services: &Arc<Services>,
    arguments: &Infer,
) -> Result<(Arc<KinesisTable>, Vec<BinaryArray>), DataFusionError> {
    let builder = || {
        KinesisTable::builder(&arguments.stream)
            .with_services(Arc::clone(services))
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
    let ctx = context(services)?;
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
