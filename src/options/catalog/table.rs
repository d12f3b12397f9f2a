//! Options of the table itself.

use std::ops::RangeInclusive;

use super::{ANY_WAIT, put};
use crate::model::StreamIdentity;
use crate::options::ExtraColumn;
use crate::options::spec::{OptionSpec, Role};
use crate::options::value;

/// The most shards of a stream (API reference, UpdateShardCount).
const SHARDS: RangeInclusive<u32> = 1..=10_000;

const EXTRA_COLUMNS: [(&str, ExtraColumn); 3] = [
    ("shardId", ExtraColumn::ShardId),
    ("subSequenceNumber", ExtraColumn::SubSequenceNumber),
    ("explicitHashKey", ExtraColumn::ExplicitHashKey),
];

pub(super) const ROWS: &[OptionSpec] = &[
    OptionSpec::new(
        "kinesis.streamName",
        Role::Table,
        None,
        "Name or ARN of the stream; `LOCATION` says the same.",
        |draft, text| {
            let stream = StreamIdentity::parse(text.trim()).map_err(|error| error.to_string())?;
            draft.stream = Some(stream);
            Ok(())
        },
    ),
    OptionSpec::new(
        "kinesis.endpointUrl",
        Role::Table,
        None,
        "Endpoint instead of the region's public one: `https://host[:port]`, or `http://` for a server on this machine.",
        |draft, text| {
            put(
                &mut draft.endpoint_url,
                value::endpoint_url(text, "kinesis").map(Some),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.allowHttp",
        Role::Table,
        Some("false"),
        "`true` allows `http://` endpoints on other machines. What is sent there can be read on the way.",
        |draft, text| put(&mut draft.allow_http, value::boolean(text)),
    ),
    OptionSpec::new(
        "kinesis.region",
        Role::Table,
        None,
        "Region where the query is at home: of its DynamoDB table, and of the stream where nothing else says that. Without it: the environment's.",
        |draft, text| put(&mut draft.region, value::region(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.kinesisRegion",
        Role::Table,
        None,
        "Region of the stream. Without it: the ARN's, that of an endpoint of AWS, or `kinesis.region`.",
        |draft, text| put(&mut draft.kinesis_region, value::region(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.clientNumRetries",
        Role::Table,
        Some("5"),
        "How often in a row a throttled or failed request is sent again, 0 to 1000. A running streaming query does not give up, and logs a warning instead.",
        |draft, text| put(&mut draft.max_retries, value::number(text, &(0..=1_000))),
    ),
    OptionSpec::new(
        "kinesis.clientRetryIntervalsMs",
        Role::Table,
        Some("1000"),
        "Wait before a request is sent again; it doubles each time and is spread at random.",
        |draft, text| put(&mut draft.retry_interval, value::millis(text, &ANY_WAIT)),
    ),
    OptionSpec::new(
        "kinesis.clientMaxRetryIntervalMs",
        Role::Table,
        Some("10000"),
        "The longest such wait.",
        |draft, text| {
            put(
                &mut draft.max_retry_interval,
                value::millis(text, &ANY_WAIT),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.createStream",
        Role::Table,
        Some("false"),
        "`true` creates the stream if it does not exist: for local servers and tests.",
        |draft, text| put(&mut draft.create_stream, value::boolean(text)),
    ),
    OptionSpec::new(
        "kinesis.shardCount",
        Role::Table,
        None,
        "Shards of a stream that is created, 1 to 10000; 1 when not given.",
        |draft, text| {
            put(
                &mut draft.shard_count,
                value::number(text, &SHARDS).map(Some),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.extraColumns",
        Role::Table,
        None,
        "Further columns, separated by commas: `shardId`, `subSequenceNumber`, `explicitHashKey`.",
        |draft, text| put(&mut draft.extra_columns, value::list(text, &EXTRA_COLUMNS)),
    ),
];
