//! Options of writing.

use super::{ANY_WAIT, SOME_WAIT, put};
use crate::model::Secret;
use crate::options::spec::{OptionSpec, Role};
use crate::options::value;

pub(super) const ROWS: &[OptionSpec] = &[
    OptionSpec::new(
        "kinesis.sink.aggregationEnabled",
        Role::Sink,
        Some("true"),
        "Packs rows into aggregated records (KPL format).",
        |draft, text| put(&mut draft.aggregation, value::boolean(text)),
    ),
    OptionSpec::new(
        "kinesis.sink.flushWaitTimeMs",
        Role::Sink,
        Some("100"),
        "Wait before refused records are sent again; it doubles each time and is spread at random.",
        |draft, text| put(&mut draft.flush_wait, value::millis(text, &ANY_WAIT)),
    ),
    OptionSpec::new(
        "kinesis.sink.recordMaxBufferedTimeMs",
        Role::Sink,
        Some("1000"),
        "The longest a row waits for others to share its aggregated record.",
        |draft, text| put(&mut draft.max_buffered_time, value::millis(text, &ANY_WAIT)),
    ),
    OptionSpec::new(
        "kinesis.sink.maxConnections",
        Role::Sink,
        Some("1"),
        "PutRecords in flight at once, 1 to 1000.",
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
        "Milliseconds a refused record is tried again before the statement fails. When not given: 30000, and in a streaming query as long as it runs.",
        |draft, text| {
            let ttl = value::millis(text, &SOME_WAIT);
            put(&mut draft.record_ttl, ttl.map(Some))
        },
    ),
    OptionSpec::new(
        "kinesis.sink.proxyAddress",
        Role::Table,
        None,
        "Host of a proxy for the requests of this table to Kinesis and STS, `http://` or `https://` may stand before it. Without it: the environment's.",
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
        "Port of that proxy; 443 when not given.",
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
        "User of that proxy, together with the password.",
        |draft, text| put(&mut draft.proxy.username, value::text(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.sink.proxyPassword",
        Role::Table,
        None,
        "Password of that user.",
        |draft, text| {
            let password = value::text(text).map(Secret::new);
            put(&mut draft.proxy.password, password.map(Some))
        },
    )
    .secret(),
];
