//! Options as they are collected, and the rules across them.

use std::time::Duration;

use super::position::Written;
use super::{
    CommitterKind, DynamoDbSettings, ExtraColumn, HashFilter, MetadataOptions, SinkOptions,
    SourceOptions, TableOptions,
};
use crate::error::{Error, Result};
use crate::model::{
    ConnectionSettings, RetryPolicy, Secret, StartingPosition, StaticCredentials, StreamIdentity,
};

/// Options as they are collected, before the rules across them are applied.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    pub(super) unbounded: bool,
    pub(super) stream: Option<StreamIdentity>,
    pub(super) endpoint_url: Option<String>,
    pub(super) region: Option<String>,
    pub(super) access_key_id: Option<Secret>,
    pub(super) secret_key: Option<Secret>,
    pub(super) session_token: Option<Secret>,
    pub(super) max_retries: u32,
    pub(super) retry_interval: Duration,
    pub(super) max_retry_interval: Duration,
    pub(super) create_stream: bool,
    pub(super) shard_count: Option<u32>,
    pub(super) extra_columns: Vec<ExtraColumn>,
    pub(super) starting_position: Option<Written>,
    pub(super) ordered: bool,
    pub(super) max_records_per_shard: Option<u64>,
    pub(super) max_fetch_time: Option<Duration>,
    pub(super) max_batch_bytes: usize,
    pub(super) buffer_max_bytes: usize,
    pub(super) describe_shard_interval: Duration,
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
    pub(super) record_ttl: Duration,
}

impl Draft {
    /// Checks the options together.
    pub(super) fn finish(mut self) -> Result<TableOptions> {
        let connection_credentials = self.credentials()?;
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
        let committer = self.committer()?;
        let stream = self.stream.clone().ok_or_else(|| {
            Error::invalid_option("no stream: expected its name or ARN as LOCATION")
        })?;
        let position = self.starting_position(&stream)?;
        let region = stream.arn_region().map(str::to_owned);
        Ok(TableOptions {
            stream,
            connection: ConnectionSettings {
                endpoint_url: self.endpoint_url.clone(),
                region: self.region.clone().or(region),
                credentials: connection_credentials,
            },
            retry,
            create_with_shards,
            extra_columns: self.extra_columns.clone(),
            sink: self.sink(),
            source: self.source(position, metadata_retry, committer),
        })
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
            (Some(written), _) => written.of(stream.name()),
            (None, true) => Ok(StartingPosition::Latest),
            (None, false) => Ok(StartingPosition::TrimHorizon),
        }
    }

    fn source(
        self,
        starting_position: StartingPosition,
        metadata_retry: RetryPolicy,
        committer: CommitterKind,
    ) -> SourceOptions {
        SourceOptions {
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

    /// What keeps the offsets. Settings of a table that is not used are a mistake of some kind.
    fn committer(&self) -> Result<CommitterKind> {
        if self.in_dynamodb {
            return Ok(CommitterKind::DynamoDb(self.dynamodb.clone()));
        }
        let DynamoDbSettings {
            table,
            endpoint_url,
            region,
        } = &self.dynamodb;
        let given = [
            ("kinesis.dynamodb.tableName", table),
            ("kinesis.dynamodb.endpointUrl", endpoint_url),
            ("kinesis.dynamodb.region", region),
        ];
        match given
            .into_iter()
            .find_map(|(name, value)| Some((name, value.as_ref()?)))
        {
            None => Ok(CommitterKind::ObjectStore),
            Some((name, value)) => Err(Error::invalid_option(format!(
                "option '{name}' = '{value}': expected only together with \
                 'kinesis.metadataCommitterType' = 'DYNAMODB'"
            ))),
        }
    }

    fn credentials(&self) -> Result<Option<StaticCredentials>> {
        match (&self.access_key_id, &self.secret_key) {
            (Some(access_key_id), Some(secret_key)) => Ok(Some(StaticCredentials {
                access_key_id: access_key_id.clone(),
                secret_key: secret_key.clone(),
                session_token: self.session_token.clone(),
            })),
            (None, None) if self.session_token.is_none() => Ok(None),
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

/// The first wait is no longer than the longest; the options are called `first` and `longest`.
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
