//! Options for reading a stream, in bounded reads and streaming queries.

use std::ops::RangeInclusive;

use super::{ANY_WAIT, put};
use crate::options::spec::{OptionSpec, Role};
use crate::options::{HashFilter, position, value};

/// The most records of one GetRecords (API reference, GetRecords, `Limit`).
const FETCH_RECORDS: RangeInclusive<usize> = 1..=10_000;

pub(in crate::options) const HASH_FILTERS: [(&str, HashFilter); 3] = [
    ("per_record", HashFilter::PerRecord),
    ("kcl", HashFilter::Kcl),
    ("none", HashFilter::None),
];

pub(super) const ROWS: &[OptionSpec] = &[
    OptionSpec::new(
        "kinesis.startingPosition",
        Role::Source,
        None,
        "Where reading starts: `TRIM_HORIZON` (or `EARLIEST`), the default; `LATEST`, the default of `UNBOUNDED` tables, which reads all records written after the query was created and, as clocks differ, possibly some written shortly before; `AT_TIMESTAMP 2023-08-30T19:00:05Z`; or JSON with positions per shard. See [starting positions][positions].",
        |draft, text| {
            put(
                &mut draft.starting_position,
                position::starting_position(text).map(Some),
            )
        },
    ),
    OptionSpec::new(
        "kinesis.ordered",
        Role::Source,
        Some("false"),
        "`true` makes a bounded read keep the rows of a partition key in the order in which they were written, across splits and merges, by reading a parent shard to its end before its children. Streaming queries always keep this order.",
        |draft, text| put(&mut draft.ordered, value::boolean(text)),
    ),
    OptionSpec::new(
        "kinesis.maxFetchRecordsPerShard",
        Role::Source,
        None,
        "Maximum number of rows per shard. In a streaming query it applies to each batch (without it: 100000), in a bounded read to the whole read (without it: all rows up to the tip).",
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
        "Maximum number of records per GetRecords call, 1 to 10000.",
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
        "Minimum interval between two GetRecords calls of a shard, in milliseconds. The wait is longer after large pages, to keep to 2 MiB per second and shard. `0` turns pacing off.",
        |draft, text| put(&mut draft.fetch_interval, value::millis(text, &ANY_WAIT)),
    ),
    OptionSpec::new(
        "kinesis.aggregation.hashFilter",
        Role::Source,
        Some("per_record"),
        "How user records outside the hash range of their shard are handled: `per_record` drops each of them, `kcl` drops the whole aggregated record, `none` keeps all.",
        |draft, text| {
            put(
                &mut draft.hash_filter,
                value::choice(text, &HASH_FILTERS).map(Some),
            )
        },
    ),
];
