//! Iterators, pages, lag and limits.

use super::*;

const SHARD: &str = "shardId-000000000000";

pub(super) async fn each_iterator_type_starts_where_it_says(wire: Wire) {
    let stream = wire.stream(1).await;
    wire.put(&stream, "a").await;
    let (_, second) = wire.put(&stream, "b").await;
    wire.put(&stream, "c").await;
    let expected: [(_, _, &[&str]); 3] = [
        (ShardIteratorType::TrimHorizon, None, &["a", "b", "c"]),
        (
            ShardIteratorType::AtSequenceNumber,
            Some(&second),
            &["b", "c"],
        ),
        (
            ShardIteratorType::AfterSequenceNumber,
            Some(&second),
            &["c"],
        ),
    ];
    for (kind, number, texts) in expected {
        let iterator = wire.iterator(&stream, SHARD, kind, number.map(String::as_str));
        assert_eq!(wire.texts(&iterator.await.unwrap()).await, texts);
    }
    let latest = wire.iterator(&stream, SHARD, ShardIteratorType::Latest, None);
    let latest = latest.await.unwrap();
    wire.put(&stream, "d").await;
    assert_eq!(wire.texts(&latest).await, ["d"]);
}

pub(super) async fn a_timestamp_is_met_below_the_second(wire: Wire) {
    let stream = wire.stream(1).await;
    for text in ["a", "b", "c"] {
        wire.put(&stream, text).await;
        sleep(Duration::from_millis(30)).await;
    }
    let horizon = wire.horizon(&stream, SHARD).await;
    let page = wire.fetch(&horizon, 10).await.unwrap();
    let second = arrival_millis(&page.records[1]);
    for (millis, expected) in [
        (second - 86_400_000, &["a", "b", "c"][..]),
        (second - 1, &["b", "c"]),
        (second, &["b", "c"]),
        (second + 1, &["c"]),
    ] {
        let iterator = wire.iterator_at(&stream, SHARD, millis).await.unwrap();
        assert_eq!(wire.texts(&iterator).await, expected, "{}", millis - second);
    }
}

pub(super) async fn a_timestamp_past_the_last_record_waits_at_the_tip(wire: Wire) {
    let stream = wire.stream(1).await;
    wire.put(&stream, "a").await;
    let horizon = wire.horizon(&stream, SHARD).await;
    let page = wire.fetch(&horizon, 10).await.unwrap();
    let past = arrival_millis(&page.records[0]) + 1;
    sleep(Duration::from_millis(30)).await;
    let iterator = wire.iterator_at(&stream, SHARD, past).await.unwrap();
    let page = wire.fetch(&iterator, 10).await.unwrap();
    assert!(page.records.is_empty());
    wire.put(&stream, "b").await;
    let next = page.next_shard_iterator.unwrap();
    assert_eq!(wire.texts(&next).await, ["b"]);
}

pub(super) async fn a_timestamp_in_the_future_is_refused(wire: Wire) {
    let stream = wire.stream(1).await;
    wire.put(&stream, "a").await;
    let horizon = wire.horizon(&stream, SHARD).await;
    let page = wire.fetch(&horizon, 10).await.unwrap();
    let future = arrival_millis(&page.records[0]) + 3_600_000;
    let refused = wire.iterator_at(&stream, SHARD, future).await;
    assert_eq!(refused, Err("InvalidArgumentException".to_owned()));
}

pub(super) async fn a_number_of_another_stream_is_refused(wire: Wire) {
    let (stream, other) = (wire.stream(1).await, wire.stream(1).await);
    // Emulators distinguish streams by the second of their creation.
    sleep(Duration::from_millis(1_100)).await;
    let third = wire.stream(1).await;
    wire.put(&stream, "a").await;
    wire.put(&other, "a").await;
    let (_, number) = wire.put(&third, "a").await;
    let kind = ShardIteratorType::AfterSequenceNumber;
    let refused = wire.iterator(&stream, SHARD, kind, Some(&number)).await;
    assert_eq!(refused, Err("InvalidArgumentException".to_owned()));
}

pub(super) async fn an_iterator_that_was_not_given_out_is_refused(wire: Wire) {
    wire.stream(1).await;
    let refused = wire.fetch("garbage", 1).await.map(|_| ());
    assert_eq!(refused, Err("InvalidArgumentException".to_owned()));
}

pub(super) async fn the_lag_is_zero_only_at_the_tip(wire: Wire) {
    let stream = wire.stream(1).await;
    for text in ["a", "b", "c"] {
        wire.put(&stream, text).await;
        sleep(Duration::from_millis(100)).await;
    }
    let mut iterator = wire.horizon(&stream, SHARD).await;
    let mut lags = Vec::new();
    for _ in 0..3 {
        let page = wire.fetch(&iterator, 1).await.unwrap();
        assert_eq!(page.records.len(), 1);
        lags.push(page.millis_behind_latest.unwrap());
        iterator = page.next_shard_iterator.unwrap();
    }
    assert!(lags[0] > lags[1] && lags[1] >= 100, "{lags:?}");
    assert_eq!(lags[2], 0);
}

pub(super) async fn a_page_has_at_most_ten_thousand_records(wire: Wire) {
    let stream = wire.stream(1).await;
    for _ in 0..21 {
        let entries = (0..500).map(|_| entry("k", "x")).collect();
        wire.put_many(&stream, entries).await;
    }
    let horizon = wire.horizon(&stream, SHARD).await;
    let page = wire.fetch(&horizon, 10_000).await.unwrap();
    assert_eq!(page.records.len(), 10_000);
    let rest = wire.fetch(&page.next_shard_iterator.unwrap(), 10_000).await;
    assert_eq!(rest.unwrap().records.len(), 500);
    let refused = wire.fetch(&horizon, 10_001).await.map(|_| ());
    assert!(refused.is_err());
}

pub(super) async fn a_page_has_at_most_ten_mebibytes(wire: Wire) {
    let stream = wire.stream(1).await;
    for _ in 0..12 {
        wire.put_many(&stream, vec![entry("k", vec![b'x'; 1_000_000])])
            .await;
    }
    let horizon = wire.horizon(&stream, SHARD).await;
    let page = wire.fetch(&horizon, 10_000).await.unwrap();
    assert_eq!(page.records.len(), 10);
    let rest = wire.fetch(&page.next_shard_iterator.unwrap(), 10_000).await;
    assert_eq!(rest.unwrap().records.len(), 2);
}

pub(super) async fn arrival_times_have_milliseconds(wire: Wire) {
    let stream = wire.stream(1).await;
    for text in ["a", "b", "c", "d"] {
        wire.put(&stream, text).await;
        sleep(Duration::from_millis(3)).await;
    }
    let horizon = wire.horizon(&stream, SHARD).await;
    let page = wire.fetch(&horizon, 10).await.unwrap();
    let millis: Vec<_> = page.records.iter().map(arrival_millis).collect();
    assert!(
        millis.iter().any(|millis| millis % 1_000 != 0),
        "{millis:?}"
    );
    assert!(millis.is_sorted());
}
