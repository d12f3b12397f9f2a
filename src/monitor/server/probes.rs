//! Probes of orchestrators, and metrics for Prometheus.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use url::form_urlencoded::parse;

use crate::monitor::look::Look;
use crate::monitor::metrics::{Metrics, ShardMetrics};
use crate::query::ProbeReport;

/// A probe, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    Live,
    Ready,
}

impl Probe {
    pub(super) const LIVE: &str = "/health/live";
    pub(super) const READY: &str = "/health/ready";

    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            Self::LIVE => Some(Self::Live),
            Self::READY => Some(Self::Ready),
            _ => None,
        }
    }

    fn report(self, look: &Look) -> ProbeReport {
        match self {
            Self::Live => look.liveness(),
            Self::Ready => look.readiness(),
        }
    }

    /// The answer to those who may not see the page: load balancers cannot send a token.
    pub(super) fn without_reasons(self, look: &Look) -> Response {
        let report = self.report(look);
        answer(&report, format!("{{\"ok\":{}}}", report.is_ok))
    }
}

pub(super) async fn live(State(look): State<Look>) -> Response {
    with_reasons(Probe::Live, &look)
}

pub(super) async fn ready(State(look): State<Look>) -> Response {
    with_reasons(Probe::Ready, &look)
}

fn with_reasons(probe: Probe, look: &Look) -> Response {
    let report = probe.report(look);
    answer(&report, look.mask().known(report.to_json()))
}

fn answer(report: &ProbeReport, json: String) -> Response {
    let status = StatusCode::from_u16(report.status_code());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(CONTENT_TYPE, "application/json")], json).into_response()
}

pub(super) async fn metrics(State(look): State<Look>, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let shards = parse(query.as_bytes()).find(|(name, _)| name == "shards");
    let shards = match shards.as_ref().map(|(_, value)| &**value) {
        None => ShardMetrics::UpTo100,
        Some("all") => ShardMetrics::All,
        Some(_) => {
            let expected = "expected /metrics or /metrics?shards=all\n";
            return (StatusCode::BAD_REQUEST, expected).into_response();
        }
    };
    let text = look.mask().known(look.metrics().prometheus_text(shards));
    ([(CONTENT_TYPE, Metrics::CONTENT_TYPE)], text).into_response()
}
