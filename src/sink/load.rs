//! The requests that are on the way, and how those before ended.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::kinesis::{ApiErrorKind, ApiResult, PutOutcome};
use crate::model::{LatencyCounter, LatencyHistogram};

/// What is being written to a stream.
#[derive(Debug, Default)]
pub(super) struct SinkLoad {
    latency: LatencyCounter,
    requests: Mutex<Requests>,
    answers: Mutex<Answers>,
}

/// How requests ended. Each counts once, by the worst of its records.
#[derive(Debug, Default)]
struct Answers {
    accepted: u64,
    throttled: u64,
    failed: u64,
    last_error: Option<String>,
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
    /// PutRecords calls since the table was created whose records were all accepted.
    pub accepted_calls: u64,
    /// PutRecords calls since the table was created that were throttled, or of which a record was.
    pub throttled_calls: u64,
    /// PutRecords calls since the table was created that failed otherwise, or of which a record did.
    pub failed_calls: u64,
}

impl SinkStatus {
    /// The writes to both streams.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            requests_in_flight: self.requests_in_flight + other.requests_in_flight,
            records_in_flight: self.records_in_flight + other.records_in_flight,
            oldest_in_flight: self.oldest_in_flight.max(other.oldest_in_flight),
            put_latency: self.put_latency.plus(&other.put_latency),
            accepted_calls: self.accepted_calls + other.accepted_calls,
            throttled_calls: self.throttled_calls + other.throttled_calls,
            failed_calls: self.failed_calls + other.failed_calls,
        }
    }
}

impl SinkLoad {
    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the last request that was not accepted failed or was throttled.
    pub(super) fn last_error(&self) -> Option<String> {
        self.answers().last_error.clone()
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
        let (accepted_calls, throttled_calls, failed_calls) = {
            let answers = self.answers();
            (answers.accepted, answers.throttled, answers.failed)
        };
        let requests = self.requests();
        let oldest = requests.sent.values().next();
        SinkStatus {
            requests_in_flight: requests.sent.len(),
            records_in_flight: requests.sent.values().map(|(_, records)| records).sum(),
            oldest_in_flight: oldest.map(|(sent_at, _)| sent_at.elapsed()),
            put_latency: self.latency.snapshot(),
            accepted_calls,
            throttled_calls,
            failed_calls,
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
    /// The service has answered it, or could not be reached.
    pub(super) fn answered(self, answer: &ApiResult<Vec<PutOutcome>>) {
        self.load.latency.record(self.sent_at.elapsed());
        self.load.answers().add(answer);
    }
}

impl Answers {
    fn add(&mut self, answer: &ApiResult<Vec<PutOutcome>>) {
        let (is_throttled, error) = match answer {
            Ok(outcomes) => {
                let rejected = || outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
                let failed = rejected().find(|failure| !failure.throttled);
                let Some(worst) = failed.or_else(|| rejected().next()) else {
                    self.accepted += 1;
                    return;
                };
                (worst.throttled, worst.message.clone())
            }
            Err(error) => (error.kind() == ApiErrorKind::Throttled, error.to_string()),
        };
        match is_throttled {
            true => self.throttled += 1,
            false => self.failed += 1,
        }
        self.last_error = Some(error);
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
    use crate::kinesis::{ApiError, Operation, PutFailure, WrittenRecord};
    use crate::model::{SequenceNumber, ShardId};

    #[test]
    fn a_call_counts_once_by_the_worst_of_its_records() {
        let rejected = |throttled, message: &str| {
            Err(PutFailure {
                throttled,
                message: message.to_owned(),
            })
        };
        let accepted = || {
            Ok(WrittenRecord {
                shard: ShardId::new("shardId-000000000000"),
                sequence: SequenceNumber::zero(),
            })
        };
        let load = SinkLoad::default();
        let answer = |answer| load.sent(1).answered(&answer);
        let counts = || {
            let status = load.status();
            (
                status.accepted_calls,
                status.throttled_calls,
                status.failed_calls,
            )
        };
        answer(Ok(vec![accepted(), accepted()]));
        assert_eq!((counts(), load.last_error()), ((1, 0, 0), None));
        answer(Ok(vec![accepted(), rejected(true, "slow down")]));
        assert_eq!(counts(), (1, 1, 0));
        assert_eq!(load.last_error().as_deref(), Some("slow down"));
        answer(Ok(vec![
            rejected(true, "slow down"),
            rejected(false, "oops"),
        ]));
        assert_eq!(counts(), (1, 1, 1));
        assert_eq!(load.last_error().as_deref(), Some("oops"));
        for (code, expected) in [
            ("LimitExceededException", (1, 2, 1)),
            ("InternalFailure", (1, 2, 2)),
        ] {
            answer(Err(ApiError::from_code(Operation::PutRecords, code, "no")));
            assert_eq!(counts(), expected, "{code}");
        }
    }

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
        first.answered(&Ok(Vec::new()));
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
