//! Arguments of `kinesis-sql infer`.

use std::path::PathBuf;

use super::{Connection, OptionText};

const INFER_AFTER_HELP: &str = "\
The statement is ready to be run. Its comments say for each column in how many documents the field was,
how often it was NULL, and a sample value; these are data of the stream. Compression (gzip, Zstandard),
JSON in every framing, CSV, messages of CloudWatch Logs and DynamoDB, and the headers of Avro are
recognized; Protobuf cannot be. For Avro, columns come from the schemas that -o gives: of a registry
(kinesis.schemaRegistry.url or .type) or of a file (kinesis.avro.schema). Without them, comments say which
options to set. The statement repeats the options of -o, with '...' in place of secrets.

A stream is never inferred by a statement: types must not change with what a stream happens to hold.";

/// Arguments of `infer`.
#[derive(Debug, clap::Args)]
#[command(after_help = INFER_AFTER_HELP)]
pub(in crate::cli) struct Infer {
    /// Name or ARN of the stream
    #[arg(value_name = "STREAM")]
    pub(in crate::cli) stream: String,
    /// Start an in-memory Kinesis in this process, and fill it with the statements of -f
    #[arg(long, conflicts_with = "endpoint_url", requires = "file")]
    pub(in crate::cli) embedded: bool,
    /// With --embedded: first run the statements in a file; repeatable
    #[arg(short, long = "file", value_name = "FILE", requires = "embedded")]
    pub(in crate::cli) file: Vec<PathBuf>,
    /// Maximum number of records to read, spread over the shards, from the oldest on
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = sample_size)]
    pub(in crate::cli) records: usize,
    /// Option of the table as in OPTIONS, such as kinesis.schemaRegistry.url=https://…; repeatable
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(in crate::cli) option: Vec<OptionText>,
    /// Format of the payloads
    #[arg(long, value_enum, default_value_t = SampleFormat::Auto, value_name = "FORMAT")]
    pub(in crate::cli) format: SampleFormat,
    #[command(flatten)]
    pub(in crate::cli) connection: Connection,
}

/// The most records of a sample.
const MAX_SAMPLE: usize = 1_000_000;

fn sample_size(text: &str) -> Result<usize, String> {
    let size = text.parse().ok();
    size.filter(|size| (1..=MAX_SAMPLE).contains(size))
        .ok_or_else(|| format!("expected a number from 1 to {MAX_SAMPLE}"))
}

/// How the payloads are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(in crate::cli) enum SampleFormat {
    /// Whatever most of the records look like
    Auto,
    /// JSON objects
    Json,
    /// Lines of delimited values
    Csv,
    /// Plain text
    Text,
    /// What CloudWatch Logs subscriptions deliver
    CloudwatchLogs,
    /// What DynamoDB writes about changed items
    Dynamodb,
    /// Avro with the schemas that the options give
    Avro,
}
