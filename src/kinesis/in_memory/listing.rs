//! Which shards a listing gives, page by page.

use std::time::Duration;

use super::InMemoryKinesis;
use super::errors::{error, invalid};
use super::shard::ShardState;
use super::stream::{Stream, StreamState};
use super::token::PageToken;
use crate::kinesis::limits::NEXT_TOKEN_LIFETIME;
use crate::kinesis::{ApiResult, NextToken, Operation, ShardFilter, ShardsPage};
use crate::model::{StreamIdentity, UnixMillis};

const OPERATION: Operation = Operation::ListShards;

/// All the filters of ListShards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kinesis) enum Filter {
    /// All that still hold records.
    FromTrimHorizon,
    /// Those that were open when the oldest readable record may have come.
    AtTrimHorizon,
    /// The open ones.
    AtLatest,
    /// Those open at this time.
    AtTimestamp(UnixMillis),
    /// Those open at this time or later.
    FromTimestamp(UnixMillis),
    /// Those after the shard with this index.
    AfterShard(u32),
}

impl From<ShardFilter> for Filter {
    fn from(filter: ShardFilter) -> Self {
        match filter {
            ShardFilter::FromTrimHorizon => Self::FromTrimHorizon,
            ShardFilter::AtLatest => Self::AtLatest,
            ShardFilter::FromTimestamp(time) => Self::FromTimestamp(time),
        }
    }
}

/// Where a page begins.
#[derive(Debug, Clone, Copy)]
pub(in crate::kinesis) enum PageStart<'a> {
    First {
        stream: &'a StreamIdentity,
        filter: Filter,
        /// The page begins after the shard with this index.
        after: Option<u32>,
    },
    Next(&'a NextToken),
}

impl InMemoryKinesis {
    /// One page of ListShards with at most `max_results` shards, from 1 to 10,000; no page has more
    /// than the options allow.
    pub(in crate::kinesis) async fn list_shards_page(
        &self,
        start: PageStart<'_>,
        max_results: usize,
    ) -> ApiResult<ShardsPage> {
        let verdict = self.faults.admit(OPERATION).await?;
        let page = self.shards_page(start, max_results)?;
        self.answer(OPERATION, &verdict, page)
    }

    /// The shards DescribeStream lists, in any state of the stream.
    #[cfg(feature = "embedded")]
    pub(in crate::kinesis) fn shards_after(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
        after: Option<u32>,
        size: usize,
    ) -> ApiResult<ShardsPage> {
        let stream = self.any_stream(operation, stream)?;
        let (filter, now) = (Filter::FromTrimHorizon, self.clock.now());
        Ok(page_of(&stream, filter, after, size, now))
    }

    fn shards_page(&self, start: PageStart<'_>, max_results: usize) -> ApiResult<ShardsPage> {
        let now = self.clock.now();
        if !(1..=10_000).contains(&max_results) {
            let message = format!("MaxResults {max_results} is not between 1 and 10000.");
            return Err(invalid(OPERATION, message));
        }
        let (stream, filter, after) = match start {
            PageStart::First {
                stream,
                filter,
                after,
            } => (self.ready_stream(OPERATION, stream)?, filter, after),
            PageStart::Next(token) => self.continued(token, now)?,
        };
        if let Filter::AtTimestamp(time) | Filter::FromTimestamp(time) = filter
            && time > now
        {
            let message = format!("The timestamp {time} of the shard filter is in the future.");
            return Err(invalid(OPERATION, message));
        }
        if self.options.enforce_limits && !stream.listings().take(1.0, now) {
            let message = format!("Rate exceeded for stream {}.", stream.name());
            return Err(error(OPERATION, "LimitExceededException", message));
        }
        let size = max_results.min(self.options.max_shards_per_page);
        Ok(page_of(&stream, filter, after, size, now))
    }

    fn continued(
        &self,
        token: &NextToken,
        now: UnixMillis,
    ) -> ApiResult<(std::sync::Arc<Stream>, Filter, Option<u32>)> {
        let invalid = || invalid(OPERATION, "NextToken is invalid.");
        let token = PageToken::open(&token.0).ok_or_else(invalid)?;
        if now.since(token.issued_at) > NEXT_TOKEN_LIFETIME {
            let message = "The pagination token has expired.";
            return Err(error(OPERATION, "ExpiredNextTokenException", message));
        }
        let stream = self.ready_stream(OPERATION, &token.stream)?;
        if stream.id != token.stream_id {
            return Err(invalid());
        }
        Ok((stream, token.filter, Some(token.after)))
    }
}

fn page_of(
    stream: &Stream,
    filter: Filter,
    after: Option<u32>,
    size: usize,
    now: UnixMillis,
) -> ShardsPage {
    let state = stream.read();
    let horizon = Horizon::of(stream, &state, now);
    let first = after.map_or(0, |index| index as usize + 1);
    let mut listed = state
        .shards
        .iter()
        .skip(first)
        .filter(|shard| horizon.lists(shard, filter));
    let page: Vec<_> = listed.by_ref().take(size).collect();
    let next = listed.next().and(page.last()).map(|last| PageToken {
        stream: stream.identity.clone(),
        stream_id: stream.id,
        after: last.index,
        filter,
        issued_at: now,
    });
    ShardsPage {
        shards: page.iter().map(|shard| shard.describe()).collect(),
        next: next.map(|token| NextToken(token.seal())),
    }
}

/// The times between which a stream can be read.
struct Horizon {
    oldest: UnixMillis,
    now: UnixMillis,
    retention: Duration,
}

impl Horizon {
    fn of(stream: &Stream, state: &StreamState, now: UnixMillis) -> Self {
        Self {
            oldest: stream.created_at.max(now.minus(state.retention)),
            now,
            retention: state.retention,
        }
    }

    /// Whether `shard` passes `filter`. A time before the horizon counts as the horizon.
    fn lists(&self, shard: &ShardState, filter: Filter) -> bool {
        let content = shard.read();
        if content.is_expired(self.now, self.retention) {
            return false;
        }
        let closed_at = content.closure.as_ref().map(|closure| closure.at);
        let open_since = |time: UnixMillis| {
            let time = time.max(self.oldest);
            closed_at.is_none_or(|closed_at| closed_at >= time)
        };
        let open_at =
            |time: UnixMillis| open_since(time) && shard.created_at <= time.max(self.oldest);
        match filter {
            Filter::FromTrimHorizon => true,
            Filter::AtTrimHorizon => open_at(self.oldest),
            Filter::AtLatest => closed_at.is_none(),
            Filter::AtTimestamp(time) => open_at(time),
            Filter::FromTimestamp(time) => open_since(time),
            Filter::AfterShard(index) => shard.index > index,
        }
    }
}
