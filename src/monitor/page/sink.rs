//! What a query writes.

use std::sync::Arc;

use maud::{Markup, html};

use super::layout::figure;
use super::text::{bytes, count, known, number, span};
use crate::monitor::look::{Mask, QueryView};
use crate::query::{KinesisSinkMetrics, ObservedQuery, StreamingQueryProgress};

pub(super) fn page(run: &ObservedQuery, view: &QueryView, mask: &Mask) -> Markup {
    let recent = run.recent_progress();
    let last = recent.last();
    let sink = last.map_or_else(
        || view.sink.clone(),
        |last| mask.text(&last.sink.description),
    );
    let written = last.and_then(|last| last.sink.num_output_rows);
    let all: Option<u64> = recent.iter().map(|batch| batch.sink.num_output_rows).sum();
    html! {
        h2 { (sink) }
        dl.figures {
            (figure("Rows of the last batch", &known(written, count)))
            (figure(&format!("Rows of the last {} batches", recent.len()), &known(all.filter(|_| last.is_some()), count)))
        }
        @if last.is_none() { p { "No batch has been committed yet." } }
        @if let Some(last) = last { (outputs(last, mask)) }
        (at_present(run))
        (writes(&recent))
    }
}

/// What each statement of a statement set has written in a batch.
fn outputs(batch: &StreamingQueryProgress, mask: &Mask) -> Markup {
    if batch.outputs.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Outputs of the last batch" }
        div.scroll tabindex="0" {
            table {
                thead { tr { th { "Output" } th { "Target" } th.num { "Rows" } th.num { "Records" } th.num { "Throttled records" } } }
                tbody {
                    @for output in &batch.outputs {
                        @let metrics = output.sink.metrics.as_ref();
                        tr {
                            th scope="row" { (mask.text(&output.name)) }
                            td { (mask.text(&output.sink.description)) }
                            td.num { (known(output.sink.num_output_rows, count)) }
                            td.num { (known(metrics.map(|metrics| metrics.records), count)) }
                            td.num { (known(metrics.map(|metrics| metrics.throttled_records), count)) }
                        }
                    }
                }
            }
        }
    }
}

/// The calls that are on the way.
fn at_present(run: &ObservedQuery) -> Markup {
    let Some(status) = run.sink() else {
        return html! {};
    };
    let oldest = status.oldest_in_flight;
    html! {
        h2 { "At present" }
        dl.figures {
            (figure("Calls in flight", &count(status.requests_in_flight as u64)))
            (figure("Records in flight", &count(status.records_in_flight as u64)))
            (figure("Oldest unacknowledged", &known(oldest, |oldest| span(oldest.as_millis() as f64))))
        }
    }
}

/// A row for the last batch, and one for all kept batches.
fn writes(recent: &[Arc<StreamingQueryProgress>]) -> Markup {
    let metrics = || {
        recent
            .iter()
            .filter_map(|batch| batch.sink.metrics.as_ref())
    };
    let Some(last) = recent.last().and_then(|last| last.sink.metrics.as_ref()) else {
        return html! {};
    };
    let rows = [
        ("last batch", vec![last]),
        ("kept batches", metrics().collect()),
    ];
    html! {
        h2 { "PutRecords" }
        div.scroll tabindex="0" {
            table {
                thead {
                    tr {
                        th { "" }
                        @for name in [
                            "Rows", "Records", "Rows per record", "Bytes", "Calls", "Throttled records", "Resent records",
                        ] { th.num { (name) } }
                    }
                }
                tbody { @for (name, metrics) in &rows { (row(name, metrics)) } }
            }
        }
        p.quiet { "A record holds several rows if rows are aggregated." }
    }
}

fn row(name: &str, metrics: &[&KinesisSinkMetrics]) -> Markup {
    let sum =
        |number: fn(&KinesisSinkMetrics) -> u64| metrics.iter().map(|one| number(one)).sum::<u64>();
    let (rows, records) = (sum(|one| one.rows), sum(|one| one.records));
    let ratio = (records > 0).then(|| rows as f64 / records as f64);
    html! {
        tr {
            th scope="row" { (name) }
            td.num { (count(rows)) }
            td.num { (count(records)) }
            td.num { (known(ratio, number)) }
            td.num { (bytes(sum(|one| one.bytes) as f64)) }
            td.num { (count(sum(|one| one.calls))) }
            td.num { (count(sum(|one| one.throttled_records))) }
            td.num { (count(sum(|one| one.resent_records))) }
        }
    }
}
