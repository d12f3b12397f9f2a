//! DescribeStream, DescribeStreamSummary and DescribeLimits.

#[cfg(feature = "simulator")]
use super::streams::{open_shards, streams_of};
use crate::kinesis::limits::DESCRIBES_PER_SECOND;
use crate::kinesis::simulator::InMemoryKinesis;
#[cfg(feature = "simulator")]
use crate::kinesis::simulator::account_region::AccountRegion;
use crate::kinesis::simulator::errors::error;
use crate::kinesis::simulator::state::rate_limits::Bucket;
#[cfg(feature = "simulator")]
use crate::kinesis::simulator::state::stream::Stream;
use crate::kinesis::{ApiResult, Operation, StreamMode, StreamSummary};
use crate::model::StreamIdentity;
#[cfg(feature = "simulator")]
use std::sync::Arc;
use std::sync::PoisonError;

impl InMemoryKinesis {
    /// DescribeStreamSummary, and the part of DescribeStream without shards.
    pub(in crate::kinesis) async fn describe(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
    ) -> ApiResult<(StreamSummary, StreamMode)> {
        let faults = self.faults.admit(operation).await?;
        let stream = self.any_stream(operation, stream)?;
        let now = self.clock.now();
        if self.options.enforce_limits {
            let budget = self.describes.lock();
            let mut budget = budget.unwrap_or_else(PoisonError::into_inner);
            if !budget.take(1.0, now) {
                let message = format!("Rate exceeded for account {}.", stream.account());
                return Err(error(operation, "LimitExceededException", message));
            }
        }
        let mode = stream.read().mode;
        self.answer(operation, &faults, (stream.summary(now), mode))
    }

    /// The result of [`describe`](Self::describe) within another operation, without counting as a
    /// call.
    #[cfg(feature = "simulator")]
    pub(in crate::kinesis) fn peek_summary(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
    ) -> ApiResult<(StreamSummary, StreamMode)> {
        let stream = self.any_stream(operation, stream)?;
        let mode = stream.read().mode;
        Ok((stream.summary(self.clock.now()), mode))
    }

    /// The open shards of provisioned streams, and the number of on-demand streams
    /// (DescribeLimits).
    #[cfg(feature = "simulator")]
    pub(in crate::kinesis) async fn usage(
        &self,
        account_region: &AccountRegion,
    ) -> ApiResult<(usize, usize)> {
        const OPERATION: Operation = Operation::DescribeLimits;
        let faults = self.faults.admit(OPERATION).await?;
        let streams: Vec<_> = streams_of(&self.streams(), account_region)
            .cloned()
            .collect();
        let on_demand = |stream: &&Arc<Stream>| stream.read().mode == StreamMode::OnDemand;
        let on_demand = streams.iter().filter(on_demand).count();
        let usage = (open_shards(streams.iter()), on_demand);
        self.answer(OPERATION, &faults, usage)
    }
}

/// The rate limit of DescribeStreamSummary per account.
pub(in crate::kinesis) fn describe_budget() -> Bucket {
    let rate = f64::from(DESCRIBES_PER_SECOND);
    Bucket::new(rate, rate)
}
