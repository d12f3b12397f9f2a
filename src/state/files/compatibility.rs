//! Checks whether a query can load a state file: it needs the same columns, and an engine that computes
//! states in the same way.

use std::collections::BTreeSet;

use datafusion::DATAFUSION_VERSION;
use datafusion::arrow::datatypes::Schema;

use super::encoding::Decoded;
use super::hash_vectors::hash_vectors;
use crate::error::{Error, ErrorKind, Result, from_datafusion};
use crate::state::logical::{ALTERNATIVES, listed};
use crate::state::memory::{StateColumns, StateStore, have_same_types};

/// Refuses a file whose columns are not those of the query, or whose states another engine may have computed
/// differently.
///
/// # Errors
/// [`ErrorKind::Checkpoint`].
pub(crate) fn refuse(location: &str, found: &Decoded, store: &StateStore) -> Result<()> {
    let expected = store.schema();
    let (before_groups, now_groups) = (&found.groups, store.describe());
    expect_compatible_engine(location, found)?;
    let columns = |schema: &Schema| -> Vec<String> {
        let fields = schema.fields().iter();
        let column = fields.map(|field| format!("{} {}", field.name(), field.data_type()));
        column.collect()
    };
    let (before, now) = (columns(&found.schema), columns(expected));
    // Columns are identified by index: names may change.
    let same = have_same_types(&found.schema, expected);
    if same && before_groups.groups == now_groups.groups {
        return refuse_other_time(location, &found.schema, before_groups, &now_groups);
    }
    Err(Error::new(
        ErrorKind::Checkpoint,
        format!(
            "{location} holds the state of another aggregation:\n  was: {}\n  now: {}\n{ALTERNATIVES}",
            listed(&before),
            listed(&now)
        ),
    ))
}

/// Refuses a file whose states another version of the engine may have computed differently: another major
/// version, one that hashes differently, or another minor version that did not record how it hashes.
///
/// # Errors
/// [`ErrorKind::Checkpoint`].
fn expect_compatible_engine(location: &str, found: &Decoded) -> Result<()> {
    let engine = &found.engine;
    let refused = |what: &str| {
        Err(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "{location} was written with DataFusion {engine}, and this program has DataFusion \
                 {DATAFUSION_VERSION}, {what}: run the query with the version it was started with, or give \
                 it a new checkpoint location"
            ),
        ))
    };
    let may_differ = "whose aggregates may keep their state differently";
    if major(engine) != major(DATAFUSION_VERSION) {
        return refused(may_differ);
    }
    let Some(before) = &found.hashes else {
        return match minor(engine) == minor(DATAFUSION_VERSION) {
            true => Ok(()),
            false => refused(may_differ),
        };
    };
    let groups = found.schema.fields().iter().take(found.groups.groups);
    let now = hash_vectors(groups).map_err(from_datafusion)?;
    let differs = |of: &&String| before.get(*of) != now.get(*of);
    let differing: BTreeSet<&String> = before.keys().chain(now.keys()).filter(differs).collect();
    if differing.is_empty() {
        return Ok(());
    }
    let types: Vec<&str> = differing.into_iter().map(String::as_str).collect();
    refused(&format!("which hashes {} differently", types.join(", ")))
}

fn major(version: &str) -> Option<&str> {
    version.split('.').next()
}

fn minor(version: &str) -> Option<&str> {
    version.rsplit_once('.').map(|(minor, _)| minor)
}

/// Refuses a state some of whose groups a watermark has closed, if the query has no watermark over the same
/// column.
fn refuse_other_time(
    location: &str,
    columns: &Schema,
    before: &StateColumns,
    now: &StateColumns,
) -> Result<()> {
    let column = |described: &StateColumns| described.ends.as_ref().map(|ends| ends.column);
    let (Some(closed_by), now) = (column(before), column(now)) else {
        return Ok(());
    };
    if now == Some(closed_by) {
        return Ok(());
    }
    let name = |column: usize| format!("a watermark over '{}'", columns.field(column).name());
    Err(Error::new(
        ErrorKind::Checkpoint,
        format!(
            "{location} holds groups, some of which a watermark has closed:\n  was: {}\n  now: {}\n\
             {ALTERNATIVES}",
            name(closed_by),
            now.map_or_else(|| "no watermark closes groups".to_owned(), name)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::datatypes::{DataType, Field};

    use super::*;
    use crate::state::files::hash_vectors::HashVectors;

    /// A file of groups by a text, written by `engine`, whose hash vectors `change` modifies.
    fn written(engine: &str, change: impl FnOnce(&mut HashVectors)) -> Decoded {
        let fields = [
            Field::new("key", DataType::Utf8View, true),
            Field::new("count", DataType::Int64, true),
        ];
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let mut hashes = hash_vectors(schema.fields().iter().take(1)).unwrap();
        change(&mut hashes);
        Decoded {
            schema,
            groups: StateColumns {
                groups: 1,
                ..StateColumns::default()
            },
            rows: Vec::new(),
            engine: engine.to_owned(),
            hashes: Some(hashes),
        }
    }

    #[test]
    fn a_minor_version_that_hashes_alike_is_accepted() {
        let major = major(DATAFUSION_VERSION).unwrap();
        for engine in [DATAFUSION_VERSION, &format!("{major}.99.3")] {
            expect_compatible_engine("f", &written(engine, |_| {})).unwrap();
        }
        let error = expect_compatible_engine("f", &written("1.0.0", |_| {})).unwrap_err();
        assert!(error.to_string().contains("DataFusion 1.0.0"), "{error}");
    }

    #[test]
    fn a_version_that_hashes_differently_is_refused_with_the_types() {
        let changed = written(DATAFUSION_VERSION, |hashes| {
            hashes.insert("Utf8View".to_owned(), "0".repeat(16));
            hashes.remove("sketches");
        });
        let error = expect_compatible_engine("f", &changed).unwrap_err();
        let expected = "which hashes Utf8View, sketches differently";
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn files_without_test_vectors_are_read_by_their_own_minor_version() {
        let mut found = written(DATAFUSION_VERSION, |_| {});
        found.hashes = None;
        expect_compatible_engine("f", &found).unwrap();
        found.engine = format!("{}.99.0", major(DATAFUSION_VERSION).unwrap());
        let error = expect_compatible_engine("f", &found).unwrap_err();
        assert!(
            error.to_string().contains("may keep their state"),
            "{error}"
        );
    }
}
