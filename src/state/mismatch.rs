//! Whether a query can go on with the state that an earlier start has left.

use std::fmt::Write;

use datafusion::DATAFUSION_VERSION;
use datafusion::arrow::datatypes::Schema;

use super::described::Described;
use super::files::Decoded;
use super::names::have_same_types;
use super::origins::Pattern;
use super::store::StateStore;
use crate::checkpoint::StateMetadata;
use crate::error::{Error, ErrorKind, Result};

/// What to do about a query that cannot go on.
const WAYS_OUT: &str = "Filters, joins, names, what is computed of the aggregates, the output mode, the \
    number of partitions and the target may change, and a watermark may be added; for the rest give the \
    query a new checkpoint location, or run it as it was";

/// The words of an aggregation with names left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Renamed {
    /// Groups, then aggregates.
    pub(super) aggregation: Option<Pattern>,
    pub(super) event_time: Option<Pattern>,
}

/// Refuses a query that groups or aggregates otherwise than the one of the checkpoint, with both side by
/// side.
///
/// # Errors
/// [`ErrorKind::Checkpoint`].
pub(crate) fn refuse_other(
    location: &str,
    before: Option<&StateMetadata>,
    now: Option<(&StateMetadata, &Renamed)>,
) -> Result<()> {
    let goes_on = match (before, now) {
        (None, None) => true,
        (Some(before), Some((now, renamed))) => goes_on(before, now, renamed),
        _ => false,
    };
    if goes_on {
        return Ok(());
    }
    let now = now.map(|(now, _)| now);
    let lines = |state: Option<&StateMetadata>| match state {
        None => ["no GROUP BY".to_owned(), String::new(), String::new()],
        Some(state) => [
            format!("GROUP BY {}", listed(&state.group_by)),
            format!("aggregates {}", listed(&state.aggregates)),
            format!(
                "event time {}",
                state.event_time.as_deref().unwrap_or("none")
            ),
        ],
    };
    let mut difference = String::new();
    for (before, now) in lines(before).into_iter().zip(lines(now)) {
        if before != now {
            // Writing to a String cannot fail.
            let _ = write!(difference, "\n  was: {before}\n  now: {now}");
        }
    }
    Err(Error::new(
        ErrorKind::Checkpoint,
        format!(
            "checkpoint '{location}' holds the state of another aggregation:{difference}\n{WAYS_OUT}"
        ),
    ))
}

/// Whether a query of `now` can go on with the state of `before`: it is the same up to names, and has a
/// watermark over the same time if the one before had any.
fn goes_on(before: &StateMetadata, now: &StateMetadata, renamed: &Renamed) -> bool {
    let known = before.origin.is_some();
    let fits = |pattern: &Option<Pattern>, texts: &[&str]| {
        // Where origins are known, other words are another aggregation.
        !known && pattern.as_ref().is_some_and(|pattern| pattern.fits(texts))
    };
    let texts = before.group_by.iter().chain(&before.aggregates);
    let texts: Vec<&str> = texts.map(String::as_str).collect();
    let same_words = before.group_by == now.group_by && before.aggregates == now.aggregates;
    let same_counts = before.group_by.len() == now.group_by.len();
    let same = same_words
        || (same_counts && known && before.origin == now.origin)
        || (same_counts && fits(&renamed.aggregation, &texts));
    let same_time = match (&before.event_time, &now.event_time) {
        // Nothing was closed so far.
        (None, _) => true,
        (Some(_), None) => false,
        (Some(time), Some(now_time)) => {
            time == now_time
                || (known && before.event_time_origin == now.event_time_origin)
                || fits(&renamed.event_time, &[time])
        }
    };
    same && same_time
}

fn listed(items: &[String]) -> String {
    match items {
        [] => "none".to_owned(),
        items => items.join(", "),
    }
}

/// Refuses a file whose columns are not those of the query, or whose states another version of the
/// engine has made.
///
/// # Errors
/// [`ErrorKind::Checkpoint`].
pub(super) fn refuse(place: &str, found: &Decoded, store: &StateStore) -> Result<()> {
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
    before: &Described,
    now: &Described,
) -> Result<()> {
    let column = |described: &Described| described.ends.as_ref().map(|ends| ends.column);
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
