//! ListStreams.

use std::sync::Arc;

use super::streams::streams_of;
use crate::kinesis::limits::NEXT_TOKEN_LIFETIME;
use crate::kinesis::simulator::InMemoryKinesis;
use crate::kinesis::simulator::account_region::AccountRegion;
use crate::kinesis::simulator::errors::{error, invalid};
use crate::kinesis::simulator::state::stream::Stream;
use crate::kinesis::simulator::state::tokens::StreamsToken;
use crate::kinesis::{ApiResult, NextToken, Operation, StreamMode, StreamSummary};
use crate::model::{StreamName, UnixMillis};

const OPERATION: Operation = Operation::ListStreams;

/// Where a page of streams starts.
#[derive(Debug, Clone)]
pub(in crate::kinesis) enum StreamsFrom {
    /// At the first stream, or at the first one after a name.
    Start(Option<StreamName>),
    /// After the previous page.
    Page(NextToken),
}

/// One page of streams.
#[derive(Debug)]
pub(in crate::kinesis) struct StreamsPage {
    pub(in crate::kinesis) streams: Vec<(StreamSummary, StreamMode)>,
    /// The token for the next page; `None` on the last page.
    pub(in crate::kinesis) next: Option<NextToken>,
}

impl InMemoryKinesis {
    /// ListStreams.
    pub(in crate::kinesis) async fn streams_page(
        &self,
        account_region: &AccountRegion,
        from: StreamsFrom,
        limit: usize,
    ) -> ApiResult<StreamsPage> {
        let faults = self.faults.admit(OPERATION).await?;
        self.drop_deleted_streams();
        let now = self.clock.now();
        let after = match from {
            StreamsFrom::Start(after) => after,
            StreamsFrom::Page(token) => Some(last_of_page(account_region, &token, now)?),
        };
        let mut streams: Vec<Arc<Stream>> = {
            let streams = self.streams();
            let follows = |name: &StreamName| after.as_ref().is_none_or(|after| name > after);
            streams_of(&streams, account_region)
                .filter(|stream| follows(stream.name()))
                .take(limit.saturating_add(1))
                .cloned()
                .collect()
        };
        let has_more = streams.len() > limit;
        streams.truncate(limit);
        let last = streams.last().filter(|_| has_more);
        let next = last.map(|stream| {
            let after = stream.identity.clone();
            let issued_at = now;
            NextToken(StreamsToken { after, issued_at }.encode())
        });
        let streams = streams.iter();
        let page = StreamsPage {
            streams: streams
                .map(|stream| (stream.summary(now), stream.read().mode))
                .collect(),
            next,
        };
        self.answer(OPERATION, &faults, page)
    }
}

fn last_of_page(
    account_region: &AccountRegion,
    token: &NextToken,
    now: UnixMillis,
) -> ApiResult<StreamName> {
    let token = StreamsToken::decode(&token.0);
    let is_of_caller =
        |token: &StreamsToken| account_region.stream(token.after.name()) == token.after;
    let Some(token) = token.filter(is_of_caller) else {
        return Err(invalid(OPERATION, "NextToken is invalid."));
    };
    if now.since(token.issued_at) > NEXT_TOKEN_LIFETIME {
        let message = "The pagination token has expired.";
        return Err(error(OPERATION, "ExpiredNextTokenException", message));
    }
    Ok(token.after.name().clone())
}
