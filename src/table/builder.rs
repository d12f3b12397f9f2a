//! Makes a table: options checked, stream found.

use std::fmt;
use std::sync::Arc;

use super::kinesis_table::{KinesisTable, TableConfig};
use super::services::Services;
use super::stream_lookup::find_stream;
use crate::aws::CredentialProviders;
use crate::error::Result;
use crate::model::BaseCredentials;
use crate::options::{CommitterKind, OptionsBuilder, TableOptions};
use crate::sink::{SinkSettings, SinkStream};
use crate::source::{RowColumn, reject_future_start};

/// Makes a [`KinesisTable`].
pub struct KinesisTableBuilder {
    stream: String,
    options: Vec<(String, String)>,
    services: Arc<Services>,
    unbounded: bool,
    seed: Option<u64>,
}

impl KinesisTable {
    /// Starts building a table of the stream with this name or ARN.
    pub fn builder(stream: impl Into<String>) -> KinesisTableBuilder {
        KinesisTableBuilder {
            stream: stream.into(),
            options: Vec::new(),
            services: Arc::new(Services::default()),
            unbounded: false,
            seed: None,
        }
    }
}

impl KinesisTableBuilder {
    /// Sets an option as in `OPTIONS (…)`; [`build`](Self::build) reports what is wrong with it.
    #[must_use]
    pub fn with_option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }

    /// Makes it a table that streaming queries read, as `CREATE UNBOUNDED EXTERNAL TABLE` does. It starts
    /// with what arrives from now on, unless `kinesis.startingPosition` says otherwise.
    #[must_use]
    pub fn unbounded(mut self) -> Self {
        self.unbounded = true;
        self
    }

    /// Takes the way to the service from `services`: to share clients with other tables, or to use a
    /// simulator.
    #[must_use]
    pub fn with_services(mut self, services: Arc<Services>) -> Self {
        self.services = services;
        self
    }

    /// Spreads waits by this seed instead of one drawn at random.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The options, checked and completed; nothing is sent.
    pub(crate) fn options(&self) -> Result<TableOptions> {
        let mut builder = OptionsBuilder::default();
        for (name, value) in &self.options {
            builder.set(name, value)?;
        }
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
        Ok(options)
    }

    /// Checks the options and finds the stream.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) before anything is sent, also for a start that
    /// lies more than five seconds beyond the clock;
    /// [`NotFound`](crate::ErrorKind::NotFound) where the stream is missing;
    /// what the service answers otherwise.
    pub async fn build(self) -> Result<KinesisTable> {
        let options = self.options()?;
        let clock = self.services.clock();
        let seed = self.seed.unwrap_or_else(|| fastrand::Rng::new().u64(..));
        let kinesis = self.services.connect(&options.connection).await?;
        let random = fastrand::Rng::with_seed(seed);
        let summary = find_stream(&*kinesis, &options, random).await?;
        let sink = SinkStream::new(
            Arc::clone(&kinesis),
            summary.stream.clone(),
            sink_settings(&options),
        );
        Ok(KinesisTable::new(TableConfig {
            sink,
            columns: RowColumn::all(&options.extra_columns),
            kinesis,
            options,
            summary,
            unbounded: self.unbounded,
            clock,
            access: self.services.access(),
            seed,
        }))
    }
}

/// The names of the options without their values: what is secret among them is not known before they are
/// read, and a wrong one may hold a secret, too.
impl fmt::Debug for KinesisTableBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.options.iter().map(|(name, _)| name).collect();
        f.debug_struct("KinesisTableBuilder")
            .field("stream", &self.stream)
            .field("options", &names)
            .field("unbounded", &self.unbounded)
            .finish_non_exhaustive()
    }
}

fn sink_settings(options: &TableOptions) -> SinkSettings {
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
    fn no_value_of_an_option_shows_in_debug() {
        let named = all().map(|option| option.name);
        // Misspelled, so that nothing knows that it is secret.
        let names = named.chain(["kinesis.awsSecretkeyy"]);
        let builder = names.fold(KinesisTable::builder("words"), |builder, name| {
            builder.with_option(name, "canary")
        });
        let shown = format!("{builder:?} {builder:#?}");
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("kinesis.awsSecretKey"), "{shown}");
    }
}
