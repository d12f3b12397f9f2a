//! The catalog of table options: one entry per option with name, role, default, description and parser.
//! Finds options by name, and suggests the nearest name for an unknown one.

mod avro;
mod credentials;
mod format;
mod protobuf;
mod reading;
mod registry;
mod streaming;
mod table;
mod writing;

use std::fmt::Write;
use std::ops::RangeInclusive;

pub(super) use avro::AVRO_FRAMINGS;
pub(super) use format::{
    COMPRESSIONS, FRAMINGS, JSON_HEADERS, NULL_FIELDS, ON_MISMATCH, TIMESTAMPS,
};
pub(super) use protobuf::PROTOBUF_FRAMINGS;
pub(super) use reading::HASH_FILTERS;
pub(super) use registry::REGISTRY_TYPES;
pub(super) use streaming::LIFECYCLES;

use super::spec::{OptionSpec, Role};
use super::value::{Parsed, nearest};
use crate::error::{Error, Result};

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;
const ANY_WAIT: RangeInclusive<u64> = 0..=DAY_MILLIS;
const SOME_WAIT: RangeInclusive<u64> = 1..=DAY_MILLIS;

/// All options of a table, in the order of the documentation.
pub fn all() -> impl Iterator<Item = &'static OptionSpec> {
    [
        table::ROWS,
        credentials::ROWS,
        format::ROWS,
        avro::ROWS,
        registry::ROWS,
        protobuf::ROWS,
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

/// Finds an option by name, ignoring case.
pub(in crate::options) fn find(name: &str) -> Result<&'static OptionSpec> {
    let name = name.trim();
    if let Some(option) = all().find(|o| o.name.eq_ignore_ascii_case(name)) {
        return Ok(option);
    }
    // DataFusion prefixes names without a dot with `format.`.
    let bare = name
        .strip_prefix("format.")
        .map_or_else(|| name.to_owned(), |bare| format!("kinesis.{bare}"));
    let nearest = nearest(&bare, all().map(|option| option.name));
    let shown = name.strip_prefix("format.").unwrap_or(name);
    Err(Error::invalid_option(format!(
        "option '{shown}' is not known: expected an option such as '{nearest}'"
    )))
}

/// The options as a Markdown table.
pub fn markdown() -> String {
    let mut table = String::from("| Option | For | Default | Meaning |\n|---|---|---|---|\n");
    for option in all() {
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
        .expect("writing to a String cannot fail");
    }
    table
}
