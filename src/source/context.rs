//! What all readers of one stream share: the service, the options, and the limits on requests.

use std::sync::Arc;

use tokio::time::Instant;

use super::request::InFlightLimits;
use super::retention::{RetentionWindow, StreamRetention};
use crate::kinesis::{ApiResult, Kinesis};
use crate::model::{Clock, RetryPolicy, ShardId, ShardPosition, StreamIdentity, StreamName};
use crate::options::SourceOptions;

/// One stream, how to read it, and what its readers share.
#[derive(Debug, Clone)]
pub(crate) struct StreamContext {
    pub(crate) kinesis: Arc<dyn Kinesis>,
    pub(crate) stream: StreamIdentity,
    pub(crate) options: SourceOptions,
    pub(crate) retry: RetryPolicy,
    pub(crate) clock: Arc<dyn Clock>,
    /// Limits on the requests of all shards together.
    pub(crate) in_flight: Arc<InFlightLimits>,
    /// The number of shards that are read concurrently.
    pub(crate) shards: usize,
    /// The size of the largest record that the stream accepts.
    pub(crate) max_record_bytes: usize,
    pub(crate) retention: Arc<StreamRetention>,
}

impl StreamContext {
    pub(crate) fn stream_name(&self) -> &StreamName {
        self.stream.name()
    }

    /// Stream, shard and position, as text for error messages.
    pub(crate) fn location(&self, shard: &ShardId, position: &ShardPosition) -> String {
        let stream = self.stream_name();
        format!("stream '{stream}', shard '{shard}', position {position}")
    }

    /// The retention window as of `since` or later; sends a request if it is not known.
    ///
    /// # Errors
    /// The request failed.
    pub(crate) async fn refresh_retention(&self, since: Instant) -> ApiResult<RetentionWindow> {
        let (kinesis, clock) = (&*self.kinesis, &*self.clock);
        self.retention
            .refresh(kinesis, &self.stream, clock, since)
            .await
    }
}
