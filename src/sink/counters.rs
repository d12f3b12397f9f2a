//! Counters of what writers have written.

use std::sync::atomic::{AtomicU64, Ordering};

use super::batcher::Settled;

/// Counters of writers, shared so that a plan node can show them while rows are written.
#[derive(Debug, Default)]
pub(crate) struct SinkCounters {
    /// Acknowledged rows.
    pub(crate) rows: AtomicU64,
    /// Acknowledged Kinesis records.
    pub(crate) records: AtomicU64,
    /// Acknowledged bytes: data and partition keys.
    pub(crate) bytes: AtomicU64,
    /// Completed requests.
    pub(crate) calls: AtomicU64,
    /// Kinesis records that were throttled.
    pub(crate) throttled: AtomicU64,
    /// Kinesis records sent again for any reason.
    pub(crate) resent: AtomicU64,
    /// Units of 25 KB that a provisioned stream bills.
    pub(crate) payload_units: AtomicU64,
    /// Kilobytes that an on-demand stream bills.
    pub(crate) kilobytes: AtomicU64,
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
        let billed = settled.billed;
        self.payload_units
            .fetch_add(billed.payload_units, Ordering::Relaxed);
        self.kilobytes
            .fetch_add(billed.kilobytes, Ordering::Relaxed);
    }
}
