//! How far the readers say that they are behind.

use super::*;
use crate::kinesis::{FaultPlan, FaultRates};

const FIVE_SECONDS: Duration = Duration::from_secs(5);

/// The most a reader at the tip takes to notice what came.
const A_POLL: Duration = Duration::from_millis(300);

/// Puts a record to a reader at its tip, and waits for five seconds.
async fn with_a_row_that_waits() -> (Fixture, StreamReader) {
    let fixture = Fixture::with_shards(1).await;
    let reader = fixture.read_all().await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(reader.status().max_behind_latest, Some(Duration::ZERO));
    fixture.put("k 1").await;
    sleep(FIVE_SECONDS).await;
    (fixture, reader)
}

#[tokio::test(start_paused = true)]
async fn rows_that_no_batch_has_taken_are_behind() {
    let (_fixture, reader) = with_a_row_that_waits().await;
    let status = reader.status();
    let behind = status.max_behind_latest.unwrap();
    assert!(behind >= FIVE_SECONDS && behind < FIVE_SECONDS + A_POLL);
    assert_eq!(status.min_behind_latest, Some(behind));
    assert_eq!(status.avg_behind_latest, Some(behind));
    reader.next_rows().await;
    assert_eq!(reader.status().max_behind_latest, Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn shards_that_wait_for_their_parents_are_behind() {
    let (fixture, reader) = with_a_row_that_waits().await;
    fixture.split_the_only_shard().await;
    fixture.put("k 2").await;
    sleep(FIVE_SECONDS).await;
    let behind = reader.status().max_behind_latest.unwrap();
    assert!(behind >= 2 * FIVE_SECONDS && behind < 2 * FIVE_SECONDS + A_POLL);
    assert!(reader.status().min_behind_latest.unwrap() >= FIVE_SECONDS);
    assert_eq!(reader.rows(2).await, ["k 1", "k 2"]);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(reader.status().max_behind_latest, Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_cannot_be_read_falls_behind() {
    let fixture = Fixture::with_shards(1).await;
    let reader = fixture.read_all().await;
    sleep(Duration::from_secs(60)).await;
    let rates = FaultRates {
        throttled: 1.0,
        ..FaultRates::default()
    };
    let faults = FaultPlan::default().with(Operation::GetRecords, rates);
    fixture.kinesis.set_faults(faults);
    sleep(FIVE_SECONDS).await;
    let behind = reader.status().max_behind_latest.unwrap();
    assert!(behind + A_POLL >= FIVE_SECONDS, "{behind:?}");
}

#[tokio::test(start_paused = true)]
async fn a_catch_up_is_as_far_behind_as_the_rows_it_has_taken() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.records_per_fetch = 3;
    fixture.options.max_records_per_shard = Some(3);
    for text in numbers(60) {
        fixture.put(&text).await;
        sleep(Duration::from_secs(60)).await;
    }
    let reader = fixture.read_all().await;
    sleep(Duration::from_millis(900)).await;
    for taken in 1..5 {
        assert_eq!(reader.next_rows().await.len(), 3);
        let behind = reader.status().max_behind_latest.unwrap();
        // What comes next is that old.
        let age = Duration::from_secs(60 * (60 - 3 * taken));
        assert!(
            behind.abs_diff(age) < Duration::from_secs(2),
            "{behind:?} {age:?}"
        );
        assert!(reader.status().buffered_rows > 0);
    }
}
