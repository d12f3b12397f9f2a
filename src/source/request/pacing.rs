//! Decides when the next page of a shard may be requested, and with how many records.

use std::time::Duration;

use crate::kinesis::limits::READ_BYTES_PER_SECOND;

/// The minimum time between requests, in addition to the limits of a shard.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    /// After a page without records.
    pub(crate) after_empty_page: Duration,
    /// After a request that failed. Retries usually wait longer.
    pub(crate) after_failure: Duration,
}

/// The time from one GetRecords to the next: `interval`, or the time in which a shard delivers `page_bytes`
/// at 2 MiB/s if that is longer, because an earlier request would be throttled. An interval of zero turns
/// pacing off, for servers without limits.
pub(crate) fn wait_after(page_bytes: usize, interval: Duration) -> Duration {
    if interval.is_zero() {
        return Duration::ZERO;
    }
    let micros = (page_bytes as u64).saturating_mul(1_000_000) / READ_BYTES_PER_SECOND as u64;
    interval.max(Duration::from_micros(micros))
}

/// Memory for the pages of all shards of a scan together, before they are turned into rows.
pub(crate) const SCAN_PAGES_BYTES: usize = 512 * 1024 * 1024;

/// The smallest page of a scan, however many shards share the memory: smaller ones are not worth a request.
const MIN_SCAN_PAGE_BYTES: usize = 1024 * 1024;

/// The page size of a scan that reads `shards` concurrently.
pub(crate) fn scan_page_bytes(shards: usize) -> usize {
    (SCAN_PAGES_BYTES / shards.max(1)).max(MIN_SCAN_PAGE_BYTES)
}

/// The size of a record before one has been seen.
const ASSUMED_RECORD_BYTES: usize = 1_024;

/// The mean size of the records of a shard. GetRecords limits a page by records, while memory is limited in
/// bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordSize {
    bytes: usize,
}

impl RecordSize {
    pub(crate) fn assumed() -> Self {
        Self {
            bytes: ASSUMED_RECORD_BYTES,
        }
    }

    /// Sets the mean from a page of this size; keeps the old value if the page has no records.
    pub(crate) fn learn(&mut self, records: usize, bytes: usize) {
        if let Some(mean) = bytes.checked_div(records) {
            self.bytes = mean.max(1);
        }
    }

    /// The records that fit into a page of this size; at least one.
    pub(crate) fn records_within(self, page_bytes: usize) -> usize {
        (page_bytes / self.bytes).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pages_wait_for_the_interval_and_full_ones_for_five_seconds() {
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
    fn few_shards_get_full_pages_and_many_share_the_memory() {
        let mut size = RecordSize::assumed();
        assert!(size.records_within(scan_page_bytes(8)) > 10_000);
        size.learn(10, 10 << 20);
        assert_eq!(size.records_within(scan_page_bytes(8)), 64);
        let mut size = RecordSize::assumed();
        let page_bytes = scan_page_bytes(10_000);
        assert_eq!(size.records_within(page_bytes), 1_024);
        size.learn(1_000, 100_000);
        assert_eq!(size.records_within(page_bytes), 10_485);
        size.learn(0, 0);
        assert_eq!(size.records_within(page_bytes), 10_485);
        size.learn(1, 10 << 20);
        assert_eq!(size.records_within(page_bytes), 1);
    }
}
