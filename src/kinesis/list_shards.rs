//! Lists all shards of a stream, page by page.

use super::{ApiErrorKind, Backoff, Kinesis, ListShardsFrom, ShardFilter, with_retries};
use crate::error::Result;
use crate::model::{Shard, StreamIdentity};

/// Returns all shards that pass `filter`, ordered by id.
///
/// If a page token expires between two pages, the listing restarts.
pub(crate) async fn list_all_shards(
    kinesis: &dyn Kinesis,
    stream: &StreamIdentity,
    filter: ShardFilter,
    backoff: &mut Backoff,
) -> Result<Vec<Shard>> {
    let context = format!("stream '{stream}'");
    let mut shards = Vec::new();
    let mut token = None;
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
            shards.clear();
            token = None;
            continue;
        };
        shards.extend(page.shards);
        token = page.next;
        if token.is_none() {
            shards.sort_by(|a: &Shard, b: &Shard| a.id.cmp(&b.id));
            return Ok(shards);
        }
    }
}
