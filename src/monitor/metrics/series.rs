//! The values of metrics.

use std::sync::Arc;
use std::time::Duration;

use super::catalog::Metric;
use crate::model::LatencyHistogram;

/// The names and values of labels, in the order of the definition.
pub(crate) type Labels = Vec<(&'static str, Arc<str>)>;

/// A metric with labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Series {
    pub(crate) metric: Metric,
    pub(crate) labels: Labels,
}

impl Series {
    /// The series with these values of the labels, in the order of the definition.
    pub(crate) fn new<const N: usize>(metric: Metric, values: [&Arc<str>; N]) -> Self {
        let names = metric.definition().labels;
        debug_assert_eq!(names.len(), N, "{metric:?} has {names:?}");
        let values = values.into_iter().map(Arc::clone);
        Self {
            metric,
            labels: names.iter().copied().zip(values).collect(),
        }
    }

    /// The value of a label.
    pub(crate) fn label(&self, name: &str) -> Option<&Arc<str>> {
        let found = self.labels.iter().find(|(label, _)| *label == name);
        found.map(|(_, value)| value)
    }
}

/// The value of a series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Counter(u64),
    Gauge(f64),
    Histogram(Histogram),
}

/// Observations of durations, counted by size.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Histogram {
    /// The upper bounds, ascending.
    pub(crate) bounds: Vec<Duration>,
    /// The number of observations up to each bound and above the one before it, and at last of those above all.
    pub(crate) counts: Vec<u64>,
    /// The sum of the observations in seconds.
    pub(crate) sum: f64,
}

impl Histogram {
    /// No observations.
    pub(crate) fn new(bounds: &[Duration]) -> Self {
        Self {
            bounds: bounds.to_vec(),
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        }
    }

    /// Calls by their latency.
    pub(crate) fn of_calls(latencies: &LatencyHistogram) -> Self {
        let (bounds, counts): (Vec<_>, Vec<_>) = latencies.buckets().unzip();
        Self {
            bounds: bounds.into_iter().flatten().collect(),
            counts,
            sum: latencies.sum().as_secs_f64(),
        }
    }

    /// Takes over the observations of `now`, which has the same bounds, and returns those that are new. Of two
    /// readings, the later one has the higher counts.
    pub(crate) fn rise_to(&mut self, now: &Self) -> Self {
        let mut rise = Self::new(&now.bounds);
        self.counts.resize(now.counts.len(), 0);
        for (index, count) in now.counts.iter().enumerate() {
            rise.counts[index] = count.saturating_sub(self.counts[index]);
            self.counts[index] += rise.counts[index];
        }
        rise.sum = (now.sum - self.sum).max(0.0);
        self.sum += rise.sum;
        rise
    }

    /// Adds an observation.
    pub(crate) fn observe(&mut self, duration: Duration) {
        let index = self.bounds.partition_point(|bound| *bound < duration);
        self.counts[index] += 1;
        self.sum += duration.as_secs_f64();
    }

    /// Adds observations that are already counted by the same bounds.
    pub(crate) fn add(&mut self, counts: &[u64], sum: f64) {
        for (total, count) in self.counts.iter_mut().zip(counts) {
            *total += count;
        }
        self.sum += sum;
    }

    /// The number of observations.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::DURATION_BOUNDS;
    use super::*;

    #[test]
    fn an_observation_counts_up_to_its_bound() {
        let mut histogram = Histogram::new(&DURATION_BOUNDS);
        for millis in [5, 6, 999_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        assert_eq!(histogram.counts[..3], [1, 1, 0]);
        assert_eq!(histogram.counts[DURATION_BOUNDS.len()], 1);
        assert_eq!(histogram.count(), 3);
        assert_eq!(histogram.sum, 999.011);
    }
}
