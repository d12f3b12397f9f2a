//! The AWS SDK as an implementation of [`Kinesis`]. No other module names the SDK's Kinesis crate.

mod body;
mod classify;
mod client;
mod connections;
mod convert;
mod data_plane;
mod endpoints;
mod fan_out;
mod subscription;
mod wire_choice;

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::types::{ShardFilterType, ShardIteratorType};
use bytes::Bytes;

use super::{
    ApiError, ApiErrorKind, ApiResult, DryRun, DryRunAnswer, FanOut, IteratorPosition, Kinesis,
    ListShardsFrom, Operation, PutEntry, PutOutcome, RecordColumns, RecordsPage, ShardFilter,
    ShardIterator, ShardsPage, StreamSummary,
};
use crate::aws::{AwsAccess, Identity, ServiceClock};
use crate::error::Result;
use crate::kinesis::buffer_pool::BufferPool;
use crate::model::{ConnectionSettings, ShardId, StreamIdentity, StreamName, is_aws_host};
use body::Body;
pub(crate) use classify::RequestContext;
use classify::api_error;
#[cfg(feature = "dynamodb")]
pub(crate) use classify::{ClassifiedError, classify};
use convert::{date_time, shards_page, summary};
use data_plane::{Call, DataPlane, FailedCall};
use wire_choice::{Refused, WireChoice};

/// Kinesis through the AWS SDK: one request per call, with the SDK's own retries turned off.
#[derive(Debug, Clone)]
pub struct SdkKinesis {
    client: Client,
    data_plane: Arc<DataPlane>,
    endpoint: Option<String>,
    identity: Identity,
    clock: Arc<ServiceClock>,
    wire: Arc<WireChoice>,
    pool: BufferPool,
}

impl SdkKinesis {
    /// Resolves the region. Sends no request to Kinesis; credentials are resolved with the first
    /// request.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if no region is configured or found, the
    /// endpoint is not encrypted, or the credential provider is unknown.
    pub async fn connect(settings: &ConnectionSettings) -> Result<Self> {
        Self::shared(&AwsAccess::new(), settings).await
    }

    /// Like [`connect`](Self::connect), but shares the connections and identities of `access`.
    pub(crate) async fn shared(access: &AwsAccess, settings: &ConnectionSettings) -> Result<Self> {
        let clients = client::clients(access, settings).await?;
        let wire = WireChoice::new(settings.wire_format, clients.endpoint.as_deref());
        Ok(Self {
            client: clients.client,
            data_plane: Arc::new(clients.data_plane),
            endpoint: clients.endpoint,
            identity: clients.identity,
            clock: clients.clock,
            wire: Arc::new(wire),
            pool: BufferPool::default(),
        })
    }

    fn failed<E>(
        &self,
        operation: Operation,
        stream: Option<&StreamIdentity>,
        error: SdkError<E, HttpResponse>,
    ) -> ApiError
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let date = error.raw_response();
        if let Some(date) = date.and_then(|answer| answer.headers().get("date")) {
            self.clock.correct(date);
        }
        api_error(operation, stream, self.sent(), error)
    }

    /// How requests are sent.
    fn sent(&self) -> RequestContext<'_> {
        RequestContext {
            endpoint: self.endpoint.as_deref().unwrap_or("of the region"),
            identity: Some(&self.identity),
        }
    }

    /// Sends a request with a body of our own.
    async fn send(&self, call: Call<'_>, body: Vec<u8>) -> ApiResult<Body> {
        let sent = self.data_plane.send(call, body, &self.pool).await;
        let FailedCall { status, error } = match sent {
            Ok(answer) => return Ok(answer),
            Err(failed) => failed,
        };
        Err(match self.wire.refused(call.format, status, error.code()) {
            Refused::ForAnotherReason => error,
            // A retry is sent in JSON.
            Refused::CborOnce => error.with_kind(ApiErrorKind::Unavailable),
            Refused::CborOfTheOptions => {
                let message = format!(
                    "{}; the server does not know CBOR: set option 'kinesis.wireFormat' to 'auto' or 'json'",
                    error.message()
                );
                let kind = ApiErrorKind::InvalidArgument;
                ApiError::new(kind, call.operation, error.code(), message)
            }
        })
    }
}

