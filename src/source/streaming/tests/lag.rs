//! The lag that readers report.

use super::*;
use crate::kinesis::{FaultPlan, FaultRates};

const FIVE_SECONDS: Duration = Duration::from_secs(5);

/// The longest a reader at the tip takes to notice a record.
const A_POLL: Duration = Duration::from_millis(300);

/// A reader at the tip with a row that has been pending for five seconds.
async fn with_a_pending_row() -> (Fixture, StreamReader) {
    let fixture = Fixture::with_shards(1).await;
    let reader = fixture.read_all().await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(reader.status().max_behind_latest, Some(Duration::ZERO));
    fixture.put("k 1").await;
    sleep(FIVE_SECONDS).await;
    (fixture, reader)
}

#[tokio::test(start_paused = true)]
async fn pending_rows_count_as_lag() {
    let (_fixture, reader) = with_a_pending_row().await;
    let status = reader.status();
    let behind = status.max_behind_latest.unwrap();
    assert!(behind >= FIVE_SECONDS && behind < FIVE_SECONDS + A_POLL);
    assert_eq!(status.min_behind_latest, Some(behind));
    assert_eq!(status.avg_behind_latest, Some(behind));
    reader.next_rows().await;
    assert_eq!(reader.status().max_behind_latest, Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn shards_that_wait_for_their_parents_have_lag() {
    let (fixture, reader) = with_a_pending_row().await;
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
async fn the_lag_of_a_failing_shard_grows() {
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
async fn the_lag_of_a_catch_up_is_the_age_of_the_taken_rows() {
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
        // The next row is that old.
        let age = Duration::from_secs(60 * (60 - 3 * taken));
        assert!(
            behind.abs_diff(age) < Duration::from_secs(2),
            "{behind:?} {age:?}"
        );
        assert!(reader.status().buffered_rows > 0);
    }
}
