//! The requests that are on the way, and how long those before took.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{LatencyCounter, LatencyHistogram};

/// What is being written to a stream.
#[derive(Debug, Default)]
pub(super) struct SinkLoad {
    latency: LatencyCounter,
    requests: Mutex<Requests>,
}

#[derive(Debug, Default)]
struct Requests {
    /// The number of the next request.
    next: u64,
    /// When each request was sent, and its records. Ordered by the time, as numbers are.
    sent: BTreeMap<u64, (Instant, usize)>,
}

/// The writes to a Kinesis stream at present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkStatus {
    /// PutRecords calls that are not answered yet.
    pub requests_in_flight: usize,
    /// Kinesis records in them.
    pub records_in_flight: usize,
    /// How long the oldest of these calls has been on the way; `None` if there is none.
    pub oldest_in_flight: Option<Duration>,
    /// How long PutRecords calls took so far, since the table was created.
    pub put_latency: LatencyHistogram,
}

impl SinkLoad {
    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request with this many records is sent. Drop the result when it is answered or abandoned.
    pub(super) fn sent(&self, records: usize) -> RequestInFlight<'_> {
        let sent_at = Instant::now();
        let mut requests = self.requests();
        let number = requests.next;
        requests.next += 1;
        requests.sent.insert(number, (sent_at, records));
        RequestInFlight {
            load: self,
            number,
            sent_at,
        }
    }

    pub(super) fn status(&self) -> SinkStatus {
        let requests = self.requests();
        let oldest = requests.sent.values().next();
        SinkStatus {
            requests_in_flight: requests.sent.len(),
            records_in_flight: requests.sent.values().map(|(_, records)| records).sum(),
            oldest_in_flight: oldest.map(|(sent_at, _)| sent_at.elapsed()),
            put_latency: self.latency.snapshot(),
        }
    }
}

/// A request that is on the way.
#[derive(Debug)]
pub(super) struct RequestInFlight<'a> {
    load: &'a SinkLoad,
    number: u64,
    sent_at: Instant,
}

impl RequestInFlight<'_> {
    /// The service has answered it.
    pub(super) fn answered(self) {
        self.load.latency.record(self.sent_at.elapsed());
    }
}

impl Drop for RequestInFlight<'_> {
    fn drop(&mut self) {
        self.load.requests().sent.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answered_and_abandoned_requests_are_not_in_flight() {
        let load = SinkLoad::default();
        let second = Duration::from_secs(1);
        let first = load.sent(500);
        tokio::time::advance(second).await;
        let abandoned = load.sent(20);
        let status = load.status();
        assert_eq!(
            (status.requests_in_flight, status.records_in_flight),
            (2, 520)
        );
        assert_eq!(status.oldest_in_flight, Some(second));
        first.answered();
        drop(abandoned);
        let status = load.status();
        assert_eq!(
            (status.requests_in_flight, status.oldest_in_flight),
            (0, None)
        );
        assert_eq!(
            (status.put_latency.count(), status.put_latency.sum()),
            (1, second)
        );
    }
}