/// Names the stream by its ARN if known, else by its name.
macro_rules! addressed {
    ($request:expr, $stream:expr) => {
        match $stream.arn() {
            Some(arn) => $request.stream_arn(arn),
            None => $request.stream_name($stream.name().as_str()),
        }
    };
}

#[async_trait]
impl Kinesis for SdkKinesis {
    async fn describe_stream(&self, stream: &StreamIdentity) -> ApiResult<StreamSummary> {
        const CALL: Operation = Operation::DescribeStreamSummary;
        let output = addressed!(self.client.describe_stream_summary(), stream)
            .send()
            .await
            .map_err(|error| self.failed(CALL, Some(stream), error))?;
        // Some emulators do not accept an ARN.
        summary(output, |arn| match &self.endpoint {
            Some(url) if !is_aws_host(url) => stream.clone(),
            _ => StreamIdentity::parse(arn).unwrap_or_else(|_| stream.clone()),
        })
    }

    async fn list_shards(&self, from: ListShardsFrom<'_>) -> ApiResult<ShardsPage> {
        let request = self.client.list_shards();
        let (ListShardsFrom::Start { stream, .. } | ListShardsFrom::Page { stream, .. }) = from;
        let request = match from {
            ListShardsFrom::Start { filter, .. } => {
                addressed!(request, stream).shard_filter(shard_filter(filter)?)
            }
            ListShardsFrom::Page { token, .. } => request.next_token(&token.0),
        };
        let output = request
            .send()
            .await
            .map_err(|error| self.failed(Operation::ListShards, Some(stream), error))?;
        shards_page(output)
    }

    async fn get_shard_iterator(
        &self,
        stream: &StreamIdentity,
        shard: &ShardId,
        position: &IteratorPosition,
    ) -> ApiResult<ShardIterator> {
        const CALL: Operation = Operation::GetShardIterator;
        let request = addressed!(self.client.get_shard_iterator(), stream).shard_id(shard.as_str());
        let request = match position {
            IteratorPosition::TrimHorizon => {
                request.shard_iterator_type(ShardIteratorType::TrimHorizon)
            }
            IteratorPosition::Latest => request.shard_iterator_type(ShardIteratorType::Latest),
            IteratorPosition::AtTimestamp(time) => request
                .shard_iterator_type(ShardIteratorType::AtTimestamp)
                .timestamp(date_time(*time)),
            IteratorPosition::At(sequence) => request
                .shard_iterator_type(ShardIteratorType::AtSequenceNumber)
                .starting_sequence_number(sequence.as_str()),
            IteratorPosition::After(sequence) => request
                .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                .starting_sequence_number(sequence.as_str()),
        };
        let output = request
            .send()
            .await
            .map_err(|error| self.failed(CALL, Some(stream), error))?;
        let iterator = output
            .shard_iterator
            .ok_or_else(|| convert::missing(CALL, "ShardIterator"))?;
        Ok(ShardIterator::new(iterator))
    }

