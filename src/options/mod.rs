//! What a user may write in `OPTIONS (…)`: one table of options, their parsers, and the rules
//! across them.
//!
//! The spelling a user chose ends here: behind [`TableOptions`] there are enums, durations and
//! checked numbers only.

mod position;
mod spec;
mod value;

use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::{
    ConnectionSettings, RetryPolicy, Secret, StartingPosition, StaticCredentials, StreamIdentity,
};

pub use spec::{OPTIONS, OptionSpec, Role, markdown};

const MAX_BATCH_BYTES: usize = 64 * 1024 * 1024;
const BUFFER_MAX_BYTES: usize = 256 * 1024 * 1024;
const DESCRIBE_SHARD_INTERVAL: Duration = Duration::from_secs(1);

/// All options of one table, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct TableOptions {
    /// The stream behind the table.
    pub stream: StreamIdentity,
    /// How to reach the service.
    pub connection: ConnectionSettings,
    /// When a failed request is sent again.
    pub retry: RetryPolicy,
    /// Set when a missing stream is to be made, with this many shards.
    pub create_with_shards: Option<u32>,
    /// Columns after the five standard ones.
    pub extra_columns: Vec<ExtraColumn>,
    /// How it is read.
    pub source: SourceOptions,
    /// How it is written.
    pub sink: SinkOptions,
}

/// A column a table has only on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExtraColumn {
    /// `shardId`, text.
    ShardId,
    /// `subSequenceNumber`, the place in an aggregated record from 0.
    SubSequenceNumber,
    /// `explicitHashKey`, text; null where the producer gave none.
    ExplicitHashKey,
}

impl ExtraColumn {
    /// All of them, in the order they stand in a schema.
    pub const ALL: [Self; 3] = [
        Self::ShardId,
        Self::SubSequenceNumber,
        Self::ExplicitHashKey,
    ];

    /// The name of the column.
    pub fn name(self) -> &'static str {
        match self {
            Self::ShardId => "shardId",
            Self::SubSequenceNumber => "subSequenceNumber",
            Self::ExplicitHashKey => "explicitHashKey",
        }
    }
}

/// How a table is read.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceOptions {
    /// Where reading starts.
    pub starting_position: StartingPosition,
    /// The most rows of one shard; none: to the tip.
    pub max_records_per_shard: Option<u64>,
    /// How long a batch waits for a shard that is catching up; none: not at all.
    pub max_fetch_time_per_shard: Option<Duration>,
    /// Bytes a batch of a streaming query reads, over all shards.
    pub max_batch_bytes: usize,
    /// Bytes a streaming query reads ahead, over all shards.
    pub buffer_max_bytes: usize,
    /// The time from one listing of the shards to the next.
    pub describe_shard_interval: Duration,
    /// The most records of one GetRecords.
    pub records_per_fetch: usize,
    /// The least time between two GetRecords of a shard.
    pub fetch_interval: Duration,
    /// What becomes of user records outside the hash range of the shard they were read from.
    pub hash_filter: HashFilter,
}

/// What becomes of user records that lie in a shard whose hash range does not contain them.
///
/// A producer with an outdated shard map writes such records after a reshard and sends them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashFilter {
    /// Those outside are left out, one by one.
    PerRecord,
    /// One outside leaves out its whole aggregated record, as the Kinesis Client Library does.
    Kcl,
    /// All are kept.
    None,
}

/// How a table is written.
#[derive(Debug, Clone, PartialEq)]
pub struct SinkOptions {
    /// Whether rows are packed into aggregated records.
    pub aggregation: bool,
    /// The wait before refused records are sent again; it doubles with each refusal.
    pub flush_wait: Duration,
    /// The longest a row waits for others to share its aggregated record.
    pub max_buffered_time: Duration,
    /// Requests in flight.
    pub max_connections: usize,
    /// How long a row is tried before the statement fails.
    pub record_ttl: Duration,
}

/// Options as they are collected, before the rules across them are applied.
#[derive(Debug, Clone, Default)]
struct Draft {
    stream: Option<StreamIdentity>,
    endpoint_url: Option<String>,
    region: Option<String>,
    access_key_id: Option<Secret>,
    secret_key: Option<Secret>,
    session_token: Option<Secret>,
    max_retries: u32,
    retry_interval: Duration,
    max_retry_interval: Duration,
    create_stream: bool,
    shard_count: Option<u32>,
    extra_columns: Vec<ExtraColumn>,
    starting_position: Option<StartingPosition>,
    position_stream: Option<String>,
    max_records_per_shard: Option<u64>,
    records_per_fetch: usize,
    fetch_interval: Duration,
    hash_filter: Option<HashFilter>,
    aggregation: bool,
    flush_wait: Duration,
    max_buffered_time: Duration,
    max_connections: usize,
    record_ttl: Duration,
}

impl Draft {
    fn retry_policy(&self) -> Result<RetryPolicy> {
        let policy = RetryPolicy {
            max_retries: self.max_retries,
            first_interval: self.retry_interval,
            max_interval: self.max_retry_interval,
        };
        if policy.first_interval <= policy.max_interval {
            return Ok(policy);
        }
        Err(Error::invalid_option(format!(
            "option 'kinesis.clientRetryIntervalsMs' = '{}': expected at most \
             'kinesis.clientMaxRetryIntervalMs', which is '{}'",
            policy.first_interval.as_millis(),
            policy.max_interval.as_millis()
        )))
    }

