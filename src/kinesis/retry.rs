//! Retries: exponential backoff with jitter, and when to give up.

use std::fmt;
use std::time::Duration;

use super::ApiError;
use crate::error::{Error, Result};
use crate::model::RetryPolicy;

/// Exponential backoff of one caller, capped and with jitter so that callers do not retry in
/// lockstep.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    policy: RetryPolicy,
    endless: bool,
    failures: u32,
    random: fastrand::Rng,
}

impl Backoff {
    /// Backs off according to `policy`, with jitter from `random`.
    pub(crate) fn new(policy: RetryPolicy, random: fastrand::Rng) -> Self {
        Self {
            policy,
            endless: false,
            failures: 0,
            random,
        }
    }

    /// Backs off according to `policy` but never gives up. For requests that a streaming query
    /// needs for as long as it runs.
    pub(crate) fn endless(policy: RetryPolicy, random: fastrand::Rng) -> Self {
        Self {
            endless: true,
            ..Self::new(policy, random)
        }
    }

    /// Resets the failure count after a success.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The number of consecutive failures.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The wait before the next attempt, between 50 % and 100 % of the current interval; `None`
    /// once the policy's retries are used up.
    pub(crate) fn next_wait(&mut self) -> Option<Duration> {
        (self.endless || self.failures < self.policy.max_retries).then(|| self.wait())
    }

    /// The wait before the next attempt of a caller that never gives up, and whether to log a
    /// warning because the policy's retries have been used up again.
    pub(crate) fn endless_wait(&mut self) -> (Duration, bool) {
        let wait = self.wait();
        (wait, self.is_round_used_up())
    }

    /// Whether a caller that never gives up should log a warning about the last failure.
    pub(crate) fn should_warn(&self) -> bool {
        self.endless && self.is_round_used_up()
    }

    /// Whether the policy's retries have been used up again.
    fn is_round_used_up(&self) -> bool {
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

/// The error of one request, of any service.
pub(crate) trait RequestError: fmt::Display {
    /// Whether a retry of the same request may succeed.
    fn is_retryable(&self) -> bool;

    /// Converts into the crate's error; `context` names what was asked.
    fn into_error(self, context: impl fmt::Display) -> Error;
}

impl RequestError for ApiError {
    fn is_retryable(&self) -> bool {
        self.is_retryable()
    }

    fn into_error(self, context: impl fmt::Display) -> Error {
        self.into_error(context)
    }
}

/// Sends a request until it succeeds, fails permanently, or `backoff` gives up.
///
/// # Errors
/// Returns the last failure, prefixed with `context` (stream, shard) and the number of attempts.
pub(crate) async fn with_retries<T, E, F, Fut>(
    backoff: &mut Backoff,
    context: impl fmt::Display,
    mut request: F,
) -> Result<T>
where
    E: RequestError,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
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
            let attempts = backoff.failures() + 1;
            return Err(error.into_error(format!("{context}: gave up after {attempts} tries")));
        };
        if backoff.should_warn() {
            let failures = backoff.failures();
            tracing::warn!(%context, %error, failures, "request keeps failing; retrying for as long as the query runs");
        } else {
            tracing::debug!(%context, %error, ?wait, "request failed, retrying");
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
    fn waits_double_up_to_the_cap_with_jitter() {
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
    fn an_endless_backoff_is_capped_and_warns_once_per_round() {
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
    async fn a_throttled_request_is_retried_until_it_succeeds() {
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
    async fn the_final_error_names_the_number_of_attempts() {
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
    async fn an_endless_backoff_retries_until_the_request_succeeds() {
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
    async fn an_invalid_argument_is_not_retried() {
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
