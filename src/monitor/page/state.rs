//! The state of a query's operators.

use maud::{Markup, html};

use super::text::{bytes, count, date_and_time, known, span};
use crate::monitor::look::{OperatorView, SampleView, StateView, timestamp};
use crate::query::ObservedQuery;

pub(super) fn page(run: &ObservedQuery, state: &StateView) -> Markup {
    if state.operators.is_empty() {
        return html! {
            h2 { "State" }
            p {
                @match state.batch_id {
                    Some(_) => "This query keeps no state between batches: it has no GROUP BY.",
                    None => "This run has committed no batch yet.",
                }
            }
        };
    }
    let recent = run.recent_progress();
    let states = recent
        .iter()
        .filter_map(|batch| batch.state_operator.as_ref());
    let dropped: u64 = states.map(|state| state.rows_dropped_by_watermark).sum();
    let last = recent.last();
    let times = last.and_then(|last| last.event_time.as_ref());
    html! {
        h2 { "Operators" }
        (operators(&state.operators))
        p {
            "Late rows, or rows without an event time, that were dropped in the last " (recent.len()) " batches: "
            strong { (count(dropped)) }
        }
        @if let Some(times) = times {
            h2 { "Event time of the last batch" }
            dl.pairs {
                @for (name, time) in [("earliest", times.min), ("latest", times.max), ("watermark", times.watermark)] {
                    dt { (name) }
                    dd { (known(time, |time| date_and_time(&timestamp(time)))) }
                }
            }
        }
        @for operator in &state.operators {
            h2 { "Files and snapshots" (of_output(operator)) }
            (files(operator))
            h2 { "Some groups" (of_output(operator)) }
            (groups(run, operator))
        }
        h2 { "See all groups" }
        @match &state.read_state {
            None => p { "No other process can read them: " code { "read_state" } " needs the log of the query and the files at one location." },
            Some(statement) => {
                p { "This statement returns the groups after the newest committed batch, also from another process:" }
                pre.sql tabindex="0" { (statement) }
                @if state.operators.len() > 1 { p { "The name of another output returns its groups." } }
            },
        }
    }
}

/// The statement of a statement set that an operator belongs to.
fn of_output(operator: &OperatorView) -> String {
    let output = operator.output.as_ref();
    output.map_or_else(String::new, |output| format!(" of output {output}"))
}

fn operators(operators: &[OperatorView]) -> Markup {
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
                    @for operator in operators {
                        tr {
                            th scope="row" { (operator.name) (of_output(operator)) }
                            td.num { (count(operator.num_rows_total)) }
                            td.num { (count(operator.num_rows_updated)) }
                            td.num { (count(operator.num_rows_removed)) }
                            td.num { (count(operator.num_rows_dropped_by_watermark)) }
                            td.num { (bytes(operator.memory_used_bytes as f64)) }
                            td.num { (operator.num_partitions) }
                            td.num { (span(operator.commit_time_ms as f64)) }
                        }
                    }
                }
            }
        }
    }
}

/// The files that a restart reads.
fn files(operator: &OperatorView) -> Markup {
    let Some(files) = &operator.files else {
        return html! { p { "The groups are in memory only, because the query has no checkpoint location." } };
    };
    let rows = [
        ("snapshot", files.snapshot_files, files.snapshot_bytes),
        ("deltas", files.delta_files, files.delta_bytes),
    ];
    html! {
        div.scroll tabindex="0" {
            table {
                thead { tr { th { "" } th.num { "Files" } th.num { "Size" } th { "What they hold" } } }
                tbody {
                    @for (name, number, size) in rows {
                        tr {
                            th scope="row" { (name) }
                            td.num { (count(number as u64)) }
                            td.num { (bytes(size as f64)) }
                            td { (content(name, files.snapshot_batch_id)) }
                        }
                    }
                }
            }
        }
        p.quiet { "A restart reads all of these files." }
    }
}

fn content(name: &str, snapshot: Option<u64>) -> String {
    match (name, snapshot) {
        ("snapshot", Some(batch)) => format!("all groups after batch {batch}"),
        ("snapshot", None) => "there is none yet".to_owned(),
        (_, Some(batch)) => format!("changes of the batches after {batch}"),
        (_, None) => "changes of all batches".to_owned(),
    }
}

fn groups(run: &ObservedQuery, operator: &OperatorView) -> Markup {
    let Some(sample) = &operator.sample else {
        return html! {
            p {
                @match run.is_active() {
                    true => "A batch is running: groups are shown once it is committed.",
                    false => "Nobody looked at the groups while the query ran.",
                }
            }
        };
    };
    html! {
        p.quiet {
            (sample.groups.len()) " of the groups after batch " (sample.batch_id)
            ". Values of more than 200 characters are cut off."
        }
        @if !sample.groups.is_empty() { (table(sample)) }
    }
}

fn table(sample: &SampleView) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                thead {
                    tr {
                        @for column in &sample.columns {
                            th { (column.name) @if column.is_key { " (key)" } }
                        }
                    }
                }
                tbody {
                    @for group in &sample.groups {
                        tr {
                            @for value in group {
                                td.value {
                                    @match value {
                                        Some(value) => (value),
                                        None => em { "NULL" },
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
