//! Rate limits of shards: token buckets on the injected clock.

use std::time::Duration;

use crate::kinesis::limits::{
    FETCHES_PER_SECOND, ITERATORS_PER_SECOND, LARGEST_MAX_RECORD_BYTES, MAX_BYTES_PER_FETCH,
    READ_BYTES_PER_SECOND, WRITE_BYTES_PER_SECOND, WRITE_RECORDS_PER_SECOND,
};
use crate::model::UnixMillis;

/// A token bucket that fills at a steady rate up to its capacity. It can be overdrawn.
#[derive(Debug, Clone, Copy)]
pub(in crate::kinesis) struct Bucket {
    capacity: f64,
    per_second: f64,
    level: f64,
    filled_at: Option<UnixMillis>,
}

impl Bucket {
    pub(in crate::kinesis) fn new(capacity: f64, per_second: f64) -> Self {
        Self {
            capacity,
            per_second,
            level: capacity,
            filled_at: None,
        }
    }

    fn fill(&mut self, now: UnixMillis) {
        if let Some(before) = self.filled_at {
            let gained = now.since(before).as_secs_f64() * self.per_second;
            self.level = self.capacity.min(self.level + gained);
        }
        self.filled_at = Some(now);
    }

    /// Whether the bucket holds `amount` at `now`.
    fn holds(&mut self, amount: f64, now: UnixMillis) -> bool {
        self.fill(now);
        self.level >= amount
    }

    /// Takes `amount` if the bucket holds it.
    pub(in crate::kinesis) fn take(&mut self, amount: f64, now: UnixMillis) -> bool {
        let held = self.holds(amount, now);
        if held {
            self.level -= amount;
        }
        held
    }
}

/// 1,000 records and 1 MiB per second. A record above 1 MiB draws from a reserve of 10 MiB that
/// fills at the same rate (Developer Guide, "Quotas and limits" and "Large records").
#[derive(Debug)]
pub(in crate::kinesis) struct WriteBudget {
    records: Bucket,
    bytes: Bucket,
    reserve: Bucket,
}

impl WriteBudget {
    pub(in crate::kinesis) fn new() -> Self {
        let bytes = WRITE_BYTES_PER_SECOND as f64;
        let records = WRITE_RECORDS_PER_SECOND as f64;
        Self {
            records: Bucket::new(records, records),
            bytes: Bucket::new(bytes, bytes),
            reserve: Bucket::new(LARGEST_MAX_RECORD_BYTES as f64, bytes),
        }
    }

    /// Whether the shard accepts a record of `size_bytes` now. A rejection costs nothing.
    pub(in crate::kinesis) fn admits(&mut self, size_bytes: usize, now: UnixMillis) -> bool {
        if !self.records.holds(1.0, now) {
            return false;
        }
        let pool = if size_bytes > WRITE_BYTES_PER_SECOND {
            &mut self.reserve
        } else {
            &mut self.bytes
        };
        pool.take(size_bytes as f64, now) && self.records.take(1.0, now)
    }
}

/// Five calls and 2 MiB per second, shared by all polling readers of a shard; a page of 10 MiB
/// blocks reads for five seconds (API reference, GetRecords). Also the five GetShardIterator calls
/// per second.
#[derive(Debug)]
pub(in crate::kinesis) struct ReadBudget {
    calls: Bucket,
    bytes: Bucket,
    iterators: Bucket,
}

impl ReadBudget {
    pub(in crate::kinesis) fn new() -> Self {
        let calls = f64::from(FETCHES_PER_SECOND);
        let bytes = READ_BYTES_PER_SECOND as f64;
        let iterators = f64::from(ITERATORS_PER_SECOND);
        Self {
            calls: Bucket::new(calls, calls),
            bytes: Bucket::new(bytes, bytes),
            iterators: Bucket::new(iterators, iterators),
        }
    }

