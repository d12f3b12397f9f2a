//! The parsed options of a table, and the checks that involve several options.

mod credentials;
mod fan_out;
mod format;
mod proxy;
mod registry;
mod useless;

use std::time::Duration;

use super::position::UnresolvedPosition;
use super::{
    CheckedOptions, CommitterKind, DynamoDbSettings, FanOutOptions, HashFilter, KeySource,
    MetadataColumn, MetadataOptions, RequestedColumn, SinkOptions, SourceOptions,
};
use crate::error::{Error, Result};
use crate::model::{
    ConnectionSettings, RetryPolicy, StartingPosition, StreamIdentity, WireFormat, is_unencrypted,
    region_of_endpoint,
};
use credentials::CredentialsDraft;
use fan_out::FanOutDraft;
use format::FormatDraft;
#[cfg(feature = "cli")]
pub(crate) use format::is_of_format;
pub(super) use format::{DraftFormat, DraftOnError};
use proxy::ProxyDraft;

/// Parsed options, before the checks that involve several options.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    pub(super) unbounded: bool,
    pub(super) stream: Option<StreamIdentity>,
    pub(super) endpoint_url: Option<String>,
    pub(super) allow_http: bool,
    pub(super) wire_format: WireFormat,
    pub(super) region: Option<String>,
    pub(super) kinesis_region: Option<String>,
    pub(super) credentials: CredentialsDraft,
    pub(super) dynamodb_credentials: CredentialsDraft,
    pub(super) max_retries: u32,
    pub(super) retry_interval: Duration,
    pub(super) max_retry_interval: Duration,
    pub(super) create_stream: bool,
    pub(super) shard_count: Option<u32>,
    pub(super) columns: Vec<RequestedColumn>,
    pub(super) format: FormatDraft,
    pub(super) starting_position: Option<UnresolvedPosition>,
    pub(super) ordered: bool,
    pub(super) max_records_per_shard: Option<u64>,
    pub(super) max_fetch_time: Option<Duration>,
    pub(super) max_batch_bytes: usize,
    pub(super) buffer_max_bytes: usize,
    pub(super) describe_shard_interval: Duration,
    pub(super) fan_out: FanOutDraft,
    pub(super) fail_on_data_loss: bool,
    pub(super) in_dynamodb: bool,
    pub(super) dynamodb: DynamoDbSettings,
    pub(super) metadata_path: Option<String>,
    pub(super) min_batches_to_retain: u64,
    pub(super) metadata_max_retries: u32,
    pub(super) metadata_retry_interval: Duration,
    pub(super) metadata_max_retry_interval: Duration,
    pub(super) records_per_fetch: usize,
    pub(super) fetch_interval: Duration,
    pub(super) hash_filter: Option<HashFilter>,
    pub(super) aggregation: bool,
    pub(super) flush_wait: Duration,
    pub(super) max_buffered_time: Duration,
    pub(super) max_connections: usize,
    pub(super) record_ttl: Option<Duration>,
    pub(super) partition_key: Option<KeySource>,
    pub(super) explicit_hash_key: Option<String>,
    pub(super) proxy: ProxyDraft,
}

