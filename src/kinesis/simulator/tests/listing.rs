//! Filters, pages and tokens of listings, and stream lookup.

use super::super::state::shard_filter::Filter;
use super::*;
use crate::kinesis::NextToken;

/// The indexes of the shards that pass a filter.
async fn listed(fixture: &Fixture, filter: Filter) -> Vec<u32> {
    let start = PageStart::First {
        stream: &fixture.stream,
        filter,
        after: None,
    };
    let page = fixture
        .kinesis
        .list_shards_page(start, 1_000)
        .await
        .unwrap();
    let index = |shard: &Shard| shard::index_of(&shard.id).unwrap();
    page.shards.iter().map(index).collect()
}

#[tokio::test(start_paused = true)]
async fn each_filter_selects_the_shards_of_its_time() {
    let fixture = Fixture::with_shards(1).await;
    let before = fixture.now();
    advance(Duration::from_secs(10)).await;
    fixture.split_the_only_shard().await;
    advance(Duration::from_secs(10)).await;
    let after = fixture.now();

    assert_eq!(listed(&fixture, Filter::FromTrimHorizon).await, [0, 1, 2]);
    assert_eq!(listed(&fixture, Filter::AtTrimHorizon).await, [0]);
    assert_eq!(listed(&fixture, Filter::AtLatest).await, [1, 2]);
    assert_eq!(listed(&fixture, Filter::AtTimestamp(before)).await, [0]);
    assert_eq!(
        listed(&fixture, Filter::AtTimestamp(UnixMillis(0))).await,
        [0]
    );
    assert_eq!(listed(&fixture, Filter::AtTimestamp(after)).await, [1, 2]);
    assert_eq!(
        listed(&fixture, Filter::FromTimestamp(before)).await,
        [0, 1, 2]
    );
    assert_eq!(listed(&fixture, Filter::FromTimestamp(after)).await, [1, 2]);
    assert_eq!(listed(&fixture, Filter::AfterShard(0)).await, [1, 2]);
    let future = Filter::FromTimestamp(after.plus(Duration::from_millis(1)));
    let start = PageStart::First {
        stream: &fixture.stream,
        filter: future,
        after: None,
    };
    let page = fixture.kinesis.list_shards_page(start, 1_000).await;
    assert_eq!(code(page), "InvalidArgumentException");

    advance(Duration::from_secs(86_400)).await;
    assert_eq!(listed(&fixture, Filter::AtTrimHorizon).await, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn pages_cover_all_shards_once() {
    let options = InMemoryOptions {
        max_shards_per_page: 3,
        ..InMemoryOptions::default()
    };
    let fixture = Fixture::with(7, options).await;
    assert_eq!(fixture.shards().await.len(), 7);
    assert_eq!(fixture.kinesis.calls(Operation::ListShards), 3);
}

#[tokio::test(start_paused = true)]
async fn a_page_has_at_most_a_thousand_shards() {
    let fixture = Fixture::with_shards(1_001).await;
    assert_eq!(fixture.shards().await.len(), 1_001);
    assert_eq!(fixture.kinesis.calls(Operation::ListShards), 2);
}

#[tokio::test(start_paused = true)]
async fn a_page_token_expires_after_five_minutes() {
    let options = InMemoryOptions {
        max_shards_per_page: 1,
        ..InMemoryOptions::default()
    };
    let fixture = Fixture::with(3, options).await;
    let stream = &fixture.stream;
    let from = ListShardsFrom::Start {
        stream,
        filter: ShardFilter::AtLatest,
    };
    let token = fixture
        .kinesis
        .list_shards(from)
        .await
        .unwrap()
        .next
        .unwrap();
    let next = |token| {
        fixture
            .kinesis
            .list_shards(ListShardsFrom::Page { stream, token })
    };
    advance(Duration::from_secs(300)).await;
    assert_eq!(next(&token).await.unwrap().shards[0].id, shard::shard_id(1));
    advance(Duration::from_millis(1)).await;
    let error = next(&token).await.unwrap_err();
    assert_eq!(error.kind(), ApiErrorKind::ExpiredNextToken);
    let error = next(&NextToken("garbage".into())).await.unwrap_err();
    assert_eq!(error.kind(), ApiErrorKind::InvalidArgument);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_found_only_by_its_own_arn() {
    let fixture = Fixture::with_shards(1).await;
    let summary = fixture
        .kinesis
        .describe_stream(&fixture.stream)
        .await
        .unwrap();
    let arn = summary.stream.arn().unwrap().to_owned();
    assert_eq!(arn, "arn:aws:kinesis:us-east-1:000000000000:stream/clicks");
    assert!(
        fixture
            .kinesis
            .describe_stream(&summary.stream)
            .await
            .is_ok()
    );
    let other = StreamIdentity::parse(&arn.replace("us-east-1", "eu-west-1")).unwrap();
    let error = fixture.kinesis.describe_stream(&other).await.unwrap_err();
    assert_eq!(error.kind(), ApiErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_stream_cannot_be_created_twice_and_is_listed_until_deleted() {
    let fixture = Fixture::with_shards(1).await;
    let name = fixture.stream.name();
    let again = fixture.kinesis.create_stream(name, 1).await;
    assert_eq!(again.unwrap_err().kind(), ApiErrorKind::ResourceInUse);
    let listed = fixture.kinesis.list_streams().await.unwrap();
    assert_eq!(listed.iter().collect::<Vec<_>>(), [name]);
    fixture
        .kinesis
        .delete_stream(&fixture.stream)
        .await
        .unwrap();
    assert!(fixture.kinesis.list_streams().await.unwrap().is_empty());
}
