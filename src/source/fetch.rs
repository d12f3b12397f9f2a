//! A place in a shard, and what it takes to ask the service for what follows it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::pacing::wait_after;
use super::read::{ReadContext, iterator_position};
use crate::kinesis::{
    ApiError, ApiErrorKind, ApiResult, Backoff, RecordColumns, RecordsPage, ShardIterator,
};
use crate::model::{ShardId, ShardPosition};

/// Asks for one shard, page after page. How much, how often in vain, and among how many requests in
/// flight is up to the caller.
#[derive(Debug)]
pub(super) struct Fetcher {
    pub(super) context: Arc<ReadContext>,
    pub(super) shard: ShardId,
    /// For failures since the last page.
    pub(super) backoff: Backoff,
    /// When the next request may be sent.
    pub(super) next_fetch: Instant,
    /// None before the first page, and when the last one has expired. A failed call does not use up
    /// its iterator.
    pub(super) iterator: Option<ShardIterator>,
    position: ShardPosition,
    /// Set when the iterator has expired since the last page: the first time is no failure.
    renewed: bool,
}

impl Fetcher {
    /// Begins behind `position`; `random` spreads the waits after failures.
    pub(super) fn new(
        context: Arc<ReadContext>,
        shard: ShardId,
        position: ShardPosition,
        random: fastrand::Rng,
    ) -> Self {
        Self {
            backoff: Backoff::new(context.retry, random),
            next_fetch: Instant::now(),
            iterator: None,
            position,
            renewed: false,
            context,
            shard,
        }
    }

    /// Behind the last page.
    pub(super) fn position(&self) -> &ShardPosition {
        &self.position
    }

    /// One request for an iterator after the last record that was read, or at the start.
    pub(super) async fn new_iterator(&self) -> ApiResult<ShardIterator> {
        let (kinesis, stream) = (&self.context.kinesis, &self.context.stream);
        let at = iterator_position(&self.position);
        kinesis.get_shard_iterator(stream, &self.shard, &at).await
    }

    /// One request for a page.
    pub(super) async fn get_records(
        &self,
        iterator: &ShardIterator,
        limit: usize,
        columns: RecordColumns,
    ) -> ApiResult<RecordsPage> {
        let (kinesis, stream) = (&self.context.kinesis, &self.context.stream);
        kinesis.get_records(stream, iterator, limit, columns).await
    }

    /// Moves on behind a page that was asked for at `sent`; the next is due once the pace allows it,
    /// and no sooner than `least_wait` after that.
    pub(super) fn move_on(&mut self, page: &RecordsPage, sent: Instant, least_wait: Duration) {
        self.backoff.reset();
        self.renewed = false;
        let wait = wait_after(page.size_bytes(), self.context.options.fetch_interval);
        self.next_fetch = sent + wait.max(least_wait);
        let (records, behind) = (page.len(), page.behind_latest);
        tracing::trace!(shard = %self.shard, records, ?behind, "page");
        if let Some(sequence) = page.last_sequence() {
            self.position = ShardPosition::After {
                sequence: sequence.clone(),
                sub_sequence: None,
            };
        }
        self.iterator.clone_from(&page.next);
    }

    /// Takes note of a failure; gives whether it is none: the iterator has expired, for the first time
    /// since the last page.
    pub(super) fn forgives(&mut self, error: &ApiError) -> bool {
        if error.kind() != ApiErrorKind::ExpiredIterator {
            return false;
        }
        self.iterator = None;
        !std::mem::replace(&mut self.renewed, true)
    }

    /// Where in the stream it is.
    pub(super) fn place(&self) -> String {
        self.context.place(&self.shard, &self.position)
    }
}