    async fn get_records(
        &self,
        stream: &StreamIdentity,
        iterator: &ShardIterator,
        limit: usize,
        columns: RecordColumns,
    ) -> ApiResult<RecordsPage> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let format = self.wire.format();
        let body = format.get_records(stream, iterator, limit);
        let call = Call {
            operation: Operation::GetRecords,
            stream,
            consumer: None,
            format,
        };
        let answer = self.send(call, body).await?;
        decoded(answer, columns, &self.pool).await
    }

    async fn put_records(
        &self,
        stream: &StreamIdentity,
        entries: &[PutEntry],
    ) -> ApiResult<Vec<PutOutcome>> {
        const CALL: Operation = Operation::PutRecords;
        let format = self.wire.format();
        let body = format.put_records(stream, entries);
        let call = Call {
            operation: CALL,
            stream,
            consumer: None,
            format,
        };
        let answer = self.send(call, body).await?;
        let outcomes = answer.format.put_outcomes(&answer.bytes);
        let outcomes = outcomes.map_err(|error| body::undecodable(CALL, error))?;
        self.pool.give_back(answer.bytes);
        match outcomes.len() == entries.len() {
            true => Ok(outcomes),
            false => Err(convert::missing(CALL, "outcome for each entry")),
        }
    }

    fn fan_out(&self) -> Option<&dyn FanOut> {
        Some(self)
    }

    async fn create_stream(&self, name: &StreamName, shard_count: u32) -> ApiResult<()> {
        let shard_count = i32::try_from(shard_count).unwrap_or(i32::MAX);
        self.client
            .create_stream()
            .stream_name(name.as_str())
            .shard_count(shard_count)
            .send()
            .await
            .map_err(|error| self.failed(Operation::CreateStream, None, error))?;
        Ok(())
    }

    async fn dry_run(&self, stream: &StreamIdentity, call: DryRun<'_>) -> ApiResult<DryRunAnswer> {
        let answer = match call {
            DryRun::GetShardIterator(shard) => {
                let request = addressed!(self.client.get_shard_iterator(), stream)
                    .shard_id(shard.as_str())
                    .shard_iterator_type(ShardIteratorType::Latest);
                let answer = request.dry_run(true).send().await.map(drop);
                answer
                    .map_err(|error| self.failed(Operation::GetShardIterator, Some(stream), error))
            }
            DryRun::GetRecords(iterator) => {
                let request = self.client.get_records().shard_iterator(iterator.as_str());
                let request = request.set_stream_arn(stream.arn().map(str::to_owned));
                let answer = request.limit(1).dry_run(true).send().await.map(drop);
                answer.map_err(|error| self.failed(Operation::GetRecords, Some(stream), error))
            }
            DryRun::PutRecords => {
                let request = addressed!(self.client.put_records(), stream)
                    .records(convert::put_entry(&trial_entry())?);
                let answer = request.dry_run(true).send().await.map(drop);
                answer.map_err(|error| self.failed(Operation::PutRecords, Some(stream), error))
            }
        };
        match answer {
            Ok(()) => Ok(DryRunAnswer::Unknown),
            Err(error) if error.code() == "DryRunOperationException" => Ok(DryRunAnswer::Allowed),
            Err(error) => Err(error),
        }
    }
}

/// The page in an answer to GetRecords.
async fn decoded(
    answer: Body,
    columns: RecordColumns,
    pool: &BufferPool,
) -> ApiResult<RecordsPage> {
    const CALL: Operation = Operation::GetRecords;
    // Beside the threads that do I/O.
    let is_large = answer.bytes.len() > answer.format.bytes_per_millisecond();
    let pool = pool.clone();
    let decode = move || {
        let page = answer.format.records_page(&answer.bytes, columns, &pool);
        pool.give_back(answer.bytes);
        page
    };
    let page = match is_large {
        false => decode(),
        true => {
            let decoding = tokio::task::spawn_blocking(decode).await;
            decoding.map_err(|error| body::undecodable(CALL, error.into()))?
        }
    };
    page.map_err(|error| body::undecodable(CALL, error))
}

/// The record of a PutRecords dry run. Servers that support dry runs never write it.
fn trial_entry() -> PutEntry {
    PutEntry {
        data: Bytes::new(),
        partition_key: "dry run".into(),
        explicit_hash_key: None,
    }
}

fn shard_filter(filter: ShardFilter) -> ApiResult<aws_sdk_kinesis::types::ShardFilter> {
    let builder = aws_sdk_kinesis::types::ShardFilter::builder();
    let builder = match filter {
        ShardFilter::FromTrimHorizon => builder.r#type(ShardFilterType::FromTrimHorizon),
        ShardFilter::AtLatest => builder.r#type(ShardFilterType::AtLatest),
        ShardFilter::FromTimestamp(time) => builder
            .r#type(ShardFilterType::FromTimestamp)
            .timestamp(date_time(time)),
    };
    builder
        .build()
        .map_err(|error| convert::unbuildable(Operation::ListShards, error))
}
