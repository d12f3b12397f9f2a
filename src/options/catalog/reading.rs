//! Options of every read, bounded or not.

use std::ops::RangeInclusive;

use super::{ANY_WAIT, put};
use crate::options::spec::{OptionSpec, Role};
use crate::options::{HashFilter, position, value};

/// The most records of one GetRecords (API reference, GetRecords, `Limit`).
const FETCH_RECORDS: RangeInclusive<usize> = 1..=10_000;

const HASH_FILTERS: [(&str, HashFilter); 3] = [
    ("per_record", HashFilter::PerRecord),
    ("kcl", HashFilter::Kcl),
    ("none", HashFilter::None),
];

pub(super) const ROWS: &[OptionSpec] = &[
    OptionSpec::new(
        "kinesis.startingPosition",
        Role::Source,
        None,
        "`TRIM_HORIZON` (or `EARLIEST`), the default; `LATEST`, the default of `UNBOUNDED` tables: all that is put after the query was made, and maybe what was put shortly before, as far as clocks differ; `AT_TIMESTAMP 2023-08-30T19:00:05Z`, or JSON of positions per shard. See [Starting positions](#starting-positions).",
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
        "`true` keeps the rows of a partition key in the order of writing over splits and merges: what is connected by them is read shard after shard. Streaming queries keep it anyway.",
        |draft, text| put(&mut draft.ordered, value::boolean(text)),
    ),
    OptionSpec::new(
        "kinesis.maxFetchRecordsPerShard",
        Role::Source,
        None,
        "The most rows of one shard. In a streaming query those of each batch, 100000 when not given; without `UNBOUNDED` those of the whole read, which goes on to the tip when not given.",
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
];
