//! Describing streams and the account.

use super::InMemoryKinesis;
use super::errors::error;
use super::stream::StreamMode;
use super::throttle::Bucket;
use crate::kinesis::limits::DESCRIBES_PER_SECOND;
use crate::kinesis::{ApiResult, Operation, StreamSummary};
use crate::model::StreamIdentity;
use std::sync::PoisonError;

impl InMemoryKinesis {
    /// DescribeStreamSummary, and the part of DescribeStream that does not list shards.
    pub(in crate::kinesis) async fn describe(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
    ) -> ApiResult<(StreamSummary, StreamMode)> {
        let verdict = self.faults.admit(operation).await?;
        let stream = self.any_stream(operation, stream)?;
        let now = self.clock.now();
        if self.options.enforce_limits {
            let budget = self.describes.lock();
            let mut budget = budget.unwrap_or_else(PoisonError::into_inner);
            if !budget.take(1.0, now) {
                let message = format!("Rate exceeded for account {}.", self.options.account);
                return Err(error(operation, "LimitExceededException", message));
            }
        }
        self.answer(operation, &verdict, (stream.summary(now), stream.mode))
    }
}

/// What an account may ask for in a second.
pub(super) fn describe_budget() -> Bucket {
    let rate = f64::from(DESCRIBES_PER_SECOND);
    Bucket::new(rate, rate)
}
