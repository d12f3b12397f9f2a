//! Options of streaming queries. A bounded read takes them too, and does nothing with them: jobs share
//! their options.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{ANY_WAIT, put};
use crate::options::location;
use crate::options::spec::{OptionSpec, Role};
use crate::options::value::{self, Parsed};

const MIB: u64 = 1024 * 1024;

/// No machine has more memory.
const LARGEST_BYTES: u64 = MIB * MIB;

/// Much less would make batches of single records.
const BATCH_BYTES: RangeInclusive<u64> = MIB..=LARGEST_BYTES;

/// Room for some pages.
const BUFFER_BYTES: RangeInclusive<u64> = 16 * MIB..=LARGEST_BYTES;

/// ListShards is limited for the whole stream and all its readers.
const DISCOVERY: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(24 * 60 * 60);

fn consumer_type(text: &str) -> Parsed<()> {
    if text.trim().eq_ignore_ascii_case("SubscribeToShard") {
        return Err(
            "enhanced fan-out is not in this version: expected 'GetRecords', or 'polling', which is \
             the same"
                .to_owned(),
        );
    }
    value::choice(text, &[("GetRecords", ()), ("polling", ())])
}

/// Whether it is DynamoDB that keeps offsets.
const COMMITTERS: [(&str, bool); 2] = [("HDFS", false), ("DYNAMODB", true)];

pub(super) const ROWS: &[OptionSpec] = &[
    OptionSpec::new(
        "kinesis.consumerType",
        Role::Source,
        Some("GetRecords"),
        "How records come: `GetRecords`, or `polling`, which is the same.",
        |_, text| consumer_type(text),
    ),
    OptionSpec::new(
        "kinesis.maxFetchTimePerShardSec",
        Role::Source,
        None,
        "Streaming only: the longest a batch waits for shards that are behind, in whole seconds, 1 to 86400. Without it a batch takes what has been read.",
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
        "Streaming only: the most bytes a batch reads, over all shards; 1048576 at least.",
        |draft, text| put(&mut draft.max_batch_bytes, value::bytes(text, &BATCH_BYTES)),
    ),
    OptionSpec::new(
        "kinesis.buffer.maxBytes",
        Role::Source,
        Some("268435456"),
        "Streaming only: the most bytes read ahead of the batches, over all shards; 16777216 at least.",
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
        "Streaming only: the least time between two listings of the shards, such as `50s`, `100ms` or `2 minutes`; `10ms` to `1 day`.",
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
        "`true` ends a query, or a read to the tip, that finds records gone which it was to read. Else it goes on without them: the loss is logged as a warning, counted, and told in the last line of the command.",
        |draft, text| put(&mut draft.fail_on_data_loss, value::boolean(text)),
    ),
    OptionSpec::new(
        "kinesis.metadataCommitterType",
        Role::Source,
        Some("HDFS"),
        "Streaming only: where offsets are kept. `HDFS` is any object store, local files among them; `DYNAMODB` is a DynamoDB table.",
        |draft, text| put(&mut draft.in_dynamodb, value::choice(text, &COMMITTERS)),
    ),
    OptionSpec::new(
        "kinesis.dynamodb.tableName",
        Role::Source,
        None,
        "With `DYNAMODB`: the table, which is made if it does not exist and may be shared by queries; `kdsc_<region>_<stream>` when not given.",
        |draft, text| put(&mut draft.dynamodb.table, value::table_name(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.dynamodb.endpointUrl",
        Role::Source,
        None,
        "With `DYNAMODB`: endpoint instead of the region's public one; `http://` for a server on this machine.",
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
        "With `DYNAMODB`: region of the table; `kinesis.region`, or else that of the stream, when not given.",
        |draft, text| put(&mut draft.dynamodb.region, value::region(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.metadataPath",
        Role::Source,
        None,
        "Streaming only: the place of the offsets, a URL or an absolute path; without it the checkpoint location. With `DYNAMODB` only what the query is called in the table, where it has no checkpoint location.",
        |draft, text| put(&mut draft.metadata_path, location(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.minBatchesToRetain",
        Role::Source,
        Some("100"),
        "Streaming only: how many batches stay in the offset log at least, 1 to 1000000.",
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
        "Streaming only: how often in a row a failed request to the offset log is sent again, 0 to 1000.",
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
        "Streaming only: the wait before it is sent again; it doubles each time and is spread at random.",
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
        "Streaming only: the longest such wait.",
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
        "Taken for the sake of jobs that set it, 1 to 1000, and without effect: nothing has to look for new records, because every shard has a reader that runs anyway.",
        |_, text| value::number(text, &(1..=1_000_u32)).map(drop),
    ),
];
