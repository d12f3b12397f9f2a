//! `kinesis-sql consumers`: lists the consumers of a stream, and deregisters one.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray};
use tokio::time::Instant;

use super::args::Consumers;
use super::console::{print_message, print_note};
use super::failure::{Failure, Outcome, chain};
use super::output::{Output, Printer, ResultKind};
use super::requests::{all_consumers, with_retries};
use super::session::services;
use crate::kinesis::{ApiErrorKind, ConsumerId, ConsumerStatus, ConsumerSummary, FanOut, Kinesis};
use crate::model::ConsumerName;
use crate::source::QUERY_TAG;
use crate::table::KinesisTable;
use crate::{Error, ErrorKind, Result};

/// The options of a connection begin with one of these.
const CONNECTION: [&str; 9] = [
    "kinesis.allowHttp",
    "kinesis.aws",
    "kinesis.credentialProvider",
    "kinesis.endpointUrl",
    "kinesis.kinesisRegion",
    "kinesis.region",
    "kinesis.sessionToken",
    "kinesis.sink.proxy",
    "kinesis.sts",
];

/// Lists the consumers, or deregisters one.
pub(super) async fn run(arguments: &Consumers) -> Outcome {
    let started = Instant::now();
    let done = async {
        let stream = Stream::find(arguments).await?;
        match &arguments.deregister {
            None => stream.listed().await.map(Done::Listed),
            Some(name) => stream.deregister(name).await.map(Done::Deregistered),
        }
    };
    match done.await {
        Ok(Done::Listed(listed)) => match print(&listed, arguments.shown.output(), started) {
            Ok(None) => {}
            Ok(Some(line)) => print_note(&line),
            Err(failure) => {
                let outcome = Outcome::from(&failure);
                if outcome == Outcome::Failed {
                    print_message(&failure.message());
                }
                return outcome;
            }
        },
        Ok(Done::Deregistered(what)) => print_note(&what),
        Err(error) => {
            print_message(&chain(&error));
            return Outcome::Failed;
        }
    }
    Outcome::Done
}

enum Done {
    Listed(Vec<Listed>),
    /// What was done.
    Deregistered(String),
}

/// A consumer, and the id of the query that has registered it, if known.
struct Listed {
    consumer: ConsumerSummary,
    query: Option<String>,
}

/// The stream whose consumers are wanted.
struct Stream {
    kinesis: Arc<dyn Kinesis>,
    arn: Arc<str>,
}

impl Stream {
    async fn find(arguments: &Consumers) -> Result<Self> {
        let services = services(&arguments.connection);
        let mut table =
            KinesisTable::builder(&arguments.stream).with_services(Arc::clone(&services));
        for option in &arguments.option {
            let (name, value) = option.parts()?;
            expect_connection(name)?;
            table = table.with_option(name, value);
        }
        let options = table.options()?;
        let kinesis = services.connect(&options.connection).await?;
        let found = with_retries(|| kinesis.describe_stream(&options.stream)).await;
        let found = found.map_err(|error| match error.kind() {
            ApiErrorKind::NotFound => Error::new(
                ErrorKind::NotFound,
                format!(
                    "stream '{}' does not exist for this caller: expected its name, or its ARN, and its region in \
                     argument '--region'",
                    arguments.stream
                ),
            ),
            _ => error.into_error(format!("stream '{}'", arguments.stream)),
        })?;
        Ok(Self {
            kinesis,
            arn: found.arn,
        })
    }

    fn fan_out(&self) -> Result<&dyn FanOut> {
        let fan_out = self.kinesis.fan_out();
        fan_out.ok_or_else(|| Error::internal("the client has no enhanced fan-out"))
    }

    async fn all(&self) -> Result<Vec<ConsumerSummary>> {
        let consumers = all_consumers(self.fan_out()?, &self.arn).await;
        consumers.map_err(|error| error.into_error(&self.arn))
    }

    /// All consumers, with the queries that have registered them. If a tag cannot be read, says so once.
    async fn listed(&self) -> Result<Vec<Listed>> {
        let (fan_out, mut reads_tags) = (self.fan_out()?, true);
        let mut listed = Vec::new();
        for consumer in self.all().await? {
            let mut query = None;
            if reads_tags {
                match with_retries(|| fan_out.consumer_tags(&consumer.arn)).await {
                    Ok(mut tags) => query = tags.remove(QUERY_TAG),
                    // It has just been deleted.
                    Err(error) if error.kind() == ApiErrorKind::NotFound => {}
                    Err(error) => {
                        reads_tags = false;
                        print_note(&format!(
                            "column 'query' is incomplete, because the tags of consumers cannot be read: {error}"
                        ));
                    }
                }
            }
            listed.push(Listed { consumer, query });
        }
        Ok(listed)
    }

