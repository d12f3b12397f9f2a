//! Entries that are larger than an item, and logs that are larger than a page.

use super::*;

/// Two sources of 10,000 shards, with random sequence numbers.
fn large(id: u64) -> Batch {
    let mut random = fastrand::Rng::with_seed(id);
    let place = |digits: u128| {
        let text = format!("AFTER 49590338271490{digits}");
        text.parse::<ShardPosition>().unwrap()
    };
    let source = |name: &str, random: &mut fastrand::Rng| {
        let ranges = (0..10_000).map(|shard| {
            let digits = 10_u128.pow(37)..10_u128.pow(38) / 2;
            let (after, further) = (random.u128(digits.clone()), random.u128(digits));
            let (after, upto) = (place(after), place(after + further));
            let id = ShardId::new(format!("shardId-{shard:012}"));
            let rows = Some(shard);
            (id, ShardRange { after, upto, rows })
        });
        StreamRanges {
            stream: StreamName::new(name).unwrap(),
            created_at: Some(UnixMillis(1_600_000_000_007)),
            read_to: Some(UnixMillis(1_699_999_999_990)),
            retention: None,
            shards: ranges.collect(),
        }
    };
    Batch {
        sources: vec![source("clicks", &mut random), source("words", &mut random)],
        ..batch(id, 0)
    }
}

#[tokio::test]
async fn large_entries_are_split_into_parts_and_purged_with_them() {
    let dynamo = Dynamo::new();
    let mut query = log(&dynamo, 1);
    query.take_over().await.unwrap();
    let small = keys(&dynamo.client()).await;
    for id in 0..2 {
        let batch = large(id);
        assert_eq!(query.log_offsets(&batch).await.unwrap(), Logged::Done);
        let logged = query
            .log_commit(batch.id, UnixMillis(7), &Committed::default())
            .await;
        assert_eq!(logged.unwrap(), Logged::Done);
        let found = log(&dynamo, 1 + id).take_over().await.unwrap().unwrap();
        assert!(found.batch == batch, "all ranges come back");
        query.take_over().await.unwrap();
    }
    let committer = handle(&dynamo, "q");
    let listed = committer.batches(Log::Offsets).await.unwrap();
    assert_eq!(listed, [0, 1].map(BatchId), "parts are no entries");
    let parts = |keys: &[String]| keys.iter().filter(|key| key.contains("parts")).count();
    let before = keys(&dynamo.client()).await;
    assert!(parts(&before) >= 4, "{before:?}");
    for log in [Log::Offsets, Log::Commits] {
        committer.remove(log, BatchId(0)).await.unwrap();
        committer.remove(log, BatchId(0)).await.unwrap();
    }
    let behind = keys(&dynamo.client()).await;
    assert_eq!(parts(&behind) * 2, parts(&before), "{behind:?}");
    assert!(
        committer
            .get(Log::Offsets, BatchId(1))
            .await
            .unwrap()
            .is_some()
    );
    for log in [Log::Offsets, Log::Commits] {
        committer.remove(log, BatchId(1)).await.unwrap();
    }
    assert_eq!(keys(&dynamo.client()).await, small);
}

#[tokio::test]
async fn a_large_entry_is_all_or_nothing() {
    let dynamo = Dynamo::new();
    let committer = handle(&dynamo, "q");
    let epoch = committer.take_epoch(NONE).await.unwrap();
    let put = |batch, bytes: usize| {
        let mut random = fastrand::Rng::with_seed(bytes as u64);
        let entry: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
            .take(bytes)
            .collect();
        committer.put(epoch, Log::Offsets, BatchId(batch), entry.into())
    };
    assert_eq!(put(0, 3_800_000).await.unwrap(), Put::Done);
    let Put::Exists(found) = put(0, 10).await.unwrap() else {
        panic!("there is one");
    };
    assert_eq!(found.len(), 3_800_000);
    let error = put(1, 3_900_000).await.unwrap_err();
    assert!(!error.is_retryable());
    let error = error.to_string();
    assert!(error.contains("offsets/1 has 3900"), "{error}");
    assert!(
        error.contains("expected at most 3850000") && error.contains("'HDFS'"),
        "{error}"
    );

    delete(&dynamo.client(), "q#offsets parts", 2).await;
    let error = committer.get(Log::Offsets, BatchId(0)).await.unwrap_err();
    assert!(!error.is_retryable());
    assert!(
        error
            .to_string()
            .contains("offsets/0 does not match its parts"),
        "{error}"
    );
    delete(&dynamo.client(), "q#offsets", 0).await;
    assert_eq!(committer.get(Log::Offsets, BatchId(0)).await.unwrap(), None);
}

#[tokio::test]
async fn metadata_may_be_large() {
    let dynamo = Dynamo::new();
    let entry = Bytes::from("start ".repeat(100_000));
    let put = handle(&dynamo, "q").create_metadata(entry.clone()).await;
    assert_eq!(put.unwrap(), Put::Done);
    let put = handle(&dynamo, "q").create_metadata(Bytes::new()).await;
    assert_eq!(put.unwrap(), Put::Exists(entry.clone()));
    assert_eq!(handle(&dynamo, "q").metadata().await.unwrap(), Some(entry));
}

#[tokio::test]
async fn listings_follow_all_pages() {
    let dynamo = Dynamo::new();
    let committer = handle(&dynamo, "q");
    let epoch = committer.take_epoch(NONE).await.unwrap();
    let entry = Bytes::from("x".repeat(90_000));
    let ids: Vec<_> = (0..30).rev().map(|id| BatchId(id * 7)).collect();
    for id in &ids {
        let put = committer.put(epoch, Log::Offsets, *id, entry.clone()).await;
        assert_eq!(put.unwrap(), Put::Done);
    }
    let before = dynamo.calls("Query");
    let listed = committer.batches(Log::Offsets).await.unwrap();
    assert!(listed.iter().eq(ids.iter().rev()), "{listed:?}");
    assert!(
        dynamo.calls("Query") >= before + 3,
        "2.7 MB are three pages"
    );
}
