//! Whether a query can go on with the state that an earlier start has left.

use std::fmt::Write;

use datafusion::DATAFUSION_VERSION;
use datafusion::arrow::datatypes::Schema;

use crate::checkpoint::StateMetadata;
use crate::error::{Error, ErrorKind, Result};

/// What to do about a query that cannot go on.
const WAYS_OUT: &str = "Filters, joins, what is computed of the aggregates, the output mode, the number \
    of partitions and the target may change; for the rest give the query a new checkpoint location, or \
    run it as it was";

/// Refuses a query that groups or aggregates otherwise than the one of the checkpoint, with both side by
/// side.
///
/// # Errors
/// [`ErrorKind::Checkpoint`].
pub(crate) fn refuse_other(
    location: &str,
    before: Option<&StateMetadata>,
    now: Option<&StateMetadata>,
) -> Result<()> {
    if before == now {
        return Ok(());
    }
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
pub(super) fn refuse(place: &str, found: &Schema, engine: &str, expected: &Schema) -> Result<()> {
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
    let (before, now) = (columns(found), columns(expected));
    if before == now {
        return Ok(());
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
