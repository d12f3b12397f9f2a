//! What a query costs: an estimate, by what is paid for.

use maud::{Markup, html};

use super::text::dollars;
use crate::monitor::look::Mask;
use crate::options::HOURS_PER_MONTH;
use crate::query::EstimatedCost;

/// The section of the overview.
pub(super) fn section(cost: &EstimatedCost, mask: &Mask) -> Markup {
    let parts = [
        ("Open shards that are read", cost.shard_hours),
        ("Retention beyond 24 hours", cost.extended_retention),
        ("Reading from on-demand streams", cost.on_demand_reads),
        ("Enhanced fan-out", cost.fan_out),
        ("Writing: PUT payload units", cost.put_payload_units),
        ("Writing to an on-demand stream", cost.on_demand_writes),
        ("Requests to the checkpoint", cost.checkpoint_requests),
        ("Metrics in CloudWatch", cost.cloud_watch),
    ];
    let parts = parts.into_iter().filter(|(_, per_hour)| *per_hour > 0.0);
    html! {
        h2 { "Estimated cost" }
        p.quiet { (mask.text(&cost.note)) }
        div.scroll tabindex="0" {
            table {
                thead { tr { th { "For" } th.num { "per hour" } th.num { "per month" } } }
                tbody {
                    @for (name, per_hour) in parts { (row(name, per_hour)) }
                    (row("Total", cost.total))
                }
            }
        }
    }
}

fn row(name: &str, per_hour: f64) -> Markup {
    html! {
        tr {
            th scope="row" { (name) }
            td.num { (dollars(per_hour)) }
            td.num { (dollars(per_hour * HOURS_PER_MONTH)) }
        }
    }
}
