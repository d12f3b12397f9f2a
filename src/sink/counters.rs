//! What writers count while they write.

use std::sync::atomic::{AtomicU64, Ordering};

use super::batcher::Settled;

/// What writers count; shared, so that a plan node can show it while they write.
#[derive(Debug, Default)]
pub struct SinkCounters {
    /// Rows acknowledged.
    pub rows: AtomicU64,
    /// Kinesis records acknowledged.
    pub records: AtomicU64,
    /// Bytes acknowledged: data and partition keys.
    pub bytes: AtomicU64,
    /// Requests answered.
    pub calls: AtomicU64,
    /// Kinesis records refused because of the rate.
    pub throttled: AtomicU64,
    /// Kinesis records sent again, whatever the reason.
    pub resent: AtomicU64,
}

impl SinkCounters {
    pub(super) fn call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add(&self, settled: &Settled) {
        self.rows.fetch_add(settled.rows, Ordering::Relaxed);
        self.records.fetch_add(settled.records, Ordering::Relaxed);
        self.bytes.fetch_add(settled.bytes, Ordering::Relaxed);
        self.throttled
            .fetch_add(settled.throttled, Ordering::Relaxed);
        self.resent.fetch_add(settled.resent, Ordering::Relaxed);
    }
}
