//! How often calls fail.

use std::collections::HashMap;
use std::time::Duration;

use crate::kinesis::Operation;

/// How often calls of one operation fail: probabilities from 0.0 (never) to 1.0 (always).
///
/// At most one fault affects a call; they are drawn in the order of the fields.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct FaultRates {
    /// `ProvisionedThroughputExceededException`; the call has no effect.
    pub throttled: f64,
    /// `InternalFailure`; the call has no effect.
    pub internal_failure: f64,
    /// The connection breaks before the request is processed; the call has no effect.
    pub connection_lost: f64,
    /// The connection breaks after the request was processed, so its effect stays. For PutRecords
    /// this is the lost acknowledgement that makes a client write twice.
    pub answer_lost: f64,
    /// `ExpiredIteratorException` although the iterator has not expired (GetRecords).
    pub expired_iterator: f64,
    /// An empty page although there are records; its lag is above zero (GetRecords, and the first event of
    /// SubscribeToShard).
    pub empty_page: f64,
    /// Per entry: it is not written and fails with `InternalFailure` (PutRecords).
    pub failed_entry: f64,
    /// Per event: the subscription fails with `InternalFailureException` instead (SubscribeToShard).
    pub failed_event: f64,
    /// Per event: the connection breaks in the middle of it (SubscribeToShard).
    pub broken_event: f64,
    /// Per event: the subscription ends before it, without an error (SubscribeToShard).
    pub early_end: f64,
    /// The shortest latency of a call.
    pub min_latency: Duration,
    /// The longest latency of a call. Latencies are drawn uniformly and slept on Tokio's clock.
    pub max_latency: Duration,
}

impl FaultRates {
    /// Sets [`throttled`](Self::throttled).
    #[must_use]
    pub fn with_throttled(mut self, rate: f64) -> Self {
        self.throttled = rate;
        self
    }

    /// Sets [`internal_failure`](Self::internal_failure).
    #[must_use]
    pub fn with_internal_failure(mut self, rate: f64) -> Self {
        self.internal_failure = rate;
        self
    }

    /// Sets [`connection_lost`](Self::connection_lost).
    #[must_use]
    pub fn with_connection_lost(mut self, rate: f64) -> Self {
        self.connection_lost = rate;
        self
    }

    /// Sets [`answer_lost`](Self::answer_lost).
    #[must_use]
    pub fn with_answer_lost(mut self, rate: f64) -> Self {
        self.answer_lost = rate;
        self
    }

    /// Sets [`expired_iterator`](Self::expired_iterator).
    #[must_use]
    pub fn with_expired_iterator(mut self, rate: f64) -> Self {
        self.expired_iterator = rate;
        self
    }

    /// Sets [`empty_page`](Self::empty_page).
    #[must_use]
    pub fn with_empty_page(mut self, rate: f64) -> Self {
        self.empty_page = rate;
        self
    }

    /// Sets [`failed_entry`](Self::failed_entry).
    #[must_use]
    pub fn with_failed_entry(mut self, rate: f64) -> Self {
        self.failed_entry = rate;
        self
    }

    /// Sets [`failed_event`](Self::failed_event).
    #[must_use]
    pub fn with_failed_event(mut self, rate: f64) -> Self {
        self.failed_event = rate;
        self
    }

    /// Sets [`broken_event`](Self::broken_event).
    #[must_use]
    pub fn with_broken_event(mut self, rate: f64) -> Self {
        self.broken_event = rate;
        self
    }

    /// Sets [`early_end`](Self::early_end).
    #[must_use]
    pub fn with_early_end(mut self, rate: f64) -> Self {
        self.early_end = rate;
        self
    }

    /// Sets [`min_latency`](Self::min_latency).
    #[must_use]
    pub fn with_min_latency(mut self, latency: Duration) -> Self {
        self.min_latency = latency;
        self
    }

    /// Sets [`max_latency`](Self::max_latency).
    #[must_use]
    pub fn with_max_latency(mut self, latency: Duration) -> Self {
        self.max_latency = latency;
        self
    }
}

/// The fault rates per operation. Operations without rates never fail.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan(HashMap<Operation, FaultRates>);

impl FaultPlan {
    /// Sets the `rates` of `operation`.
    #[must_use]
    pub fn with(mut self, operation: Operation, rates: FaultRates) -> Self {
        self.0.insert(operation, rates);
        self
    }

    /// The rates of `operation`.
    pub(super) fn of(&self, operation: Operation) -> FaultRates {
        self.0.get(&operation).copied().unwrap_or_default()
    }
}
