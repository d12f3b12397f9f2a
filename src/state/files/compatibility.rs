//! Whether a query can resume from a file of its state.

use datafusion::DATAFUSION_VERSION;
use datafusion::arrow::datatypes::Schema;

use super::encoding::Decoded;
use crate::error::{Error, ErrorKind, Result};
use crate::state::logical::{WAYS_OUT, listed};
use crate::state::memory::{StateColumns, StateStore, have_same_types};

/// Refuses a file whose columns are not those of the query, or whose states another version of the
/// engine has made.
///
/// # Errors
/// [`ErrorKind::Checkpoint`].
pub(crate) fn refuse(place: &str, found: &Decoded, store: &StateStore) -> Result<()> {
    let (engine, expected) = (&found.engine, store.schema());
    let (before_groups, now_groups) = (&found.groups, store.describe());
    let minor = |version: &str| version.rsplit_once('.').map(|(minor, _)| minor.to_owned());
    if minor(engine) != minor(DATAFUSION_VERSION) {
        return Err(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "{place} was written with DataFusion {engine}, and this program has DataFusion \
                 {DATAFUSION_VERSION}, whose aggregates may keep their state otherwise: run the query \
                 with the version it was begun with, or give it a new checkpoint location"
            ),
        ));
    }
    let columns = |schema: &Schema| -> Vec<String> {
        let fields = schema.fields().iter();
        let column = fields.map(|field| format!("{} {}", field.name(), field.data_type()));
        column.collect()
    };
    let (before, now) = (columns(&found.schema), columns(expected));
    // Columns are told by their places: names may change.
    let same = have_same_types(&found.schema, expected);
    if same && before_groups.groups == now_groups.groups {
        return refuse_other_time(place, &found.schema, before_groups, &now_groups);
    }
    Err(Error::new(
        ErrorKind::Checkpoint,
        format!(
            "{place} holds the state of another aggregation:\n  was: {}\n  now: {}\n{WAYS_OUT}",
            listed(&before),
            listed(&now)
        ),
    ))
}

/// Refuses groups of which a watermark has closed some, where the query has none over the same column.
fn refuse_other_time(
    place: &str,
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
            "{place} holds groups of which a watermark has closed some:\n  was: {}\n  now: {}\n\
             {WAYS_OUT}",
            name(closed_by),
            now.map_or_else(|| "no watermark closes groups".to_owned(), name)
        ),
    ))
}
