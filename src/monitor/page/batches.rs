//! The kept batches of a query.

use maud::{Markup, html};

use super::text::{count, known, number, span, time_of_day};
use crate::monitor::look::{QueryView, timestamp};
use crate::query::{ObservedQuery, StreamingQueryProgress};

pub(super) fn page(run: &ObservedQuery, view: &QueryView) -> Markup {
    let recent = run.recent_progress();
    html! {
        h2 { "The last " (recent.len()) " batches" }
        @if let Some(exception) = &view.exception {
            p { "The batch after them failed: " (exception) }
        }
        div.scroll tabindex="0" {
            table {
                thead {
                    tr {
                        th { "Batch" } th { "Started" }
                        @for name in [
                            "Rows", "Rows out", "Processed rows/s", "Processing time", "Scheduling delay", "Total delay", "Lag",
                            "State rows", "Late rows",
                        ] { th.num { (name) } }
                    }
                }
                tbody {
                    @for batch in recent.iter().rev() { (row(batch, &view.run_id)) }
                }
            }
        }
        p.quiet { "A batch's page shows its exact ranges, its phases and its plan." }
    }
}

fn row(batch: &StreamingQueryProgress, run_id: &str) -> Markup {
    let millis = |time: std::time::Duration| span(time.as_millis() as f64);
    let rate = batch.processed_rows_per_second;
    let lag = batch.sources.iter();
    let lag = lag
        .filter_map(|source| source.metrics.max_behind_latest)
        .max();
    let state = batch.state_operator.as_ref();
    html! {
        tr {
            th scope="row" {
                a href=(format!("/queries/{run_id}/batches/{}", batch.batch_id)) { (batch.batch_id) }
            }
            td { (time_of_day(&timestamp(batch.timestamp))) }
            td.num { (count(batch.num_input_rows)) }
            td.num { (known(batch.sink.num_output_rows, count)) }
            td.num { (known(rate.is_finite().then_some(rate), number)) }
            td.num { (millis(batch.processing_time)) }
            td.num { (millis(batch.scheduling_delay)) }
            td.num { (millis(batch.total_delay)) }
            td.num { (known(lag, millis)) }
            td.num { (known(state.map(|state| state.rows_total), count)) }
            td.num { (known(state.map(|state| state.rows_dropped_by_watermark), count)) }
        }
    }
}
