//! Which shards may still have unread rows.

use super::*;
use crate::kinesis::{ApiError, FaultPlan, FaultRates};
use Activity::{Active, Ended, Idle};

const SECOND: Duration = Duration::from_secs(1);

async fn tracking_activity(shards: u32) -> Fixture {
    let mut fixture = Fixture::with_shards(shards).await;
    fixture.settings.track_activity = true;
    fixture
}

/// The activity of each shard, in order.
fn activities(shards: &[ShardActivity]) -> Vec<Activity> {
    assert!(shards.is_sorted_by_key(|shard| &shard.shard));
    shards.iter().map(|shard| shard.activity).collect()
}

impl StreamReader {
    fn activities(&self) -> Vec<Activity> {
        activities(&self.coverage().shards)
    }

    /// Takes and releases a batch; returns the activity that it reports.
    fn take_and_release(&self) -> Vec<Activity> {
        let batch = self.take();
        self.release(&batch.ranges.ends());
        activities(&batch.before.shards)
    }
}

/// Faults in every GetRecords.
fn always(rates: FaultRates) -> FaultPlan {
    FaultPlan::default().with(Operation::GetRecords, rates)
}

#[tokio::test(start_paused = true)]
async fn a_shard_is_idle_after_an_empty_page_at_the_tip_without_pending_rows() {
    let fixture = tracking_activity(1).await;
    let reader = fixture.read_all().await;
    assert_eq!(reader.activities(), [Active], "no request yet");
    sleep(SECOND).await;
    assert_eq!(reader.activities(), [Idle]);
    fixture.put("k 1").await;
    let put = Instant::now();
    while reader.readiness(put).unwrap() != Readiness::Ready {
        assert_eq!(reader.activities(), [Idle], "as far as is known");
        reader.changed().await;
    }
    assert_eq!(reader.activities(), [Active], "a row is pending");
    assert_eq!(
        reader.take_and_release(),
        [Active],
        "the batch has one of its rows"
    );
    assert_eq!(
        reader.activities(),
        [Active],
        "there was a row in the last page"
    );
    sleep(SECOND).await;
    assert_eq!(reader.activities(), [Idle]);
    fixture.put("k 2").await;
    sleep(SECOND).await;
    assert_eq!(
        reader.activities(),
        [Active],
        "a row waits, whatever came since"
    );
    assert_eq!(reader.take_and_release(), [Active]);
    assert_eq!(reader.activities(), [Idle], "the tip was found empty since");
    assert_eq!(reader.take_and_release(), [Idle]);
}

