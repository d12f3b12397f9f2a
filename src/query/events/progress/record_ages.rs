//! How old the records of a batch were when it was committed.

use std::time::Duration;

/// The ages of the records of a batch from their arrival in the stream to the commit of the batch. An aggregated
/// record counts once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordAges {
    /// How many records these are: those that were read ahead, not those that a rerun has read again.
    pub records: u64,
    /// The age of the newest.
    pub min: Duration,
    /// The mean.
    pub avg: Duration,
    /// The age of the oldest.
    pub max: Duration,
    /// The number of records by age: for each of [`BOUNDS`](Self::BOUNDS) those that are not older, and older than the
    /// bound before it, and at last those that are older than all bounds.
    pub counts: [u64; Self::BOUNDS.len() + 1],
}

impl RecordAges {
    /// The upper bounds of [`counts`](Self::counts), from 50 ms to a day.
    pub const BOUNDS: [Duration; 15] = [
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_millis(2_500),
        Duration::from_secs(5),
        Duration::from_secs(10),
        Duration::from_secs(30),
        Duration::from_secs(60),
        Duration::from_secs(300),
        Duration::from_secs(900),
        Duration::from_secs(3_600),
        Duration::from_secs(21_600),
        Duration::from_secs(86_400),
    ];
}

/// Adds up ages.
#[derive(Debug)]
pub(in crate::query) struct AgeCounter {
    /// When the batch was committed, in microseconds since 1970.
    committed: i64,
    records: u64,
    min: i64,
    max: i64,
    sum: i128,
    counts: [u64; RecordAges::BOUNDS.len() + 1],
}

impl AgeCounter {
    /// Nothing yet, of a batch that was committed at `committed`, in microseconds since 1970.
    pub(in crate::query) fn new(committed: i64) -> Self {
        Self {
            committed,
            records: 0,
            min: i64::MAX,
            max: 0,
            sum: 0,
            counts: Default::default(),
        }
    }

    /// Adds records by their arrival in microseconds since 1970.
    pub(in crate::query) fn add(&mut self, arrivals: &[i64]) {
        let (Some(first), Some(last)) = (arrivals.iter().min(), arrivals.iter().max()) else {
            return;
        };
        let count = arrivals.len() as u64;
        let (newest, oldest) = (self.age(*last), self.age(*first));
        self.records += count;
        self.min = self.min.min(newest);
        self.max = self.max.max(oldest);
        // The sum of the differences from the first is that of numbers which are small in one page.
        let after_first: i64 = arrivals.iter().map(|arrival| arrival - first).sum();
        self.sum += i128::from(oldest) * i128::from(count) - i128::from(after_first);
        // The records of a page have mostly arrived within moments.
        match (bucket(newest), bucket(oldest)) {
            (only, other) if only == other => self.counts[only] += count,
            _ => {
                for arrival in arrivals {
                    self.counts[bucket(self.age(*arrival))] += 1;
                }
            }
        }
    }

    /// The age of a record. The clocks of the stream and of this machine may differ.
    fn age(&self, arrival: i64) -> i64 {
        self.committed.saturating_sub(arrival).max(0)
    }

    /// The ages; `None` without records.
    pub(in crate::query) fn finish(self) -> Option<RecordAges> {
        let micros = |micros: i64| Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        let mean = self.sum.checked_div(i128::from(self.records))?;
        Some(RecordAges {
            records: self.records,
            min: micros(self.min),
            // Ages below zero count as zero in the others only.
            avg: micros(i64::try_from(mean).unwrap_or(0).clamp(self.min, self.max)),
            max: micros(self.max),
            counts: self.counts,
        })
    }
}

/// The index of the count that an age in microseconds belongs to.
fn bucket(age: i64) -> usize {
    let age = u128::try_from(age).unwrap_or(0);
    RecordAges::BOUNDS.partition_point(|bound| bound.as_micros() < age)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMITTED: i64 = 1_700_000_000_000_000;

    fn ages_of(pages: &[&[i64]]) -> Option<RecordAges> {
        let mut counter = AgeCounter::new(COMMITTED);
        for ages in pages {
            let arrivals: Vec<i64> = ages.iter().map(|age| COMMITTED - age).collect();
            counter.add(&arrivals);
        }
        counter.finish()
    }

    #[test]
    fn ages_are_counted_by_bound() {
        let ages = ages_of(&[&[50_000, 50_001, 90_000], &[], &[200_000_000_000, 1_000]]).unwrap();
        assert_eq!(ages.records, 5);
        assert_eq!(ages.counts[..2], [2, 2]);
        assert_eq!(ages.counts[RecordAges::BOUNDS.len()], 1);
        assert_eq!(ages.min, Duration::from_millis(1));
        assert_eq!(ages.max, Duration::from_secs(200_000));
        assert_eq!(ages.avg, Duration::from_micros(200_000_191_001 / 5));
        assert_eq!(ages_of(&[&[]]), None);
    }

    #[test]
    fn a_record_from_the_future_is_new() {
        let ages = ages_of(&[&[-5_000_000]]).unwrap();
        assert_eq!((ages.min, ages.avg, ages.max), Default::default());
        assert_eq!(ages.counts[0], 1);
    }

    #[test]
    fn bounds_ascend() {
        assert!(RecordAges::BOUNDS.is_sorted_by(|one, two| one < two));
    }
}
