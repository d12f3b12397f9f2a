//! Iterators, pages, lag and page limits.

use super::*;

#[tokio::test(start_paused = true)]
async fn each_iterator_type_starts_at_its_position() {
    let fixture = Fixture::with_shards(1).await;
    let mut written = Vec::new();
    for text in ["a", "b", "c"] {
        written.push(fixture.put(text).await.sequence);
        advance(Duration::from_millis(10)).await;
    }
    let second = IteratorPosition::At(written[1].clone());
    assert_eq!(
        fixture.texts(0, IteratorPosition::TrimHorizon).await,
        ["a", "b", "c"]
    );
    assert_eq!(fixture.texts(0, second).await, ["b", "c"]);
    let second = IteratorPosition::After(written[1].clone());
    assert_eq!(fixture.texts(0, second).await, ["c"]);
    let latest = fixture.iterator(0, IteratorPosition::Latest).await.unwrap();
    fixture.put("d").await;
    assert_eq!(texts(&fixture.fetch(&latest, 10).await.unwrap()), ["d"]);
}

#[tokio::test(start_paused = true)]
async fn timestamps_have_millisecond_precision() {
    let fixture = Fixture::with_shards(1).await;
    for text in ["a", "b", "c"] {
        fixture.put(text).await;
        advance(Duration::from_millis(1)).await;
    }
    let at = |offset| IteratorPosition::AtTimestamp(UnixMillis(START.0 + offset));
    assert_eq!(fixture.texts(0, at(-86_400_000)).await, ["a", "b", "c"]);
    assert_eq!(fixture.texts(0, at(1)).await, ["b", "c"]);
    assert_eq!(fixture.texts(0, at(2)).await, ["c"]);
    assert!(fixture.texts(0, at(3)).await.is_empty());
    assert_eq!(
        code(fixture.iterator(0, at(4)).await),
        "InvalidArgumentException"
    );
}