    /// Whether the shard serves a GetRecords now.
    pub(in crate::kinesis) fn admits_fetch(&mut self, now: UnixMillis) -> bool {
        self.bytes.holds(1.0, now) && self.calls.take(1.0, now)
    }

    /// Charges a returned page.
    pub(in crate::kinesis) fn charge_page(&mut self, size_bytes: usize, now: UnixMillis) {
        self.bytes.fill(now);
        // Unused capacity does not shorten the pause after a page of the largest size.
        if size_bytes > MAX_BYTES_PER_FETCH / 2 {
            self.bytes.level = self.bytes.level.min(0.0);
        }
        self.bytes.level -= size_bytes as f64;
    }

    /// Whether the shard serves a GetShardIterator now.
    pub(in crate::kinesis) fn admits_iterator(&mut self, now: UnixMillis) -> bool {
        self.iterators.take(1.0, now)
    }
}

/// One SubscribeToShard call per second and 2 MiB per second, for each consumer of a shard (API reference,
/// SubscribeToShard).
#[derive(Debug)]
pub(in crate::kinesis) struct PushBudget {
    calls: Bucket,
    bytes: Bucket,
}

impl PushBudget {
    pub(in crate::kinesis) fn new() -> Self {
        let bytes = READ_BYTES_PER_SECOND as f64;
        Self {
            calls: Bucket::new(1.0, 1.0),
            bytes: Bucket::new(bytes, bytes),
        }
    }

    /// Whether the shard accepts a SubscribeToShard now.
    pub(in crate::kinesis) fn admits_call(&mut self, now: UnixMillis) -> bool {
        self.calls.take(1.0, now)
    }

    /// How long the next event has to wait. An event may overdraw the budget.
    pub(in crate::kinesis) fn wait(&mut self, now: UnixMillis) -> Duration {
        self.bytes.fill(now);
        let missing = 1.0 - self.bytes.level;
        // Whole milliseconds, as the clock; rounded up, so that the wait is long enough.
        let millis = (missing.max(0.0) / self.bytes.per_second * 1_000.0).ceil();
        Duration::from_millis(millis as u64)
    }

    /// Charges an event.
    pub(in crate::kinesis) fn charge_event(&mut self, size_bytes: usize, now: UnixMillis) {
        self.bytes.fill(now);
        self.bytes.level -= size_bytes as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixMillis = UnixMillis(1_000_000);

    fn after(millis: i64) -> UnixMillis {
        UnixMillis(START.0 + millis)
    }

    #[test]
    fn a_shard_accepts_a_thousand_records_per_second() {
        let mut budget = WriteBudget::new();
        assert_eq!(
            (0..1_500).filter(|_| budget.admits(10, START)).count(),
            1_000
        );
        assert_eq!(
            (0..1_500).filter(|_| budget.admits(10, after(500))).count(),
            500
        );
    }

    #[test]
    fn a_shard_accepts_one_mebibyte_per_second_and_an_occasional_large_record() {
        let mut budget = WriteBudget::new();
        assert!(budget.admits(1 << 20, START));
        assert!(!budget.admits(1, START));
        assert!(budget.admits(10 << 20, START));
        assert!(!budget.admits(2 << 20, after(1_000)));
        assert!(budget.admits(2 << 20, after(2_000)));
    }

    #[test]
    fn a_shard_serves_five_fetches_per_second() {
        let mut budget = ReadBudget::new();
        assert_eq!((0..9).filter(|_| budget.admits_fetch(START)).count(), 5);
        assert!(!budget.admits_fetch(after(199)));
        assert!(budget.admits_fetch(after(400)));
    }

    #[test]
    fn the_largest_page_blocks_a_shard_for_five_seconds() {
        let mut budget = ReadBudget::new();
        assert!(budget.admits_fetch(START));
        budget.charge_page(10 << 20, START);
        assert!(!budget.admits_fetch(after(4_999)));
        assert!(budget.admits_fetch(after(5_001)));
    }
}
