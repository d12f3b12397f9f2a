//! Chooses what CloudWatch gets: the few figures that users of the Kinesis Client Library set alarms on.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::monitor::metrics::{Metric, Series, Value};

/// How many metrics a query has without streams.
pub(super) const METRICS_PER_QUERY: u32 = 2;

/// How many more it has for each stream.
pub(super) const METRICS_PER_STREAM: u32 = 4;

/// The longest value of a dimension (CloudWatch API reference, "Dimension").
const MAX_DIMENSION_CHARS: usize = 1_024;

/// One value of one metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Datum {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) value: f64,
    pub(super) query: String,
    /// `None` for metrics of the whole query.
    pub(super) stream: Option<String>,
}

/// What is published of the values `now`, with the series that it is from. Counts are those since `before`.
pub(super) fn datums<'a>(
    now: &'a BTreeMap<Series, Value>,
    before: &BTreeMap<Series, Value>,
) -> Vec<(&'a Series, Datum)> {
    let datums = now.iter().filter_map(|(series, value)| {
        let (name, unit) = published(series)?;
        let value = match value {
            Value::Counter(count) => {
                let earlier = match before.get(series) {
                    Some(Value::Counter(earlier)) => *earlier,
                    _ => 0,
                };
                count.saturating_sub(earlier) as f64
            }
            // The only one is the lag in seconds.
            Value::Gauge(value) => value * 1_000.0,
            Value::Histogram(_) => return None,
        };
        let datum = Datum {
            name,
            unit,
            value,
            query: dimension(series.label("query")?),
            stream: series.label("stream").map(dimension),
        };
        Some((series, datum))
    });
    datums.collect()
}

/// The name and the unit of a series in CloudWatch.
fn published(series: &Series) -> Option<(&'static str, &'static str)> {
    Some(match series.metric {
        Metric::Lag => ("MillisBehindLatest", "Milliseconds"),
        Metric::InputRows => ("RecordsProcessed", "Count"),
        Metric::InputBytes => ("BytesProcessed", "Bytes"),
        Metric::ThrottledCalls => ("ThrottledCalls", "Count"),
        Metric::Batches => ("CommitSuccess", "Count"),
        Metric::Ends if series.label("end").is_some_and(|end| **end == *"failed") => {
            ("CommitFailure", "Count")
        }
        _ => return None,
    })
}

/// A value that CloudWatch takes: printable ASCII characters that do not begin with a colon.
fn dimension(text: &Arc<str>) -> String {
    let replaced = text.chars().take(MAX_DIMENSION_CHARS);
    let replaced = replaced.enumerate().map(|(index, character)| {
        let is_allowed = character == ' ' || character.is_ascii_graphic();
        match is_allowed && (index > 0 || character != ':') {
            true => character,
            false => '?',
        }
    });
    let replaced: String = replaced.collect();
    match replaced.trim().is_empty() {
        true => "?".to_owned(),
        false => replaced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(batches: u64, lag: f64) -> BTreeMap<Series, Value> {
        let [query, stream]: [Arc<str>; 2] = [":naïve".into(), "words".into()];
        let failed = Series::new(Metric::Ends, [&query, &"failed".into()]);
        let stopped = Series::new(Metric::Ends, [&query, &"stopped".into()]);
        BTreeMap::from([
            (
                Series::new(Metric::Batches, [&query]),
                Value::Counter(batches),
            ),
            (
                Series::new(Metric::Lag, [&query, &stream]),
                Value::Gauge(lag),
            ),
            (Series::new(Metric::Active, [&query]), Value::Gauge(1.0)),
            (failed, Value::Counter(0)),
            (stopped, Value::Counter(3)),
        ])
    }

    #[test]
    fn counts_are_differences_and_lag_is_in_milliseconds() {
        let (now, before) = (values(7, 1.5), values(5, 9.0));
        let datums = datums(&now, &before);
        let shown: Vec<_> = datums
            .iter()
            .map(|(_, datum)| (datum.name, datum.value, datum.unit, datum.stream.as_deref()))
            .collect();
        let expected = [
            ("CommitFailure", 0.0, "Count", None),
            ("CommitSuccess", 2.0, "Count", None),
            ("MillisBehindLatest", 1_500.0, "Milliseconds", Some("words")),
        ];
        assert_eq!(shown, expected);
        assert_eq!(datums[0].1.query, "?na?ve");
    }

    #[test]
    fn dimensions_are_never_empty_or_too_long() {
        assert_eq!(dimension(&" ".into()), "?");
        let long = "x".repeat(2_000);
        assert_eq!(dimension(&long.as_str().into()).len(), MAX_DIMENSION_CHARS);
    }
}