#[tokio::test(start_paused = true)]
async fn batches_report_no_activity_unless_it_is_tracked() {
    let fixture = Fixture::with_shards(1).await;
    let reader = fixture.read_all().await;
    sleep(SECOND).await;
    assert_eq!(reader.take_and_release(), []);
    assert_eq!(reader.activities(), [Idle]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_page_with_lag_does_not_make_a_shard_idle() {
    let fixture = tracking_activity(1).await;
    fixture.put("k 1").await;
    let reader = fixture.read_all().await;
    reader.rows(1).await;
    sleep(SECOND).await;
    assert_eq!(reader.activities(), [Idle]);
    fixture.kinesis.set_faults(always(FaultRates {
        empty_page: 1.0,
        ..FaultRates::default()
    }));
    sleep(SECOND).await;
    assert_eq!(reader.activities(), [Idle], "there is nothing");
    fixture.put("k 2").await;
    sleep(SECOND).await;
    assert_eq!(reader.readiness(Instant::now()).unwrap(), Readiness::NoData);
    assert_eq!(reader.activities(), [Active]);
    fixture.kinesis.set_faults(FaultPlan::default());
    assert_eq!(reader.next_rows().await, ["k 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_shard_with_failing_requests_is_active() {
    for rates in [
        FaultRates {
            throttled: 1.0,
            ..FaultRates::default()
        },
        FaultRates {
            internal_failure: 1.0,
            ..FaultRates::default()
        },
    ] {
        let fixture = tracking_activity(2).await;
        let reader = fixture.read_all().await;
        sleep(SECOND).await;
        assert_eq!(reader.activities(), [Idle; 2]);
        fixture.kinesis.set_faults(always(rates));
        sleep(SECOND).await;
        assert_eq!(reader.activities(), [Active; 2]);
        assert_eq!(reader.take_and_release(), [Active; 2]);
        fixture.kinesis.set_faults(FaultPlan::default());
        sleep(60 * SECOND).await;
        assert_eq!(reader.activities(), [Idle; 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_without_room_in_the_buffers_is_active() {
    let mut fixture = tracking_activity(2).await;
    fixture.options.buffer_max_bytes = 100_000;
    let reader = fixture.read_all().await;
    let put = async |key: u128, records: usize| {
        for _ in 0..records {
            let entry = PutEntry {
                data: vec![b'x'; 1_000].into(),
                partition_key: "k".into(),
                explicit_hash_key: Some(HashKey(key)),
            };
            let put = fixture.kinesis.put_record(&fixture.stream, &entry);
            put.await.unwrap();
        }
        sleep(SECOND).await;
    };
    put(0, 30).await;
    let running = reader.take().ranges.ends();
    assert_eq!(reader.activities(), [Idle, Idle]);
    put(u128::MAX, 60).await;
    assert_eq!(
        reader.activities(),
        [Active, Active],
        "no room for the next page"
    );
    reader.release(&running);
    sleep(SECOND).await;
    assert_eq!(reader.activities(), [Idle, Active]);
}

#[tokio::test(start_paused = true)]
async fn a_shard_has_ended_when_its_last_rows_are_taken() {
    let fixture = tracking_activity(1).await;
    let reader = fixture.read_all().await;
    fixture.put("apple 1").await;
    fixture.split_the_only_shard().await;
    fixture.put("apple 2").await;
    sleep(5 * SECOND).await;
    let shards = reader.coverage().shards;
    assert_eq!(activities(&shards), [Active; 3], "the children wait");
    let parents: Vec<_> = shards.iter().map(|s| s.parents.as_slice()).collect();
    assert_eq!(parents, [&[] as &[_], &[shard(0)], &[shard(0)]]);
    assert_eq!(
        reader.take_and_release(),
        [Active; 3],
        "the batch has rows of the parent"
    );
    assert_eq!(reader.activities(), [Ended, Active, Active]);
    sleep(5 * SECOND).await;
    let now = reader.activities();
    assert!(
        now == [Ended, Active, Idle] || now == [Ended, Idle, Active],
        "{now:?}"
    );
    assert_eq!(reader.take_and_release(), now);
    assert_eq!(reader.activities(), [Ended, Idle, Idle]);
}

#[tokio::test(start_paused = true)]
async fn a_merged_shard_names_both_parents_even_after_a_restart() {
    let fixture = tracking_activity(2).await;
    fixture.put("apple 1").await;
    fixture.put("pear 1").await;
    let reader = fixture.read_all().await;
    reader.rows(2).await;
    let [left, right] = [shard(0), shard(1)];
    let merge = fixture.kinesis.merge_shards(&fixture.stream, &left, &right);
    merge.await.unwrap();
    sleep(5 * SECOND).await;
    let newest = |reader: &StreamReader| {
        let newest = reader.coverage().shards.pop().unwrap();
        (newest.shard, newest.parents, newest.activity)
    };
    let merged = (shard(2), vec![left, right], Idle);
    assert_eq!(reader.activities(), [Ended, Ended, Idle]);
    assert_eq!(newest(&reader), merged);
    let ends = reader.take().ranges.ends();
    drop(reader);
    let reader = fixture.read(resume_at(ends)).await;
    assert_eq!(
        reader.activities(),
        [Ended, Ended, Active],
        "no request has been sent"
    );
    sleep(SECOND).await;
    assert_eq!(newest(&reader), merged);
}

#[tokio::test(start_paused = true)]
async fn a_lost_shard_has_ended() {
    let mut fixture = tracking_activity(1).await;
    fixture.options.fail_on_data_loss = false;
    let reader = fixture.read_all().await;
    let fail = || {
        let code = "ResourceNotFoundException";
        ApiError::from_code(Operation::GetRecords, code, "")
    };
    sleep(SECOND).await;
    fixture.kinesis.fail_next(Operation::GetRecords, fail());
    sleep(SECOND / 2).await;
    assert_eq!(
        reader.activities(),
        [Active],
        "the service does not know it"
    );
    reader.shared.with(|state| {
        state.missing(&shard(0));
        assert_eq!(state.listed(&[]).lost.len(), 1);
    });
    assert_eq!(reader.activities(), [Ended]);
}

#[tokio::test(start_paused = true)]
async fn a_shard_with_possible_rows_after_the_frozen_tip_is_active() {
    let mut fixture = tracking_activity(1).await;
    fixture.put("k 1").await;
    sleep(SECOND).await;
    fixture.settings.until = Some(fixture.now());
    let reader = fixture.read_all().await;
    while !matches!(reader.readiness(Instant::now()).unwrap(), Readiness::Ready) {
        reader.changed().await;
    }
    sleep(SECOND).await;
    assert_eq!(reader.activities(), [Active], "a row is pending");
    let batch = reader.take();
    assert!(reader.is_exhausted());
    assert_eq!(
        activities(&batch.before.shards),
        [Active],
        "the batch that takes the last rows has not seen their times"
    );
    assert_eq!(
        reader.activities(),
        [Idle],
        "the last page held all there was, and no other follows"
    );
    let ends = batch.ranges.ends();
    let exhausted = async || {
        let reader = fixture.read(resume_at(ends.clone())).await;
        sleep(SECOND).await;
        assert!(reader.is_exhausted());
        reader.activities()
    };
    assert_eq!(exhausted().await, [Idle]);
    fixture.put("k 2").await;
    assert_eq!(exhausted().await, [Active], "it has a row of the next run");
    fixture.kinesis.set_faults(always(FaultRates {
        empty_page: 1.0,
        ..FaultRates::default()
    }));
    assert_eq!(exhausted().await, [Active], "its lag shows that row");
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_becomes_idle_wakes_the_query_once_if_activity_is_tracked() {
    for (is_tracked, waits) in [(true, SECOND), (false, 60 * SECOND)] {
        let mut fixture = tracking_activity(2).await;
        fixture.settings.track_activity = is_tracked;
        let reader = fixture.read_all().await;
        reader.readiness(Instant::now()).unwrap();
        sleep(SECOND).await;
        reader.readiness(Instant::now()).unwrap();
        fixture.put("k 1").await;
        reader.next_rows().await;
        assert_eq!(reader.readiness(Instant::now()).unwrap(), Readiness::NoData);
        let woken = tokio::time::timeout(waits, reader.changed()).await;
        assert_eq!(woken.is_ok(), is_tracked);
        if is_tracked {
            assert_eq!(reader.activities(), [Idle, Idle]);
        }
        assert_eq!(reader.readiness(Instant::now()).unwrap(), Readiness::NoData);
        let woken = tokio::time::timeout(60 * SECOND, reader.changed()).await;
        assert!(woken.is_err(), "further empty pages are no change");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_becomes_idle_by_a_batch_wakes_the_query() {
    let fixture = tracking_activity(1).await;
    let reader = fixture.read_all().await;
    fixture.put("k 1").await;
    sleep(SECOND).await;
    assert_eq!(reader.readiness(Instant::now()).unwrap(), Readiness::Ready);
    assert_eq!(reader.take_and_release(), [Active]);
    let woken = tokio::time::timeout(Duration::ZERO, reader.changed()).await;
    assert!(woken.is_ok());
    assert_eq!(reader.readiness(Instant::now()).unwrap(), Readiness::NoData);
    assert_eq!(reader.take_and_release(), [Idle]);
    let woken = tokio::time::timeout(SECOND, reader.changed()).await;
    assert!(woken.is_err());
}
