//! Requests whose result a person waits for.

use std::time::Duration;

use crate::kinesis::{
    ApiError, ApiErrorKind, ApiResult, Backoff, ConsumerSummary, FanOut, NextToken, Operation,
};
use crate::model::RetryPolicy;

/// Enough for brief failures; a person is waiting for the result.
pub(super) const RETRIES: RetryPolicy = RetryPolicy {
    max_retries: 2,
    first_interval: Duration::from_millis(200),
    max_interval: Duration::from_secs(1),
};

/// Calls with retries.
pub(super) async fn with_retries<T, F, Fut>(call: F) -> ApiResult<T>
where
    F: Fn() -> Fut,
    Fut: Future<Output = ApiResult<T>>,
{
    let mut backoff = Backoff::new(RETRIES, fastrand::Rng::new());
    loop {
        match call().await {
            Err(error) if error.is_retryable() => match backoff.next_wait() {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            },
            answer => return answer,
        }
    }
}

/// All consumers of a stream, page by page.
pub(super) async fn all_consumers(
    fan_out: &dyn FanOut,
    stream_arn: &str,
) -> ApiResult<Vec<ConsumerSummary>> {
    let mut consumers = Vec::new();
    let mut token: Option<NextToken> = None;
    loop {
        let page = with_retries(|| fan_out.list_consumers(stream_arn, token.as_ref())).await?;
        consumers.extend(page.consumers);
        match page.next {
            None => return Ok(consumers),
            Some(next) if token.as_ref() == Some(&next) => {
                let call = Operation::ListStreamConsumers;
                let message = "a page has its own token as the next one";
                return Err(ApiError::new(
                    ApiErrorKind::Other,
                    call,
                    "BadResponse",
                    message,
                ));
            }
            next => token = next,
        }
    }
}
