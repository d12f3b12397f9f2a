//! Limits the number of unacknowledged records, so that records do not expire while they wait for each other.

/// The number of records that may be unacknowledged: in flight, or rejected and waiting for a
/// retry.
///
/// The time to live of a record starts with its first rejection. If more records were sent at once
/// than a shard accepts within that time, they would only make each other expire. Therefore the
/// limit follows the number of records that the service accepts. If lanes correspond to shards,
/// their send intervals have the same effect, and the window is unlimited.
#[derive(Debug)]
pub(super) struct Window {
    /// Whether there is no limit.
    unlimited: bool,
    limit_records: usize,
    unacknowledged: usize,
}

/// Enough to saturate a shard with attempts 100 ms apart.
const LEAST_RECORDS: usize = 64;

/// One full request.
const FIRST_RECORDS: usize = 500;

/// Eight full requests.
const MOST_RECORDS: usize = 4_096;

impl Window {
    pub(super) fn new(unlimited: bool) -> Self {
        Self {
            unlimited,
            limit_records: FIRST_RECORDS,
            unacknowledged: 0,
        }
    }

    pub(super) fn set_unlimited(&mut self, unlimited: bool) {
        self.unlimited = unlimited;
    }

    /// Whether a new record may be sent.
    pub(super) fn allows_new(&self) -> bool {
        self.unlimited || self.unacknowledged < self.limit_records
    }

    pub(super) fn admit(&mut self) {
        self.unacknowledged += 1;
    }

    pub(super) fn release(&mut self) {
        self.unacknowledged -= 1;
    }

    /// Grows with accepted records and shrinks with throttled ones. It settles where one record is
    /// throttled for each accepted one.
    pub(super) fn learn(&mut self, accepted: usize, throttled: usize) {
        self.limit_records = (self.limit_records + accepted.div_ceil(2))
            .saturating_sub(throttled.div_ceil(2))
            .clamp(LEAST_RECORDS, MOST_RECORDS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_follows_accepted_and_throttled_records_within_bounds() {
        let mut window = Window::new(false);
        for _ in 0..FIRST_RECORDS {
            assert!(window.allows_new());
            window.admit();
        }
        assert!(!window.allows_new());
        window.learn(2, 0);
        assert!(window.allows_new());
        window.learn(0, 1_000_000);
        (0..FIRST_RECORDS - LEAST_RECORDS).for_each(|_| window.release());
        assert!(!window.allows_new());
        window.release();
        assert!(window.allows_new());
        window.learn(1_000_000, 0);
        assert_eq!(window.limit_records, MOST_RECORDS);
    }

    #[test]
    fn an_unlimited_window_admits_everything() {
        let mut window = Window::new(true);
        (0..2 * MOST_RECORDS).for_each(|_| window.admit());
        assert!(window.allows_new());
        window.set_unlimited(false);
        assert!(!window.allows_new());
    }
}
