//! Options for streaming queries. A bounded read accepts and ignores them, so that jobs can share
//! their options.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{ANY_WAIT, put};
use crate::model::{ConsumerArn, ConsumerLifecycle, ConsumerName};
use crate::options::spec::{OptionSpec, Role};
use crate::options::value::{self, Parsed};
use crate::options::{ConsumerType, location};

const MIB: u64 = 1024 * 1024;

/// More memory than any machine has.
const LARGEST_BYTES: u64 = MIB * MIB;

/// A smaller batch could hold only a single record.
const BATCH_BYTES: RangeInclusive<u64> = MIB..=LARGEST_BYTES;

/// At least some pages.
const BUFFER_BYTES: RangeInclusive<u64> = 16 * MIB..=LARGEST_BYTES;

/// ListShards is rate-limited per stream, for all readers together.
const DISCOVERY: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(24 * 60 * 60);

/// The longest wait for the service to accept a subscription, in seconds.
const SUBSCRIBE_SECONDS: RangeInclusive<u64> = 1..=3_600;

/// The lag from which on a query with `auto` subscribes. Below a second, jitter would decide.
const MAX_LAG: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(365 * 24 * 60 * 60);

/// Names of consumer types. Those after the third are synonyms.
const CONSUMER_TYPES: [(&str, ConsumerType); 5] = [
    ("GetRecords", ConsumerType::GetRecords),
    ("SubscribeToShard", ConsumerType::SubscribeToShard),
    ("auto", ConsumerType::Auto),
    ("polling", ConsumerType::GetRecords),
    ("fan-out", ConsumerType::SubscribeToShard),
];

pub(in crate::options) const LIFECYCLES: [(&str, ConsumerLifecycle); 3] = [
    ("managed", ConsumerLifecycle::Managed),
    ("reuse", ConsumerLifecycle::Reuse),
    ("external", ConsumerLifecycle::External),
];

fn consumer_name(text: &str) -> Parsed<ConsumerName> {
    ConsumerName::new(text.trim())
        .map_err(|_| "expected 1 to 128 of the characters a-z A-Z 0-9 _ . -".to_owned())
}

fn consumer_arn(text: &str) -> Parsed<ConsumerArn> {
    ConsumerArn::new(text.trim()).map_err(|error| error.to_string())
}

/// Committer names, and whether each is DynamoDB.
const COMMITTERS: [(&str, bool); 2] = [("HDFS", false), ("DYNAMODB", true)];

