//! Streams that receive no more records.
//!
//! | Case | Rule |
//! |---|---|
//! | the event time is the arrival time | the watermark follows the clock, 30 seconds behind it |
//! | another event time | it stops, or follows the clock after `streaming.watermark_idle_timeout` |
//! | `available now` | at its end the watermark is as far as in a query that never stopped |
//! | a restart | it follows the clock from the last arrival, not from the start |

use datafusion_kinesis::model::Trigger;

use super::*;

const BY_ARRIVAL: &str = "SELECT CAST(window_start AS BIGINT), count(*) FROM \
    (SELECT approximateArrivalTimestamp AS arrived, data FROM words) AS rows \
    GROUP BY tumble(arrived, INTERVAL '5 seconds')";

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn the_last_window_by_arrival_time_is_returned_without_further_records() {
    for trigger in [
        Trigger::AsFastAsPossible,
        Trigger::ProcessingTime(Duration::from_secs(2)),
    ] {
        let (world, lines) = (world(2).await, Lines::default());
        let query = grouped(&world, BY_ARRIVAL, OutputMode::Append)
            .with_watermark(Duration::from_secs(1), None)
            .with_trigger(trigger);
        let query = lines.of(query).start().await.unwrap();
        put(&world, &["1", "2", "3"]).await;
        query.process_all_available().await.unwrap();
        // The window ends up to 5 s after its rows; delay and timeout come on top.
        sleep(30).await;
        assert_eq!(lines.given().concat(), [""; 0], "{trigger}");
        sleep(9).await;
        let given = lines.given().concat();
        assert!(given.len() == 1 && given[0].ends_with(" 3"), "{given:?}");
        put(&world, &["4"]).await;
        settle(&query).await;
        assert_eq!(dropped(&query.recent_progress()), 0, "{trigger}");
        query.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn another_event_time_follows_the_clock_only_with_an_idle_timeout() {
    for timeout in [None, Some(Duration::from_secs(60))] {
        let (world, lines) = (world(2).await, Lines::default());
        let sql = TUMBLE.replace("{}", TIMES);
        let mut query = grouped(&world, &sql, OutputMode::Append).with_watermark(DELAY, None);
        if let Some(timeout) = timeout {
            query = query.with_watermark_idle_timeout(timeout);
        }
        let query = lines.of(query).start().await.unwrap();
        put(&world, &["100", "103"]).await;
        settle(&query).await;
        sleep(55).await;
        assert_eq!(lines.given().concat(), [""; 0]);
        sleep(3_600).await;
        let expected: &[&str] = if timeout.is_some() { &["100 2"] } else { &[] };
        assert_eq!(lines.given().concat(), expected, "{timeout:?}");
        query.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn available_now_ends_with_the_watermark_of_a_continuous_query() {
    let (world, lines) = (world(2).await, Lines::default());
    let run = async |place: &str| {
        let query = grouped(&world, BY_ARRIVAL, OutputMode::Append)
            .with_watermark(Duration::from_secs(1), None)
            .with_trigger(Trigger::AvailableNow)
            .with_checkpoint_location(place);
        let query = lines.of(query).start().await.unwrap();
        query.await_termination().await.unwrap();
    };
    put(&world, &["1", "2", "3"]).await;
    sleep(20).await;
    run("memory://quiet-available-now").await;
    assert_eq!(lines.given().concat(), [""; 0], "20 s is too early");
    sleep(20).await;
    run("memory://quiet-available-now").await;
    let given = lines.given().concat();
    assert!(given.len() == 1 && given[0].ends_with(" 3"), "{given:?}");
    let lines = Lines::default();
    let query = grouped(&world, BY_ARRIVAL, OutputMode::Append)
        .with_watermark(Duration::from_secs(1), None)
        .with_trigger(Trigger::AvailableNow);
    let query = lines.of(query).start().await.unwrap();
    query.await_termination().await.unwrap();
    assert_eq!(lines.given().concat(), given, "all at once");
}

#[tokio::test(start_paused = true)]
async fn an_idle_timeout_without_a_delay_is_refused() {
    let world = world(1).await;
    let sql = TUMBLE.replace("{}", TIMES);
    let query = grouped(&world, &sql, OutputMode::Update);
    let query = query.with_watermark_idle_timeout(Duration::from_secs(1));
    let error = Lines::default().of(query).start().await.unwrap_err();
    assert_eq!(error.kind(), datafusion_kinesis::ErrorKind::InvalidOption);
    assert!(
        error.to_string().contains("streaming.watermark_delay"),
        "{error}"
    );
}
