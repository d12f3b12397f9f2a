//! Checks whether a query can resume from the state of a checkpoint, by comparing what its aggregation
//! computes.

use std::fmt::Write;

use super::column_lineage::NamePattern;
use crate::checkpoint::AggregationMetadata;
use crate::error::{Error, ErrorKind, Result};

/// What may change, and what to do otherwise.
pub(crate) const ALTERNATIVES: &str = "Filters, joins, names, expressions over the aggregates, the output mode, the \
    number of partitions and the target may change, and a watermark may be added; for other changes give the \
    query a new checkpoint location, or run it as it was";

/// The text of an aggregation with placeholders for table names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamePatterns {
    /// Groups, then aggregates.
    pub(crate) aggregation: Option<NamePattern>,
    pub(crate) event_time: Option<NamePattern>,
}

/// Refuses a query whose groups or aggregates differ from those of the checkpoint, showing both.
///
/// # Errors
/// [`ErrorKind::Checkpoint`].
pub(crate) fn expect_same_aggregation(
    location: &str,
    before: Option<&AggregationMetadata>,
    now: Option<(&AggregationMetadata, &NamePatterns)>,
) -> Result<()> {
    let goes_on = match (before, now) {
        (None, None) => true,
        (Some(before), Some((now, name_patterns))) => goes_on(before, now, name_patterns),
        _ => false,
    };
    if goes_on {
        return Ok(());
    }
    let now = now.map(|(now, _)| now);
    let lines = |state: Option<&AggregationMetadata>| match state {
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
            "checkpoint '{location}' holds the state of another aggregation:{difference}\n{ALTERNATIVES}"
        ),
    ))
}

/// Whether a query of `now` can resume from the state of `before`: it is the same up to names, and has a watermark over
/// the same event time if the earlier one had a watermark.
fn goes_on(
    before: &AggregationMetadata,
    now: &AggregationMetadata,
    name_patterns: &NamePatterns,
) -> bool {
    let known = before.origin.is_some();
    let fits = |pattern: &Option<NamePattern>, texts: &[&str]| {
        // If digests are known, they decide.
        !known && pattern.as_ref().is_some_and(|pattern| pattern.fits(texts))
    };
    let texts = before.group_by.iter().chain(&before.aggregates);
    let texts: Vec<&str> = texts.map(String::as_str).collect();
    let same_words = before.group_by == now.group_by && before.aggregates == now.aggregates;
    let same_counts = before.group_by.len() == now.group_by.len();
    let same = same_words
        || (same_counts && known && before.origin == now.origin)
        || (same_counts && fits(&name_patterns.aggregation, &texts));
    let same_time = match (&before.event_time, &now.event_time) {
        // No group has been closed.
        (None, _) => true,
        (Some(_), None) => false,
        (Some(time), Some(now_time)) => {
            time == now_time
                || (known && before.event_time_origin == now.event_time_origin)
                || fits(&name_patterns.event_time, &[time])
        }
    };
    same && same_time
}

pub(crate) fn listed(items: &[String]) -> String {
    match items {
        [] => "none".to_owned(),
        items => items.join(", "),
    }
}
