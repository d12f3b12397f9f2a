//! Builds a [`KinesisTable`]: checks its options and looks up the stream.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use datafusion::arrow::datatypes::Fields;

use super::columns::TableColumns;
use super::kinesis_table::{KinesisTable, TableConfig};
use super::registered_schemas::RegisteredSchemas;
use super::schema_files;
use super::services::Services;
use super::stream_lookup::find_stream;
use crate::aws::CredentialProviders;
use crate::error::Result;
use crate::kinesis::Kinesis;
use crate::model::{BaseCredentials, StreamIdentity};
use crate::options::{
    CheckedOptions, CommitterKind, FormatOptions, OnError, OptionsBuilder, TableOptions,
};
use crate::schema_registry::SchemaRegistry;
use crate::sink::{SinkSettings, SinkStream};
use crate::source::reject_future_start;

/// Builds a [`KinesisTable`].
pub struct KinesisTableBuilder {
    stream: String,
    options: TableOptions,
    columns: Fields,
    services: Arc<Services>,
    unbounded: bool,
    seed: Option<u64>,
}

impl KinesisTable {
    /// Starts building a table of the stream with this name or ARN.
    pub fn builder(stream: impl Into<String>) -> KinesisTableBuilder {
        KinesisTableBuilder {
            stream: stream.into(),
            options: TableOptions::default(),
            columns: Fields::empty(),
            services: Arc::new(Services::default()),
            unbounded: false,
            seed: None,
        }
    }
}

impl KinesisTableBuilder {
    /// Sets an option as in `OPTIONS (…)`. [`build`](Self::build) reports invalid options.
    #[must_use]
    pub fn with_option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options = self.options.with(name, value);
        self
    }

    /// Adds typed options to those already set.
    #[must_use]
    pub fn with_options(mut self, options: TableOptions) -> Self {
        self.options.append(options);
        self
    }

    /// Declares the columns of the payload, like the column list of `CREATE EXTERNAL TABLE`. Option
    /// `kinesis.format` says how they are decoded and encoded.
    #[must_use]
    pub fn with_columns(mut self, columns: impl Into<Fields>) -> Self {
        self.columns = columns.into();
        self
    }

    /// Makes it a source of streaming queries, like `CREATE UNBOUNDED EXTERNAL TABLE`. By default a new query
    /// starts with the records that arrive after its creation; `kinesis.startingPosition` changes that.
    #[must_use]
    pub fn unbounded(mut self) -> Self {
        self.unbounded = true;
        self
    }

    /// Uses the clients of `services`, to share them with other tables or to use a simulator.
    #[must_use]
    pub fn with_services(mut self, services: Arc<Services>) -> Self {
        self.services = services;
        self
    }

    /// Seeds the jitter of retries. The default seed is random.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The options, validated and with defaults filled in. Reads files that they name, but sends no request.
    pub(crate) fn options(&self) -> Result<CheckedOptions> {
        let mut builder = OptionsBuilder::default();
        self.options.set_on(&mut builder)?;
        builder.set_location(&self.stream)?;
        if self.unbounded {
            builder.unbounded();
        }
        let mut options = builder.finish()?;
        reject_future_start(
            &options.source.starting_position,
            self.services.clock().now(),
        )?;
        if let CommitterKind::DynamoDb(dynamodb) = &options.source.metadata.committer
            && let Some(BaseCredentials::Provider { name, .. }) = &dynamodb.credentials.base
        {
            CredentialProviders::expect(name)?;
        }
        options.connection = self.services.completed(&options.connection);
        if let Some(format) = &mut options.format {
            schema_files::read(&mut format.format)?;
        }
        Ok(options)
    }

    /// Checks the options without sending a request. [`build`](Self::build) checks them, too.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption), also for a start more than five seconds in the
    /// future.
    pub fn check(&self) -> Result<()> {
        TableColumns::new(&self.options()?, &self.columns).map(|_| ())
    }

    /// Checks the options and looks up the stream.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) before the first request, also for a start more than
    /// five seconds in the future; [`NotFound`](crate::ErrorKind::NotFound) if the stream does not exist; any
    /// other error of the service.
    pub async fn build(self) -> Result<KinesisTable> {
        let options = self.options()?;
        let columns = TableColumns::new(&options, &self.columns)?;
        let clock = self.services.clock();
        let seed = self.seed.unwrap_or_else(|| fastrand::Rng::new().u64(..));
        let kinesis = self.services.connect(&options.connection).await?;
        let random = fastrand::Rng::with_seed(seed);
        let summary = find_stream(&*kinesis, &options.stream, &options, random).await?;
        let sink = SinkStream::new(
            Arc::clone(&kinesis),
            summary.stream.clone(),
            sink_settings(&options),
        );
        let dead_letters = match &options.format {
            Some(FormatOptions {
                on_error: OnError::DeadLetter(target),
                ..
            }) => Some(dead_letter_stream(&kinesis, target, &options, seed).await?),
            _ => None,
        };
        let schemas = match options.schema_registry() {
            Some(registry) => {
                let access = self.services.access();
                let registry = SchemaRegistry::connect(registry, &options.connection, &access);
                let clock = Arc::clone(&clock);
                Some(RegisteredSchemas::new(
                    registry.await?,
                    options.retry,
                    clock,
                ))
            }
            None => None,
        };
        Ok(KinesisTable::new(TableConfig {
            sink,
            columns,
            dead_letters,
            schemas,
            kinesis,
            options,
            summary,
            unbounded: self.unbounded,
            clock,
            access: self.services.access(),
            seed,
            inserts: AtomicU64::new(0),
            #[cfg(feature = "ui")]
            given: self.options,
        }))
    }
}

impl fmt::Debug for KinesisTableBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KinesisTableBuilder")
            .field("stream", &self.stream)
            .field("options", &self.options)
            .field("unbounded", &self.unbounded)
            .finish_non_exhaustive()
    }
}

/// The stream for documents that cannot be parsed, created if the options say so. It must exist: a query would
/// otherwise find out with the first bad document.
async fn dead_letter_stream(
    kinesis: &Arc<dyn Kinesis>,
    target: &StreamIdentity,
    options: &CheckedOptions,
    seed: u64,
) -> Result<SinkStream> {
    let random = fastrand::Rng::with_seed(seed);
    let found = find_stream(&**kinesis, target, options, random).await;
    let summary = found.map_err(|error| {
        error.in_context(format!(
            "option 'kinesis.format.deadLetterStream' = '{target}'"
        ))
    })?;
    let settings = SinkSettings {
        // Each dead letter is a record of its own, for any consumer.
        aggregation: false,
        ..sink_settings(options)
    };
    Ok(SinkStream::new(
        Arc::clone(kinesis),
        summary.stream,
        settings,
    ))
}

fn sink_settings(options: &CheckedOptions) -> SinkSettings {
    let sink = &options.sink;
    SinkSettings {
        aggregation: sink.aggregation,
        max_buffered: sink.max_buffered_time,
        flush_wait: sink.flush_wait,
        record_ttl: sink.record_ttl.or(Some(SinkSettings::RECORD_TTL)),
        max_connections: sink.max_connections,
        retry: options.retry,
        ..SinkSettings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::all;

    #[test]
    fn debug_output_omits_option_values() {
        let known = all().map(|option| option.name);
        // Misspelled, and therefore not known to be secret.
        let names = known.chain(["kinesis.awsSecretkeyy"]);
        let builder = names.fold(KinesisTable::builder("words"), |builder, name| {
            builder.with_option(name, "canary")
        });
        let shown = format!("{builder:?} {builder:#?}");
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("kinesis.awsSecretKey"), "{shown}");
    }
}