#[tokio::test(start_paused = true)]
async fn the_starting_number_of_a_shard_precedes_its_first_record() {
    let fixture = Fixture::with_shards(1).await;
    let start = fixture.shards().await[0].starting_sequence.clone();
    fixture.put("a").await;
    let at = IteratorPosition::At(start.clone());
    assert_eq!(fixture.texts(0, at).await, ["a"]);
    assert_eq!(
        fixture.texts(0, IteratorPosition::After(start)).await,
        ["a"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_sequence_number_of_another_shard_or_stream_is_rejected() {
    let fixture = Fixture::with_shards(2).await;
    let other = StreamName::new("other").unwrap();
    fixture.kinesis.create_stream(&other, 2).await.unwrap();
    let other = StreamIdentity::named(other);
    let written = fixture.put("a").await;
    let shard = shard::index_of(&written.shard).unwrap();
    let position = IteratorPosition::At(written.sequence.clone());
    let foreign = fixture
        .kinesis
        .get_shard_iterator(&other, &written.shard, &position);
    assert_eq!(code(foreign.await), "InvalidArgumentException");
    for number in [written.sequence, SequenceNumber::zero()] {
        let iterator = fixture.iterator(1 - shard, IteratorPosition::After(number));
        assert_eq!(code(iterator.await), "InvalidArgumentException");
    }
}

#[tokio::test(start_paused = true)]
async fn the_lag_is_zero_only_at_the_tip() {
    let fixture = Fixture::with_shards(1).await;
    for text in ["a", "b", "c"] {
        fixture.put(text).await;
        advance(Duration::from_secs(1)).await;
    }
    fixture.put("d").await;
    let mut iterator = fixture
        .iterator(0, IteratorPosition::TrimHorizon)
        .await
        .unwrap();
    for behind in [2_000, 1_000, 1, 0, 0] {
        let page = fixture.fetch(&iterator, 1).await.unwrap();
        assert_eq!(page.behind_latest, Some(Duration::from_millis(behind)));
        iterator = page.next.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_stops_at_ten_thousand_records() {
    let fixture = Fixture::with_shards(1).await;
    let entries = vec![entry("k", b"x"); 500];
    for _ in 0..21 {
        let outcomes = fixture.kinesis.put_records(&fixture.stream, &entries).await;
        assert!(outcomes.unwrap().iter().all(Result::is_ok));
    }
    let page = fixture.page(0, IteratorPosition::TrimHorizon).await;
    assert_eq!(page.len(), 10_000);
    let page = fixture.fetch(&page.next.unwrap(), 10_000).await.unwrap();
    assert_eq!(page.len(), 500);
    let iterator = page.next.unwrap();
    for limit in [0, 10_001] {
        let page = fixture.fetch(&iterator, limit).await;
        assert_eq!(page.unwrap_err().kind(), ApiErrorKind::InvalidArgument);
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_stops_at_ten_mebibytes() {
    let fixture = Fixture::with_shards(1).await;
    let data = vec![b'x'; 999_999];
    for _ in 0..12 {
        let entry = entry("k", &data);
        fixture
            .kinesis
            .put_record(&fixture.stream, &entry)
            .await
            .unwrap();
    }
    let page = fixture.page(0, IteratorPosition::TrimHorizon).await;
    assert_eq!((page.len(), page.size_bytes()), (10, 10_000_000));
    let page = fixture.fetch(&page.next.unwrap(), 10_000).await.unwrap();
    assert_eq!(page.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_iterator_expires_after_five_minutes() {
    let fixture = Fixture::with_shards(1).await;
    let iterator = fixture
        .iterator(0, IteratorPosition::TrimHorizon)
        .await
        .unwrap();
    advance(Duration::from_secs(300)).await;
    assert!(fixture.fetch(&iterator, 1).await.is_ok());
    advance(Duration::from_millis(1)).await;
    let error = fixture.fetch(&iterator, 1).await.unwrap_err();
    assert_eq!(error.kind(), ApiErrorKind::ExpiredIterator);
}

#[tokio::test(start_paused = true)]
async fn an_iterator_not_issued_for_the_stream_is_rejected() {
    let fixture = Fixture::with_shards(1).await;
    let page = fixture.fetch(&ShardIterator::new("garbage"), 1).await;
    assert_eq!(code(page), "InvalidArgumentException");
    let iterator = fixture.iterator(0, IteratorPosition::Latest).await.unwrap();
    fixture
        .kinesis
        .delete_stream(&fixture.stream)
        .await
        .unwrap();
    let page = fixture.fetch(&iterator, 1).await;
    assert_eq!(page.unwrap_err().kind(), ApiErrorKind::NotFound);
    let name = fixture.stream.name();
    fixture.kinesis.create_stream(name, 1).await.unwrap();
    let page = fixture.fetch(&iterator, 1).await;
    assert_eq!(code(page), "InvalidArgumentException");
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_does_not_exist_is_not_found() {
    let fixture = Fixture::with_shards(1).await;
    let iterator = fixture.iterator(1, IteratorPosition::Latest).await;
    assert_eq!(iterator.unwrap_err().kind(), ApiErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn pages_contain_arrival_times_keys_and_numbers() {
    let fixture = Fixture::with_shards(1).await;
    let written = fixture.put("käse").await;
    let page = fixture.page(0, IteratorPosition::TrimHorizon).await;
    assert_eq!(page.partition_key().unwrap().value(0), "käse");
    assert_eq!(page.arrival().unwrap().value(0), START.0 * 1_000);
    let number = page.sequence_number().unwrap().value(0);
    assert_eq!(number, written.sequence.as_str());
    assert_eq!(page.last_sequence(), Some(&written.sequence));
}

#[tokio::test(start_paused = true)]
async fn enforced_limits_allow_five_fetches_per_second() {
    let options = InMemoryOptions {
        enforce_limits: true,
        ..InMemoryOptions::default()
    };
    let fixture = Fixture::with(1, options).await;
    let mut iterator = fixture.iterator(0, IteratorPosition::Latest).await.unwrap();
    for _ in 0..5 {
        iterator = fixture.fetch(&iterator, 1).await.unwrap().next.unwrap();
    }
    let error = fixture.fetch(&iterator, 1).await.unwrap_err();
    assert_eq!(error.kind(), ApiErrorKind::Throttled);
    advance(Duration::from_millis(200)).await;
    assert!(fixture.fetch(&iterator, 1).await.is_ok());
}
