//! Splits, merges and scaling, and what readers see of them.

use aws_sdk_kinesis::types::{ChildShard, ShardFilter, ShardFilterType};

use super::*;

const FIRST: &str = "shardId-000000000000";

fn is_open(shard: &Shard) -> bool {
    let range = shard.sequence_number_range.as_ref().unwrap();
    range.ending_sequence_number.is_none()
}

/// Reads a closed shard to its end in a few calls. Returns the texts, and the children it names.
async fn read_to_end(wire: &Wire, stream: &str, shard: &str) -> (Vec<String>, Vec<ChildShard>) {
    let mut iterator = wire.horizon(stream, shard).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        let page = wire.fetch(&iterator, 100).await.unwrap();
        seen.extend(texts(&page.records));
        match page.next_shard_iterator {
            Some(next) => iterator = next,
            None => return (seen, page.child_shards.unwrap_or_default()),
        }
    }
    panic!("shard {shard} did not end");
}

pub(super) async fn a_split_closes_the_parent(wire: Wire) {
    let stream = wire.stream(1).await;
    wire.put(&stream, "before").await;
    let parent = wire.shards(&stream).await.remove(0);
    wire.split(&stream, &parent).await;
    let (child, _) = wire.put(&stream, "after").await;

    let shards = wire.shards(&stream).await;
    assert_eq!(shards.len(), 3);
    assert!(!is_open(&shards[0]) && is_open(&shards[1]) && is_open(&shards[2]));
    for shard in &shards[1..] {
        assert_eq!(shard.parent_shard_id.as_deref(), Some(FIRST));
        assert_eq!(shard.adjacent_parent_shard_id, None);
    }
    assert_eq!(read_to_end(&wire, &stream, FIRST).await.0, ["before"]);
    let horizon = wire.horizon(&stream, &child).await;
    assert_eq!(wire.texts(&horizon).await, ["after"]);
}

pub(super) async fn the_last_page_of_a_closed_shard_names_its_children(wire: Wire) {
    let stream = wire.stream(1).await;
    let parent = wire.shards(&stream).await.remove(0);
    wire.put(&stream, "a").await;
    wire.split(&stream, &parent).await;
    let (_, children) = read_to_end(&wire, &stream, FIRST).await;
    let shards = wire.shards(&stream).await;
    assert_eq!(children.len(), 2);
    for (child, shard) in children.iter().zip(&shards[1..]) {
        assert_eq!(child.shard_id, shard.shard_id);
        assert_eq!(child.parent_shards, [FIRST]);
        assert_eq!(child.hash_key_range, shard.hash_key_range);
    }
}

pub(super) async fn a_merge_names_both_parents(wire: Wire) {
    let stream = wire.stream(2).await;
    let shards = wire.shards(&stream).await;
    let merge = wire.client.merge_shards().stream_name(&stream);
    let merge = merge
        .shard_to_merge(&shards[0].shard_id)
        .adjacent_shard_to_merge(&shards[1].shard_id);
    merge.send().await.unwrap();
    wire.settle(&stream).await;
    let merged = wire.shards(&stream).await.remove(2);
    assert_eq!(merged.parent_shard_id.as_ref(), Some(&shards[0].shard_id));
    let adjacent = merged.adjacent_parent_shard_id.as_ref();
    assert_eq!(adjacent, Some(&shards[1].shard_id));
    for parent in &shards {
        read_to_end(&wire, &stream, &parent.shard_id).await;
    }
}

pub(super) async fn scaling_up_and_down_keeps_the_lineage(wire: Wire) {
    let stream = wire.stream(2).await;
    for (target, made) in [(4, 4), (2, 2), (3, 3)] {
        let before = wire.shards(&stream).await.len();
        wire.scale(&stream, target).await.unwrap();
        let shards = wire.shards(&stream).await;
        let open = shards.iter().filter(|shard| is_open(shard)).count();
        assert_eq!(open, usize::try_from(target).unwrap());
        let new = &shards[before..];
        assert!(new.len() >= made - 1, "{} new for {target}", new.len());
        for child in new {
            let parent = child.parent_shard_id.as_ref().expect("a parent");
            let parent = shards.iter().find(|shard| shard.shard_id == *parent);
            assert!(!is_open(parent.unwrap()));
        }
    }
}

pub(super) async fn scaling_above_double_is_refused(wire: Wire) {
    let stream = wire.stream(2).await;
    assert!(wire.scale(&stream, 5).await.is_err());
    assert!(wire.scale(&stream, 4).await.is_ok());
}

pub(super) async fn a_closed_shard_cannot_be_split(wire: Wire) {
    let stream = wire.stream(1).await;
    let parent = wire.shards(&stream).await.remove(0);
    wire.split(&stream, &parent).await;
    let again = wire.client.split_shard().stream_name(&stream);
    let again = again.shard_to_split(FIRST).new_starting_hash_key("1000");
    let refused = again.send().await.map_err(|error| code(&error)).map(|_| ());
    assert_eq!(refused, Err("InvalidArgumentException".to_owned()));
    let ready = timeout(Duration::from_secs(2), wire.settle(&stream)).await;
    assert!(ready.is_ok(), "the stream is not ACTIVE any more");
}

async fn listed(wire: &Wire, stream: &str, filter: ShardFilter) -> Vec<String> {
    let list = wire.client.list_shards().stream_name(stream);
    let page = list.shard_filter(filter).send().await.unwrap();
    let shards = page.shards.unwrap().into_iter();
    shards.map(|shard| shard.shard_id).collect()
}

fn filter(kind: ShardFilterType) -> ShardFilter {
    ShardFilter::builder().r#type(kind).build().unwrap()
}

/// A stream whose only shard was split.
async fn split_stream(wire: &Wire) -> (String, [String; 3]) {
    let stream = wire.stream(1).await;
    let parent = wire.shards(&stream).await.remove(0);
    wire.split(&stream, &parent).await;
    let ids = [0, 1, 2].map(|index| format!("shardId-{index:012}"));
    (stream, ids)
}

pub(super) async fn filters_tell_open_shards_from_closed_ones(wire: Wire) {
    let (stream, ids) = split_stream(&wire).await;
    let kind = ShardFilterType::AtLatest;
    assert_eq!(listed(&wire, &stream, filter(kind)).await, ids[1..]);
    let kind = ShardFilterType::FromTrimHorizon;
    assert_eq!(listed(&wire, &stream, filter(kind)).await, ids);
    let after = ShardFilter::builder()
        .r#type(ShardFilterType::AfterShardId)
        .shard_id(&ids[1])
        .build()
        .unwrap();
    assert_eq!(listed(&wire, &stream, after).await, ids[2..]);
}

pub(super) async fn filters_by_time_give_the_shards_of_that_time(wire: Wire) {
    let (stream, ids) = split_stream(&wire).await;
    let kind = ShardFilterType::AtTrimHorizon;
    assert_eq!(listed(&wire, &stream, filter(kind)).await, ids[..1]);
    // The server's clock, from a record stamped after the split.
    sleep(Duration::from_millis(30)).await;
    let (shard, _) = wire.put(&stream, "a").await;
    let horizon = wire.horizon(&stream, &shard).await;
    let page = wire.fetch(&horizon, 1).await.unwrap();
    let after = DateTime::from_millis(arrival_millis(&page.records[0]));
    for kind in [ShardFilterType::AtTimestamp, ShardFilterType::FromTimestamp] {
        let at = ShardFilter::builder().r#type(kind).timestamp(after);
        assert_eq!(listed(&wire, &stream, at.build().unwrap()).await, ids[1..]);
    }
}