impl Draft {
    /// Checks the options together. `given` lists the names of the options that were set.
    pub(super) fn finish(mut self, given: &[&'static str]) -> Result<CheckedOptions> {
        self.refuse_plain_http()?;
        let retry = checked(
            self.client_retry(),
            "kinesis.clientRetryIntervalsMs",
            "kinesis.clientMaxRetryIntervalMs",
        )?;
        let metadata_retry = checked(
            self.metadata_retry(),
            "kinesis.metadataRetryIntervalsMs",
            "kinesis.metadataMaxRetryIntervalMs",
        )?;
        let create_with_shards = self.create_with_shards()?;
        let committer = self.committer(given)?;
        let stream = self.stream.clone().ok_or_else(|| {
            Error::invalid_option("no stream is named: expected a stream name or ARN as LOCATION")
        })?;
        let format = self.format.finish(given, &stream)?;
        let position = self.starting_position(&stream)?;
        let fan_out = self.fan_out.finish(given, &stream)?;
        let connection = ConnectionSettings {
            endpoint_url: self.endpoint_url.clone(),
            region: self.region_of(&stream)?,
            credentials: self.credentials.finish("kinesis.")?,
            allow_http: self.allow_http,
            proxy: self.proxy.finish()?,
            wire_format: self.wire_format,
        };
        Ok(CheckedOptions {
            stream,
            connection,
            home_region: self.region.clone(),
            retry,
            create_with_shards,
            columns: self.requested_columns(format.is_some())?,
            format,
            sink: self.sink(),
            source: self.source(position, metadata_retry, (committer, fan_out)),
        })
    }

    /// The columns of `kinesis.extraColumns`. A table whose payload is not decoded has the standard columns
    /// anyway.
    fn requested_columns(&self, is_decoded: bool) -> Result<Vec<RequestedColumn>> {
        let extra = |column: &&RequestedColumn| matches!(column.column, MetadataColumn::Extra(_));
        match self.columns.iter().find(|column| !extra(column)) {
            Some(column) if !is_decoded => Err(Error::invalid_option(format!(
                "option 'kinesis.extraColumns': '{}' is a column of every table without 'kinesis.format': \
                 expected shardId, subSequenceNumber or explicitHashKey",
                column.column.name()
            ))),
            _ => Ok(self.columns.clone()),
        }
    }

    fn refuse_plain_http(&self) -> Result<()> {
        let urls = [
            ("kinesis.endpointUrl", &self.endpoint_url),
            ("kinesis.stsEndpointUrl", &self.credentials.sts_endpoint_url),
            ("kinesis.dynamodb.endpointUrl", &self.dynamodb.endpoint_url),
            ("kinesis.schemaRegistry.url", &self.format.registry.url),
            (
                "kinesis.dynamodb.stsEndpointUrl",
                &self.dynamodb_credentials.sts_endpoint_url,
            ),
        ];
        let plain = |(name, url): (&'static str, &Option<String>)| {
            let url = url.clone().filter(|url| is_unencrypted(url))?;
            Some((name, url))
        };
        match urls.into_iter().find_map(plain) {
            Some((name, url)) if !self.allow_http => Err(Error::invalid_option(format!(
                "option '{name}' = '{url}': expected https:// for a remote host, because http:// exposes \
                 records on the network; set 'kinesis.allowHttp' = 'true' to allow it"
            ))),
            _ => Ok(()),
        }
    }

    /// The region of the stream. All sources that determine it must agree; `kinesis.region` is the
    /// fallback, because it is the region of the query.
    fn region_of(&self, stream: &StreamIdentity) -> Result<Option<String>> {
        let endpoint = self.endpoint_url.as_deref().and_then(region_of_endpoint);
        let named = [
            (
                "option 'kinesis.kinesisRegion'",
                self.kinesis_region.clone(),
            ),
            (
                "the ARN of the stream",
                stream.arn_region().map(str::to_owned),
            ),
            ("option 'kinesis.endpointUrl'", endpoint),
        ];
        let mut named = named
            .into_iter()
            .filter_map(|(what, region)| Some((what, region?)));
        let Some((what, region)) = named.next() else {
            return Ok(self.region.clone());
        };
        match named.find(|(_, other)| *other != region) {
            None => Ok(Some(region)),
            Some((other_what, other)) => Err(Error::invalid_option(format!(
                "{what} specifies region '{region}', but {other_what} specifies '{other}': expected the region of \
                 the stream in both"
            ))),
        }
    }

    fn client_retry(&self) -> RetryPolicy {
        RetryPolicy {
            max_retries: self.max_retries,
            first_interval: self.retry_interval,
            max_interval: self.max_retry_interval,
        }
    }

    fn metadata_retry(&self) -> RetryPolicy {
        RetryPolicy {
            max_retries: self.metadata_max_retries,
            first_interval: self.metadata_retry_interval,
            max_interval: self.metadata_max_retry_interval,
        }
    }

    fn starting_position(&mut self, stream: &StreamIdentity) -> Result<StartingPosition> {
        match (self.starting_position.take(), self.unbounded) {
            (Some(unresolved), _) => unresolved.resolve(stream.name()),
            (None, true) => Ok(StartingPosition::Latest),
            (None, false) => Ok(StartingPosition::TrimHorizon),
        }
    }

    fn source(
        self,
        starting_position: StartingPosition,
        metadata_retry: RetryPolicy,
        (committer, fan_out): (CommitterKind, Option<FanOutOptions>),
    ) -> SourceOptions {
        SourceOptions {
            fan_out,
            starting_position,
            ordered: self.ordered,
            max_records_per_shard: self.max_records_per_shard,
            max_fetch_time_per_shard: self.max_fetch_time,
            max_batch_bytes: self.max_batch_bytes,
            buffer_max_bytes: self.buffer_max_bytes,
            describe_shard_interval: self.describe_shard_interval,
            fail_on_data_loss: self.fail_on_data_loss,
            records_per_fetch: self.records_per_fetch,
            fetch_interval: self.fetch_interval,
            hash_filter: self.hash_filter.unwrap_or(HashFilter::PerRecord),
            metadata: MetadataOptions {
                committer,
                path: self.metadata_path,
                min_batches_to_retain: self.min_batches_to_retain,
                retry: metadata_retry,
            },
        }
    }

    fn sink(&self) -> SinkOptions {
        SinkOptions {
            aggregation: self.aggregation,
            flush_wait: self.flush_wait,
            max_buffered_time: self.max_buffered_time,
            max_connections: self.max_connections,
            record_ttl: self.record_ttl,
            partition_key: self.partition_key.clone(),
            explicit_hash_key: self.explicit_hash_key.clone(),
        }
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

    /// Where offsets are stored. DynamoDB settings without the DynamoDB committer are rejected,
    /// because they would be ignored.
    fn committer(&self, given: &[&'static str]) -> Result<CommitterKind> {
        if self.in_dynamodb {
            let region = self.dynamodb.region.clone();
            let endpoint = self.dynamodb.endpoint_url.as_deref();
            return Ok(CommitterKind::DynamoDb(Box::new(DynamoDbSettings {
                region: region.or_else(|| endpoint.and_then(region_of_endpoint)),
                credentials: self.dynamodb_credentials.finish("kinesis.dynamodb.")?,
                ..self.dynamodb.clone()
            })));
        }
        let mut given = given.iter();
        match given.find(|name| name.starts_with("kinesis.dynamodb.")) {
            None => Ok(CommitterKind::ObjectStore),
            Some(name) => Err(Error::invalid_option(format!(
                "option '{name}': expected only together with \
                 'kinesis.metadataCommitterType' = 'DYNAMODB'"
            ))),
        }
    }
}

/// Checks that the first wait is at most the longest; `first` and `longest` are the option names.
fn checked(policy: RetryPolicy, first: &str, longest: &str) -> Result<RetryPolicy> {
    if policy.first_interval <= policy.max_interval {
        return Ok(policy);
    }
    Err(Error::invalid_option(format!(
        "option '{first}' = '{}': expected at most '{longest}', which is '{}'",
        policy.first_interval.as_millis(),
        policy.max_interval.as_millis()
    )))
}
