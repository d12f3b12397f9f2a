//! Metrics as messages of OTLP.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric as Message,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::attributes::{attribute, nanos, scope};
use crate::model::UnixMillis;
use crate::monitor::metrics::{Kind, Metric, PREFIX, Series, Unit, Value};

/// All values at `now`. Counts began at `start`.
pub(super) fn request(
    values: &BTreeMap<Series, Value>,
    resource: &Resource,
    start: UnixMillis,
    now: UnixMillis,
) -> ExportMetricsServiceRequest {
    let times = Times {
        start: nanos(start),
        now: nanos(now),
    };
    let series: Vec<(&Series, &Value)> = values.iter().collect();
    let families = series.chunk_by(|(one, _), (two, _)| one.metric == two.metric);
    let metrics = families.filter_map(|family| {
        let (first, _) = family.first()?;
        Some(message(first.metric, family, times))
    });
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource.clone()),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope()),
                metrics: metrics.collect(),
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

/// Nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Times {
    start: u64,
    now: u64,
}

fn message(metric: Metric, family: &[(&Series, &Value)], times: Times) -> Message {
    let definition = metric.definition();
    let cumulative = AggregationTemporality::Cumulative.into();
    let numbers = || {
        family
            .iter()
            .filter_map(|(series, value)| number(series, value, times))
    };
    let data = match definition.kind {
        Kind::Gauge => Data::Gauge(Gauge {
            data_points: numbers().collect(),
        }),
        Kind::Counter => Data::Sum(Sum {
            data_points: numbers().collect(),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        Kind::Histogram => Data::Histogram(Histogram {
            data_points: family
                .iter()
                .filter_map(|(series, value)| histogram(series, value, times))
                .collect(),
            aggregation_temporality: cumulative,
        }),
    };
    Message {
        name: format!("{PREFIX}.{}", definition.base),
        description: definition.help.to_owned(),
        // A receiver appends the unit, and `_total` to counters, for Prometheus.
        unit: match definition.unit {
            Unit::Count => "",
            Unit::Seconds => "s",
            Unit::Bytes => "By",
            Unit::RowsPerSecond => "{rows_per_second}",
            Unit::DollarsPerHour => "{dollars_per_hour}",
        }
        .to_owned(),
        data: Some(data),
        ..Message::default()
    }
}

fn number(series: &Series, value: &Value, times: Times) -> Option<NumberDataPoint> {
    let value = match value {
        Value::Counter(count) => {
            number_data_point::Value::AsInt(i64::try_from(*count).unwrap_or(i64::MAX))
        }
        Value::Gauge(value) => number_data_point::Value::AsDouble(*value),
        Value::Histogram(_) => return None,
    };
    Some(NumberDataPoint {
        attributes: attributes(series),
        start_time_unix_nano: times.start,
        time_unix_nano: times.now,
        value: Some(value),
        ..NumberDataPoint::default()
    })
}

fn histogram(series: &Series, value: &Value, times: Times) -> Option<HistogramDataPoint> {
    let Value::Histogram(histogram) = value else {
        return None;
    };
    let bounds = histogram.bounds.iter();
    Some(HistogramDataPoint {
        attributes: attributes(series),
        start_time_unix_nano: times.start,
        time_unix_nano: times.now,
        count: histogram.count(),
        sum: Some(histogram.sum),
        bucket_counts: histogram.counts.clone(),
        explicit_bounds: bounds.map(|bound| bound.as_secs_f64()).collect(),
        ..HistogramDataPoint::default()
    })
}

fn attributes(series: &Series) -> Vec<opentelemetry_proto::tonic::common::v1::KeyValue> {
    let labels = series.labels.iter();
    labels
        .map(|(name, value)| attribute(name, &**value))
        .collect()
}
