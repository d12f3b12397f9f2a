//! Spans of queries and batches, from their events.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::attributes::{attribute, nanos, number, scope};
use crate::model::UnixMillis;
use crate::query::{
    SourceProgress, StreamingQueryListener, StreamingQueryProgress, StreamingQueryStarted,
    StreamingQueryTerminated,
};
use crate::sql::Variables;

/// How many spans wait for the next export at most.
const MAX_SPANS: usize = 4_096;

/// How many shards of a batch are events of its span at most.
const MAX_SHARDS: usize = 100;

/// The phases of a batch in the order in which they run.
const PHASES: [&str; 6] = [
    "latestOffset",
    "walCommit",
    "getBatch",
    "queryPlanning",
    "addBatch",
    "commitOffsets",
];

/// Collects spans until they are exported.
#[derive(Debug)]
pub(super) struct SpanCollector {
    /// The share of batches with spans.
    sampled: f64,
    /// The environment variables whose values are not exported.
    variables: Option<Arc<Variables>>,
    collected: Mutex<Collected>,
}

#[derive(Debug, Default)]
struct Collected {
    spans: Vec<Span>,
    /// Spans that did not fit.
    dropped: u64,
    /// The spans of running queries by run id.
    queries: HashMap<String, QuerySpan>,
}

#[derive(Debug, Clone)]
struct QuerySpan {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    started: UnixMillis,
}

impl SpanCollector {
    pub(super) fn new(sampled: f64, variables: Option<Arc<Variables>>) -> Self {
        Self {
            sampled,
            variables,
            collected: Mutex::default(),
        }
    }

    /// Takes the spans that have ended since the last call, and how many did not fit.
    pub(super) fn take(&self) -> (Vec<Span>, u64) {
        let mut collected = self.collected();
        let spans = std::mem::take(&mut collected.spans);
        (spans, std::mem::take(&mut collected.dropped))
    }

    fn shown(&self, message: &str) -> String {
        match &self.variables {
            Some(variables) => variables.mask(message),
            None => message.to_owned(),
        }
    }

    fn collected(&self) -> MutexGuard<'_, Collected> {
        let collected = self.collected.lock();
        collected.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collected {
    fn add(&mut self, spans: Vec<Span>) {
        match self.spans.len() + spans.len() <= MAX_SPANS {
            true => self.spans.extend(spans),
            false => self.dropped += spans.len() as u64,
        }
    }
}

impl StreamingQueryListener for SpanCollector {
    fn on_started(&self, event: &StreamingQueryStarted) {
        let span = QuerySpan {
            trace_id: fastrand::u128(1..).to_be_bytes(),
            span_id: fastrand::u64(1..).to_be_bytes(),
            started: event.timestamp,
        };
        let mut collected = self.collected();
        collected.queries.insert(event.run_id.clone(), span);
    }

    fn on_progress(&self, progress: &StreamingQueryProgress) {
        if fastrand::f64() >= self.sampled {
            return;
        }
        let mut collected = self.collected();
        let query = collected.queries.get(&progress.run_id);
        let spans = batch_spans(progress, query);
        collected.add(spans);
    }

    fn on_terminated(&self, event: &StreamingQueryTerminated) {
        let mut collected = self.collected();
        let Some(query) = collected.queries.remove(&event.run_id) else {
            return;
        };
        let error = event.error.as_ref();
        let mut attributes = of_query(&event.id, &event.run_id, event.name.as_deref());
        let end = format!("{:?}", event.end).to_lowercase();
        attributes.push(attribute("end", end));
        let span = Span {
            trace_id: query.trace_id.to_vec(),
            span_id: query.span_id.to_vec(),
            name: "query".to_owned(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: nanos(query.started),
            end_time_unix_nano: nanos(event.timestamp),
            attributes,
            status: error.map(|error| Status {
                message: self.shown(&error.to_string()),
                code: StatusCode::Error.into(),
            }),
            ..Span::default()
        };
        collected.add(vec![span]);
    }
}

/// The span of a batch, which is linked to that of its query, and those of its phases. A batch is a trace of its own,
/// because the trace of a query that runs for months would never be complete.
fn batch_spans(progress: &StreamingQueryProgress, query: Option<&QuerySpan>) -> Vec<Span> {
    let trace_id = fastrand::u128(1..).to_be_bytes().to_vec();
    let span_id = fastrand::u64(1..).to_be_bytes().to_vec();
    let start = nanos(progress.timestamp);
    let mut attributes = of_query(&progress.id, &progress.run_id, progress.name.as_deref());
    attributes.push(number("batch", progress.batch_id.0));
    attributes.push(number("input_rows", progress.num_input_rows));
    if let Some(rows) = progress.sink.num_output_rows {
        attributes.push(number("output_rows", rows));
    }
    let links = query.map(|query| Link {
        trace_id: query.trace_id.to_vec(),
        span_id: query.span_id.to_vec(),
        ..Link::default()
    });
    let batch = Span {
        trace_id: trace_id.clone(),
        span_id: span_id.clone(),
        name: "batch".to_owned(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: start,
        end_time_unix_nano: after(start, progress.batch_duration),
        attributes,
        events: shard_events(progress, start),
        links: links.into_iter().collect(),
        ..Span::default()
    };
    let mut spans = vec![batch];
    let mut begin = start;
    for phase in PHASES {
        let Some(duration) = progress.durations.get(phase) else {
            continue;
        };
        let end = after(begin, *duration);
        spans.push(Span {
            trace_id: trace_id.clone(),
            span_id: fastrand::u64(1..).to_be_bytes().to_vec(),
            parent_span_id: span_id.clone(),
            name: phase.to_owned(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: begin,
            end_time_unix_nano: end,
            ..Span::default()
        });
        begin = end;
    }
    spans
}

/// An event for each shard that the batch has read from, up to [`MAX_SHARDS`].
fn shard_events(progress: &StreamingQueryProgress, time: u64) -> Vec<Event> {
    let sources = progress.sources.iter();
    let events = sources.flat_map(|source| source_events(source, time));
    events.take(MAX_SHARDS).collect()
}

fn source_events(source: &SourceProgress, time: u64) -> impl Iterator<Item = Event> {
    let ends = source.end_offset.iter().flat_map(|offsets| offsets.iter());
    ends.filter_map(move |(shard, upto)| {
        let after = source.start_offset.as_ref()?.get(shard)?;
        (after != upto).then(|| Event {
            time_unix_nano: time,
            name: "shard".to_owned(),
            attributes: vec![
                attribute("stream", source.stream.as_str()),
                attribute("shard", shard.as_str()),
                attribute("after", after.to_string()),
                attribute("upto", upto.to_string()),
            ],
            ..Event::default()
        })
    })
}

fn of_query(id: &str, run_id: &str, name: Option<&str>) -> Vec<KeyValue> {
    let mut attributes = vec![attribute("query.id", id), attribute("query.run_id", run_id)];
    attributes.extend(name.map(|name| attribute("query.name", name)));
    attributes
}

fn after(time: u64, duration: Duration) -> u64 {
    time.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

/// The spans as a message.
pub(super) fn request(spans: Vec<Span>, resource: &Resource) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource.clone()),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope()),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}
