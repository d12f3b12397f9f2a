use std::collections::BTreeMap;

use super::*;

/// The numbers of each key, in the order of the rows.
fn by_key(rows: &[String]) -> BTreeMap<&str, Vec<usize>> {
    let mut keys: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for row in rows {
        let (key, number) = row.split_once(' ').unwrap();
        keys.entry(key).or_default().push(number.parse().unwrap());
    }
    keys
}

/// Splits an open shard or merges two, at random.
async fn reshard(fixture: &Fixture, random: &mut fastrand::Rng) {
    let mut backoff = Backoff::new(
        crate::model::RetryPolicy {
            max_retries: 0,
            first_interval: Duration::ZERO,
            max_interval: Duration::ZERO,
        },
        fastrand::Rng::with_seed(1),
    );
    let filter = ShardFilter::AtLatest;
    let open = list_all_shards(&*fixture.kinesis, &fixture.stream, filter, &mut backoff);
    let mut open = open.await.unwrap();
    open.sort_by_key(|shard| shard.hash_range.start);
    let at = random.usize(..open.len());
    if open.len() < 4 || (random.bool() && open.len() < 12) {
        let range = open[at].hash_range;
        let middle = HashKey(range.start.0 + (range.end.0 - range.start.0) / 2 + 1);
        let split = fixture
            .kinesis
            .split_shard(&fixture.stream, &open[at].id, middle);
        split.await.unwrap();
    } else if at + 1 < open.len() {
        let (left, right) = (&open[at].id, &open[at + 1].id);
        let merge = fixture.kinesis.merge_shards(&fixture.stream, left, right);
        merge.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_key_stay_in_order_over_splits_merges_and_restarts() {
    for seed in 0..6 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut fixture = Fixture::with_shards(3).await;
        fixture.options.records_per_fetch = 13;
        fixture.options.max_records_per_shard = Some(40);
        let mut reader = fixture.read_all().await;
        let mut rows: Vec<String> = Vec::new();
        let mut ends = Offsets::new();
        for number in 0..150 {
            for key in 0..10 {
                fixture.put(&format!("key{key} {number}")).await;
            }
            if random.usize(..8) == 0 {
                reshard(&fixture, &mut random).await;
            }
            if random.usize(..4) == 0 {
                sleep(Duration::from_millis(random.u64(..500))).await;
            }
            if random.bool() && reader.readiness(Instant::now()).unwrap() == Readiness::Ready {
                let batch = reader.take();
                rows.extend(rows_of(&batch));
                ends = batch.ranges.ends();
                reader.release(&ends);
            }
            if random.usize(..40) == 0 && !ends.is_empty() {
                drop(reader);
                reader = fixture.read(resume_at(ends.clone())).await;
            }
        }
        rows.extend(reader.rows(1_500 - rows.len()).await);
        let expected: Vec<usize> = (0..150).collect();
        for (key, numbers) in by_key(&rows) {
            assert_eq!(numbers, expected, "seed {seed}, {key}");
        }
        sleep(Duration::from_secs(5)).await;
        assert_eq!(reader.readiness(Instant::now()).unwrap(), Readiness::NoData);
        assert_eq!(reader.status().draining_shards, 0, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_no_rows_of_both_a_child_and_its_parent() {
    let fixture = Fixture::with_shards(2).await;
    fixture.put("apple 1").await;
    fixture.put("pear 1").await;
    let [left, right] = [shard(0), shard(1)];
    let merge = fixture.kinesis.merge_shards(&fixture.stream, &left, &right);
    merge.await.unwrap();
    fixture.put("apple 2").await;
    let reader = fixture.read_all().await;
    sleep(Duration::from_secs(10)).await;
    let first = reader.next().await;
    let mut rows = rows_of(&first);
    rows.sort();
    assert_eq!(rows, ["apple 1", "pear 1"]);
    assert_eq!(first.ranges.ends()[&left], ShardPosition::ShardEnd);
    assert_eq!(first.ranges.ends()[&shard(2)], ShardPosition::TrimHorizon);
    assert_eq!(reader.next_rows().await, ["apple 2"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_shard_does_not_cause_a_batch_but_is_in_the_next_one() {
    let fixture = Fixture::with_shards(1).await;
    let reader = fixture.read_all().await;
    fixture.put("apple 1").await;
    reader.rows(1).await;
    fixture.split_the_only_shard().await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(reader.readiness(Instant::now()).unwrap(), Readiness::NoData);
    let status = reader.status();
    assert_eq!((status.open_shards, status.draining_shards), (2, 0));
    fixture.put("apple 2").await;
    let batch = reader.next().await;
    assert_eq!(rows_of(&batch), ["apple 2"]);
    assert_eq!(batch.reads.reads.len(), 1);
    assert_eq!(batch.ranges.shards[&shard(0)].upto, ShardPosition::ShardEnd);
    assert!(!batch.ranges.shards[&shard(0)].is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_finished_shard_is_in_the_offsets_while_it_is_listed() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.fetch_interval = Duration::from_secs(60);
    fixture.options.describe_shard_interval = Duration::from_secs(60);
    fixture.put("apple 1").await;
    fixture.split_the_only_shard().await;
    let reader = fixture.read_all().await;
    reader.rows(1).await;
    fixture.put("apple 2").await;
    let batch = reader.next().await;
    assert_eq!(batch.ranges.shards.len(), 3);
    reader.release(&batch.ranges.ends());
    sleep(Duration::from_secs(25 * 3_600)).await;
    fixture.put("apple 3").await;
    let batch = reader.next().await;
    assert_eq!(rows_of(&batch), ["apple 3"]);
    let tracked: Vec<&ShardId> = batch.ranges.shards.keys().collect();
    assert_eq!(tracked, [&shard(1), &shard(2)]);
}
