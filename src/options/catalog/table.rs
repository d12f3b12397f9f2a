//! Options of the table itself: stream, endpoint, region, retries, columns.

use std::ops::RangeInclusive;

use super::{ANY_WAIT, put};
use crate::model::{StreamIdentity, WireFormat};
use crate::options::spec::{OptionSpec, Role};
use crate::options::value;

/// The allowed number of shards (API reference, UpdateShardCount).
const SHARDS: RangeInclusive<u32> = 1..=10_000;

const WIRE_FORMATS: [(&str, WireFormat); 3] = [
    ("auto", WireFormat::Auto),
    ("json", WireFormat::Json),
    ("cbor", WireFormat::Cbor),
];

pub(super) const ROWS: &[OptionSpec] = &[
    OptionSpec::new(
        "kinesis.streamName",
        Role::Table,
        None,
        "Name or ARN of the stream. The same as `LOCATION`.",
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
        "Endpoint URL instead of the region's public endpoint: `https://host[:port]`, or `http://` for a server on this machine.",
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
        "`true` allows `http://` endpoints on other hosts. Anyone on the network path can read what is sent to them.",
        |draft, text| put(&mut draft.allow_http, value::boolean(text)),
    ),
    OptionSpec::new(
        "kinesis.wireFormat",
        Role::Table,
        Some("auto"),
        "Format of GetRecords and PutRecords: `json`, which all servers speak; `cbor`, which is a quarter smaller; or `auto`, CBOR at endpoints of AWS, unless one refuses it, and JSON elsewhere.",
        |draft, text| put(&mut draft.wire_format, value::choice(text, &WIRE_FORMATS)),
    ),
    OptionSpec::new(
        "kinesis.region",
        Role::Table,
        None,
        "Region of the query: of its DynamoDB table, and of the stream if nothing else determines it. Without it: the region of the environment.",
        |draft, text| put(&mut draft.region, value::region(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.kinesisRegion",
        Role::Table,
        None,
        "Region of the stream. Without it: the region of the stream's ARN, of an AWS endpoint URL, or `kinesis.region`.",
        |draft, text| put(&mut draft.kinesis_region, value::region(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.clientNumRetries",
        Role::Table,
        Some("5"),
        "Maximum number of consecutive retries of a throttled or failed request, 0 to 1000. A running streaming query never gives up; it logs a warning instead.",
        |draft, text| put(&mut draft.max_retries, value::number(text, &(0..=1_000))),
    ),
    OptionSpec::new(
        "kinesis.clientRetryIntervalsMs",
        Role::Table,
        Some("1000"),
        "Wait before the first retry of a request, in milliseconds. It doubles with each retry, with random jitter.",
        |draft, text| put(&mut draft.retry_interval, value::millis(text, &ANY_WAIT)),
    ),
    OptionSpec::new(
        "kinesis.clientMaxRetryIntervalMs",
        Role::Table,
        Some("10000"),
        "Maximum wait between retries, in milliseconds.",
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
        "`true` creates the stream and the dead-letter stream if they do not exist. Meant for local servers and tests.",
        |draft, text| put(&mut draft.create_stream, value::boolean(text)),
    ),
    OptionSpec::new(
        "kinesis.shardCount",
        Role::Table,
        None,
        "Number of shards of a stream that is created, 1 to 10000. Without it: 1.",
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
        "Additional columns, separated by commas: `shardId`, `subSequenceNumber`, `explicitHashKey`, and with `kinesis.format` also `data`, `streamName`, `partitionKey`, `sequenceNumber`, `approximateArrivalTimestamp`. `shardId AS shard` gives a column another name, in lower case unless it is quoted: `shardId AS \"Shard\"`.",
        |draft, text| put(&mut draft.columns, value::columns(text)),
    ),
];
