//! What all reads of one stream share.

use std::sync::Arc;

use tokio::time::Instant;

use super::read::{BatchReads, RecentPages, ShardRead};
use super::request::InFlightLimits;
use super::retention::{Kept, StreamRetention};
use super::rows::{RowBuilder, RowColumn};
use crate::kinesis::{ApiResult, Backoff, Kinesis};
use crate::model::{Clock, RetryPolicy, ShardId, ShardPosition, StreamIdentity};
use crate::options::SourceOptions;

/// What all shards of one scan share.
#[derive(Debug, Clone)]
pub(crate) struct ReadContext {
    pub(crate) kinesis: Arc<dyn Kinesis>,
    pub(crate) stream: StreamIdentity,
    pub(crate) options: SourceOptions,
    pub(crate) retry: RetryPolicy,
    pub(crate) clock: Arc<dyn Clock>,
    /// What the requests of all shards share.
    pub(crate) in_flight: Arc<InFlightLimits>,
    /// Shards that are read side by side.
    pub(crate) shards: usize,
    /// The largest record the stream takes.
    pub(crate) max_record_bytes: usize,
    /// How long the stream keeps its records.
    pub(crate) retention: Arc<StreamRetention>,
    /// The batch that is read, with what of it is in memory; none where a shard is read to its tip.
    pub(crate) buffered: Option<Arc<BatchReads>>,
    /// Where shards that are read to their tip were read last.
    pub(crate) recent: Arc<RecentPages>,
}

impl ReadContext {
    /// Where in the stream something happened.
    pub(crate) fn place(&self, shard: &ShardId, position: &ShardPosition) -> String {
        let stream = self.stream.name();
        format!("stream '{stream}', shard '{shard}', position {position}")
    }

    /// What is known of the retention at `since` or later.
    ///
    /// # Errors
    /// The service did not answer.
    pub(crate) async fn learn_retention(&self, since: Instant) -> ApiResult<Kept> {
        let (kinesis, clock) = (&*self.kinesis, &*self.clock);
        self.retention
            .learn(kinesis, &self.stream, clock, since)
            .await
    }

    /// The waits of a request that is sent again: what a batch reads is tried as long as its query runs.
    pub(crate) fn backoff(&self, random: fastrand::Rng) -> Backoff {
        match self.buffered {
            Some(_) => Backoff::endless(self.retry, random),
            None => Backoff::new(self.retry, random),
        }
    }

    /// What makes rows of `columns` out of the pages of `read`.
    pub(crate) fn row_builder(&self, read: &ShardRead, columns: &[RowColumn]) -> RowBuilder {
        RowBuilder::new(
            self.stream.name().clone(),
            read.shard.clone(),
            read.hash_range,
            self.options.hash_filter,
            columns.to_vec(),
        )
        .numbered(read.number)
    }
}
