//! Lists all shards of a stream, page by page.

use std::collections::BTreeMap;

use super::{ApiErrorKind, Backoff, Kinesis, ListShardsFrom, NextToken, ShardFilter, with_retries};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Shard, ShardId, StreamIdentity};

/// How many pages in a row may add no shard. A page of a filtered listing can be empty.
const MAX_IDLE_PAGES: usize = 100;

/// How often a listing may restart because a token has expired. Tokens are valid for 300 seconds.
const MAX_RESTARTS: usize = 100;

/// Returns all shards that pass `filter`, ordered by id. A shard that is listed twice counts once.
///
/// If a page token expires between two pages, the listing restarts.
///
/// # Errors
/// [`Unavailable`](crate::ErrorKind::Unavailable) if the listing does not end: a page names itself as the next one, or
/// pages add no shards.
pub(crate) async fn list_all_shards(
    kinesis: &dyn Kinesis,
    stream: &StreamIdentity,
    filter: ShardFilter,
    backoff: &mut Backoff,
) -> Result<Vec<Shard>> {
    let context = format!("stream '{stream}'");
    let mut shards: BTreeMap<ShardId, Shard> = BTreeMap::new();
    let mut token: Option<NextToken> = None;
    let (mut idle_pages, mut restarts) = (0, 0);
    loop {
        let page = with_retries(backoff, &context, || async {
            let from = match &token {
                None => ListShardsFrom::Start { stream, filter },
                Some(token) => ListShardsFrom::Page { stream, token },
            };
            match kinesis.list_shards(from).await {
                Err(error) if error.kind() == ApiErrorKind::ExpiredNextToken => Ok(None),
                page => page.map(Some),
            }
        })
        .await?;
        let Some(page) = page else {
            restarts += 1;
            if restarts > MAX_RESTARTS {
                return Err(endless(
                    stream,
                    "each of its tokens had expired when it was used",
                ));
            }
            shards.clear();
            (token, idle_pages) = (None, 0);
            continue;
        };
        let before = shards.len();
        shards.extend(
            page.shards
                .into_iter()
                .map(|shard| (shard.id.clone(), shard)),
        );
        idle_pages = match shards.len() > before {
            true => 0,
            false => idle_pages + 1,
        };
        let Some(next) = page.next else {
            return Ok(shards.into_values().collect());
        };
        if token.as_ref() == Some(&next) {
            return Err(endless(stream, "a page has its own token as the next one"));
        }
        if idle_pages >= MAX_IDLE_PAGES {
            let reason = format!("the last {MAX_IDLE_PAGES} pages have no further shard");
            return Err(endless(stream, &reason));
        }
        token = Some(next);
    }
}

fn endless(stream: &StreamIdentity, reason: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!(
            "stream '{stream}': ListShards does not end: {reason}; expected a server that follows the API of Kinesis"
        ),
    )
}

#[cfg(test)]
mod tests;
