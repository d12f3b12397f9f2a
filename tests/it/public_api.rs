//! The public API of the library, compared with `public-api.txt`.
//!
//! After a deliberate change: `UPDATE_PUBLIC_API=1 cargo test --all-features --test it public_api`.
//!
//! The list is read from the source, so it works with any toolchain and shows types as they are written.
//! It leaves out hidden items and whatever a macro generates.

mod impls;
mod items;
mod modules;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use crate::support::ROOT;
use items::{Listing, PublicItem};
use modules::Modules;

/// Crates whose types may appear in public signatures. `aws_credential_types` has the trait that every
/// credential provider for the AWS SDK implements.
const CRATES_IN_SIGNATURES: &[&str] = &["aws_credential_types", "bytes", "datafusion", "std"];

static ITEMS: LazyLock<Vec<PublicItem>> = LazyLock::new(|| {
    let modules = Modules::read(&Path::new(ROOT).join("src"));
    Listing::new(&modules).items
});

#[test]
fn the_public_api_is_the_recorded_one() {
    let file = Path::new(ROOT).join("public-api.txt");
    let sorted: BTreeSet<_> = ITEMS
        .iter()
        .map(|item| (&item.path, item.line.starts_with("impl"), &item.line))
        .collect();
    let found: Vec<&str> = sorted.iter().map(|(_, _, line)| line.as_str()).collect();
    if std::env::var_os("UPDATE_PUBLIC_API").is_some() {
        return fs::write(&file, found.join("\n") + "\n").unwrap();
    }
    let recorded = fs::read_to_string(&file).unwrap();
    let (before, now): (BTreeSet<&str>, BTreeSet<&str>) =
        (recorded.lines().collect(), found.iter().copied().collect());
    let removed = before.difference(&now).map(|line| format!("- {line}\n"));
    let added = now.difference(&before).map(|line| format!("+ {line}\n"));
    let changes: String = removed.chain(added).collect();
    assert!(
        recorded.lines().eq(found),
        "the public API has changed; if that is intended, run with UPDATE_PUBLIC_API=1\n{changes}"
    );
}

#[test]
fn every_item_has_one_public_path() {
    let mut paths: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    for item in ITEMS.iter() {
        if let Some(definition) = &item.definition {
            paths.entry(definition).or_default().insert(&item.path);
        }
    }
    paths.retain(|_, paths| paths.len() > 1);
    assert!(paths.is_empty(), "{paths:#?}");
}

#[test]
fn signatures_name_only_the_crates_they_are_meant_to() {
    let mut foreign = Vec::new();
    for item in ITEMS.iter() {
        for name in &item.crates {
            if !CRATES_IN_SIGNATURES.contains(&name.as_str()) {
                foreign.push(format!("{name}: {}", item.line));
            }
        }
    }
    assert!(foreign.is_empty(), "{}", foreign.join("\n"));
}

/// Enums that are closed deliberately, so that callers can match on them without a wildcard: a new variant
/// is a breaking change.
const CLOSED_ENUMS: &[&str] = &[
    "aggregation::Opened",
    "aggregation::Push",
    "checkpoint::Log",
    "checkpoint::Put",
    "kinesis::ConsumerId",
    "kinesis::ConsumerStatus",
    "kinesis::IteratorPosition",
    "kinesis::ListShardsFrom",
    "kinesis::RecordDistribution",
    "kinesis::StreamMode",
    "kinesis::StreamStatus",
    "model::OutputMode",
    "model::ShardPosition",
    "model::StartingPosition",
];

#[test]
fn every_enum_is_non_exhaustive_or_closed_by_intent() {
    let closed: BTreeSet<&str> = ITEMS
        .iter()
        .filter(|item| item.line.starts_with("pub enum "))
        .map(|item| item.path.as_str())
        .collect();
    assert_eq!(closed, CLOSED_ENUMS.iter().copied().collect());
}