    /// Deregisters a consumer. Returns what was done.
    async fn deregister(&self, name: &ConsumerName) -> Result<String> {
        let fan_out = self.fan_out()?;
        let id = ConsumerId::Name(&self.arn, name);
        let consumer = match with_retries(|| fan_out.describe_consumer(id)).await {
            Ok(consumer) => consumer,
            Err(error) if error.kind() == ApiErrorKind::NotFound => {
                return Err(self.without(name).await);
            }
            Err(error) => return Err(error.into_error(&self.arn)),
        };
        let arn = &consumer.arn;
        if consumer.status == ConsumerStatus::Deleting {
            return Ok(format!(
                "consumer '{name}' has been deregistered before, and is being deleted: {arn}"
            ));
        }
        match with_retries(|| fan_out.deregister_consumer(arn)).await {
            Ok(()) => {}
            // Deregistered by another caller, or by a call whose answer was lost.
            Err(error) if error.kind() == ApiErrorKind::NotFound => {}
            Err(error) => return Err(error.into_error(arn)),
        }
        Ok(format!(
            "deregistered consumer '{name}', which is deleted within seconds: {arn}"
        ))
    }

    /// The error if there is no consumer of this name.
    async fn without(&self, name: &ConsumerName) -> Error {
        let existing = match self.all().await {
            Ok(consumers) if consumers.is_empty() => "it has none".to_owned(),
            Ok(consumers) => {
                let names: Vec<_> = consumers.iter().map(|found| found.name.as_str()).collect();
                format!("expected one of '{}'", names.join("', '"))
            }
            Err(error) => error.to_string(),
        };
        let arn = &self.arn;
        let message = format!("consumer '{name}' does not exist in {arn}: {existing}");
        Error::new(ErrorKind::NotFound, message)
    }
}

fn expect_connection(name: &str) -> Result<()> {
    let given = name.trim().to_ascii_lowercase();
    let is_connection = |prefix: &str| given.starts_with(&prefix.to_ascii_lowercase());
    match CONNECTION.iter().any(|prefix| is_connection(prefix)) {
        true => Ok(()),
        false => Err(Error::invalid_option(format!(
            "argument '--option' '{name}': expected an option of the connection, such as 'kinesis.stsRoleArn' or \
             'kinesis.awsProfile'"
        ))),
    }
}

fn print(listed: &[Listed], output: Output, started: Instant) -> Result<Option<String>, Failure> {
    let batch = rows(listed)?;
    let mut printer = Printer::new(output, ResultKind::Rows, &batch.schema(), started);
    printer.batch(&batch)?;
    printer.finish()
}

/// One row for each consumer.
fn rows(listed: &[Listed]) -> Result<RecordBatch, Failure> {
    let text = |of: &dyn Fn(&ConsumerSummary) -> String| -> ArrayRef {
        let texts = listed.iter().map(|listed| of(&listed.consumer));
        Arc::new(StringArray::from_iter_values(texts))
    };
    let created = listed.iter().map(|listed| listed.consumer.created_at.0);
    let created = TimestampMillisecondArray::from_iter_values(created).with_timezone("UTC");
    let queries = listed.iter().map(|listed| listed.query.as_deref());
    let status = |consumer: &ConsumerSummary| status(consumer.status).to_owned();
    let columns: [(&str, ArrayRef, bool); 5] = [
        ("name", text(&|consumer| consumer.name.to_string()), false),
        ("status", text(&status), false),
        ("created", Arc::new(created), false),
        ("query", Arc::new(queries.collect::<StringArray>()), true),
        ("arn", text(&|consumer| consumer.arn.to_string()), false),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

/// The status as the service names it.
fn status(status: ConsumerStatus) -> &'static str {
    match status {
        ConsumerStatus::Creating => "CREATING",
        ConsumerStatus::Active => "ACTIVE",
        ConsumerStatus::Deleting => "DELETING",
    }
}
