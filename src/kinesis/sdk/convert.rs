//! Conversion between the SDK's types and this crate's. Records go straight into columns.

use std::error::Error as StdError;
use std::time::Duration;

use aws_sdk_kinesis::operation::describe_stream_summary::DescribeStreamSummaryOutput;
use aws_sdk_kinesis::operation::list_shards::ListShardsOutput;
use aws_sdk_kinesis::primitives::{Blob, DateTime};
use aws_sdk_kinesis::types::{
    HashKeyRange, PutRecordsRequestEntry, RecordDistributionStrategy, Shard as SdkShard,
    StreamMode as SdkMode, StreamStatus as SdkStatus,
};

use crate::kinesis::limits::DEFAULT_MAX_RECORD_BYTES;
use crate::kinesis::{
    ApiError, ApiErrorKind, ApiResult, NextToken, Operation, PutEntry, RecordDistribution,
    ShardsPage, StreamMode, StreamStatus, StreamSummary,
};
use crate::model::{
    HashKey, HashRange, SequenceNumber, Shard, ShardId, StreamIdentity, UnixMillis,
};

/// The response lacks a member that the API guarantees. It may come from something on the way to the service, so a
/// retry may get a better one.
pub(super) fn missing(operation: Operation, member: &str) -> ApiError {
    let message = format!("the response has no {member}");
    ApiError::new(
        ApiErrorKind::Unavailable,
        operation,
        "IncompleteResponse",
        message,
    )
}

/// The SDK failed to build a request.
pub(super) fn unbuildable(
    operation: Operation,
    error: impl StdError + Send + Sync + 'static,
) -> ApiError {
    let message = error.to_string();
    ApiError::new(ApiErrorKind::Other, operation, "InvalidRequest", message).with_source(error)
}

pub(super) fn date_time(time: UnixMillis) -> DateTime {
    DateTime::from_millis(time.0)
}

/// Rounds to the nearest millisecond: the SDK parses seconds as a float, which loses precision.
pub(super) fn unix_millis(time: &DateTime) -> UnixMillis {
    let millis = (i64::from(time.subsec_nanos()) + 500_000) / 1_000_000;
    UnixMillis(time.secs().saturating_mul(1_000).saturating_add(millis))
}

fn sequence(operation: Operation, digits: &str) -> ApiResult<SequenceNumber> {
    SequenceNumber::new(digits).map_err(|error| {
        ApiError::new(
            ApiErrorKind::Other,
            operation,
            "BadResponse",
            error.to_string(),
        )
    })
}

fn hash_range(operation: Operation, range: Option<HashKeyRange>) -> ApiResult<HashRange> {
    let range = range.ok_or_else(|| missing(operation, "HashKeyRange"))?;
    let bound = |digits: &str| {
        digits
            .parse()
            .map(HashKey)
            .map_err(|_| missing(operation, "decimal hash key below 2^128"))
    };
    Ok(HashRange {
        start: bound(&range.starting_hash_key)?,
        end: bound(&range.ending_hash_key)?,
    })
}

/// Converts a summary. `identity` chooses how later calls name the stream, given its ARN.
pub(super) fn summary(
    output: DescribeStreamSummaryOutput,
    identity: impl FnOnce(&str) -> StreamIdentity,
) -> ApiResult<StreamSummary> {
    const CALL: Operation = Operation::DescribeStreamSummary;
    let description = output
        .stream_description_summary
        .ok_or_else(|| missing(CALL, "StreamDescriptionSummary"))?;
    let stream = identity(&description.stream_arn);
    let hours = u64::try_from(description.retention_period_hours).unwrap_or(0);
    let kib = description.max_record_size_in_kib;
    Ok(StreamSummary {
        stream,
        arn: description.stream_arn.as_str().into(),
        status: match description.stream_status {
            SdkStatus::Creating => StreamStatus::Creating,
            SdkStatus::Deleting => StreamStatus::Deleting,
            SdkStatus::Updating => StreamStatus::Updating,
            _ => StreamStatus::Active,
        },
        created_at: unix_millis(&description.stream_creation_timestamp),
        retention: Duration::from_secs(hours * 3_600),
        open_shards: u32::try_from(description.open_shard_count).unwrap_or(0),
        max_record_bytes: kib
            .and_then(|kib| usize::try_from(kib).ok())
            .map_or(DEFAULT_MAX_RECORD_BYTES, |kib| kib * 1024),
        distribution: match description.record_distribution_strategy {
            Some(RecordDistributionStrategy::Auto) => RecordDistribution::Service,
            _ => RecordDistribution::PartitionKey,
        },
        mode: description
            .stream_mode_details
            .map(|details| match details.stream_mode {
                SdkMode::OnDemand => StreamMode::OnDemand,
                _ => StreamMode::Provisioned,
            }),
    })
}

pub(super) fn shards_page(output: ListShardsOutput) -> ApiResult<ShardsPage> {
    let shards = output.shards;
    let shards = shards.ok_or_else(|| missing(Operation::ListShards, "Shards"))?;
    let shards = shards.into_iter().map(shard);
    Ok(ShardsPage {
        shards: shards.collect::<ApiResult<_>>()?,
        next: output.next_token.map(NextToken),
    })
}

fn shard(shard: SdkShard) -> ApiResult<Shard> {
    const CALL: Operation = Operation::ListShards;
    let numbers = shard
        .sequence_number_range
        .ok_or_else(|| missing(CALL, "SequenceNumberRange"))?;
    let ending = numbers.ending_sequence_number.as_deref();
    Ok(Shard {
        id: ShardId::new(shard.shard_id),
        parent: shard.parent_shard_id.map(ShardId::new),
        adjacent_parent: shard.adjacent_parent_shard_id.map(ShardId::new),
        hash_range: hash_range(CALL, shard.hash_key_range)?,
        starting_sequence: sequence(CALL, &numbers.starting_sequence_number)?,
        ending_sequence: ending.map(|digits| sequence(CALL, digits)).transpose()?,
    })
}

pub(super) fn put_entry(entry: &PutEntry) -> ApiResult<PutRecordsRequestEntry> {
    PutRecordsRequestEntry::builder()
        .data(Blob::from_maybe_shared(entry.data.clone()))
        .partition_key(&*entry.partition_key)
        .set_explicit_hash_key(entry.explicit_hash_key.map(|key| key.to_string()))
        .build()
        .map_err(|error| unbuildable(Operation::PutRecords, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_parsed_from_a_float_keeps_its_milliseconds() {
        for millis in [
            1_721_946_460_247_i64,
            1_721_946_460_999,
            1_560_944_718_833,
            0,
        ] {
            #[expect(clippy::cast_precision_loss, reason = "the test is about this loss")]
            let read = DateTime::from_secs_f64(millis as f64 / 1_000.0);
            assert_eq!(unix_millis(&read), UnixMillis(millis));
        }
    }
}
