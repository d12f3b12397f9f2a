//! The state of a query's operators.

use maud::{Markup, html};

use super::text::{bytes, count, date_and_time, span};
use crate::monitor::look::{QueryView, timestamp};
use crate::query::{ObservedQuery, StateOperatorProgress};

pub(super) fn page(run: &ObservedQuery, view: &QueryView) -> Markup {
    let recent = run.recent_progress();
    let last = recent.last();
    let Some(state) = last.and_then(|last| last.state_operator.as_ref()) else {
        return html! {
            h2 { "State" }
            p {
                @match last {
                    Some(_) => "This query keeps no state between batches: it has no GROUP BY.",
                    None => "No batch has been committed yet.",
                }
            }
        };
    };
    let states = recent
        .iter()
        .filter_map(|batch| batch.state_operator.as_ref());
    let dropped: u64 = states.map(|state| state.rows_dropped_by_watermark).sum();
    let times = last.and_then(|last| last.event_time.as_ref());
    html! {
        h2 { "Operators" }
        (table(state))
        p {
            "Late rows, or rows without an event time, that were dropped in the last " (recent.len()) " batches: "
            strong { (count(dropped)) }
        }
        @if let Some(times) = times {
            h2 { "Event time of the last batch" }
            dl.pairs {
                @for (name, time) in [("earliest", times.min), ("latest", times.max), ("watermark", times.watermark)] {
                    dt { (name) }
                    dd { (super::text::known(time, |time| date_and_time(&timestamp(time)))) }
                }
            }
        }
        h2 { "See the groups" }
        @if view.checkpoint_location.starts_with("memory:") {
            p { "The checkpoint is in memory, so the groups cannot be read by another statement." }
        } @else {
            p { "This statement returns the groups after the newest committed batch, also from another process:" }
            pre.sql tabindex="0" { (read_state(&view.checkpoint_location)) }
        }
    }
}

/// The statement that reads the state at a checkpoint.
fn read_state(checkpoint: &str) -> String {
    format!(
        "SELECT * FROM read_state('{}') LIMIT 100;",
        checkpoint.replace('\'', "''")
    )
}

fn table(state: &StateOperatorProgress) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                thead {
                    tr {
                        th { "Operator" }
                        @for name in [
                            "Groups", "Updated", "Removed", "Dropped rows", "Memory", "Partitions", "Commit time",
                        ] { th.num { (name) } }
                    }
                }
                tbody {
                    tr {
                        th scope="row" { "aggregation" }
                        td.num { (count(state.rows_total)) }
                        td.num { (count(state.rows_updated)) }
                        td.num { (count(state.rows_removed)) }
                        td.num { (count(state.rows_dropped_by_watermark)) }
                        td.num { (bytes(state.memory_bytes as f64)) }
                        td.num { (state.partitions) }
                        td.num { (span(state.commit_time.as_secs_f64() * 1_000.0)) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_location_does_not_end_the_text() {
        assert_eq!(
            read_state("file:///it's"),
            "SELECT * FROM read_state('file:///it''s') LIMIT 100;"
        );
    }
}