pub(super) const ROWS: &[OptionSpec] = &[
    OptionSpec::new(
        "kinesis.consumerType",
        Role::Source,
        Some("GetRecords"),
        "Streaming only: `GetRecords`, or its synonym `polling`, requests records. `SubscribeToShard`, or its synonym `fan-out`, has the service push them (enhanced fan-out), which costs extra. `auto` requests them, and changes to `SubscribeToShard` while a shard lags or other readers use up its limits.",
        |draft, text| {
            put(
                &mut draft.fan_out.consumer_type,
                value::choice(text, &CONSUMER_TYPES),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.consumerName",
        Role::Source,
        None,
        "With `SubscribeToShard` and `auto`: the name of the consumer, one for each query, of 1 to 128 of the characters `a-z A-Z 0-9 _ . -`.",
        |draft, text| put(&mut draft.fan_out.name, consumer_name(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.consumerArn",
        Role::Source,
        None,
        "With `SubscribeToShard` and `auto`: the ARN of an existing consumer of the stream, instead of a name.",
        |draft, text| put(&mut draft.fan_out.arn, consumer_arn(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.consumerLifecycle",
        Role::Source,
        Some("managed"),
        "With `SubscribeToShard` and `auto`: `managed` registers the consumer unless it exists, and deregisters at the end of the query what one of its runs has registered. `reuse` never deregisters it. `external` expects that it exists.",
        |draft, text| {
            put(
                &mut draft.fan_out.lifecycle,
                value::choice(text, &LIFECYCLES),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.auto.maxLag",
        Role::Source,
        Some("1 minute"),
        "With `auto`: a shard that was further behind the tip for a minute makes the query change to `SubscribeToShard`; with a unit, such as `30s` or `5 minutes`, `1s` to `365 days`.",
        |draft, text| put(&mut draft.fan_out.auto_max_lag, value::span(text, &MAX_LAG)),
    ),
    OptionSpec::new(
        "kinesis.subscribeToShard.timeoutSec",
        Role::Source,
        Some("60"),
        "With `SubscribeToShard` and `auto`: maximum time for the service to accept a subscription, in whole seconds, 1 to 3600.",
        |draft, text| {
            put(
                &mut draft.fan_out.timeout,
                value::seconds(text, &SUBSCRIBE_SECONDS),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.subscribeToShard.maxRetries",
        Role::Source,
        Some("10"),
        "With `SubscribeToShard` and `auto`: the number of retries in a row for one shard before the query fails, or with `auto` polls again.",
        |draft, text| {
            put(
                &mut draft.fan_out.max_retries,
                value::number(text, &(0..=u32::MAX)),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.maxFetchTimePerShardSec",
        Role::Source,
        None,
        "Streaming only: maximum time that a batch waits for shards that are behind, in whole seconds, 1 to 86400. Without it: a batch takes the records read so far and does not wait.",
        |draft, text| {
            put(
                &mut draft.max_fetch_time,
                value::seconds(text, &(1..=86_400)).map(Some),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.maxFetchBytesPerBatch",
        Role::Source,
        Some("67108864"),
        "Streaming only: maximum size of a batch in bytes, over all shards; at least 1048576.",
        |draft, text| put(&mut draft.max_batch_bytes, value::bytes(text, &BATCH_BYTES)),
    ),
    OptionSpec::new(
        "kinesis.buffer.maxBytes",
        Role::Source,
        Some("268435456"),
        "Streaming only: maximum number of bytes that are read ahead of the batches, over all shards; at least 16777216.",
        |draft, text| {
            put(
                &mut draft.buffer_max_bytes,
                value::bytes(text, &BUFFER_BYTES),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.describeShardInterval",
        Role::Source,
        Some("1s"),
        "Streaming only: minimum interval between two listings of the shards, with a unit, such as `50s`, `100ms` or `2 minutes`; `10ms` to `1 day`.",
        |draft, text| {
            put(
                &mut draft.describe_shard_interval,
                value::span(text, &DISCOVERY),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.failOnDataLoss",
        Role::Source,
        Some("false"),
        "`true` makes a query, or a bounded read to the tip, fail if records that it must read have expired. With `false` it continues without them: the loss is logged as a warning, counted, and reported in the last line of the command's output.",
        |draft, text| put(&mut draft.fail_on_data_loss, value::boolean(text)),
    ),
    OptionSpec::new(
        "kinesis.metadataCommitterType",
        Role::Source,
        Some("HDFS"),
        "Streaming only: where offsets are stored. `HDFS` means any object store, including local files; `DYNAMODB` means a DynamoDB table.",
        |draft, text| put(&mut draft.in_dynamodb, value::choice(text, &COMMITTERS)),
    ),
    OptionSpec::new(
        "kinesis.dynamodb.tableName",
        Role::Source,
        None,
        "With `DYNAMODB`: name of the table. It is created if it does not exist, and queries may share it. Without it: `kdsc_<region>_<stream>`.",
        |draft, text| put(&mut draft.dynamodb.table, value::table_name(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.dynamodb.endpointUrl",
        Role::Source,
        None,
        "With `DYNAMODB`: endpoint URL instead of the region's public endpoint; `http://` for a server on this machine.",
        |draft, text| {
            put(
                &mut draft.dynamodb.endpoint_url,
                value::endpoint_url(text, "dynamodb").map(Some),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.dynamodb.region",
        Role::Source,
        None,
        "With `DYNAMODB`: region of the table. Without it: `kinesis.region`, else the region of the stream.",
        |draft, text| put(&mut draft.dynamodb.region, value::region(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.metadataPath",
        Role::Source,
        None,
        "Streaming only: location of the offsets, a URL or an absolute path. Without it: the checkpoint location. With `DYNAMODB` it only identifies the query in the table, if the query has no checkpoint location.",
        |draft, text| put(&mut draft.metadata_path, location(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.minBatchesToRetain",
        Role::Source,
        Some("100"),
        "Streaming only: minimum number of batches kept in the offset log, 1 to 1000000.",
        |draft, text| {
            put(
                &mut draft.min_batches_to_retain,
                value::number(text, &(1..=1_000_000)),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.metadataNumRetries",
        Role::Source,
        Some("5"),
        "Streaming only: maximum number of consecutive retries of a failed request to the offset log, 0 to 1000.",
        |draft, text| {
            put(
                &mut draft.metadata_max_retries,
                value::number(text, &(0..=1_000)),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.metadataRetryIntervalsMs",
        Role::Source,
        Some("1000"),
        "Streaming only: wait before the first such retry, in milliseconds. It doubles with each retry, with random jitter.",
        |draft, text| {
            put(
                &mut draft.metadata_retry_interval,
                value::millis(text, &ANY_WAIT),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.metadataMaxRetryIntervalMs",
        Role::Source,
        Some("10000"),
        "Streaming only: maximum wait between such retries, in milliseconds.",
        |draft, text| {
            put(
                &mut draft.metadata_max_retry_interval,
                value::millis(text, &ANY_WAIT),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.checkNewRecordThreads",
        Role::Source,
        Some("8"),
        "Accepted for compatibility, 1 to 1000, and ignored: every shard has a reader that runs continuously, so no threads are needed to check for new records.",
        |_, text| value::number(text, &(1..=1_000_u32)).map(drop),
    ),
];
