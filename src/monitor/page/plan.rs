//! One batch: phases, ranges, and its plan as a tree.

use maud::{Markup, html};

use super::layout::figure;
use super::text::{count, date_and_time, known, span};
use crate::model::{BatchId, Offsets, ShardId};
use crate::monitor::look::{Mask, PlanView, timestamp};
use crate::query::{SourceProgress, StreamingQueryProgress};

/// How many ranges of a source are shown.
const SHOWN_RANGES: usize = 1_000;

pub(super) fn page(
    batch: BatchId,
    progress: Option<&StreamingQueryProgress>,
    plan: Option<&PlanView>,
    mask: &Mask,
) -> Markup {
    html! {
        h2 { "Batch " (batch) }
        @match progress {
            Some(progress) => (numbers(progress, mask)),
            None => p { "The numbers of this batch are not kept: only those of the newest 100 batches are." },
        }
        h2 { "Plan" }
        @match plan {
            Some(plan) => {
                p.quiet { "Rows out of each node, and its time over all partitions." }
                ul.plan { (node(plan, plan.longest_ms())) }
            }
            None => p {
                "The plan of this batch is not kept: plans are kept from when somebody first looks, for 100 batches."
            },
        }
    }
}

fn numbers(progress: &StreamingQueryProgress, mask: &Mask) -> Markup {
    let millis = |time: std::time::Duration| span(time.as_secs_f64() * 1_000.0);
    let times = progress.event_time.as_ref();
    html! {
        p.quiet { "started " (date_and_time(&timestamp(progress.timestamp))) }
        dl.figures {
            (figure("Rows", &count(progress.num_input_rows)))
            (figure("Rows out", &known(progress.sink.num_output_rows, count)))
            (figure("Processing time", &millis(progress.processing_time)))
            (figure("Scheduling delay", &millis(progress.scheduling_delay)))
            (figure("Total delay", &millis(progress.total_delay)))
            @if let Some(watermark) = times.and_then(|times| times.watermark) {
                (figure("Watermark", &date_and_time(&timestamp(watermark))))
            }
        }
        h3 { "Phases" }
        dl.figures {
            @for (phase, time) in &progress.durations { (figure(phase, &millis(*time))) }
        }
        @for source in &progress.sources { (ranges(source, mask)) }
    }
}

/// The exact ranges that a batch read from a source.
fn ranges(source: &SourceProgress, mask: &Mask) -> Markup {
    let (starts, ends) = (source.start_offset.as_deref(), source.end_offset.as_deref());
    let place = |offsets: Option<&Offsets>, shard: &ShardId| {
        let place = offsets.and_then(|offsets| offsets.get(shard));
        known(place, |place| place.to_string())
    };
    let all = ends.map_or(0, Offsets::len);
    html! {
        h3 { "Ranges of " (mask.text(&source.description)) }
        div.scroll tabindex="0" {
            table {
                thead { tr { th { "Shard" } th { "after" } th { "up to and including" } } }
                tbody {
                    @for (shard, end) in ends.iter().flat_map(|ends| ends.iter()).take(SHOWN_RANGES) {
                        tr {
                            th scope="row" { (shard) }
                            td { code { (place(starts, shard)) } }
                            td { code { (end) } }
                        }
                    }
                }
            }
        }
        @if all > SHOWN_RANGES {
            p.quiet { "and " (count((all - SHOWN_RANGES) as u64)) " more: see progress in the API" }
        }
    }
}

/// A time that may be far below a millisecond.
fn time_of(millis: f64) -> String {
    match millis < 0.1 {
        true => format!("{:.0} µs", millis * 1_000.0),
        false => span(millis),
    }
}

fn node(plan: &PlanView, longest: f64) -> Markup {
    let share = plan
        .elapsed_compute_ms
        .map(|time| time / longest.max(f64::MIN_POSITIVE));
    html! {
        li {
            div.node {
                strong { (plan.name) }
                @if let Some(rows) = plan.output_rows { span.num { (count(rows)) " rows" } }
                @if let Some(time) = plan.elapsed_compute_ms { span.num { (time_of(time)) } }
                @if let Some(share) = share {
                    svg.bar viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
                        rect.track width="100" height="8" {}
                        rect.value width=(format!("{:.1}", share * 100.0)) height="8" {}
                    }
                }
            }
            code.details { (plan.details) }
            @if !plan.metrics.is_empty() {
                details {
                    summary { "all metrics" }
                    dl.pairs {
                        @for metric in &plan.metrics { dt { (metric.name) } dd { (metric.value) } }
                    }
                }
            }
            @if !plan.children.is_empty() {
                ul { @for child in &plan.children { (node(child, longest)) } }
            }
        }
    }
}
