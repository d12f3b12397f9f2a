//! The shards of a query at present.

use maud::{Markup, html};

use super::lineage;
use super::text::{NONE, bytes, count, date_and_time, known, number, short, span};
use crate::monitor::look::{Mask, ShardView, SourceView};
use crate::query::ObservedQuery;

/// How many shards of a stream the table has. Those with something to tell come first.
const SHOWN_SHARDS: usize = 500;

/// How many failed requests are shown.
const SHOWN_ERRORS: usize = 10;

pub(super) fn page(run: &ObservedQuery, mask: &Mask) -> Markup {
    let sources = SourceView::all(run, mask);
    html! {
        @for source in &sources { (stream(source)) }
        @if sources.iter().all(|source| source.shards.is_empty()) {
            p { "No shard is being read: the query has not begun, or it has ended." }
        }
    }
}

fn stream(source: &SourceView) -> Markup {
    let mut shards: Vec<&ShardView> = source.shards.iter().collect();
    let all = shards.len();
    if all > SHOWN_SHARDS {
        // Stable: the order of ids within each.
        shards.sort_by_key(|shard| {
            let is_worth = shard.is_hot || shard.is_failing || shard.last_error.is_some();
            (
                !is_worth,
                shard.status == "ended",
                std::cmp::Reverse(shard.ms_behind_latest),
            )
        });
        shards.truncate(SHOWN_SHARDS);
    }
    let hot = source.shards.iter().filter(|shard| shard.is_hot);
    html! {
        h2 { "Stream " (source.stream) }
        p.quiet {
            (count(all as u64)) " shards, "
            (count(source.shards.iter().filter(|shard| !shard.is_closed).count() as u64)) " of them open"
            @if all > SHOWN_SHARDS {
                "; the table has the " (SHOWN_SHARDS) " that lag most, hot and failing ones first"
            }
        }
        @for shard in hot {
            p.notice {
                strong { "▲ hot " } code { (shard.shard_id) }
                " gets at least twice the rows of the other shards. This hash key would halve it: "
                code { (shard.new_starting_hash_key.as_deref().unwrap_or(NONE)) }
            }
        }
        (table(&shards))
        (errors(&source.shards))
        (lineage::picture(&source.shards))
    }
}

fn table(shards: &[&ShardView]) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                thead {
                    tr {
                        th { "Shard" } th { "Status" }
                        @for name in [
                            "Rows in last batch", "Rows/s min", "median", "max", "Lag", "Read ahead", "Waiting rows", "Throttled",
                            "Retries",
                        ] { th.num { (name) } }
                        th { "Taken up to" }
                    }
                }
                tbody { @for shard in shards { (row(shard)) } }
            }
        }
    }
}

/// The last failed request of each shard, the newest first.
fn errors(shards: &[ShardView]) -> Markup {
    let errors = shards
        .iter()
        .filter_map(|shard| Some((shard, shard.last_error.as_ref()?)));
    let mut errors: Vec<_> = errors.collect();
    errors.sort_by(|(_, one), (_, other)| other.timestamp.cmp(&one.timestamp));
    html! {
        @if !errors.is_empty() { h3 { "Last failed request of a shard" } }
        @for (shard, error) in errors.iter().take(SHOWN_ERRORS) {
            p.failed-request {
                strong { (short(&shard.shard_id)) } ", " (date_and_time(&error.timestamp)) ": " (error.message)
            }
        }
        @if errors.len() > SHOWN_ERRORS {
            p.quiet { "and of " (errors.len() - SHOWN_ERRORS) " more shards" }
        }
    }
}

fn row(shard: &ShardView) -> Markup {
    let rates = shard.rows_per_second.as_ref();
    let rate = |rate: Option<Option<f64>>| known(rate.flatten(), number);
    html! {
        tr {
            th scope="row" { (short(&shard.shard_id)) @if shard.is_hot { " " strong.hot { "▲ hot" } } }
            td { (status(shard)) }
            td.num { (count(shard.num_input_rows)) }
            td.num { (rate(rates.map(|rates| rates.min))) }
            td.num { (rate(rates.map(|rates| rates.median))) }
            td.num { (rate(rates.map(|rates| rates.max))) }
            td.num { (known(shard.ms_behind_latest, |lag| span(lag as f64))) }
            td.num { (bytes(shard.prefetched_bytes as f64)) }
            td.num { (count(shard.pending_rows)) }
            td.num { (count(shard.throttled_calls)) }
            td.num { (count(shard.retries)) }
            td { code { (shard.taken_position) } }
        }
    }
}

fn status(shard: &ShardView) -> Markup {
    let text = match shard.status {
        "waiting" => "waits for parents",
        "catchingUp" => "catching up",
        "atTip" => "at the tip",
        _ => "ended",
    };
    html! {
        (text)
        @if shard.is_closed && shard.status != "ended" { ", closed" }
        @if shard.is_failing { strong.failing { " ✕ failing" } }
    }
}
