//! When a failed request is sent again, and when to give up.

use std::fmt;
use std::time::Duration;

use super::ApiResult;
use crate::error::Result;
use crate::model::RetryPolicy;

/// The waits of one caller: doubling, capped, with jitter so that callers do not march in step.
#[derive(Debug, Clone)]
pub struct Backoff {
    policy: RetryPolicy,
    endless: bool,
    failures: u32,
    random: fastrand::Rng,
}

impl Backoff {
    /// Waits by `policy`, spread by `random`.
    pub fn new(policy: RetryPolicy, random: fastrand::Rng) -> Self {
        Self {
            policy,
            endless: false,
            failures: 0,
            random,
        }
    }

    /// Waits by `policy` and never gives up: for what a streaming query needs as long as it runs.
    pub(crate) fn endless(policy: RetryPolicy, random: fastrand::Rng) -> Self {
        Self {
            endless: true,
            ..Self::new(policy, random)
        }
    }

    /// Forgets the failures: the last request succeeded.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How often in a row it has failed.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// How long to wait before the next try, between half the doubled interval and the whole of it;
    /// `None` when the policy allows no more.
    pub fn next_wait(&mut self) -> Option<Duration> {
        (self.endless || self.failures < self.policy.max_retries).then(|| self.wait())
    }

    /// How long to wait before the next try of a caller that never gives up, and whether the retries
    /// of the policy are used up once more: a time to say so.
    pub(crate) fn endless_wait(&mut self) -> (Duration, bool) {
        let wait = self.wait();
        (wait, self.is_round_over())
    }

    /// Whether to warn of the last failure, of a caller that never gives up.
    pub(crate) fn is_to_be_told(&self) -> bool {
        self.endless && self.is_round_over()
    }

    /// Whether the retries of the policy are used up once more.
    fn is_round_over(&self) -> bool {
        let round = self.policy.max_retries.saturating_add(1);
        self.failures.is_multiple_of(round)
    }

    fn wait(&mut self) -> Duration {
        let doubled = self
            .policy
            .first_interval
            .saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        let ceiling = doubled.min(self.policy.max_interval);
        ceiling.mul_f64(0.5 + self.random.f64() / 2.0)
    }
}

/// Sends a request until it succeeds, fails for good, or `backoff` allows no more.
///
/// # Errors
/// The last failure, with `context` (stream, shard) in front and the number of tries.
pub async fn with_retries<T, F, Fut>(
    backoff: &mut Backoff,
    context: impl fmt::Display,
    mut request: F,
) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = ApiResult<T>>,
{
    loop {
        let error = match request().await {
            Ok(value) => {
                backoff.reset();
                return Ok(value);
            }
            Err(error) => error,
        };
        if !error.is_retryable() {
            return Err(error.into_error(context));
        }
        let Some(wait) = backoff.next_wait() else {
            let tries = backoff.failures() + 1;
            return Err(error.into_error(format!("{context}: gave up after {tries} tries")));
        };
        if backoff.is_to_be_told() {
            let failures = backoff.failures();
            tracing::warn!(%context, %error, failures, "a request fails, and is sent again as long as the query runs");
        } else {
            tracing::debug!(%context, %error, ?wait, "request failed, will be sent again");
        }
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::kinesis::{ApiError, Operation};
    use std::cell::Cell;

    const POLICY: RetryPolicy = RetryPolicy {
        max_retries: 4,
        first_interval: Duration::from_millis(100),
        max_interval: Duration::from_millis(300),
    };

    fn backoff() -> Backoff {
        Backoff::new(POLICY, fastrand::Rng::with_seed(7))
    }

    #[test]
    fn waits_double_up_to_the_cap_and_stay_within_half_and_whole() {
        let mut backoff = backoff();
        for ceiling in [100, 200, 300, 300] {
            let wait = backoff.next_wait().expect("within the policy").as_millis();
            assert!(
                (ceiling / 2..=ceiling).contains(&wait),
                "{wait} of {ceiling}"
            );
        }
        assert_eq!(backoff.next_wait(), None);
        backoff.reset();
        assert!(backoff.next_wait().is_some());
    }

    #[test]
    fn who_never_gives_up_waits_up_to_the_cap_and_hears_of_each_round_of_failures() {
        let mut backoff = backoff();
        let rounds: Vec<bool> = (0..10)
            .map(|_| {
                let (wait, over) = backoff.endless_wait();
                assert!(wait <= POLICY.max_interval);
                over
            })
            .collect();
        let expected: Vec<bool> = (1..=10).map(|failure| failure % 5 == 0).collect();
        assert_eq!(rounds, expected);
        assert!(backoff.endless_wait().0 >= POLICY.max_interval / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_request_is_sent_again_until_it_succeeds() {
        let calls = Cell::new(0);
        let answer = with_retries(&mut backoff(), "here", || async {
            calls.set(calls.get() + 1);
            if calls.get() < 4 {
                let code = "ProvisionedThroughputExceededException";
                Err(ApiError::from_code(
                    Operation::GetRecords,
                    code,
                    "slow down",
                ))
            } else {
                Ok(17)
            }
        })
        .await;
        assert_eq!((answer.unwrap(), calls.get()), (17, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn giving_up_says_after_how_many_tries() {
        let error = with_retries(&mut backoff(), "shard 'x'", || async {
            Err::<(), _>(ApiError::from_code(
                Operation::GetRecords,
                "InternalFailure",
                "oops",
            ))
        })
        .await
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(
            error.to_string(),
            "shard 'x': gave up after 5 tries: GetRecords failed: InternalFailure: oops"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_endless_backoff_goes_on_until_the_request_succeeds() {
        let calls = Cell::new(0);
        let mut backoff = Backoff::endless(POLICY, fastrand::Rng::with_seed(7));
        let answer = with_retries(&mut backoff, "here", || async {
            calls.set(calls.get() + 1);
            match calls.get() {
                ..100 => Err(ApiError::from_code(
                    Operation::GetRecords,
                    "InternalFailure",
                    "oops",
                )),
                calls => Ok(calls),
            }
        })
        .await;
        assert_eq!(answer.unwrap(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_argument_is_not_sent_again() {
        let calls = Cell::new(0);
        let result = with_retries(&mut backoff(), "x", || async {
            calls.set(calls.get() + 1);
            let code = "InvalidArgumentException";
            Err::<(), _>(ApiError::from_code(Operation::GetRecords, code, "no"))
        })
        .await;
        assert!(result.is_err());
        assert_eq!(calls.get(), 1);
    }
}
