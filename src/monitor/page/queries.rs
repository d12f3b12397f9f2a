//! All queries of the session, running and ended.

use maud::{Markup, html};

use super::layout::{alarms, badges, figure, stop_button};
use super::text::{count, date_and_time, dollars, known, number, span};
use crate::monitor::look::QueryView;

pub(super) fn page(queries: &[QueryView], not_ready: &[String]) -> Markup {
    let running: Vec<&QueryView> = queries.iter().filter(|query| query.is_active).collect();
    let unhealthy = running.iter().filter(|query| !query.health.is_healthy());
    let unhealthy = unhealthy.count();
    html! {
        h1 { "Queries" }
        p.quiet {
            (running.len()) " running, " (queries.len() - running.len()) " ended"
            @if unhealthy > 0 { ", " strong { (unhealthy) " unhealthy" } }
        }
        @if !not_ready.is_empty() {
            ul.notice { @for reason in not_ready { li { (reason) } } }
        }
        @if queries.is_empty() {
            p { "No streaming query has been started yet. A streaming query is an INSERT or SELECT that reads an UNBOUNDED table." }
        }
        @for query in queries { (card(query)) }
    }
}

fn card(query: &QueryView) -> Markup {
    html! {
        article.card {
            div.title {
                h2 { a href=(format!("/queries/{}", query.run_id)) { (query.title()) } }
                (badges(query))
                @if query.is_active { (stop_button(query)) }
            }
            (alarms(query))
            @if query.exception.is_none() { p.quiet { (query.status.message) } }
            pre.sql tabindex="0" { (query.statement) }
            dl.figures {
                (figure("Run time", &span(query.run_time_ms as f64)))
                (figure("Trigger", &query.trigger))
                (figure("Batch", &known(query.batch_id, count)))
                (figure("Input rows/s", &known(query.input_rows_per_second, number)))
                (figure("Processed rows/s", &known(query.processed_rows_per_second, number)))
                (figure("Lag", &known(query.max_ms_behind_latest, |lag| span(lag as f64))))
                (figure("State rows", &known(query.num_state_rows, count)))
                (figure("Estimated cost/h", &known(query.estimated_cost_per_hour, dollars)))
                @if query.restarts > 0 { (figure("Restarts", &count(query.restarts.into()))) }
                @if query.data_losses > 0 { (figure("Data losses", &count(query.data_losses))) }
            }
            @if let Some(exception) = &query.exception {
                pre.error { (exception) }
            }
            p.quiet {
                "started " (date_and_time(&query.started_at))
                @if let Some(ended) = &query.ended_at { ", ended " (date_and_time(ended)) }
            }
        }
    }
}
