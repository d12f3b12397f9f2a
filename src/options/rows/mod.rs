//! The options, one row each: name, role, default, what it takes, what it does, and its parser.

mod credentials;
mod reading;
mod streaming;
mod table;
mod writing;

use std::ops::RangeInclusive;

use super::spec::OptionSpec;
use super::value::Parsed;

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;
const ANY_WAIT: RangeInclusive<u64> = 0..=DAY_MILLIS;
const SOME_WAIT: RangeInclusive<u64> = 1..=DAY_MILLIS;

/// Every option of a table, in the order a user reads them.
pub fn all() -> impl Iterator<Item = &'static OptionSpec> {
    [
        table::ROWS,
        credentials::ROWS,
        reading::ROWS,
        streaming::ROWS,
        credentials::DYNAMODB_ROWS,
        writing::ROWS,
    ]
    .into_iter()
    .flatten()
}

fn put<T>(slot: &mut T, value: Parsed<T>) -> Parsed<()> {
    *slot = value?;
    Ok(())
}

const FAN_OUT: &str = "belongs to enhanced fan-out, which this version does not have: expected \
    streams to be read with GetRecords";
/// Options of the awslabs connector this version does not have, and why, so that they are told from
/// typos.
pub(super) const NOT_HERE: &[(&str, &str)] = &[
    ("kinesis.consumerName", FAN_OUT),
    ("kinesis.subscribeToShard.maxRetries", FAN_OUT),
    ("kinesis.subscribeToShard.timeoutSec", FAN_OUT),
];
