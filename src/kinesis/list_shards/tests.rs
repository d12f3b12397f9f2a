use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::kinesis::{
    ApiError, ApiResult, IteratorPosition, Operation, PutEntry, PutOutcome, RecordColumns,
    RecordsPage, ShardIterator, ShardsPage, StreamSummary,
};
use crate::model::{RetryPolicy, StreamName};

/// The shards of the page with a token, and the next token.
type Page = fn(Option<&str>) -> (Vec<u32>, Option<String>);

/// Answers ListShards with the shards and the next token that `page` returns for a token.
#[derive(Debug)]
struct Listing {
    page: Page,
    calls: Mutex<usize>,
}

#[async_trait]
impl Kinesis for Listing {
    async fn list_shards(&self, from: ListShardsFrom<'_>) -> ApiResult<ShardsPage> {
        *self.calls.lock().unwrap() += 1;
        let token = match from {
            ListShardsFrom::Start { .. } => None,
            ListShardsFrom::Page { token, .. } => Some(token.0.as_str()),
        };
        if token == Some("expired") {
            let operation = Operation::ListShards;
            return Err(ApiError::from_code(
                operation,
                "ExpiredNextTokenException",
                "",
            ));
        }
        let (shards, next) = (self.page)(token);
        Ok(ShardsPage {
            shards: shards
                .iter()
                .map(|number| Shard::numbered(*number, &[]))
                .collect(),
            next: next.map(NextToken),
        })
    }

    async fn describe_stream(&self, _: &StreamIdentity) -> ApiResult<StreamSummary> {
        unreachable!()
    }

    async fn get_shard_iterator(
        &self,
        _: &StreamIdentity,
        _: &ShardId,
        _: &IteratorPosition,
    ) -> ApiResult<ShardIterator> {
        unreachable!()
    }

    async fn get_records(
        &self,
        _: &StreamIdentity,
        _: &ShardIterator,
        _: usize,
        _: RecordColumns,
    ) -> ApiResult<RecordsPage> {
        unreachable!()
    }

    async fn put_records(&self, _: &StreamIdentity, _: &[PutEntry]) -> ApiResult<Vec<PutOutcome>> {
        unreachable!()
    }

    async fn create_stream(&self, _: &StreamName, _: u32) -> ApiResult<()> {
        unreachable!()
    }
}

/// The ids of the listed shards, and how many pages were requested.
async fn list(page: Page) -> (Result<Vec<String>>, usize) {
    let listing = Listing {
        page,
        calls: Mutex::new(0),
    };
    let stream = StreamIdentity::parse("words").unwrap();
    let retry = RetryPolicy::new(1, Duration::from_millis(1), Duration::from_millis(1));
    let mut backoff = Backoff::new(retry, fastrand::Rng::with_seed(1));
    let filter = ShardFilter::FromTrimHorizon;
    let listed = list_all_shards(&listing, &stream, filter, &mut backoff).await;
    let ids = listed.map(|shards| shards.iter().map(|shard| shard.id.to_string()).collect());
    let calls = *listing.calls.lock().unwrap();
    (ids, calls)
}

#[tokio::test(start_paused = true)]
async fn a_shard_on_two_pages_counts_once() {
    let (ids, calls) = list(|token| match token {
        None => (vec![2, 0, 0], Some("a".to_owned())),
        Some("a") => (Vec::new(), Some("b".to_owned())),
        _ => (vec![0, 1, 2], None),
    })
    .await;
    let expected = [0, 1, 2].map(|number| format!("shardId-{number:012}"));
    assert_eq!(ids.unwrap(), expected);
    assert_eq!(calls, 3);
}

#[tokio::test(start_paused = true)]
async fn a_listing_without_an_end_is_an_error() {
    let cases: [(Page, &str); 3] = [
        (
            |_| (vec![0], Some("same".to_owned())),
            "a page has its own token as the next one",
        ),
        (
            |token| {
                let next = if token == Some("a") { "b" } else { "a" };
                (vec![0], Some(next.to_owned()))
            },
            "the last 100 pages have no further shard",
        ),
        (
            |_| (vec![0], Some("expired".to_owned())),
            "each of its tokens had expired when it was used",
        ),
    ];
    for (page, expected) in cases {
        let (listed, calls) = list(page).await;
        let error = listed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains(expected), "{error}");
        assert!(calls < 300, "{calls} requests");
    }
}
