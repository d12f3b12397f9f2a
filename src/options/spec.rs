//! The table of options: name, role, default, what it takes, what it does, and its parser.
//! Parser, defaults, README and tests all read it.

use std::fmt::Write;
use std::ops::RangeInclusive;

use super::value::{self, Parsed};
use super::{Draft, ExtraColumn, HashFilter, position};
use crate::error::{Error, Result};
use crate::model::{Secret, StreamIdentity};

/// Which side of a table an option is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The table itself: stream, endpoint, credentials, columns.
    Table,
    /// Reading it.
    Source,
    /// Writing it.
    Sink,
}

/// One option.
#[derive(Debug)]
pub struct OptionSpec {
    /// Its name, as the awslabs Spark connector writes it.
    pub name: &'static str,
    /// What it is about.
    pub role: Role,
    /// What holds when it is not given; none where nothing sensible does.
    pub default: Option<&'static str>,
    /// What it does and takes, as Markdown.
    pub doc: &'static str,
    /// Whether its value must not be shown.
    pub secret: bool,
    set: fn(&mut Draft, &str) -> Parsed<()>,
}

impl OptionSpec {
    const fn new(
        name: &'static str,
        role: Role,
        default: Option<&'static str>,
        doc: &'static str,
        set: fn(&mut Draft, &str) -> Parsed<()>,
    ) -> Self {
        Self {
            name,
            role,
            default,
            doc,
            secret: false,
            set,
        }
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    pub(super) fn set(&self, draft: &mut Draft, value: &str) -> Result<()> {
        (self.set)(draft, value).map_err(|expected| {
            // A URL with an `@` may hold a password.
            let hidden = self.secret || value.contains('@');
            let shown = if hidden { "***" } else { value };
            Error::invalid_option(format!("option '{}' = '{shown}': {expected}", self.name))
        })
    }
}

fn put<T>(slot: &mut T, value: Parsed<T>) -> Parsed<()> {
    *slot = value?;
    Ok(())
}

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;
const ANY_WAIT: RangeInclusive<u64> = 0..=DAY_MILLIS;
const SOME_WAIT: RangeInclusive<u64> = 1..=DAY_MILLIS;

/// The most records of one GetRecords (API reference, GetRecords, `Limit`).
const FETCH_RECORDS: RangeInclusive<usize> = 1..=10_000;

/// The most shards of a stream (API reference, UpdateShardCount).
const SHARDS: RangeInclusive<u32> = 1..=10_000;

const EXTRA_COLUMNS: [(&str, ExtraColumn); 3] = [
    ("shardId", ExtraColumn::ShardId),
    ("subSequenceNumber", ExtraColumn::SubSequenceNumber),
    ("explicitHashKey", ExtraColumn::ExplicitHashKey),
];

const HASH_FILTERS: [(&str, HashFilter); 3] = [
    ("per_record", HashFilter::PerRecord),
    ("kcl", HashFilter::Kcl),
    ("none", HashFilter::None),
];

/// Every option of a table.
pub const OPTIONS: &[OptionSpec] = &[
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
        "Endpoint instead of the region's public one: `https://host[:port]`, or `http://` for a local server.",
        |draft, text| put(&mut draft.endpoint_url, value::url(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.region",
        Role::Table,
        None,
        "Region of the stream. Without it: the ARN's, that of a public endpoint, or the environment's.",
        |draft, text| put(&mut draft.region, value::text(text).map(Some)),
    ),
    OptionSpec::new(
        "kinesis.awsAccessKeyId",
        Role::Table,
        None,
        "Access key id, together with the secret key. Without it: the default chain of AWS tools.",
        |draft, text| {
            put(
                &mut draft.access_key_id,
                value::text(text).map(Secret::new).map(Some),
            )
        },
    )
    .secret(),
    OptionSpec::new(
        "kinesis.awsSecretKey",
        Role::Table,
        None,
        "Secret access key.",
        |draft, text| {
            put(
                &mut draft.secret_key,
                value::text(text).map(Secret::new).map(Some),
            )
        },
    )
    .secret(),
    OptionSpec::new(
        "kinesis.sessionToken",
        Role::Table,
        None,
        "Token of temporary credentials, with the two keys.",
        |draft, text| {
            put(
                &mut draft.session_token,
                value::text(text).map(Secret::new).map(Some),
            )
        },
    )
    .secret(),
    OptionSpec::new(
        "kinesis.clientNumRetries",
        Role::Table,
        Some("5"),
        "How often in a row a throttled or failed request is sent again, 0 to 1000.",
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
    OptionSpec::new(
        "kinesis.startingPosition",
        Role::Source,
        Some("TRIM_HORIZON"),
        "`TRIM_HORIZON` (or `EARLIEST`), `LATEST`, `AT_TIMESTAMP 2023-08-30T19:00:05Z` (any UTC offset, fractions of a second allowed), or a JSON object of positions per shard as the awslabs connector writes it.",
        |draft, text| {
            let (position, stream) = position::starting_position(text)?;
            draft.starting_position = Some(position);
            draft.position_stream = stream;
            Ok(())
        },
    ),
    OptionSpec::new(
        "kinesis.maxFetchRecordsPerShard",
        Role::Source,
        None,
        "The most rows read from one shard; without it a read goes on to the tip.",
        |draft, text| {
            put(
                &mut draft.max_records_per_shard,
                value::number(text, &(1..=u64::MAX)).map(Some),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.getRecords.numberOfRecordsPerFetch",
        Role::Source,
        Some("10000"),
        "The most records of one GetRecords, 1 to 10000.",
        |draft, text| {
            put(
                &mut draft.records_per_fetch,
                value::number(text, &FETCH_RECORDS),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.getRecords.fetchIntervalMs",
        Role::Source,
        Some("200"),
        "The least time between two GetRecords of a shard; large pages wait longer, as 2 MiB per second and shard demand; `0` turns pacing off.",
        |draft, text| put(&mut draft.fetch_interval, value::millis(text, &ANY_WAIT)),
    ),
    OptionSpec::new(
        "kinesis.aggregation.hashFilter",
        Role::Source,
        Some("per_record"),
        "User records outside the hash range of their shard: `per_record` leaves out each, `kcl` the whole aggregated record, `none` keeps all.",
        |draft, text| {
            put(
                &mut draft.hash_filter,
                value::choice(text, &HASH_FILTERS).map(Some),
            )
        },
    ),
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
        Some("30000"),
        "Milliseconds a refused record is tried again before the statement fails.",
        |draft, text| put(&mut draft.record_ttl, value::millis(text, &SOME_WAIT)),
    ),
];

const STREAMING: &str = "is for streaming queries, and this version reads to the tip and ends";
const CREDENTIALS: &str = "is a way to credentials this version does not have: expected \
    'kinesis.awsAccessKeyId' and 'kinesis.awsSecretKey', or the default chain of AWS tools";

/// Options of the awslabs connector this version does not have, and why, so that they are told from
/// typos.
const NOT_HERE: &[(&str, &str)] = &[
    ("kinesis.checkNewRecordThreads", STREAMING),
    ("kinesis.consumerName", STREAMING),
    ("kinesis.consumerType", STREAMING),
    ("kinesis.credentialProviderClass", CREDENTIALS),
    ("kinesis.credentialProviderParam", CREDENTIALS),
    ("kinesis.describeShardInterval", STREAMING),
    ("kinesis.dynamodb.tableName", STREAMING),
    ("kinesis.failOnDataLoss", STREAMING),
    (
        "kinesis.kinesisRegion",
        "is not known: expected 'kinesis.region'",
    ),
    ("kinesis.maxFetchTimePerShardSec", STREAMING),
    ("kinesis.metadataCommitterType", STREAMING),
    ("kinesis.metadataMaxRetryIntervalMs", STREAMING),
    ("kinesis.metadataNumRetries", STREAMING),
    ("kinesis.metadataPath", STREAMING),
    ("kinesis.metadataRetryIntervalsMs", STREAMING),
    ("kinesis.minBatchesToRetain", STREAMING),
    ("kinesis.stsEndpointUrl", CREDENTIALS),
    ("kinesis.stsRoleArn", CREDENTIALS),
    ("kinesis.stsSessionName", CREDENTIALS),
    ("kinesis.subscribeToShard.maxRetries", STREAMING),
    ("kinesis.subscribeToShard.timeoutSec", STREAMING),
];

/// The option of this name, without regard to case.
pub(super) fn find(name: &str) -> Result<&'static OptionSpec> {
    let name = name.trim();
    if let Some(option) = OPTIONS.iter().find(|o| o.name.eq_ignore_ascii_case(name)) {
        return Ok(option);
    }
    if let Some((name, why)) = NOT_HERE.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
        return Err(Error::invalid_option(format!("option '{name}' {why}")));
    }
    // DataFusion puts `format.` before a name without a dot.
    let bare = name
        .strip_prefix("format.")
        .map_or_else(|| name.to_owned(), |bare| format!("kinesis.{bare}"));
    let distance = |option: &OptionSpec| {
        strsim::levenshtein(
            &option.name.to_ascii_lowercase(),
            &bare.to_ascii_lowercase(),
        )
    };
    let nearest = OPTIONS.iter().min_by_key(|option| distance(option));
    let nearest = nearest.map_or("", |option| option.name);
    let shown = name.strip_prefix("format.").unwrap_or(name);
    Err(Error::invalid_option(format!(
        "option '{shown}' is not known: expected an option such as '{nearest}'"
    )))
}

/// The options as a table in Markdown.
pub fn markdown() -> String {
    let mut table = String::from("| Option | For | Default | Meaning |\n|---|---|---|---|\n");
    for option in OPTIONS {
        let role = match option.role {
            Role::Table => "both",
            Role::Source => "reading",
            Role::Sink => "writing",
        };
        let default = option
            .default
            .map_or("".to_owned(), |text| format!("`{text}`"));
        writeln!(
            table,
            "| `{}` | {role} | {default} | {} |",
            option.name, option.doc
        )
        .expect("a String takes all that is written to it");
    }
    table
}
