//! Clocks of this machine and of the service that differ.

use super::*;
use crate::error::ErrorKind;
use crate::source::resolve_latest;

#[tokio::test(start_paused = true)]
async fn latest_loses_no_row_whichever_clock_is_ahead() {
    for ahead in [-5_000, -1, 0, 1, 700, 5_000, 200_000] {
        let mut fixture = Fixture::with_shards(2).await;
        fixture.clock = Arc::new(TokioClock::starting_at(UnixMillis(START.0 + ahead)));
        fixture.put("long before").await;
        sleep(Duration::from_secs(600)).await;
        let (now, began) = (fixture.now(), Instant::now());
        fixture.put("pear 1").await;
        // Until the first request is sent, the service's clock may have passed this machine's.
        sleep(Duration::from_millis(1_300)).await;
        let context = fixture.context(Arc::<InMemoryKinesis>::clone(&fixture.kinesis));
        let present = resolve_latest(&context, now, began, fastrand::Rng::with_seed(7)).await;
        let present = present.unwrap();
        sleep(Duration::from_secs(30)).await;
        let start = initial_at(ShardPosition::AtTimestamp(present));
        let reader = fixture.read(start).await;
        let rows = tokio::time::timeout(Duration::from_secs(60), reader.next_rows()).await;
        assert_eq!(rows.unwrap(), ["pear 1"], "{ahead}");
    }
}

#[tokio::test(start_paused = true)]
async fn latest_is_now_if_the_clocks_agree() {
    let fixture = Fixture::with_shards(1).await;
    let (now, began) = (fixture.now(), Instant::now());
    let context = fixture.context(Arc::<InMemoryKinesis>::clone(&fixture.kinesis));
    let present = resolve_latest(&context, now, began, fastrand::Rng::with_seed(7)).await;
    assert_eq!(present.unwrap(), now);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_an_hour_ahead_is_rejected() {
    let fixture = Fixture::with_shards(1).await;
    let now = fixture.now().plus(Duration::from_secs(3_600));
    let context = fixture.context(Arc::<InMemoryKinesis>::clone(&fixture.kinesis));
    let random = fastrand::Rng::with_seed(7);
    let error = resolve_latest(&context, now, Instant::now(), random).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.to_string().contains("correct the clock"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_start_in_the_near_future_of_the_service_is_retried() {
    let fixture = Fixture::with_shards(1).await;
    fixture.put("early 1").await;
    let soon = fixture.now().plus(Duration::from_secs(3));
    let start = initial_at(ShardPosition::AtTimestamp(soon));
    let reader = fixture.read(start).await;
    sleep(Duration::from_secs(20)).await;
    fixture.put("late 1").await;
    assert_eq!(reader.next_rows().await, ["late 1"]);

    let tomorrow = fixture.now().plus(Duration::from_secs(86_400));
    let start = initial_at(ShardPosition::AtTimestamp(tomorrow));
    let reader = fixture.read(start).await;
    reader.changed().await;
    let error = reader.readiness(Instant::now()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
}
