//! Options for writing to a stream.

use super::{ANY_WAIT, SOME_WAIT, put};
use crate::model::Secret;
use crate::options::KeySource;
use crate::options::spec::{OptionSpec, Role};
use crate::options::value;

pub(super) const ROWS: &[OptionSpec] = &[
    OptionSpec::new(
        "kinesis.sink.aggregationEnabled",
        Role::Sink,
        Some("true"),
        "`true` packs rows into aggregated records (KPL format).",
        |draft, text| put(&mut draft.aggregation, value::boolean(text)),
    ),
    OptionSpec::new(
        "kinesis.sink.flushWaitTimeMs",
        Role::Sink,
        Some("100"),
        "Wait before rejected records are sent again, in milliseconds. It doubles with each rejection, with random jitter.",
        |draft, text| put(&mut draft.flush_wait, value::millis(text, &ANY_WAIT)),
    ),
    OptionSpec::new(
        "kinesis.sink.recordMaxBufferedTimeMs",
        Role::Sink,
        Some("1000"),
        "Maximum time that a row waits for others to share an aggregated record, in milliseconds.",
        |draft, text| put(&mut draft.max_buffered_time, value::millis(text, &ANY_WAIT)),
    ),
    OptionSpec::new(
        "kinesis.sink.maxConnections",
        Role::Sink,
        Some("1"),
        "Maximum number of PutRecords calls in flight, 1 to 1000.",
        |draft, text| {
            put(
                &mut draft.max_connections,
                value::number(text, &(1..=1_000)),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.sink.recordTtl",
        Role::Sink,
        None,
        "How long a rejected record is retried before the statement fails, in milliseconds. Without it: 30000, and no limit in a streaming query.",
        |draft, text| {
            let ttl = value::millis(text, &SOME_WAIT);
            put(&mut draft.record_ttl, ttl.map(Some))
        },
    ),
    OptionSpec::new(
        "kinesis.sink.partitionKey",
        Role::Sink,
        None,
        "Partition key of a row that is written to a table with `kinesis.format`: a column, an SQL expression over the columns of the table, or `random`, in any case, for a new key for each row; a column of that name is `\"random\"`. Without it: the column `partitionKey` if `kinesis.extraColumns` has it, else `random`.",
        |draft, text| {
            let source = value::text(text).map(|text| match text.eq_ignore_ascii_case("random") {
                true => KeySource::Random,
                false => KeySource::Expression(text),
            });
            put(&mut draft.partition_key, source.map(Some))
        },
    ),
    OptionSpec::new(
        "kinesis.sink.explicitHashKey",
        Role::Sink,
        None,
        "Explicit hash key of such a row, which chooses its shard instead of the partition key: a column or an SQL expression, of a number from 0 to 2^128 - 1 or NULL. Without it: the column `explicitHashKey` if `kinesis.extraColumns` has it, else none.",
        |draft, text| put(&mut draft.explicit_hash_key, value::text(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.sink.proxyAddress",
        Role::Table,
        None,
        "Host of a proxy for this table's requests to Kinesis and STS, optionally with `http://` or `https://`. Without it: the proxy of the environment.",
        |draft, text| {
            put(
                &mut draft.proxy.address,
                value::proxy_address(text).map(Some),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.sink.proxyPort",
        Role::Table,
        None,
        "Port of that proxy. Without it: 443.",
        |draft, text| {
            put(
                &mut draft.proxy.port,
                value::number(text, &(1..=u16::MAX)).map(Some),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.sink.proxyUsername",
        Role::Table,
        None,
        "User name for that proxy. Requires the password.",
        |draft, text| put(&mut draft.proxy.username, value::text(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.sink.proxyPassword",
        Role::Table,
        None,
        "Password for that proxy. Requires the user name.",
        |draft, text| {
            let password = value::text(text).map(Secret::new);
            put(&mut draft.proxy.password, password.map(Some))
        },
    )
    .secret(),
];
