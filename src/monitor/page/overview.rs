//! The overview of a query: its statement, charts, and how long its batches take.

use std::sync::Arc;

use maud::{Markup, html};

use super::charts::{self, Range};
use super::cost;
use super::layout::figure;
use super::text::{count, date_and_time, known, number, percent, span};
use crate::monitor::look::{HealthView, Look, Mask, Quartiles, QueryView, Spread, points};
use crate::query::{ObservedQuery, StreamingQueryProgress};

pub(super) fn page(
    look: &Look,
    run: &ObservedQuery,
    view: &QueryView,
    range: Range,
    mask: &Mask,
) -> Markup {
    let recent = run.recent_progress();
    let charts = match range {
        Range::Batches => charts::of_batches(&points(&recent)),
        Range::Hour => charts::of_hour(&look.hour(run)),
    };
    html! {
        dl.figures {
            (figure("Batch", &known(view.batch_id, count)))
            (figure("Rows in it", &known(view.num_input_rows, count)))
            (figure("Input rows/s", &known(view.input_rows_per_second, number)))
            (figure("Processed rows/s", &known(view.processed_rows_per_second, number)))
            (figure("Lag", &known(view.max_ms_behind_latest, |lag| span(lag as f64))))
            (figure("State rows", &known(view.num_state_rows, count)))
            (figure("Data losses", &count(view.data_losses)))
        }
        (health(&view.health))
        div.title {
            h2 { "Charts" }
            (charts::choice(&view.run_id, range))
        }
        (charts)
        h2 { "Times of the last " (recent.len()) " batches" }
        (times(&recent))
        @if let Some(last) = recent.last() {
            h2 { "Sources" }
            (sources(last, mask))
            (cost::section(&last.estimated_cost, mask))
        }
        h2 { "Statement" }
        pre.sql tabindex="0" { (view.statement) }
        h2 { "Identity" }
        dl.pairs {
            dt { "id" } dd { code { (view.id) } }
            dt { "run id" } dd { code { (view.run_id) } }
            dt { "output mode" } dd { (view.output_mode) }
            dt { "reads" } dd {
                @for (index, source) in view.sources.iter().enumerate() {
                    @if index > 0 { ", " }
                    (source.table) @if source.table != source.stream { " (stream " (source.stream) ")" }
                }
            }
            dt { "writes to" } dd { (view.sink) }
            dt { "checkpoint" } dd { code { (view.checkpoint_location) } }
            dt { "next run" } dd { @if view.is_resumable { "continues where this one ends" } @else { "starts anew" } }
            dt { "restarts" } dd { (count(view.restarts.into())) " after failures before this run" }
            dt { "started" } dd { (date_and_time(&view.started_at)) }
            @if let Some(ended) = &view.ended_at { dt { "ended" } dd { (date_and_time(ended)) } }
        }
    }
}

fn health(health: &HealthView) -> Markup {
    html! {
        h2 { "Health" }
        dl.figures {
            (figure("State", &health.state))
            (figure("Processing lag", &known(health.processing_lag_ms, |lag| span(lag as f64))))
            (figure("Error rate", &known(health.error_rate, percent)))
            (figure("Throttle rate", &known(health.throttle_rate, percent)))
            (figure("Checkpoint success", &known(health.checkpoint_success_rate, percent)))
            (figure("Recoveries", &count(health.recoveries)))
            (figure("Recoveries/h", &known(health.recoveries_per_hour, number)))
        }
    }
}

fn times(recent: &[Arc<StreamingQueryProgress>]) -> Markup {
    let quartiles = Quartiles::of(recent);
    let rows = [
        ("Processing time", quartiles.processing_time),
        ("Scheduling delay", quartiles.scheduling_delay),
        ("Total delay", quartiles.total_delay),
    ];
    html! {
        div.scroll tabindex="0" {
            table {
                thead {
                    tr {
                        th { "" }
                        @for name in ["last", "min", "25th", "median", "75th", "max"] { th.num { (name) } }
                    }
                }
                tbody {
                    @for (name, spread) in rows {
                        tr { th scope="row" { (name) } (cells(spread)) }
                    }
                }
            }
        }
    }
}

fn cells(spread: Option<Spread>) -> Markup {
    let values = spread.map(|spread| {
        let Spread {
            last,
            min,
            p25,
            median,
            p75,
            max,
        } = spread;
        [last, min, p25, median, p75, max]
    });
    html! {
        @for index in 0..6 {
            td.num { (known(values.map(|values| values[index]), |millis| span(millis as f64))) }
        }
    }
}

fn sources(last: &StreamingQueryProgress, mask: &Mask) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                thead {
                    tr {
                        th { "Source" }
                        @for name in [
                            "Rows", "Lag max", "Lag mean", "Lag min", "Open shards", "Draining", "Read ahead", "Throttled",
                            "Retries", "Iterators renewed", "Data losses",
                        ] { th.num { (name) } }
                        th { "Reads by" }
                    }
                }
                tbody {
                    @for source in &last.sources {
                        @let metrics = &source.metrics;
                        @let lag = |lag: Option<std::time::Duration>| known(lag, |lag| span(lag.as_millis() as f64));
                        tr {
                            th scope="row" { (mask.text(&source.description)) }
                            td.num { (count(source.num_input_rows)) }
                            td.num { (lag(metrics.max_behind_latest)) }
                            td.num { (lag(metrics.avg_behind_latest)) }
                            td.num { (lag(metrics.min_behind_latest)) }
                            td.num { (metrics.open_shards) }
                            td.num { (metrics.draining_shards) }
                            td.num { (super::text::bytes(metrics.prefetched_bytes as f64)) }
                            td.num { (count(metrics.throttled_calls)) }
                            td.num { (count(metrics.retries)) }
                            td.num { (count(metrics.iterator_renewals)) }
                            td.num { (count(metrics.losses)) }
                            td { (metrics.consumer_type.name()) }
                        }
                    }
                }
            }
        }
    }
}
