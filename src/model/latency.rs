//! How long calls took, as counts in fixed buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the buckets in milliseconds, from a call on loopback to one that is about to time out. Slower
/// calls are in a last bucket without a bound.
const BOUNDS_MILLIS: [u64; 14] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000,
];

const BUCKETS: usize = BOUNDS_MILLIS.len() + 1;

/// Counts calls by their latency. Costs a few nanoseconds per call, whoever else counts.
#[derive(Debug, Default)]
pub(crate) struct LatencyCounter {
    counts: [AtomicU64; BUCKETS],
    sum_micros: AtomicU64,
}

impl LatencyCounter {
    /// A call took this long.
    pub(crate) fn record(&self, latency: Duration) {
        let bucket = BOUNDS_MILLIS.partition_point(|bound| latency > Duration::from_millis(*bound));
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// The calls so far.
    pub(crate) fn snapshot(&self) -> LatencyHistogram {
        LatencyHistogram {
            counts: std::array::from_fn(|bucket| self.counts[bucket].load(Ordering::Relaxed)),
            sum: Duration::from_micros(self.sum_micros.load(Ordering::Relaxed)),
        }
    }
}

/// How many calls took how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LatencyHistogram {
    counts: [u64; BUCKETS],
    sum: Duration,
}

impl LatencyHistogram {
    /// The calls of both.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let mut counts = self.counts;
        for (count, other) in counts.iter_mut().zip(other.counts) {
            *count += other;
        }
        Self {
            counts,
            sum: self.sum + other.sum,
        }
    }

    /// The number of calls.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The time that all calls took together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// Upper bounds, each with the number of calls that took longer than the bound before it, and at most this long.
    /// The bound of the last bucket is `None`.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = BOUNDS_MILLIS.into_iter();
        let bounds = bounds.map(|millis| Some(Duration::from_millis(millis)));
        bounds.chain([None]).zip(self.counts)
    }

    /// The mean; `None` without a call.
    pub fn mean(&self) -> Option<Duration> {
        let count = self.count();
        (count > 0).then(|| self.sum.div_f64(count as f64))
    }

    /// An upper bound of the latency that this share of the calls, from 0 to 1, did not exceed; `None` without a call,
    /// and if it is in the last bucket.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let count = self.count();
        let wanted = (count as f64 * share.clamp(0.0, 1.0)).ceil().max(1.0);
        let mut seen = 0;
        let mut buckets = self.buckets();
        let found = buckets.find(|(_, calls)| {
            seen += calls;
            seen as f64 >= wanted
        });
        found.and_then(|(bound, _)| bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_upper_bounds() {
        let counter = LatencyCounter::default();
        let none = counter.snapshot();
        assert_eq!(
            (none.count(), none.mean(), none.quantile(0.5)),
            (0, None, None)
        );
        let millis = Duration::from_millis;
        for latency in [millis(1), millis(2), millis(3), millis(100), millis(60_000)] {
            counter.record(latency);
        }
        let calls = counter.snapshot();
        let filled: Vec<_> = calls.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(
            filled,
            [
                (Some(millis(1)), 1),
                (Some(millis(2)), 1),
                (Some(millis(5)), 1),
                (Some(millis(100)), 1),
                (None, 1)
            ]
        );
        assert_eq!((calls.count(), calls.sum()), (5, millis(60_106)));
        assert_eq!(calls.quantile(0.0), Some(millis(1)));
        assert_eq!(calls.quantile(0.5), Some(millis(5)));
        assert_eq!(calls.quantile(0.8), Some(millis(100)));
        assert_eq!(calls.quantile(0.81), None);
    }
}
