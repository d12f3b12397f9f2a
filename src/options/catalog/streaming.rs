//! Options for streaming queries. A bounded read accepts and ignores them, so that jobs can share
//! their options.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{ANY_WAIT, put};
use crate::options::location;
use crate::options::spec::{OptionSpec, Role};
use crate::options::value::{self, Parsed};

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

fn consumer_type(text: &str) -> Parsed<()> {
    if text.trim().eq_ignore_ascii_case("SubscribeToShard") {
        return Err(
            "this version does not support enhanced fan-out: expected 'GetRecords' or its synonym \
             'polling'"
                .to_owned(),
        );
    }
    value::choice(text, &[("GetRecords", ()), ("polling", ())])
}

/// Committer names, and whether each is DynamoDB.
const COMMITTERS: [(&str, bool); 2] = [("HDFS", false), ("DYNAMODB", true)];

pub(super) const ROWS: &[OptionSpec] = &[
    OptionSpec::new(
        "kinesis.consumerType",
        Role::Source,
        Some("GetRecords"),
        "How records are read: `GetRecords`, or its synonym `polling`.",
        |_, text| consumer_type(text),
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
