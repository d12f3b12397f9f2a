//! Shards that expire before they are read to their end.

use super::*;
use crate::error::ErrorKind;

#[tokio::test(start_paused = true)]
async fn an_expired_shard_ends_with_the_next_batch_and_is_dropped() {
    let fixture = Fixture::with_shards(1).await;
    let gone = ShardPosition::After {
        sequence: SequenceNumber::new("7").unwrap(),
        sub_sequence: None,
    };
    let offsets = Offsets::from([(shard(77), gone.clone())]);
    fixture.put("apple 1").await;
    let reader = fixture.read(resume_at(offsets)).await;
    let batch = reader.next().await;
    assert_eq!(rows_of(&batch), ["apple 1"]);
    assert_eq!(batch.ranges.ends()[&shard(77)], gone);
    reader.release(&batch.ranges.ends());
    sleep(Duration::from_secs(60)).await;
    // Its end alone does not cause a batch.
    assert_eq!(reader.readiness(Instant::now()).unwrap(), Readiness::NoData);
    assert_eq!(reader.status().losses, 1);
    fixture.put("apple 2").await;
    let batch = reader.next().await;
    let range = &batch.ranges.shards[&shard(77)];
    assert_eq!(
        (&range.after, &range.upto),
        (&gone, &ShardPosition::ShardEnd)
    );
    assert_eq!(range.rows, Some(0));
    let again = reader.replay(&batch.ranges);
    assert_eq!(again.reads, batch.reads.reads);
    reader.release(&batch.ranges.ends());
    sleep(Duration::from_secs(60)).await;
    assert!(!reader.take().ranges.shards.contains_key(&shard(77)));
    assert_eq!(reader.status().losses, 1);
}

#[tokio::test(start_paused = true)]
async fn an_expired_shard_ends_the_query_with_fail_on_data_loss() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.fail_on_data_loss = true;
    let offsets = Offsets::from([(shard(77), ShardPosition::TrimHorizon)]);
    let reader = fixture.read(resume_at(offsets)).await;
    sleep(Duration::from_secs(60)).await;
    let error = reader.readiness(Instant::now()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataLoss);
    let place = "stream 'words', shard 'shardId-000000000077', position TRIM_HORIZON: ";
    assert!(error.to_string().starts_with(place), "{error}");
    // The next batch does not contain its end.
    let ends = reader.take().ranges.ends();
    assert_eq!(ends[&shard(77)], ShardPosition::TrimHorizon);
}

#[tokio::test(start_paused = true)]
async fn the_read_rows_of_an_expired_shard_are_taken_and_its_children_start() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.buffer_max_bytes = 100_000;
    fixture.options.records_per_fetch = 10;
    fixture.options.fetch_interval = Duration::from_secs(60);
    fixture.options.describe_shard_interval = Duration::from_secs(60);
    for number in 0..200 {
        let text = format!("k {number} {}", "x".repeat(1_000));
        fixture.put(&text).await;
    }
    fixture.split_the_only_shard().await;
    let reader = fixture.read_all().await;
    sleep(Duration::from_secs(25 * 3_600)).await;
    fixture.put("k late").await;
    sleep(Duration::from_secs(3_600)).await;
    let first = reader.next().await;
    let held = rows_of(&first);
    assert!((30..100).contains(&held.len()), "{}", held.len());
    assert!(!held.contains(&"k late".to_owned()));
    reader.release(&first.ranges.ends());
    let batch = reader.next().await;
    assert_eq!(rows_of(&batch), ["k late"]);
    assert_eq!(batch.ranges.ends()[&shard(0)], ShardPosition::ShardEnd);
    // The first records of its children may have expired, too.
    sleep(Duration::from_secs(600)).await;
    assert_eq!(reader.status().losses, 3);
}

#[tokio::test(start_paused = true)]
async fn a_run_of_one_batch_ends_although_a_shard_expires() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.records_per_fetch = 10;
    fixture.options.fetch_interval = Duration::from_secs(3 * 3_600);
    for text in numbers(200) {
        fixture.put(&text).await;
    }
    fixture.split_the_only_shard().await;
    advance(Duration::from_millis(10)).await;
    fixture.settings.until = Some(fixture.now());
    fixture.settings.caps = false;
    let reader = fixture.read_all().await;
    let days = Duration::from_secs(4 * 86_400);
    let batch = tokio::time::timeout(days, reader.next()).await.unwrap();
    assert!((10..200).contains(&batch.rows), "{}", batch.rows);
    reader.release(&batch.ranges.ends());
    while !reader.is_exhausted() {
        let _ = reader.readiness(Instant::now());
        tokio::time::timeout(days, reader.changed()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_listed_late_gets_its_parents_and_hash_range() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.describe_shard_interval = Duration::from_secs(3_600);
    let offsets = [0, 77].map(|n| (shard(n), ShardPosition::TrimHorizon));
    let reader = fixture.read(resume_at(offsets.into())).await;
    sleep(Duration::from_secs(10)).await;
    let calls = fixture.kinesis.calls(Operation::GetShardIterator);
    assert!(calls > 2);
    let listed = |n, parent| Shard {
        id: shard(n),
        parent,
        adjacent_parent: None,
        hash_range: crate::model::HashRange::ALL,
        starting_sequence: SequenceNumber::zero(),
        ending_sequence: None,
    };
    let first = reader
        .shared
        .with(|state| state.shards[&shard(0)].starts_after.clone());
    let parent = Shard {
        starting_sequence: first.unwrap(),
        ..listed(0, None)
    };
    let late = listed(77, Some(shard(0)));
    reader.shared.listed(&[parent, late]);
    let hash_range = reader.shared.with(|state| state.hash_range(&shard(77)));
    assert_eq!(hash_range, Some(crate::model::HashRange::ALL));
    // It waits for its parent without requests.
    let calls = fixture.kinesis.calls(Operation::GetShardIterator);
    sleep(Duration::from_secs(100)).await;
    assert_eq!(fixture.kinesis.calls(Operation::GetShardIterator), calls);
    assert_eq!(reader.status().losses, 0);
}
