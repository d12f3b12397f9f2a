//! `--otlp`, and the variables of OpenTelemetry.

use std::collections::BTreeSet;
use std::io::Read;

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::{Received, STATEMENTS, embedded, ended, receiver, stderr};

fn text<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn body(request: &Received) -> Vec<u8> {
    let is_compressed = request
        .headers
        .contains(&"content-encoding: gzip".to_owned());
    let mut body = Vec::new();
    match is_compressed {
        true => GzDecoder::new(&request.body[..])
            .read_to_end(&mut body)
            .unwrap(),
        false => (&request.body[..]).read_to_end(&mut body).unwrap(),
    };
    body
}

fn metrics(received: &[Received]) -> Vec<Metric> {
    let last = received
        .iter()
        .rfind(|request| request.path == "/v1/metrics");
    let message = ExportMetricsServiceRequest::decode(&body(last.unwrap())[..]).unwrap();
    let [of_resource] = &message.resource_metrics[..] else {
        panic!("one resource");
    };
    let resource = of_resource.resource.as_ref().unwrap();
    assert_eq!(
        text(&resource.attributes, "service.name"),
        Some("words-job")
    );
    of_resource.scope_metrics[0].metrics.clone()
}

fn spans(received: &[Received]) -> Vec<Span> {
    let requests = received
        .iter()
        .filter(|request| request.path == "/v1/traces");
    let spans = requests.flat_map(|request| {
        let message = ExportTraceServiceRequest::decode(&body(request)[..]).unwrap();
        message.resource_spans[0].scope_spans[0].spans.clone()
    });
    spans.collect()
}

/// The value of a counter or a gauge with the attributes of the query.
fn value(metrics: &[Metric], name: &str) -> f64 {
    let metric = metrics.iter().find(|metric| metric.name == name);
    let metric = metric.unwrap_or_else(|| panic!("{name}"));
    let points = match metric.data.as_ref().unwrap() {
        Data::Sum(sum) => {
            assert!(sum.is_monotonic);
            &sum.data_points
        }
        Data::Gauge(gauge) => &gauge.data_points,
        other => panic!("{name}: {other:?}"),
    };
    let point = points
        .iter()
        .find(|point| text(&point.attributes, "query") == Some("exported"));
    match point.unwrap().value.unwrap() {
        number_data_point::Value::AsInt(value) => value as f64,
        number_data_point::Value::AsDouble(value) => value,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_exports_metrics_and_spans() {
    let (server, received) = receiver(200, "").await;
    let url = server.url();
    let mut run = embedded(&["--otlp", &url, "-c", STATEMENTS]);
    run.env("OTEL_SERVICE_NAME", "words-job");
    let output = ended(run).await;
    assert!(output.status.success(), "{}", stderr(&output));

    let received = received.lock().unwrap();
    let metrics = metrics(&received);
    assert_eq!(value(&metrics, "datafusion_kinesis.input_rows"), 3.0);
    assert_eq!(value(&metrics, "datafusion_kinesis.query_active"), 0.0);
    let age = metrics
        .iter()
        .find(|metric| metric.name == "datafusion_kinesis.record_age")
        .unwrap();
    assert_eq!(age.unit, "s");
    let Some(Data::Histogram(ages)) = &age.data else {
        panic!("{age:?}");
    };
    let point = &ages.data_points[0];
    assert_eq!(point.count, 3);
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    assert_eq!(point.bucket_counts.iter().sum::<u64>(), 3);

    let spans = spans(&received);
    let named = |name: &'static str| spans.iter().filter(move |span| span.name == name);
    let query = named("query").next().unwrap();
    assert_eq!(text(&query.attributes, "end"), Some("finished"));
    assert_eq!(text(&query.attributes, "query.name"), Some("exported"));
    let batch = named("batch")
        .find(|batch| !batch.events.is_empty())
        .unwrap();
    assert_eq!(batch.links[0].trace_id, query.trace_id);
    assert_eq!(batch.links[0].span_id, query.span_id);
    assert!(batch.parent_span_id.is_empty());
    let event = &batch.events[0];
    assert_eq!(text(&event.attributes, "stream"), Some("words"));
    assert!(
        text(&event.attributes, "upto")
            .unwrap()
            .starts_with("AFTER ")
    );
    let phases = spans
        .iter()
        .filter(|span| span.parent_span_id == batch.span_id);
    let phases: Vec<&Span> = phases.collect();
    assert!(
        phases.iter().any(|phase| phase.name == "addBatch"),
        "{phases:?}"
    );
    for phase in &phases {
        assert_eq!(phase.trace_id, batch.trace_id);
        assert!(phase.start_time_unix_nano >= batch.start_time_unix_nano);
        assert!(phase.end_time_unix_nano <= batch.end_time_unix_nano + 1_000_000);
    }
    let ids: BTreeSet<&[u8]> = spans.iter().map(|span| &span.span_id[..]).collect();
    assert_eq!(ids.len(), spans.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_variables_of_opentelemetry_apply() {
    let (server, received) = receiver(200, "").await;
    let mut run = embedded(&["-c", STATEMENTS]);
    run.env("OTEL_EXPORTER_OTLP_ENDPOINT", server.url())
        .env("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=canary")
        .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        .env("OTEL_SERVICE_NAME", "words-job")
        .env("OTEL_TRACES_EXPORTER", "none");
    let output = ended(run).await;
    assert!(output.status.success(), "{}", stderr(&output));
    let received = received.lock().unwrap();
    assert_eq!(
        value(&metrics(&received), "datafusion_kinesis.input_rows"),
        3.0
    );
    for request in &*received {
        assert_eq!(request.path, "/v1/metrics");
        for header in ["api-key: canary", "content-type: application/x-protobuf"] {
            assert!(request.headers.contains(&header.to_owned()), "{header}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_logged_once_and_settings_are_checked() {
    // A server may repeat what it was sent.
    let (server, _received) = receiver(401, "canary").await;
    let mut run = embedded(&["--otlp", &server.url(), "-c", STATEMENTS]);
    run.env("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=canary");
    let output = ended(run).await;
    let errors = stderr(&output);
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors.matches("status 401").count(), 1, "{errors}");
    assert!(!errors.contains("canary"), "{errors}");

    let mut run = embedded(&["--otlp", "-c", "SELECT 1"]);
    run.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let output = ended(run).await;
    let errors = stderr(&output);
    assert!(!output.status.success());
    assert!(
        errors.contains("OTEL_EXPORTER_OTLP_PROTOCOL: expected http/protobuf"),
        "{errors}"
    );
}
