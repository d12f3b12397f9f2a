//! ListShards, and the shard pages of DescribeStream.

use crate::kinesis::limits::NEXT_TOKEN_LIFETIME;
use crate::kinesis::simulator::InMemoryKinesis;
use crate::kinesis::simulator::errors::{error, invalid};
use crate::kinesis::simulator::state::shard_filter::{Filter, Horizon};
use crate::kinesis::simulator::state::stream::Stream;
use crate::kinesis::simulator::state::tokens::PageToken;
use crate::kinesis::{ApiResult, NextToken, Operation, ShardsPage};
use crate::model::{StreamIdentity, UnixMillis};

const OPERATION: Operation = Operation::ListShards;

/// Where a page starts.
#[derive(Debug, Clone, Copy)]
pub(in crate::kinesis) enum PageStart<'a> {
    First {
        stream: &'a StreamIdentity,
        filter: Filter,
        /// The page starts after the shard with this index.
        after: Option<u32>,
    },
    Next(&'a NextToken),
}

impl InMemoryKinesis {
    /// One page of ListShards with at most `max_results` shards (1 to 10,000), further limited by
    /// the options.
    pub(in crate::kinesis) async fn list_shards_page(
        &self,
        start: PageStart<'_>,
        max_results: usize,
    ) -> ApiResult<ShardsPage> {
        let faults = self.faults.admit(OPERATION).await?;
        let page = self.shards_page(start, max_results)?;
        self.answer(OPERATION, &faults, page)
    }

    /// One page of shards for DescribeStream, in any status of the stream.
    #[cfg(feature = "simulator")]
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
        let token = PageToken::decode(&token.0).ok_or_else(invalid)?;
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
        next: next.map(|token| NextToken(token.encode())),
    }
}
