//! Counts what happens to a shard, for those who look at a running query.

use std::time::Duration;

use crate::model::UnixMillis;

/// How many rates of a shard are kept.
const KEPT_RATES: usize = 16;

/// The smallest, the middle and the largest of some rates.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RateRange {
    /// The smallest.
    pub min: f64,
    /// The middle one.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardError {
    /// When it failed.
    pub time: UnixMillis,
    /// Why.
    pub message: String,
}

/// What has happened to a shard so far.
#[derive(Debug, Default)]
pub(super) struct ShardCounters {
    pub(super) throttled: u64,
    pub(super) retries: u64,
    pub(super) last_error: Option<ShardError>,
    /// The rows that the last batch has taken.
    pub(super) last_rows: u64,
    rates: [f32; KEPT_RATES],
    /// How many rates there have been.
    batches: usize,
}

impl ShardCounters {
    /// A request has failed.
    pub(super) fn failed(&mut self, is_throttled: bool, time: UnixMillis, message: String) {
        match is_throttled {
            true => self.throttled += 1,
            false => self.retries += 1,
        }
        self.last_error = Some(ShardError { time, message });
    }

    /// A batch has taken `rows`, `since_last` after the previous batch.
    pub(super) fn taken(&mut self, rows: u64, since_last: Option<Duration>) {
        self.last_rows = rows;
        if let Some(seconds) = since_last.map(|span| span.as_secs_f64())
            && seconds > 0.0
        {
            self.rates[self.batches % KEPT_RATES] = (rows as f64 / seconds) as f32;
            self.batches += 1;
        }
    }

    /// The rates of the last batches; `None` before the second batch.
    pub(super) fn rates(&self) -> Option<RateRange> {
        let mut rates = self.rates;
        let rates = &mut rates[..self.batches.min(KEPT_RATES)];
        rates.sort_unstable_by(f32::total_cmp);
        let rate = |index: usize| f64::from(rates[index]);
        (!rates.is_empty()).then(|| RateRange {
            min: rate(0),
            median: rate(rates.len() / 2),
            max: rate(rates.len() - 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_last_batches() {
        let mut counters = ShardCounters::default();
        let second = Some(Duration::from_secs(1));
        counters.taken(7, None);
        assert_eq!((counters.last_rows, counters.rates()), (7, None));
        for rows in [1, 3, 2] {
            counters.taken(rows, second);
        }
        let range = |min, median, max| Some(RateRange { min, median, max });
        assert_eq!(counters.rates(), range(1.0, 2.0, 3.0));
        for _ in 0..KEPT_RATES {
            counters.taken(10, Some(Duration::from_secs(5)));
        }
        assert_eq!(counters.rates(), range(2.0, 2.0, 2.0));
        counters.taken(3, Some(Duration::ZERO));
        assert_eq!(
            (counters.last_rows, counters.rates()),
            (3, range(2.0, 2.0, 2.0))
        );
    }
}
