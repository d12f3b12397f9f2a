//! Which URL shows what, and the headers of every answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use super::access::{Access, Refusal, is_read};
use super::probes::{self, Probe};
use super::{api, assets};
use crate::model::BatchId;
use crate::monitor::look::Look;
use crate::monitor::page::{self, Range, Tab};
use crate::query::ObservedQuery;

/// Scripts and styles are files of this server, and pages load nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) fn router(look: Look, access: Arc<Access>) -> Router {
    Router::new()
        .route("/", get(queries))
        .route("/queries/{id}", get(query))
        .route("/queries/{id}/stop", post(stop))
        .route("/queries/{id}/{tab}", get(tab))
        .route("/queries/{id}/batches/{batch}", get(batch))
        .route("/settings", get(settings))
        .route("/static/{file}", get(asset))
        .route("/metrics", get(probes::metrics))
        .route(Probe::LIVE, get(probes::live))
        .route(Probe::READY, get(probes::ready))
        .nest("/api/v1", api::router())
        .fallback(nothing_here)
        .with_state(look.clone())
        .layer(from_fn_with_state((access, look), guard))
}

/// Refuses what [`Access`] does not grant, and sets the headers of every answer.
async fn guard(
    State((access, look)): State<(Arc<Access>, Look)>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let is_api = parts.uri.path().starts_with("/api/");
    let mut cookie = None;
    let mut response = match access.check(&parts) {
        Ok(granted) => {
            cookie = granted.cookie;
            next.run(Request::from_parts(parts, body)).await
        }
        Err(Refusal(status, why)) => match Probe::of(parts.uri.path()) {
            Some(probe) if is_read(&parts.method) => probe.without_reasons(&look),
            _ if is_api => api::failed(status, why),
            _ => (status, format!("{why}\n")).into_response(),
        },
    };
    if is_api && !response.status().is_success() {
        response = api::as_json(response);
    }
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 6] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // Forms send their origin to this server only.
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) {
        headers.insert(SET_COOKIE, cookie);
    }
    response
}

async fn queries(State(look): State<Look>) -> Html<String> {
    look.sample();
    Html(page::queries(&look))
}

async fn query(State(look): State<Look>, Path(id): Path<String>, uri: Uri) -> Response {
    let range = Range::of(uri.query());
    show(&look, &id, |look, run| {
        page::query(look, run, Tab::Overview, range)
    })
}

async fn tab(
    State(look): State<Look>,
    Path((id, tab)): Path<(String, String)>,
    uri: Uri,
) -> Response {
    let range = Range::of(uri.query());
    match Tab::of(&tab) {
        Some(tab) => show(&look, &id, |look, run| page::query(look, run, tab, range)),
        None => nothing_here().await,
    }
}

async fn batch(State(look): State<Look>, Path((id, batch)): Path<(String, String)>) -> Response {
    match batch.parse() {
        Ok(batch) => show(&look, &id, |look, run| {
            page::batch(look, run, BatchId(batch))
        }),
        Err(_) => nothing_here().await,
    }
}

fn show(look: &Look, id: &str, page: impl FnOnce(&Look, &ObservedQuery) -> String) -> Response {
    look.sample();
    match look.find(id) {
        Some(run) => Html(page(look, &run)).into_response(),
        None => (StatusCode::NOT_FOUND, Html(page::no_query(id))).into_response(),
    }
}

async fn settings(State(look): State<Look>) -> Html<String> {
    Html(page::settings(&look))
}

async fn stop(State(look): State<Look>, Path(id): Path<String>) -> Response {
    let Some(run) = look.find(&id) else {
        return (StatusCode::NOT_FOUND, Html(page::no_query(&id))).into_response();
    };
    // One that has ended meanwhile is stopped as well.
    api::request_stop(&run);
    Redirect::to(&format!("/queries/{}", run.run_id())).into_response()
}

async fn asset(Path(file): Path<String>) -> Response {
    match assets::find(&file) {
        Some((kind, text)) => ([(CONTENT_TYPE, kind)], text).into_response(),
        None => nothing_here().await,
    }
}

async fn nothing_here() -> Response {
    (StatusCode::NOT_FOUND, Html(page::not_found())).into_response()
}
