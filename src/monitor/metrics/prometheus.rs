//! Metrics in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabel, EncodeLabelSet, LabelSetEncoder, MetricEncoder, NoLabelSet,
    prometheus_text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit as TextUnit};

use super::catalog::{Kind, Metric, PREFIX};
use super::series::{Labels, Series, Value};

pub(super) use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

/// The values as text.
pub(super) fn text(values: BTreeMap<Series, Value>) -> String {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Values(values)));
    let mut text = String::new();
    // Writing to a String cannot fail, and the encoder has no other errors.
    let _ = prometheus_text::encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Values(BTreeMap<Series, Value>);

impl Collector for Values {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let series: Vec<(&Series, &Value)> = self.0.iter().collect();
        for family in series.chunk_by(|(one, _), (two, _)| one.metric == two.metric) {
            if let Some((first, _)) = family.first() {
                encode_family(&mut encoder, first.metric, family)?;
            }
        }
        Ok(())
    }
}

fn encode_family(
    encoder: &mut DescriptorEncoder<'_>,
    metric: Metric,
    family: &[(&Series, &Value)],
) -> fmt::Result {
    let definition = metric.definition();
    let kind = match definition.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
    };
    let unit = definition.unit.suffix();
    let unit = unit.map(|unit| TextUnit::Other(unit.to_owned()));
    let mut encoder =
        encoder.encode_descriptor(definition.base, definition.help, unit.as_ref(), kind)?;
    for (series, value) in family {
        let labels = TextLabels(&series.labels);
        encode_value(&mut encoder.encode_family(&labels)?, value)?;
    }
    Ok(())
}

fn encode_value(encoder: &mut MetricEncoder<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Counter(count) => encoder.encode_counter::<NoLabelSet, _, u64>(count, None),
        Value::Gauge(value) => encoder.encode_gauge(value),
        Value::Histogram(histogram) => {
            let bounds = histogram.bounds.iter().map(|bound| bound.as_secs_f64());
            let bounds = bounds.chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.zip(histogram.counts.iter().copied()).collect();
            let (sum, count) = (histogram.sum, histogram.count());
            encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        }
    }
}

#[derive(Debug)]
struct TextLabels<'a>(&'a Labels);

impl EncodeLabelSet for TextLabels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        for (name, value) in self.0 {
            (*name, &**value).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    use crate::monitor::metrics::catalog::DURATION_BOUNDS;
    use crate::monitor::metrics::series::Histogram;

    #[test]
    fn values_are_written_with_help_and_labels() {
        let name: Arc<str> = "a \"b\" \\ \n<c>".into();
        let mut histogram = Histogram::new(&DURATION_BOUNDS);
        histogram.observe(Duration::from_millis(7));
        histogram.observe(Duration::from_secs(1_000));
        let values = BTreeMap::from([
            (Series::new(Metric::Batches, [&name]), Value::Counter(3)),
            (Series::new(Metric::Active, [&name]), Value::Gauge(1.0)),
            (
                Series::new(Metric::Lag, [&name, &"s".into()]),
                Value::Gauge(0.25),
            ),
            (
                Series::new(Metric::BatchDuration, [&"q".into()]),
                Value::Histogram(histogram),
            ),
        ]);
        let text = text(values);
        for expected in [
            "# TYPE datafusion_kinesis_query_active gauge\n",
            "datafusion_kinesis_query_active{query=\"a \\\"b\\\" \\\\ \\n<c>\"} 1.0\n",
            "# HELP datafusion_kinesis_batches_total Committed batches\n",
            "# TYPE datafusion_kinesis_batches_total counter\n",
            "# TYPE datafusion_kinesis_lag_seconds gauge\n",
            ",stream=\"s\"} 0.25\n",
            "datafusion_kinesis_batch_duration_seconds_bucket{query=\"q\",le=\"0.005\"} 0\n",
            "datafusion_kinesis_batch_duration_seconds_bucket{query=\"q\",le=\"0.01\"} 1\n",
            "datafusion_kinesis_batch_duration_seconds_bucket{query=\"q\",le=\"+Inf\"} 2\n",
            "datafusion_kinesis_batch_duration_seconds_sum{query=\"q\"} 1000.007\n",
            "datafusion_kinesis_batch_duration_seconds_count{query=\"q\"} 2\n",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}
