//! The JSON API, under `/api/v1/`.

use std::str::FromStr;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::value::RawValue;
use url::form_urlencoded::parse;

use crate::model::BatchId;
use crate::monitor::look::{Look, Mask, Quartiles, QueryView, SourceView, StateView};
use crate::query::ObservedQuery;

/// The routes below `/api/v1`.
pub(super) fn router() -> Router<Look> {
    Router::new()
        .route("/queries", get(queries))
        .route("/queries/{id}", get(query))
        .route("/queries/{id}/progress", get(progress))
        .route("/queries/{id}/shards", get(shards))
        .route("/queries/{id}/state", get(state))
        .route("/queries/{id}/plan/{batch}", get(plan))
        .route("/queries/{id}/stop", post(stop))
        .route("/settings", get(settings))
        .fallback(unknown)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Queries {
    queries: Vec<QueryView>,
    not_ready: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    #[serde(flatten)]
    query: QueryView,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_progress: Option<Box<RawValue>>,
    quartiles: Quartiles,
    #[serde(skip_serializing_if = "Option::is_none")]
    sink_status: Option<Sink>,
}

/// The writes to a stream at present.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sink {
    calls_in_flight: usize,
    records_in_flight: usize,
    oldest_in_flight_ms: Option<u64>,
}

#[derive(Serialize)]
struct Progress {
    progress: Vec<Box<RawValue>>,
}

#[derive(Serialize)]
struct Shards {
    sources: Vec<SourceView>,
}

#[derive(Serialize)]
struct Failed<'a> {
    error: &'a str,
}

async fn queries(State(look): State<Look>) -> Response {
    look.sample();
    let mask = look.mask();
    let queries = look.queries(&mask);
    let not_ready = look.not_ready(&mask);
    json(StatusCode::OK, &Queries { queries, not_ready })
}

async fn query(State(look): State<Look>, Path(id): Path<String>) -> Response {
    let Some(run) = look.find(&id) else {
        return no_query(&id);
    };
    look.sample();
    let mask = look.mask();
    let recent = run.recent_progress();
    let last = recent.last();
    json(
        StatusCode::OK,
        &Query {
            query: QueryView::of(&run, &mask),
            last_progress: last.and_then(|last| raw(last.to_json(), &mask)),
            quartiles: Quartiles::of(&recent),
            sink_status: run.sink().map(|sink| Sink {
                calls_in_flight: sink.requests_in_flight,
                records_in_flight: sink.records_in_flight,
                oldest_in_flight_ms: sink
                    .oldest_in_flight
                    .map(|oldest| oldest.as_millis() as u64),
            }),
        },
    )
}

async fn progress(State(look): State<Look>, Path(id): Path<String>, uri: Uri) -> Response {
    let Some(run) = look.find(&id) else {
        return no_query(&id);
    };
    let query = uri.query().unwrap_or_default();
    let wanted = parse(query.as_bytes()).find(|(name, _)| name == "last");
    let wanted = wanted.map_or(Ok(usize::MAX), |(_, count)| count.parse());
    let Ok(wanted) = wanted else {
        let error = "last is not a number of batches: expected a query such as ?last=10";
        return failed(StatusCode::BAD_REQUEST, error);
    };
    let mask = look.mask();
    let recent = run.recent_progress();
    let progress = recent[recent.len().saturating_sub(wanted)..]
        .iter()
        .filter_map(|batch| raw(batch.to_json(), &mask));
    let progress = progress.collect();
    json(StatusCode::OK, &Progress { progress })
}

async fn shards(State(look): State<Look>, Path(id): Path<String>) -> Response {
    let Some(run) = look.find(&id) else {
        return no_query(&id);
    };
    let sources = SourceView::all(&run, &look.mask());
    json(StatusCode::OK, &Shards { sources })
}

async fn state(State(look): State<Look>, Path(id): Path<String>) -> Response {
    match look.find(&id) {
        Some(run) => json(StatusCode::OK, &StateView::of(&run, &look.mask())),
        None => no_query(&id),
    }
}

async fn plan(State(look): State<Look>, Path((id, batch)): Path<(String, String)>) -> Response {
    let Some(run) = look.find(&id) else {
        return no_query(&id);
    };
    look.sample();
    let plan = u64::from_str(&batch).ok().map(BatchId);
    match plan.and_then(|batch| Look::plan(&run, batch, &look.mask())) {
        Some(plan) => json(StatusCode::OK, &plan),
        None => failed(
            StatusCode::NOT_FOUND,
            &format!(
                "no plan of batch '{batch}' is kept: plans are kept from when somebody first looks, for 100 batches"
            ),
        ),
    }
}

async fn settings(State(look): State<Look>) -> Response {
    json(StatusCode::OK, &look.settings())
}

async fn stop(State(look): State<Look>, Path(id): Path<String>) -> Response {
    let Some(run) = look.find(&id) else {
        return no_query(&id);
    };
    match request_stop(&run) {
        true => json(StatusCode::ACCEPTED, &QueryView::of(&run, &look.mask())),
        false => failed(StatusCode::CONFLICT, "the query has ended"),
    }
}

/// Asks a query to stop after the batch in flight. Returns whether it was running.
pub(super) fn request_stop(run: &ObservedQuery) -> bool {
    let Some(query) = run.query().filter(|query| query.is_active()) else {
        return false;
    };
    tracing::info!(
        id = query.id(),
        name = query.name(),
        "the status page stops the query"
    );
    // How it ended is seen by those who wait for it.
    tokio::spawn(async move { drop(query.stop().await) });
    true
}

async fn unknown() -> Response {
    failed(
        StatusCode::NOT_FOUND,
        "no such resource: see docs/monitoring.md",
    )
}

fn no_query(id: &str) -> Response {
    let error = format!("no query has the id, run id or name '{id}': see /api/v1/queries");
    failed(StatusCode::NOT_FOUND, &error)
}

pub(super) fn failed(status: StatusCode, error: &str) -> Response {
    json(status, &Failed { error })
}

/// An answer of the server itself that says that a request failed, such as that for an unknown method, as JSON.
pub(super) fn as_json(response: Response) -> Response {
    let kind = response.headers().get(CONTENT_TYPE);
    if kind.is_some_and(|kind| kind == "application/json") {
        return response;
    }
    let status = response.status();
    let mut answer = failed(
        status,
        status.canonical_reason().unwrap_or("the request failed"),
    );
    if let Some(allowed) = response.headers().get(ALLOW) {
        answer.headers_mut().insert(ALLOW, allowed.clone());
    }
    answer
}

/// Progress as it is, without secrets.
fn raw(json: String, mask: &Mask) -> Option<Box<RawValue>> {
    RawValue::from_string(mask.known(json)).ok()
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => (status, [(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => {
            tracing::warn!(%error, "an answer of the status page cannot be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
