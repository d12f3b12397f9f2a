//! When a shard may be asked again, and for how much.

use std::time::Duration;

use crate::kinesis::limits::READ_BYTES_PER_SECOND;

/// The time from one GetRecords to the next: at least `interval`, and as long as a shard takes to
/// give `page_bytes` at 2 MiB a second. Asking earlier only earns a throttle. An interval of zero
/// turns pacing off, for servers without limits.
pub(crate) fn wait_after(page_bytes: usize, interval: Duration) -> Duration {
    if interval.is_zero() {
        return Duration::ZERO;
    }
    let micros = (page_bytes as u64).saturating_mul(1_000_000) / READ_BYTES_PER_SECOND as u64;
    interval.max(Duration::from_micros(micros))
}

/// What the pages of all shards of a scan may hold together, each before it is turned into rows.
pub(crate) const SCAN_PAGES_BYTES: usize = 512 * 1024 * 1024;

/// A page is no smaller than this however many shards there are, for requests to be worth their cost.
const LEAST_PAGE_BYTES: usize = 1024 * 1024;

/// The size of a record before one has been seen.
const ASSUMED_RECORD_BYTES: usize = 1_024;

/// How many records to ask a shard for, so that many shards with large records stay within memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageSize {
    page_bytes: usize,
    record_bytes: usize,
}

impl PageSize {
    pub(crate) fn of_scan(shards: usize) -> Self {
        Self {
            page_bytes: (SCAN_PAGES_BYTES / shards.max(1)).max(LEAST_PAGE_BYTES),
            record_bytes: ASSUMED_RECORD_BYTES,
        }
    }

    /// Takes the size of records from the last page that had any.
    pub(crate) fn learn(&mut self, records: usize, bytes: usize) {
        if let Some(mean) = bytes.checked_div(records) {
            self.record_bytes = mean.max(1);
        }
    }

    /// How large a page is to be.
    pub(crate) fn bytes(&self) -> usize {
        self.page_bytes
    }

    /// Records that fit into `page_bytes`, at least one.
    pub(crate) fn records_within(&self, page_bytes: usize) -> usize {
        (page_bytes / self.record_bytes).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl PageSize {
        fn fitting(&self) -> usize {
            self.records_within(self.bytes())
        }
    }

    #[test]
    fn a_small_page_waits_the_interval_and_a_full_one_five_seconds() {
        let interval = Duration::from_millis(200);
        assert_eq!(wait_after(0, interval), interval);
        assert_eq!(wait_after(100_000, interval), interval);
        assert_eq!(wait_after(10 << 20, interval), Duration::from_secs(5));
    }

    #[test]
    fn an_interval_of_zero_turns_pacing_off() {
        assert_eq!(wait_after(10 << 20, Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn few_shards_ask_for_whole_pages_and_many_for_what_fits() {
        let mut few = PageSize::of_scan(8);
        assert!(few.fitting() > 10_000);
        few.learn(10, 10 << 20);
        assert_eq!(few.fitting(), 64);
        let mut many = PageSize::of_scan(10_000);
        assert_eq!(many.fitting(), 1_024);
        many.learn(1_000, 100_000);
        assert_eq!(many.fitting(), 10_485);
        many.learn(0, 0);
        assert_eq!(many.fitting(), 10_485);
        many.learn(1, 10 << 20);
        assert_eq!(many.fitting(), 1);
    }
}
