//! Expiry of records and shards.

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn records_expire_after_the_retention_period() {
    let fixture = Fixture::with_shards(1).await;
    let old = fixture.put("old").await.sequence;
    advance(HOUR).await;
    fixture.put("young").await;
    advance(HOUR * 23).await;
    assert_eq!(
        fixture.texts(0, IteratorPosition::TrimHorizon).await,
        ["old", "young"]
    );
    advance(Duration::from_millis(1)).await;
    assert_eq!(
        fixture.texts(0, IteratorPosition::TrimHorizon).await,
        ["young"]
    );
    // As on AWS, a trimmed number is not an error: reading continues with the remaining records.
    assert_eq!(
        fixture.texts(0, IteratorPosition::At(old.clone())).await,
        ["young"]
    );
    assert_eq!(
        fixture.texts(0, IteratorPosition::After(old)).await,
        ["young"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_closed_shard_expires_with_its_last_record() {
    let fixture = Fixture::with_shards(1).await;
    fixture.split_the_only_shard().await;
    advance(HOUR * 24 - Duration::from_millis(1)).await;
    assert_eq!(fixture.shards().await.len(), 3);
    let iterator = fixture
        .iterator(0, IteratorPosition::TrimHorizon)
        .await
        .unwrap();
    advance(Duration::from_millis(1)).await;
    assert_eq!(fixture.shards().await.len(), 2);
    let late = fixture.iterator(0, IteratorPosition::TrimHorizon).await;
    assert_eq!(late.unwrap_err().kind(), ApiErrorKind::NotFound);
    let page = fixture.fetch(&iterator, 1).await.unwrap();
    assert!(page.next.is_none() && page.children.len() == 2);
}

#[tokio::test(start_paused = true)]
async fn increasing_retention_does_not_restore_expired_records() {
    let fixture = Fixture::with_shards(1).await;
    let (kinesis, stream) = (&fixture.kinesis, &fixture.stream);
    fixture.put("gone").await;
    advance(HOUR * 25).await;
    fixture.put("kept").await;
    kinesis.increase_retention(stream, HOUR * 48).await.unwrap();
    assert_eq!(
        fixture.texts(0, IteratorPosition::TrimHorizon).await,
        ["kept"]
    );
    advance(HOUR * 47).await;
    assert_eq!(
        fixture.texts(0, IteratorPosition::TrimHorizon).await,
        ["kept"]
    );
    kinesis.decrease_retention(stream, HOUR * 24).await.unwrap();
    assert!(
        fixture
            .texts(0, IteratorPosition::TrimHorizon)
            .await
            .is_empty()
    );
    let summary = kinesis.describe_stream(stream).await.unwrap();
    assert_eq!(summary.retention, HOUR * 24);
    for (hours, increase) in [(8_761, true), (23, false), (48, false)] {
        let changed = if increase {
            kinesis.increase_retention(stream, HOUR * hours).await
        } else {
            kinesis.decrease_retention(stream, HOUR * hours).await
        };
        assert_eq!(code(changed), "InvalidArgumentException", "{hours}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pinned_iterator_returns_empty_pages_forever() {
    let options = InMemoryOptions {
        trimmed_positions: TrimmedPosition::Pinned,
        ..InMemoryOptions::default()
    };
    let fixture = Fixture::with(1, options).await;
    let old = fixture.put("old").await.sequence;
    advance(HOUR).await;
    let young = fixture.put("young").await.sequence;
    advance(HOUR * 23).await;
    let after_old = || IteratorPosition::After(old.clone());
    assert_eq!(fixture.texts(0, after_old()).await, ["young"]);
    let held = fixture.iterator(0, after_old()).await.unwrap();
    advance(Duration::from_millis(1)).await;
    for position in [after_old(), IteratorPosition::At(old.clone())] {
        let mut iterator = fixture.iterator(0, position).await.unwrap();
        for _ in 0..10 {
            let page = fixture.fetch(&iterator, 10).await.unwrap();
            assert_eq!((page.len(), page.behind_latest), (0, Some(HOUR * 24)));
            iterator = page.next.unwrap();
        }
    }
    // Older iterators, and numbers of records that still exist, are unaffected.
    assert_eq!(texts(&fixture.fetch(&held, 10).await.unwrap()), ["young"]);
    for position in [IteratorPosition::At(young), IteratorPosition::TrimHorizon] {
        assert_eq!(fixture.texts(0, position).await, ["young"]);
    }
}
