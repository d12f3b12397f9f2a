//! `kinesis-sql infer`: prints the statement that declares a stream as a table, from a sample of its records.

mod given;
mod sample;
mod schemas;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::datatypes::Fields;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};

use self::given::Given;
use self::sample::Sample;
use super::args::{Infer, SampleFormat};
use super::console::{print_message, print_note};
use super::embedded;
use super::failure::{Failure, Outcome, chain, reason};
use super::session::{context, plan, services};
use super::statements::split;
use crate::format::infer::{Declared, Inferred, MAX_SAMPLE_BYTES, RequestedFormat, infer};
use crate::table::KinesisTable;
use crate::{Error, Result, Services};

impl From<SampleFormat> for RequestedFormat {
    fn from(format: SampleFormat) -> Self {
        match format {
            // Avro needs schemas, which are asked instead of the sample.
            SampleFormat::Auto | SampleFormat::Avro => Self::Auto,
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
    let given = Given::parse(&arguments.option);
    let checked = given.and_then(|given| Ok((given.are_avro(arguments.format)?, given)));
    let (are_avro, given) = match checked {
        Ok(checked) => checked,
        Err(error) => return failed(&chain(&error)),
    };
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
    let sample = match Sample::read(&services, &arguments, &given).await {
        Ok(sample) => sample,
        Err(error) => return failed(&reason(&error)),
    };
    let mut inferred = match inferred(&sample, &arguments, &given, are_avro, &services).await {
        Ok(inferred) => inferred,
        Err(error) => return failed(&chain(&error)),
    };
    let shown = given.shown();
    let declared = Declared {
        location: &arguments.stream,
        stream: sample.table.options().stream.name().as_str(),
        region: region.as_deref(),
        given: &shown,
    };
    let checked = check(&mut inferred, declared, &given, &sample, &services).await;
    if let Err(message) = checked {
        return failed(&message);
    }
    let statement = inferred.statement(declared);
    if arguments.connection.endpoint_url.is_some() && !arguments.embedded {
        print_note(
            "the statement does not name --endpoint-url: give it again to run the statement",
        );
    }
    // If stdout is closed, nobody reads the statement.
    let _ = write!(io::stdout(), "{statement}");
    Outcome::Done
}

/// What the sample shows.
async fn inferred(
    sample: &Sample,
    arguments: &Infer,
    given: &Given,
    are_avro: bool,
    services: &Arc<Services>,
) -> Result<Inferred> {
    if are_avro {
        let table = KinesisTable::builder(&arguments.stream).with_services(Arc::clone(services));
        let options = given
            .set_on(table.with_option("kinesis.format", "avro"))
            .options()?;
        let has = (
            given.has("kinesis.avro.framing"),
            given.has("kinesis.format.compression"),
        );
        return schemas::inferred(sample, &options, has, services).await;
    }
    let payloads = sample.payloads.iter();
    let records = payloads.flat_map(|records| records.iter().map(Option::unwrap_or_default));
    let reading = given.reading(&arguments.stream, arguments.format)?;
    let requested = arguments.format.into();
    let inferred = infer(records, requested, &reading, MAX_SAMPLE_BYTES);
    given.expect_readable(&inferred)?;
    Ok(inferred)
}

/// Decodes the sample with the table that the statement declares, so that its comments are true.
async fn check(
    inferred: &mut Inferred,
    declared: Declared<'_>,
    given: &Given,
    sample: &Sample,
    services: &Arc<Services>,
) -> Result<(), String> {
    let columns = columns_of(&inferred.statement(declared), services).await;
    let columns = columns.map_err(|error| reason(&error))?;
    let mut table = given.set_on(KinesisTable::builder(declared.location));
    for (name, value) in inferred.options(&declared) {
        if !given.has(name) {
            table = table.with_option(name, value);
        }
    }
    let table = table.with_columns(columns.clone());
    let checked = table.check().and_then(|()| match table.options()?.format {
        None => Ok(()),
        Some(format) => {
            inferred.decode(&sample.payloads, &columns, &format)?;
            given.expect_readable(inferred)
        }
    });
    checked.map_err(|error| chain(&error))
}

/// The columns that a statement declares.
async fn columns_of(statement: &str, services: &Arc<Services>) -> DataFusionResult<Fields> {
    let ctx = context(services)?;
    match ctx.state().create_logical_plan(statement).await? {
        LogicalPlan::Ddl(DdlStatement::CreateExternalTable(table)) => {
            Ok(table.schema.fields().clone())
        }
        _ => Err(Error::internal("the statement declares no table").into()),
    }
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
