//! The table of last, minimum, quartiles and maximum of some times of the kept batches.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::millis;
use crate::query::StreamingQueryProgress;

/// Of some times, in milliseconds: the last, and where the others lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct Spread {
    pub(in crate::monitor) last: u64,
    pub(in crate::monitor) min: u64,
    pub(in crate::monitor) p25: u64,
    pub(in crate::monitor) median: u64,
    pub(in crate::monitor) p75: u64,
    pub(in crate::monitor) max: u64,
}

impl Spread {
    /// `None` without a time. A quartile is one of the times: the smallest that as many are not greater than.
    fn of(times: impl Iterator<Item = Duration>) -> Option<Self> {
        let mut times: Vec<u64> = times.map(millis).collect();
        let last = *times.last()?;
        times.sort_unstable();
        let nth = |quarters: usize| times[(times.len() * quarters).div_ceil(4).max(1) - 1];
        Some(Self {
            last,
            min: nth(0),
            p25: nth(1),
            median: nth(2),
            p75: nth(3),
            max: nth(4),
        })
    }
}

/// The times of the kept batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct Quartiles {
    pub(in crate::monitor) processing_time: Option<Spread>,
    pub(in crate::monitor) scheduling_delay: Option<Spread>,
    pub(in crate::monitor) total_delay: Option<Spread>,
}

impl Quartiles {
    pub(in crate::monitor) fn of(progress: &[Arc<StreamingQueryProgress>]) -> Self {
        let spread = |time: fn(&StreamingQueryProgress) -> Duration| {
            Spread::of(progress.iter().map(|batch| time(batch)))
        };
        Self {
            processing_time: spread(|batch| batch.processing_time),
            scheduling_delay: spread(|batch| batch.scheduling_delay),
            total_delay: spread(|batch| batch.total_delay),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_times_of_batches() {
        let spread = |times: &[u64]| {
            let spread = Spread::of(times.iter().copied().map(Duration::from_millis))?;
            let Spread {
                last,
                min,
                p25,
                median,
                p75,
                max,
            } = spread;
            Some([last, min, p25, median, p75, max])
        };
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[7]), Some([7; 6]));
        assert_eq!(spread(&[9, 1]), Some([1, 1, 1, 1, 9, 9]));
        assert_eq!(spread(&[4, 1, 3, 2]), Some([2, 1, 1, 2, 3, 4]));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(spread(&hundred), Some([1, 1, 25, 50, 75, 100]));
    }
}