    fn create_with_shards(&self) -> Result<Option<u32>> {
        match (self.create_stream, self.shard_count) {
            (true, count) => Ok(Some(count.unwrap_or(1))),
            (false, None) => Ok(None),
            (false, Some(count)) => Err(Error::invalid_option(format!(
                "option 'kinesis.shardCount' = '{count}': expected only together with \
                 'kinesis.createStream' = 'true'"
            ))),
        }
    }
}

/// Collects options by name, in any order, then checks them together.
#[derive(Debug, Clone)]
pub struct OptionsBuilder {
    draft: Draft,
    given: Vec<&'static str>,
}

impl Default for OptionsBuilder {
    fn default() -> Self {
        let mut draft = Draft::default();
        for option in OPTIONS {
            if let Some(default) = option.default {
                option
                    .set(&mut draft, default)
                    .expect("a test parses every default");
            }
        }
        Self {
            draft,
            given: Vec::new(),
        }
    }
}

impl OptionsBuilder {
    /// Takes one option; names match without regard to case.
    ///
    /// # Errors
    /// The name is unknown (with the nearest known one), was given before, or does not take `value`.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let option = spec::find(name)?;
        if self.given.contains(&option.name) {
            return Err(Error::invalid_option(format!(
                "option '{}' is given twice",
                option.name
            )));
        }
        self.given.push(option.name);
        option.set(&mut self.draft, value)
    }

    /// Takes the stream from LOCATION.
    ///
    /// # Errors
    /// It is no stream name or ARN.
    pub fn set_location(&mut self, location: &str) -> Result<()> {
        let stream = StreamIdentity::parse(location)
            .map_err(|error| Error::invalid_option(format!("LOCATION: {error}")))?;
        match &self.draft.stream {
            Some(other) if other.name() != stream.name() => Err(Error::invalid_option(format!(
                "LOCATION names stream '{stream}', option 'kinesis.streamName' names '{other}': \
                 expected the same stream, or only one of them"
            ))),
            Some(other) if other.arn().is_some() => Ok(()),
            _ => {
                self.draft.stream = Some(stream);
                Ok(())
            }
        }
    }

    /// Checks the options together.
    ///
    /// # Errors
    /// No stream is named, a pair of credentials is incomplete, or options contradict each other.
    pub fn finish(self) -> Result<TableOptions> {
        let credentials = self.credentials()?;
        let draft = self.draft;
        let retry = draft.retry_policy()?;
        let create_with_shards = draft.create_with_shards()?;
        let stream = draft.stream.ok_or_else(|| {
            Error::invalid_option("no stream: expected its name or ARN as LOCATION")
        })?;
        if let Some(other) = &draft.position_stream
            && other != stream.name().as_str()
        {
            return Err(Error::invalid_option(format!(
                "option 'kinesis.startingPosition' has positions of stream '{other}', \
                 expected those of '{}'",
                stream.name()
            )));
        }
        let region = draft.region.or(stream.arn_region().map(str::to_owned));
        Ok(TableOptions {
            stream,
            connection: ConnectionSettings {
                endpoint_url: draft.endpoint_url,
                region,
                credentials,
            },
            retry,
            create_with_shards,
            extra_columns: draft.extra_columns,
            source: SourceOptions {
                starting_position: draft
                    .starting_position
                    .unwrap_or(StartingPosition::TrimHorizon),
                max_records_per_shard: draft.max_records_per_shard,
                max_fetch_time_per_shard: None,
                max_batch_bytes: MAX_BATCH_BYTES,
                buffer_max_bytes: BUFFER_MAX_BYTES,
                describe_shard_interval: DESCRIBE_SHARD_INTERVAL,
                records_per_fetch: draft.records_per_fetch,
                fetch_interval: draft.fetch_interval,
                hash_filter: draft.hash_filter.unwrap_or(HashFilter::PerRecord),
            },
            sink: SinkOptions {
                aggregation: draft.aggregation,
                flush_wait: draft.flush_wait,
                max_buffered_time: draft.max_buffered_time,
                max_connections: draft.max_connections,
                record_ttl: draft.record_ttl,
            },
        })
    }

    fn credentials(&self) -> Result<Option<StaticCredentials>> {
        let draft = &self.draft;
        match (&draft.access_key_id, &draft.secret_key) {
            (Some(access_key_id), Some(secret_key)) => Ok(Some(StaticCredentials {
                access_key_id: access_key_id.clone(),
                secret_key: secret_key.clone(),
                session_token: draft.session_token.clone(),
            })),
            (None, None) if draft.session_token.is_none() => Ok(None),
            (access_key_id, _) => {
                let missing = if access_key_id.is_none() {
                    "kinesis.awsAccessKeyId"
                } else {
                    "kinesis.awsSecretKey"
                };
                Err(Error::invalid_option(format!(
                    "option '{missing}' is missing: expected 'kinesis.awsAccessKeyId' and \
                     'kinesis.awsSecretKey' together"
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests;
