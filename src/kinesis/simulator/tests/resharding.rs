//! Splits, merges and scaling as readers observe them.

use super::*;

fn ids(indexes: &[u32]) -> Vec<ShardId> {
    indexes
        .iter()
        .map(|index| shard::shard_id(*index))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_split_closes_the_parent_whose_last_page_names_the_children() {
    let fixture = Fixture::with_shards(1).await;
    fixture.put("before").await;
    fixture.split_the_only_shard().await;
    let after = fixture.put("after").await;

    let shards = fixture.shards().await;
    assert_eq!(shards.len(), 3);
    assert!(shards[0].is_closed());
    for child in &shards[1..] {
        assert_eq!(child.parent.as_ref(), Some(&shards[0].id));
        assert_eq!(child.adjacent_parent, None);
        assert!(Some(&child.starting_sequence) > shards[0].ending_sequence.as_ref());
    }
    assert_eq!(shards[1].hash_range.end.0 + 1, shards[2].hash_range.start.0);

    let page = fixture.page(0, IteratorPosition::TrimHorizon).await;
    assert_eq!(texts(&page), ["before"]);
    assert_eq!(
        (page.next, page.behind_latest),
        (None, Some(Duration::ZERO))
    );
    let children: Vec<_> = page.children.iter().map(|child| child.id.clone()).collect();
    assert_eq!(children, ids(&[1, 2]));
    assert_eq!(page.children[1].parents, ids(&[0]));
    assert_eq!(page.children[1].hash_range, shards[2].hash_range);

    let child = shard::index_of(&after.shard).unwrap();
    assert_eq!(
        fixture.texts(child, IteratorPosition::TrimHorizon).await,
        ["after"]
    );
    let page = fixture.page(0, IteratorPosition::Latest).await;
    assert!(page.is_empty() && page.next.is_none() && page.children.len() == 2);
}

#[tokio::test(start_paused = true)]
async fn a_closed_shard_ends_with_its_last_page_only() {
    let fixture = Fixture::with_shards(1).await;
    for text in ["a", "b"] {
        fixture.put(text).await;
    }
    fixture.split_the_only_shard().await;
    let iterator = fixture
        .iterator(0, IteratorPosition::TrimHorizon)
        .await
        .unwrap();
    let page = fixture.fetch(&iterator, 1).await.unwrap();
    assert!(page.children.is_empty());
    let page = fixture.fetch(&page.next.unwrap(), 1).await.unwrap();
    assert_eq!((page.len(), page.children.len()), (1, 2));
    assert!(page.next.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_merged_shard_names_both_parents_in_the_order_of_the_call() {
    let fixture = Fixture::with_shards(2).await;
    let (first, second) = (shard::shard_id(1), shard::shard_id(0));
    let merge = fixture
        .kinesis
        .merge_shards(&fixture.stream, &first, &second);
    merge.await.unwrap();
    let shards = fixture.shards().await;
    assert_eq!(shards[2].parent, Some(first));
    assert_eq!(shards[2].adjacent_parent, Some(second));
    assert_eq!(shards[2].hash_range, crate::model::HashRange::ALL);
    for parent in 0..2 {
        let page = fixture.page(parent, IteratorPosition::TrimHorizon).await;
        assert_eq!(page.children[0].parents, ids(&[1, 0]));
    }
}

#[tokio::test(start_paused = true)]
async fn invalid_reshards_are_rejected_and_the_stream_stays_usable() {
    let fixture = Fixture::with_shards(3).await;
    let (kinesis, stream) = (&fixture.kinesis, &fixture.stream);
    let [first, second, third, none] = [0, 1, 2, 9].map(shard::shard_id);
    let apart = kinesis.merge_shards(stream, &first, &third).await;
    assert_eq!(code(apart), "InvalidArgumentException");
    let itself = kinesis.merge_shards(stream, &first, &first).await;
    assert_eq!(code(itself), "InvalidArgumentException");
    let unknown = kinesis.split_shard(stream, &none, HashKey(5)).await;
    assert_eq!(code(unknown), "ResourceNotFoundException");
    for at in [0, 1, u128::MAX] {
        let outside = kinesis.split_shard(stream, &first, HashKey(at)).await;
        assert_eq!(code(outside), "InvalidArgumentException", "{at}");
    }
    kinesis.merge_shards(stream, &first, &second).await.unwrap();
    let closed = kinesis.split_shard(stream, &first, HashKey(5)).await;
    assert_eq!(code(closed), "InvalidArgumentException");
    fixture.put("still works").await;
}

#[tokio::test(start_paused = true)]
async fn scaling_gives_equal_ranges_and_a_closed_parent_for_every_new_shard() {
    for (from, to) in [
        (2, 4),
        (4, 2),
        (4, 3),
        (3, 5),
        (5, 9),
        (9, 5),
        (1, 1),
        (7, 4),
    ] {
        let fixture = Fixture::with_shards(from).await;
        let scale = fixture.kinesis.update_shard_count(&fixture.stream, to);
        scale.await.unwrap();
        let shards = fixture.shards().await;
        let mut open: Vec<_> = shards.iter().filter(|shard| !shard.is_closed()).collect();
        open.sort_by_key(|shard| shard.hash_range.start);
        let ranges: Vec<_> = open.iter().map(|shard| shard.hash_range).collect();
        assert_eq!(ranges, stream::uniform_ranges(to), "{from} to {to}");
        for child in &shards[from as usize..] {
            let parent = child.parent.as_ref().expect("a new shard has a parent");
            assert!(
                shards
                    .iter()
                    .any(|shard| shard.id == *parent && shard.is_closed())
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn scaling_is_limited_to_between_half_and_double() {
    let fixture = Fixture::with_shards(3).await;
    for target in [0, 1, 7] {
        let scaled = fixture
            .kinesis
            .update_shard_count(&fixture.stream, target)
            .await;
        assert_eq!(code(scaled), "InvalidArgumentException", "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn status_changes_take_the_configured_delay() {
    let options = InMemoryOptions {
        status_delay: Duration::from_secs(5),
        ..InMemoryOptions::default()
    };
    let fixture = Fixture::with(1, options).await;
    let (kinesis, stream) = (&fixture.kinesis, &fixture.stream);
    let status = async || {
        kinesis
            .describe_stream(stream)
            .await
            .map(|found| found.status)
    };
    use crate::kinesis::StreamStatus::{Active, Creating, Deleting, Updating};
    assert_eq!(status().await.unwrap(), Creating);
    let early = kinesis.put_record(stream, &entry("k", b"x")).await;
    assert_eq!(early.unwrap_err().kind(), ApiErrorKind::NotFound);
    advance(Duration::from_secs(5)).await;
    assert_eq!(status().await.unwrap(), Active);
    fixture.split_the_only_shard().await;
    assert_eq!(status().await.unwrap(), Updating);
    fixture.put("still works").await;
    let again = kinesis.update_shard_count(stream, 4).await;
    assert_eq!(again.unwrap_err().kind(), ApiErrorKind::ResourceInUse);
    advance(Duration::from_secs(5)).await;
    kinesis.delete_stream(stream).await.unwrap();
    assert_eq!(status().await.unwrap(), Deleting);
    advance(Duration::from_secs(5)).await;
    assert_eq!(code(status().await), "ResourceNotFoundException");
}
