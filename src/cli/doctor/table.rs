//! Checks one table: credentials, clock, stream, and permissions.

mod dead_letters;
mod fan_out;
mod permissions;
mod registry;

use std::sync::Arc;

use super::report::Section;
use crate::aws::ClockSkew;
use crate::cli::requests::with_retries;
use crate::kinesis::{ApiError, ApiErrorKind, Kinesis, StreamStatus, StreamSummary};
use crate::options::CheckedOptions;
use crate::table::Services;

/// What the statements of the files do with a table.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Uses {
    pub(super) reads: bool,
    /// Whether a statement reads it until the query is stopped.
    pub(super) follows: bool,
    pub(super) writes: bool,
}

/// A table with valid options.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) options: CheckedOptions,
    pub(super) uses: Uses,
    pub(super) section: Section,
    /// Why the table cannot be read, if it can only be written.
    pub(super) unreadable: Option<String>,
    /// Whether the dead-letter stream cannot be used.
    lacks_dead_letters: bool,
    kinesis: Option<Arc<dyn Kinesis>>,
    stream: Option<StreamSummary>,
}

impl Table {
    pub(super) fn new(name: String, options: CheckedOptions, section: Section) -> Self {
        Self {
            name,
            options,
            uses: Uses::default(),
            section,
            unreadable: None,
            lacks_dead_letters: false,
            kinesis: None,
            stream: None,
        }
    }

    /// Whether the table can be made.
    pub(super) fn is_accessible(&self) -> bool {
        let mut stream = self.stream.iter();
        stream.any(|stream| is_usable(stream.status)) && !self.lacks_dead_letters
    }

    /// Checks network, credentials, clock and stream.
    pub(super) async fn check_access(&mut self, services: &Services) {
        match services
            .access()
            .describe_network(&self.options.connection)
            .await
        {
            Ok(None) => {}
            Ok(Some(way)) => self.section.passed("network", way),
            Err(error) => return self.section.failed("network", error),
        }
        if !self.credentials(services).await {
            return;
        }
        let kinesis = match services.connect(&self.options.connection).await {
            Ok(kinesis) => kinesis,
            Err(error) => return self.section.failed("endpoint", error),
        };
        let stream = &self.options.stream;
        let found = with_retries(|| kinesis.describe_stream(stream)).await;
        match found {
            Ok(found) => {
                self.kinesis = Some(Arc::clone(&kinesis));
                match is_usable(found.status) {
                    true => self.section.passed("stream", described(&found)),
                    false => self.section.failed("stream", described(&found)),
                }
                self.stream = Some(found);
            }
            Err(error) if error.kind() == ApiErrorKind::NotFound => self.missing(),
            Err(error) => {
                self.section.failed("stream", self.explain(&error));
                // Other required calls may still be allowed.
                if error.kind() == ApiErrorKind::AccessDenied {
                    self.kinesis = Some(Arc::clone(&kinesis));
                }
            }
        }
        self.check_dead_letter_stream(&*kinesis).await;
        self.check_schema_registry(services).await;
    }

    async fn credentials(&mut self, services: &Services) -> bool {
        match services.access().caller(&self.options.connection).await {
            Ok(caller) => {
                let by = caller.identity;
                match caller.arn {
                    Some(Ok(arn)) => self
                        .section
                        .passed("credentials", format!("{arn}, by {by}")),
                    None => self.section.passed("credentials", by),
                    Some(Err(why)) => {
                        let detail = format!(
                            "{by}; the caller is unknown because STS cannot be reached: {why}"
                        );
                        self.section.unknown("credentials", detail);
                    }
                }
                match caller.skew.map(ClockSkew::problem) {
                    Some(Some(problem)) => self.section.failed("clock", problem),
                    Some(None) => self.section.passed("clock", "agrees with AWS"),
                    None => {}
                }
                true
            }
            Err(error) => {
                self.section.failed("credentials", error);
                false
            }
        }
    }

    fn missing(&mut self) {
        let stream = &self.options.stream;
        let region = self.region();
        if self.options.create_with_shards.is_some() {
            let detail = format!("'{stream}' does not exist in {region}; CREATE TABLE creates it");
            return self.section.unknown("stream", detail);
        }
        self.section.failed(
            "stream",
            format!(
                "'{stream}' does not exist in {region} for this caller: create it, or correct LOCATION \
                 or 'kinesis.kinesisRegion'"
            ),
        );
    }

    /// The region as it is named in messages.
    fn region(&self) -> String {
        match &self.options.connection.region {
            Some(region) => format!("region '{region}'"),
            None => "the region of the environment".to_owned(),
        }
    }

    /// The error message, with advice.
    fn explain(&self, error: &ApiError) -> String {
        let region = self.options.connection.region.as_deref();
        match (error.kind(), region) {
            (ApiErrorKind::Unavailable, Some(region)) => format!(
                "{error}; check that region '{region}' is correct and its endpoint reachable from this host"
            ),
            _ => error.to_string(),
        }
    }
}

/// Whether a stream with this status can be read and written.
fn is_usable(status: StreamStatus) -> bool {
    matches!(status, StreamStatus::Active | StreamStatus::Updating)
}

/// Describes a stream.
fn described(stream: &StreamSummary) -> String {
    let status = match stream.status {
        StreamStatus::Creating => "is being created and cannot be used yet",
        StreamStatus::Active => "is active",
        StreamStatus::Updating => "is being updated and can be used",
        StreamStatus::Deleting => "is being deleted",
    };
    let hours = stream.retention.as_secs() / 3_600;
    format!(
        "{status}; open shards: {}, retention: {hours} h",
        stream.open_shards
    )
}
